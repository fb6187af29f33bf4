"""Exact nearest neighbours by cosine."""

import torch
from torch import Tensor

from . import matmul as dense
from . import rank
from .sample import Seen


@torch.no_grad()
def top_k(x: Tensor, k: int, *, block: int = 1024, include_self: bool = False) -> tuple[Tensor, Tensor]:
    """Find the ``k`` rows with the largest cosine to each row.

    Ranks the rows of unit length against each other with :func:`mmlib.kernels.rank.top_k_by`.
    Letters: n = rows, d = width, b = block. O(n^2 d) time, O(b n + n k + n d) memory. No gradient.

    Args:
        x: [n, d] floating point; half precision is raised to float32. A row of zeros has cosine 0 with all.
        k: neighbours; may exceed what there is.
        block: rows at a time.
        include_self: whether a row may be its own neighbour.

    Returns:
        ``indices`` [n, k] int64 and ``cosine`` [n, k] in -1..1, nearest first. Where fewer than k rows are left
        the index is -1 and the cosine -inf.

    Raises:
        ValueError: when ``x`` is not a finite floating-point matrix, or ``k`` or ``block`` is below 1.
    """
    if x.ndim != 2 or not x.is_floating_point():
        raise ValueError(f"x must be [n, d] in floating point, not {list(x.shape)} {x.dtype}")
    n = len(x)
    each = torch.arange(n, device=x.device)
    itself = None if include_self else Seen(torch.arange(n + 1, device=x.device), each, n, n)
    x = unit(x)
    if not x.isfinite().all():
        raise ValueError("x holds NaN or infinity, so no row has a nearest one")
    cosines = lambda rows: dense.linear(x[rows], x)  # noqa: E731
    indices, cosine = rank.top_k_by(cosines, each, n, k, seen=itself, block=block, dtype=x.dtype)
    return indices, cosine.clamp_(-1, 1).masked_fill_(indices < 0, -torch.inf)


def unit(x: Tensor) -> Tensor:
    """Scale the rows of ``x`` [n, d] to length 1, in float32 or better; a row of zeros stays zero.

    Differentiable. A row of zeros passes its gradient on as it is, where dividing by a tiny epsilon would
    blow it up.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / length.masked_fill(length == 0, 1)
