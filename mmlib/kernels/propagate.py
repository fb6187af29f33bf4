"""Vectors along a sparse matrix: sums over neighbours, means of layers, inner products and weights of edges.

Letters: n = rows, m = columns, e = edges, d = width. A matrix comes with its transpose, both in PyTorch's CSR form, so
that going back costs what going forward does. Nothing of size e x d is ever held.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Matrices = tuple[Tensor, Tensor | None]  # [n, m] and, where a gradient is asked for, its transpose [m, n]


def csr(indptr: Tensor, col: Tensor, weight: Tensor, n_rows: int, n_cols: int) -> Tensor:
    """A CSR matrix with 32-bit indices where they suffice: with 64 bits, MKL's are copied from them in each product."""
    if len(col) < 2**31:
        indptr, col = indptr.int(), col.int()
    return torch.sparse_csr_tensor(indptr, col, weight, (n_rows, n_cols), check_invariants=False)


def along(matrices: Matrices, x: Tensor) -> Tensor:
    """Weighted sums over neighbours, A x: [m, d] -> [n, d]; differentiable in ``x``."""
    return _Layers.apply(x, *matrices, 1, False)


def mean_of_layers(matrices: Matrices, x: Tensor, layers: int) -> Tensor:
    """The mean of x, Ax, ..., A^L x of a square matrix: [n, d] -> [n, d].

    One pass in Horner form, x + A(x + A(x + ...)), and the same pass over the transpose going back, so that no layer is
    kept for the backward pass.
    """
    return _Layers.apply(x, *matrices, layers, True)


def mean_of_layers_at(matrices: Matrices, x: Tensor, layers: int, rows: Tensor) -> tuple[Tensor, Tensor]:
    """``mean_of_layers(...)[rows]`` and ``x[rows]``, rows [..., b]: two tensors [..., b, d].

    The gradients of both come back in one table, so that a step makes no other of the size of ``x``.
    """
    return _LayersAt.apply(x, *matrices, layers, rows)


def edge_products(a: Tensor, b: Tensor, matrices: Matrices, order: Tensor) -> Tensor:
    """<a_row, b_col> of every edge, by row: a [n, d], b [m, d] -> [e].

    Args:
        order: [e]: edge ``order[j]`` of the matrix is edge j of its transpose.
    """
    return _EdgeProducts.apply(a, b, *matrices, order)


def along_weighted(weight: Tensor, x: Tensor, matrices: Matrices, order: Tensor) -> Tensor:
    """``along`` with ``weight`` [e] in place of the matrix's own, differentiable in both: x [m, d] -> [n, d]."""
    return _AlongWeighted.apply(weight, x, *matrices, order)


class _Layers(torch.autograd.Function):
    """y = Ax, or the mean of x, Ax, ..., A^L x; the gradient is the same sum over the transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transpose: Tensor, layers: int, mean: bool) -> Tensor:
        ctx.transpose, ctx.layers, ctx.mean = transpose, layers, mean
        return _horner(matrix, x, layers, mean)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _horner(ctx.transpose, gradient, ctx.layers, ctx.mean), None, None, None, None


class _LayersAt(torch.autograd.Function):
    """(y[rows], x[rows]) with y the mean of layers."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, matrix: Tensor, transpose: Tensor, layers: int, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.transpose, ctx.layers = transpose, layers
        ctx.save_for_backward(rows)
        return F.embedding(rows, _horner(matrix, x, layers, True)), F.embedding(rows, x)

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, of_x: Tensor) -> tuple[Tensor | None, ...]:
        rows = ctx.saved_tensors[0].flatten()
        n, d = ctx.transpose.shape[0], of_x.shape[-1]
        scattered = of_mean.new_zeros(n, d).index_add_(0, rows, of_mean.reshape(-1, d))
        gradient = _horner(ctx.transpose, scattered, ctx.layers, True)
        return gradient.index_add_(0, rows, of_x.reshape(-1, d).to(gradient.dtype)), None, None, None, None


class _EdgeProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, matrix: Tensor, transpose: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, order)
        ctx.matrices = matrix, transpose
        return _sampled(matrix, a, b)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b, order = ctx.saved_tensors
        matrix, transpose = ctx.matrices
        of_a = _horner(_weighted(matrix, gradient), b, 1, False)
        of_b = _horner(_weighted(transpose, gradient.index_select(0, order)), a, 1, False)
        return of_a, of_b, None, None, None


class _AlongWeighted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, matrix: Tensor, transpose: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(weight, x, order)
        ctx.matrices = matrix, transpose
        return _horner(_weighted(matrix, weight), x, 1, False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, x, order = ctx.saved_tensors
        matrix, transpose = ctx.matrices
        of_x = _horner(_weighted(transpose, weight.index_select(0, order)), gradient, 1, False)
        return _sampled(matrix, gradient, x), of_x, None, None, None


def _weighted(matrix: Tensor, weight: Tensor) -> Tensor:
    """The same matrix with other weights [e]."""
    indices = matrix.crow_indices(), matrix.col_indices()
    return torch.sparse_csr_tensor(*indices, weight, matrix.shape, check_invariants=False)


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
