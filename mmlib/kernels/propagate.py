"""Vectors along a sparse matrix: sums over neighbours, means of layers, inner products and weights of edges.

Letters: n = rows, m = columns, e = edges, d = width. A matrix comes with its transpose, both in PyTorch's CSR form, so
that going back costs what going forward does. Nothing of size e x d is ever held.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Matrices = tuple[Tensor, Any]  # [n, m] and its transpose [m, n], or None where no gradient is asked for


def csr(indptr: Tensor, col: Tensor, weight: Tensor, n_rows: int, n_cols: int) -> Tensor:
    """A CSR matrix with 32-bit indices where they suffice: with 64 bits, MKL's are copied from them in each product."""
    if len(col) < 2**31:
        indptr, col = indptr.int(), col.int()
    return torch.sparse_csr_tensor(indptr, col, weight, (n_rows, n_cols), check_invariants=False)


def along(matrices: Matrices, x: Tensor) -> Tensor:
    """Weighted sums over neighbours, A x: [m, d] -> [n, d]; differentiable in ``x``."""
    return _layers(matrices, x, 1, mean=False)


def mean_of_layers(matrices: Matrices, x: Tensor, layers: int) -> Tensor:
    """The mean of x, Ax, ..., A^L x of a square matrix: [n, d] -> [n, d].

    One pass in Horner form, x + A(x + A(x + ...)), and the same pass over the transpose going back, so that no layer is
    kept for the backward pass.
    """
    return _layers(matrices, x, layers, mean=True)


def mean_of_layers_at(matrices: Matrices, x: Tensor, layers: int, rows: Tensor) -> tuple[Tensor, Tensor]:
    """``mean_of_layers(...)[rows]`` and ``x[rows]``, rows [..., b]: two tensors [..., b, d].

    The gradients of both come back in one table, so that a step makes no other of the size of ``x``.
    """
    n, d = x.shape
    matrix, transpose = matrices

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return F.embedding(rows, _horner(matrix, x, layers, True)), F.embedding(rows, x)

    def backward(of_mean: Tensor, of_x: Tensor) -> tuple[Tensor]:
        scattered = of_mean.new_zeros(n, d).index_add_(0, rows.flatten(), of_mean.reshape(-1, d))
        gradient = _horner(transpose, scattered, layers, True)
        return (gradient.index_add_(0, rows.flatten(), of_x.reshape(-1, d).to(gradient.dtype)),)

    return _ByHand.apply(forward, backward, (), x)


def edge_products(a: Tensor, b: Tensor, matrices: Matrices, order: Tensor) -> Tensor:
    """<a_row, b_col> of every edge, by row: a [n, d], b [m, d] -> [e].

    Args:
        order: [e]: edge ``order[j]`` of the matrix is edge j of its transpose.
    """
    matrix, transpose = matrices

    def backward(gradient: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return _summed(matrix, gradient, b), _summed(transpose, gradient.index_select(0, order), a)

    return _ByHand.apply(partial(_sampled, matrix), backward, (a, b), a, b)


def along_weighted(weight: Tensor, x: Tensor, matrices: Matrices, order: Tensor) -> Tensor:
    """``along`` with ``weight`` [e] in place of the matrix's own, differentiable in both: x [m, d] -> [n, d]."""
    matrix, transpose = matrices

    def backward(gradient: Tensor, weight: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return _sampled(matrix, gradient, x), _summed(transpose, weight.index_select(0, order), gradient)

    return _ByHand.apply(partial(_summed, matrix), backward, (weight, x), weight, x)


class _ByHand(torch.autograd.Function):
    """``forward`` of the inputs; ``backward`` makes their gradients from those of its results and from ``held``."""

    @staticmethod
    def forward(ctx: Any, forward: Callable, backward: Callable, held: tuple[Tensor, ...], *inputs: Tensor) -> Any:
        ctx.by_hand = backward
        ctx.save_for_backward(*held)
        return forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *ctx.by_hand(*gradients, *ctx.saved_tensors)


def _layers(matrices: Matrices, x: Tensor, layers: int, *, mean: bool) -> Tensor:
    """Ax, or the mean of x, Ax, ..., A^L x; the gradient is the same sum over the transpose."""
    matrix, transpose = matrices
    forward = partial(_horner, matrix, layers=layers, mean=mean)
    return _ByHand.apply(forward, lambda gradient: (_horner(transpose, gradient, layers, mean),), (), x)


def _summed(matrix: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    """The matrix with other weights [e], times x."""
    indices = matrix.crow_indices(), matrix.col_indices()
    return _horner(torch.sparse_csr_tensor(*indices, weight, matrix.shape, check_invariants=False), x, 1, False)


def _sampled(matrix: Tensor, a: Tensor, b: Tensor) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):
        return torch.sparse.sampled_addmm(matrix, a.float().contiguous(), b.float().T, beta=0.0).values()


def _horner(matrix: Tensor, x: Tensor, layers: int, mean: bool) -> Tensor:
    """In float32, also under autocast: sparse products have no lower precision on the CPU."""
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().float().contiguous()
        if not mean:
            return _product(matrix, x)
        share = 1 / (layers + 1)
        total = x if layers else x.clone()
        for layer in range(layers):  # x + A total, the last one divided by L + 1
            scale = share if layer == layers - 1 else 1.0
            total = _product(matrix, total, scale).add_(x, alpha=scale)
        return total


def _product(matrix: Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
    """scale * matrix @ x. On the CPU as weighted bags of rows, which takes half the time of MKL's product."""
    if x.is_cuda or not matrix.values().numel():
        return torch.mm(matrix, x).mul_(scale)
    weight = matrix.values() if scale == 1 else matrix.values() * scale
    bags, members = matrix.crow_indices(), matrix.col_indices()
    return F.embedding_bag(members, x, bags, mode="sum", per_sample_weights=weight, include_last_offset=True)
