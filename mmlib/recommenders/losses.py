"""Loss terms that many recommenders share. Letters: b = purchases of a batch, d = width."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..errors import one_of

LENGTHS = ("squared", "norm", "mean")


def bpr(user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al. 2009): mean of -log sigma(<u, i> - <u, j>).

    Args:
        user, positive, negative: [b, d].
    """
    return F.softplus((user * (negative - positive)).sum(-1)).mean()


def length(weight: float, *vectors: Tensor, reading: str = "squared") -> Tensor:
    """The L2 term of a batch.

    Args:
        weight: lambda.
        vectors: [b, d] each.
        reading: ``"squared"``: half the squares, summed and divided by b (LightGCN eq. 15 per batch); ``"norm"``: the
            root of each tensor's sum of squares, divided by b, as the usual toolbox has it; ``"mean"``: each tensor's
            mean square, over its d columns too, as the authors of GRCN and DualGNN have it. Their weights cannot be
            compared.
    """
    one_of("l2_reading", reading, LENGTHS)
    if reading == "mean":
        return weight * torch.stack([x.pow(2).mean() for x in vectors]).sum()
    if reading == "squared":
        total = torch.stack([0.5 * x.pow(2).sum() for x in vectors]).sum()
    else:
        total = torch.stack([torch.linalg.vector_norm(x) for x in vectors]).sum()
    return weight * total / len(vectors[0])


def exp_sums(a: Tensor, b: Tensor, scale: float, *, block: int = 128) -> tuple[Tensor, Tensor]:
    """Sums over rows and over columns of exp(scale * (a b^T - 1)), without n x m numbers in memory.

    Contrastive losses with negatives from several tables are made of these. O(n m d) time, O(block m) memory; going
    back, the products are made again block by block.

    Args:
        a: [n, d], rows of length 1.
        b: [m, d], rows of length 1.
        scale: 1 / temperature.
        block: rows of ``a`` at a time.

    Returns:
        [n] and [m], differentiable in ``a`` and ``b``; one and the same tensor for both costs half.
    """
    return _ExpSums.apply(a, b, scale, block)


class _ExpSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, scale: float, block: int) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(a, b)
        ctx.scale, ctx.block, ctx.same = scale, block, a is b
        rows, columns = [], b.new_zeros(len(b))
        for some in a.split(block):
            e = _exponentials(some, b, scale)
            rows.append(e.sum(1))
            if not ctx.same:
                columns += e.sum(0)
        return torch.cat(rows), torch.cat(rows) if ctx.same else columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_rows: Tensor, of_columns: Tensor) -> tuple[Tensor, Tensor, None, None]:
        a, b = ctx.saved_tensors
        of_a, of_b = [], torch.zeros_like(b)
        if ctx.same:  # e is symmetric, and one product gives what a is due as rows and as columns
            of_rows = of_columns = of_rows + of_columns
        with torch.autocast(a.device.type, enabled=False):
            for some, weight in zip(a.split(ctx.block), of_rows.split(ctx.block)):
                e = _exponentials(some, b, ctx.scale)
                e *= weight.unsqueeze(1) + of_columns
                of_a.append(e @ b)
                if not ctx.same:
                    of_b.addmm_(e.T, some)
        return torch.cat(of_a).mul_(ctx.scale), of_b.mul_(ctx.scale), None, None


def _exponentials(a: Tensor, b: Tensor, scale: float) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):
        return torch.mm(a, b.T).sub_(1).mul_(scale).exp_()


def once(ids: Tensor, *, repeats: bool = False) -> Tensor:
    """Where each different id stands, one place for each: [b] -> [distinct], in the ids' order.

    For contrasts within a batch, where an item bought twice would otherwise be its own negative.

    Args:
        repeats: give every place instead: 0, ..., b - 1.
    """
    if repeats:
        return torch.arange(len(ids), device=ids.device)
    found, place = ids.unique(return_inverse=True)
    return place.new_empty(len(found)).scatter_(0, place, torch.arange(len(ids), device=ids.device))
