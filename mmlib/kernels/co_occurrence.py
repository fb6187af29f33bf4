"""Which rows of a binary matrix share most columns: users by common items, items by common users."""

from bisect import bisect_right
from collections.abc import Iterator

import torch
from torch import Tensor

from .rank import check_positive
from .sample import check_ids
from .segments import segments

PAIRS = 1 << 19  # expanded pairs held at once, about 100 bytes each


@torch.no_grad()
def top_k(
    indptr: Tensor, indices: Tensor, n_cols: int, k: int | None, *, minimum: int = 1, block: int = 4096
) -> tuple[Tensor, Tensor, Tensor]:
    """Find for each row the ``k`` other rows that share most columns with it.

    Each entry (r, c) is expanded to the rows that column c holds; sorting and counting the pairs gives the
    numbers of shared columns. Letters: n = rows, z = entries, p = sum over columns of (entries in the column)^2,
    P = ``PAIRS``, e = edges returned. O(p log P) time, O(z + max(P, pairs of the longest row) + e) memory: nothing
    dense, and a row's pairs never exceed z.

    Args:
        indptr: [n + 1] int64, of a binary CSR matrix.
        indices: [z] int64 column ids, in any order within a row, no repeats.
        n_cols: columns of the matrix.
        k: neighbours kept for a row, ``None`` for all.
        minimum: columns that two rows must share at least.
        block: rows at a time; fewer where they expand to more than P pairs.

    Returns:
        ``row``, ``col`` and ``count``, [e] int64 each: directed edges by ascending row, then descending count, then
        ascending col. A row is never its own neighbour.

    Raises:
        ValueError: when ``k``, ``minimum`` or ``block`` is below 1, or the matrix is not a binary CSR matrix.
    """
    check_positive(k=1 if k is None else k, minimum=minimum, block=block)
    row, indices = _check_matrix(indptr, indices, n_cols)
    n = len(indptr) - 1
    held = torch.bincount(indices, minlength=n_cols)  # [n_cols] rows in a column
    first = held.cumsum(0) - held
    members = row[indices.argsort(stable=True)]  # [z] rows, column by column
    width = held[indices]  # [z] pairs that an entry expands to
    parts = []
    for start, stop in _blocks(indptr, width, block):
        part = slice(int(indptr[start]), int(indptr[stop]))
        owner, place = segments(first[indices[part]], width[part])  # [p]
        keys = (row[part] * n).index_select(0, owner).add_(members.index_select(0, place))
        parts.append(_strongest(keys, n, k, minimum))
    row, col, count = (torch.cat(part) for part in zip(*parts)) if parts else [indices.new_empty(0)] * 3
    return row, col, count


def _strongest(keys: Tensor, n: int, k: int | None, minimum: int) -> tuple[Tensor, Tensor, Tensor]:
    """Count equal keys ``row * n + col`` [p] and keep the ``k`` most frequent of each row."""
    keys, count = torch.unique_consecutive(keys.sort().values, return_counts=True)
    row = keys // n
    keep = ((keys != row * (n + 1)) & (count >= minimum)).nonzero().squeeze(1)  # all but a row with itself
    keys, row, count = (x.index_select(0, keep) for x in (keys, row, count))
    if len(row):
        most = count.max()
        order = (row * (most + 1) + (most - count)).argsort(stable=True)  # by row, then descending count
        if k is not None:
            _, among = torch.unique_consecutive(row, return_counts=True)
            _, place = segments(torch.zeros_like(among), among)  # 0, 1, 2, ... within each row
            order = order[place < k]
        keys, row, count = (x.index_select(0, order) for x in (keys, row, count))
    return row, keys % n, count


def _blocks(indptr: Tensor, width: Tensor, block: int) -> Iterator[tuple[int, int]]:
    """Cut the rows into runs of at most ``block`` rows and, but for single rows, ``PAIRS`` pairs."""
    total = torch.cat([width.new_zeros(1), width.cumsum(0)])[indptr].tolist()  # [n + 1] pairs before each row
    start, n = 0, len(total) - 1
    while start < n:
        fitting = bisect_right(total, total[start] + PAIRS) - 1
        stop = min(max(fitting, start + 1), start + block, n)
        yield start, stop
        start = stop


def _check_matrix(indptr: Tensor, indices: Tensor, n_cols: int) -> tuple[Tensor, Tensor]:
    """The row and the column of every entry, [z] each."""
    if indptr.ndim != 1 or indices.ndim != 1 or not len(indptr):
        raise ValueError(f"indptr {list(indptr.shape)} and indices {list(indices.shape)} must be [n + 1] and [z]")
    indices, indptr = check_ids("indices", indices, n_cols), check_ids("indptr", indptr, len(indices) + 1)
    held = indptr.diff()
    if indptr[0] != 0 or indptr[-1] != len(indices) or (held < 0).any():
        raise ValueError(f"indptr must rise from 0 to {len(indices)}, the number of indices")
    row = torch.repeat_interleave(torch.arange(len(held), device=indices.device), held)
    keys = (row * n_cols + indices).sort().values
    twice = keys[1:][keys[1:] == keys[:-1]]
    if len(twice):
        at = int(twice[0])
        raise ValueError(f"indices names column {at % n_cols} twice in row {at // n_cols}; the matrix must be binary")
    return row, indices
