"""Contrastive losses over all pairs of a batch, in bounded memory.

Letters used below: n = pairs, d = width, b = block, t = temperature, z = logits, n x n but only b x n at a time.
Each loss recomputes its logits block by block in the backward pass: 2 n^2 d multiplications forward and 6 n^2 d
backward (plain code: 4), O(b n + n d) memory (plain code: O(n^2)). Under autocast the matrix products run in the
autocast type and all else in float32; half-precision inputs are treated alike. Second derivatives are not defined.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .nearest import unit
from .rank import check_positive


def info_nce(
    a: Tensor,
    b: Tensor,
    *,
    temperature: float | Tensor = 0.1,
    symmetric: bool = True,
    normalise: bool = True,
    block: int = 1024,
) -> Tensor:
    r"""Softmax contrastive loss: each row of ``a`` is to find its own row of ``b`` among all of them.

    .. math:: \ell_{a \to b} = -\frac1n \sum_i \log \frac{\exp z_{ii}}{\sum_j \exp z_{ij}},
              \qquad z_{ij} = \langle a_i, b_j \rangle / t

    and, when ``symmetric``, the mean of both directions. InfoNCE of van den Oord et al., "Representation Learning
    with Contrastive Predictive Coding", 2018 (eq. 4), symmetric as in Radford et al., CLIP, 2021 (fig. 3).

    Args:
        a: [n, d] floating point.
        b: [n, d]; row i belongs to row i of ``a``.
        temperature: t > 0; a tensor with one element is learnt.
        symmetric: whether ``b`` is to find ``a`` too.
        normalise: compare directions (z is a cosine / t); a row of zeros has cosine 0 with all.
        block: rows of z held at once.

    Returns:
        A scalar in float32, or in float64 for float64 input.

    Raises:
        ValueError: on mismatched shapes, an empty batch, ``temperature`` not above 0 or ``block`` below 1.
    """
    a, b, scale, dtype = _prepare(a, b, temperature, normalise, block)
    return _InfoNCE.apply(a, b, scale, symmetric, block, dtype)


def pairwise_bce(
    a: Tensor,
    b: Tensor,
    *,
    temperature: float | Tensor = 0.1,
    block: int = 1024,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    r"""Sigmoid cross-entropy over all n x n pairs: do row i of ``a`` and row j of ``b`` belong together?

    .. math:: \ell = -\sum_{i} \log \sigma(z_{ii}) - \sum_{i \neq j} \log \sigma(-z_{ij}),
              \qquad z_{ij} = \cos(a_i, b_j) / t

    divided by n^2 for the mean. The form of Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023
    (eq. 1), without their bias.

    Args:
        a: [n, d] floating point.
        b: [n, d]; row i belongs to row i of ``a``.
        temperature: t > 0; a tensor with one element is learnt.
        block: rows of z held at once.
        reduction: ``"mean"`` or ``"sum"`` over the n^2 pairs.

    Returns:
        A scalar in float32, or in float64 for float64 input.

    Raises:
        ValueError: on mismatched shapes, an empty batch, ``temperature`` not above 0, ``block`` below 1 or an
            unknown ``reduction``.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction = {reduction!r} must be "mean" or "sum"')
    a, b, scale, dtype = _prepare(a, b, temperature, True, block)
    total = _PairwiseBCE.apply(a, b, scale, block, dtype)
    return total / len(a) ** 2 if reduction == "mean" else total


class _InfoNCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, scale: Tensor, symmetric: bool, block: int, dtype: torch.dtype
    ) -> Tensor:
        n = len(a)
        right = a.new_zeros(())  # sum of the logits of the true pairs
        by_row, by_col = a.new_empty(n), a.new_full((n,), -torch.inf)  # log-sum-exp of z
        for rows, z in _logits(a, b, scale, block, dtype):
            right += z.diagonal(rows.start).sum()
            by_row[rows] = z.logsumexp(1)
            if symmetric:
                by_col = torch.logaddexp(by_col, z.logsumexp(0))
        ctx.save_for_backward(a, b, scale, by_row, by_col)
        ctx.rest = symmetric, block, dtype
        if symmetric:
            return ((by_row + by_col).sum() / 2 - right) / n
        return (by_row.sum() - right) / n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        a, b, scale, by_row, by_col = ctx.saved_tensors
        symmetric, block, dtype = ctx.rest

        def slope(rows: slice, z: Tensor) -> Tensor:
            by_row_here = by_row[rows].unsqueeze(1)
            if symmetric:
                p = (z - by_row_here).exp_().add_(z.sub_(by_col).exp_()).div_(2)
            else:
                p = z.sub_(by_row_here).exp_()
            p.diagonal(rows.start).sub_(1)
            return p

        grads = _gradients(a, b, scale, block, dtype, slope, grad / len(a))
        return *grads, None, None, None


