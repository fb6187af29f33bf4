"""Contrastive losses over all pairs of a batch, in bounded memory.

Letters used below: n = pairs, d = width, b = block, t = temperature, z = logits, n x n but only b x n at a time.
Each loss makes its gradients together with its value, while a block of logits is at hand: n^2 d multiplications for the
value and 2 n^2 d for the gradients as in plain code (the symmetric one: 4 n^2 d in all), but O(b n + n d) memory (plain
code: O(n^2)). Under autocast the matrix products run in the
autocast type and all else in float32; half-precision inputs are treated alike. Second derivatives are not defined.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import matmul as dense
from .neighbours import unit
from .rank import check_positive

BOUND = 30  # cosines times at most this: exponentials stay above exp(-60)


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
    a, b, scale, dtype, number = _prepare(a, b, temperature, normalise, block)
    with torch.no_grad():
        both = _both_bounded if normalise and number >= 1 / BOUND else _both_ways
        slope = both(a, b, scale, block, dtype) if symmetric else _one_way
    return _total(a, b, scale, a.new_zeros(()), slope, block, dtype) / len(a)


def pairwise_bce(
    a: Tensor,
    b: Tensor,
    *,
    temperature: float | Tensor = 0.1,
    bias: Tensor | None = None,
    block: int = 1024,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    r"""Sigmoid cross-entropy over all n x n pairs: do row i of ``a`` and row j of ``b`` belong together?

    .. math:: \ell = -\sum_{i} \log \sigma(z_{ii}) - \sum_{i \neq j} \log \sigma(-z_{ij}),
              \qquad z_{ij} = \cos(a_i, b_j) / t + \text{bias}

    divided by n^2 for the mean. Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023 (eq. 1). Without
    their bias, the n - 1 false pairs of a row outweigh the true one, and the loss drives a and b apart.

    Args:
        a: [n, d] floating point.
        b: [n, d]; row i belongs to row i of ``a``.
        temperature: t > 0; a tensor with one element is learnt.
        bias: one element, learnt; ``None`` is 0.
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
    a, b, scale, dtype, _ = _prepare(a, b, temperature, True, block)
    shift = a.new_zeros(()) if bias is None else bias.to(a).reshape(())

    def slope(rows: slice, z: Tensor) -> tuple[Tensor, Tensor]:
        return _sigmoids(rows, z if bias is None else z.add_(shift.detach()))

    total = _total(a, b, scale, shift, slope, block, dtype)
    return total / len(a) ** 2 if reduction == "mean" else total


Slope = Callable[[slice, Tensor], tuple[Tensor, Tensor]]  # rows and their z [b, n] -> their loss, and its slope in z


def _total(a: Tensor, b: Tensor, scale: Tensor, bias: Tensor, slope: Slope, block: int, dtype: torch.dtype) -> Tensor:
    """The loss summed over rows, with its gradients in the same pass over the blocks where they will be asked for."""
    inputs = a, b, scale, bias
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    with torch.no_grad():
        total, of_bias = a.new_zeros(()), a.new_zeros(())
        of_a, of_b, low_a, low_b = torch.empty_like(a), torch.zeros_like(b), a.to(dtype), b.to(dtype)
        for rows, z in _products(a, b, block, dtype):
            value, p = slope(rows, z.mul_(scale))
            total += value
            if bias.requires_grad:
                of_bias += p.sum()
            if learns:
                p = p.to(dtype)
                with torch.autocast(a.device.type, enabled=False):
                    of_a[rows] = torch.mm(p, low_b).to(a.dtype)
                    of_b += torch.mm(p.T, low_a[rows]).to(b.dtype)
        of_scale = (of_a * a).sum() if learns else None  # sum_ij p_ij <a_i, b_j>
        gradients = of_a.mul_(scale), of_b.mul_(scale), of_scale, of_bias
    return _Known.apply(total, gradients, *inputs) if learns else total


class _Known(torch.autograd.Function):
    """A value whose gradients are known already: going back only scales them."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: tuple[Tensor, ...], *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(grad * one for one in ctx.saved_tensors)


def _one_way(rows: slice, z: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each row's softmax with its own place."""
    p = z.softmax(1)
    by_row = z.amax(1) - p.amax(1).log()  # log-sum-exp: what is largest stays clear of underflow
    p.diagonal(rows.start).sub_(1)
    return (by_row - z.diagonal(rows.start)).sum(), p


def _both_ways(a: Tensor, b: Tensor, scale: Tensor, block: int, dtype: torch.dtype) -> Slope:
    """The mean of the cross-entropies of rows and of columns, which need a pass of their own for their sums."""
    by_row, by_col = a.new_empty(len(a)), a.new_full((len(b),), -torch.inf)  # log-sum-exp of z
    for rows, z in _products(a, b, block, dtype):
        by_row[rows] = z.mul_(scale).logsumexp(1)
        by_col = torch.logaddexp(by_col, z.logsumexp(0))

    def slope(rows: slice, z: Tensor) -> tuple[Tensor, Tensor]:
        value = (by_row[rows] + by_col[rows]).sum() / 2 - z.diagonal(rows.start).sum()
        p = (z - by_row[rows].unsqueeze(1)).exp_().add_(z.sub_(by_col).exp_()).div_(2)
        p.diagonal(rows.start).sub_(1)
        return value, p

    return slope


