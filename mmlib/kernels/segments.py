"""Segments of different lengths, taken side by side without a Python loop."""

import torch
from torch import Tensor


def segments(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """List the positions of many segments of one flat tensor, one after the other.

    Letters: s = segments, e = sum of ``counts``. O(s + e) time and memory.

    Args:
        starts: [s] int64, where each segment begins.
        counts: [s] int64, how long each is; 0 is fine.

    Returns:
        ``owner`` [e], the segment that each entry belongs to, and ``position`` [e], its place in the flat
        tensor; both int64 and in the order of the segments.

    >>> segments(torch.tensor([5, 0]), torch.tensor([2, 3]))
    (tensor([0, 0, 1, 1, 1]), tensor([5, 6, 0, 1, 2]))
    """
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)  # [e]
    shift = starts - (counts.cumsum(0) - counts)  # [s]
    return owner, shift.index_select(0, owner).add_(torch.arange(len(owner), device=counts.device))