class _PairwiseBCE(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, scale: Tensor, block: int, dtype: torch.dtype) -> Tensor:
        total = a.new_zeros(())
        for rows, z in _logits(a, b, -scale, block, dtype):
            z.diagonal(rows.start).neg_()  # now sigmoid(z) is the probability of the truth
            total -= F.logsigmoid(z).sum()
        ctx.save_for_backward(a, b, scale)
        ctx.rest = block, dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        def slope(rows: slice, z: Tensor) -> Tensor:
            z.sigmoid_().diagonal(rows.start).sub_(1)
            return z

        a, b, scale = ctx.saved_tensors
        block, dtype = ctx.rest
        grads = _gradients(a, b, scale, block, dtype, slope, grad)
        return *grads, None, None


def _logits(a: Tensor, b: Tensor, scale: Tensor, block: int, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of z = scale * a b^T [b, n]: the product in ``dtype``, the result in the type of ``a``."""
    low_a, low_b = a.to(dtype), b.to(dtype)
    for start in range(0, len(a), block):
        rows = slice(start, start + block)
        with torch.autocast(a.device.type, enabled=False):
            z = torch.mm(low_a[rows], low_b.T).to(a.dtype).mul_(scale)
        yield rows, z


def _gradients(
    a: Tensor,
    b: Tensor,
    scale: Tensor,
    block: int,
    dtype: torch.dtype,
    slope: Callable[[slice, Tensor], Tensor],
    grad: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients with respect to a, b and scale, when ``slope`` gives that of the loss with respect to z."""
    low_a, low_b = a.to(dtype), b.to(dtype)
    grad_a, grad_b = torch.empty_like(a), torch.zeros_like(b)
    for rows, z in _logits(a, b, scale, block, dtype):
        p = slope(rows, z).to(dtype)  # [b, n]
        with torch.autocast(a.device.type, enabled=False):
            grad_a[rows] = torch.mm(p, low_b).to(a.dtype)
            grad_b += torch.mm(p.T, low_a[rows]).to(b.dtype)
    grad_scale = (grad_a * a).sum() * grad  # sum_ij p_ij <a_i, b_j>
    return grad_a.mul_(grad * scale), grad_b.mul_(grad * scale), grad_scale


def _prepare(
    a: Tensor, b: Tensor, temperature: float | Tensor, normalise: bool, block: int
) -> tuple[Tensor, Tensor, Tensor, torch.dtype]:
    """Checked a and b in float32 or better, 1 / temperature as a scalar tensor, and the type of the products."""
    if a.ndim != 2 or a.shape != b.shape or not len(a):
        raise ValueError(f"a {list(a.shape)} and b {list(b.shape)} must be [n, d] with the same n > 0 and d")
    if not (a.is_floating_point() and b.is_floating_point()):
        raise ValueError(f"a ({a.dtype}) and b ({b.dtype}) must be in floating point")
    check_positive(block=block)
    if isinstance(temperature, Tensor) and temperature.numel() != 1:
        raise ValueError(f"temperature {list(temperature.shape)} must have one element")
    number = temperature.item() if isinstance(temperature, Tensor) else temperature
    if not number > 0:
        raise ValueError(f"temperature = {number:.6g} must be above 0")
    dtype = torch.promote_types(a.dtype, b.dtype)
    work = torch.promote_types(dtype, torch.float32)
    if torch.is_autocast_enabled(a.device.type) and dtype != torch.float64:
        dtype = torch.get_autocast_dtype(a.device.type)
    with torch.autocast(a.device.type, enabled=False):
        a, b = (unit(x.to(work)) if normalise else x.to(work) for x in (a, b))
        if isinstance(temperature, Tensor):
            scale = temperature.to(a.device, work).reshape(()).reciprocal()
        else:
            scale = torch.full((), 1 / temperature, device=a.device, dtype=work)
    return a, b, scale, dtype


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