def _both_bounded(a: Tensor, b: Tensor, scale: Tensor, block: int, dtype: torch.dtype) -> Slope:
    """The same for cosines: exp(z - scale) can neither overflow nor vanish, so that one serves rows and columns."""
    by_row, by_col = a.new_empty(len(a)), a.new_zeros(len(b))  # sums of exp(z - scale)
    for rows, z in _products(a, b, block, dtype):
        e = _exp_below(z.mul_(scale), scale)
        by_row[rows] = e.sum(1)
        by_col += e.sum(0)
    of_row, of_col = 0.5 / by_row, 0.5 / by_col

    def slope(rows: slice, z: Tensor) -> tuple[Tensor, Tensor]:
        value = (0.5 * (by_row[rows].log() + by_col[rows].log()) + scale - z.diagonal(rows.start)).sum()
        e = _exp_below(z, scale)
        p = e.mul_(of_row[rows].unsqueeze(1) + of_col)
        p.diagonal(rows.start).sub_(1)
        return value, p

    return slope


def _exp_below(z: Tensor, scale: Tensor) -> Tensor:
    """exp(z - scale), in place; ``exp_`` takes twice the time of ``exp2_``."""
    return z.sub_(scale).mul_(math.log2(math.e)).exp2_()


def _sigmoids(rows: slice, z: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each pair's sigmoid with whether it is a true one."""
    z.diagonal(rows.start).neg_()  # now sigmoid(-z) is the probability of the truth
    value = F.softplus(z).sum()
    z.sigmoid_().diagonal(rows.start).neg_()
    return value, z


def _products(a: Tensor, b: Tensor, block: int, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of rows of a b^T [block, m]: multiplied in ``dtype``, the result in the type of ``a``."""
    low_a, low_b = a.to(dtype), b.to(dtype)
    for start in range(0, len(a), block):
        rows = slice(start, start + block)
        with torch.autocast(a.device.type, enabled=False):
            found = dense.linear(low_a[rows], low_b).to(a.dtype)
        yield rows, found


def _prepare(
    a: Tensor, b: Tensor, temperature: float | Tensor, normalise: bool, block: int
) -> tuple[Tensor, Tensor, Tensor, torch.dtype, float]:
    """Checked a and b in float32 or better, 1 / temperature as a tensor, the type of products, the temperature."""
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
    return a, b, scale, dtype, number


def exp_sums(a: Tensor, b: Tensor, scale: float, *, own: bool = True, block: int = 512) -> tuple[Tensor, Tensor]:
    """Sums over rows and over columns of exp(scale * (a b^T - 1)), without n x m numbers in memory.

    Contrastive losses with negatives from several tables are made of these. O(n m d) time, O(block m) memory; going
    back, the products are made again block by block.

    Args:
        a: [n, d], rows of length 1.
        b: [m, d], rows of length 1.
        scale: 1 / temperature; from about 50 on exponentials vanish in float32.
        own: whether the pairs (i, i) count; to take them off the sums afterwards would lose small ones.
        block: rows of ``a`` at a time.

    Returns:
        [n] and [m], differentiable in ``a`` and ``b``; one and the same tensor for both costs half.
    """
    return _ExpSums.apply(a, b, scale, own, block)


class _ExpSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, scale: float, own: bool, block: int) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(a, b)
        ctx.same, ctx.rest = a is b, (scale, own, block)
        rows, columns = [], b.new_zeros(len(b))
        for _, e in _exponentials(a, b, scale, own, block):
            rows.append(e.sum(1))
            if not ctx.same:
                columns += e.sum(0)
        return torch.cat(rows), torch.cat(rows) if ctx.same else columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_rows: Tensor, of_columns: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        scale, own, block = ctx.rest
        of_a, of_b = torch.empty_like(a), torch.zeros_like(b)
        if ctx.same:  # e is symmetric, and one product gives what a is due as rows and as columns
            of_rows = of_columns = of_rows + of_columns
        for some, e in _exponentials(a, b, scale, own, block):
            e *= of_rows[some].unsqueeze(1) + of_columns
            with torch.autocast(a.device.type, enabled=False):
                of_a[some] = e @ b
                if not ctx.same:
                    of_b.addmm_(e.T, a[some])
        return of_a.mul_(scale), of_b.mul_(scale), None, None, None


def _exponentials(a: Tensor, b: Tensor, scale: float, own: bool, block: int) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of exp(scale * (a b^T - 1)) [block, m]."""
    for some, z in _products(a, b, block, a.dtype):
        e = z.sub_(1).mul_(scale * math.log2(math.e)).exp2_()  # exp_ takes twice the time
        if not own:
            e.diagonal(some.start).zero_()
        yield some, e
