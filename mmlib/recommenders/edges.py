"""Weights of edges that are learnt: inner products along a graph's edges, and sums with weights that have a gradient.

Letters: n = rows, m = columns, e = edges, d = width. ``order`` [e] leads from the edges of a graph to those of its
transpose: edge ``order[j]`` of the graph is edge j of the transpose. Nothing of size e x d is ever held.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..core.graph import Graph


def transposed(graph: Graph) -> tuple[Graph, Tensor]:
    """The transpose [m, n], and ``order`` [e]."""
    order = torch.argsort(graph.col * graph.n_rows + graph.row)
    return Graph.from_edges(graph.col, graph.row, graph.weight, graph.n_cols, graph.n_rows, graph.about), order


def dots(a: Tensor, b: Tensor, graph: Graph, transpose: Graph, order: Tensor) -> Tensor:
    """<a_row, b_col> of every edge: a [n, d], b [m, d] -> [e]."""
    return _Dots.apply(a, b, graph, transpose, order)


def spread(weight: Tensor, x: Tensor, graph: Graph, transpose: Graph, order: Tensor) -> Tensor:
    """``graph @ x`` with ``weight`` [e] in place of its own, differentiable in both: x [m, d] -> [n, d]."""
    return _Spread.apply(weight, x, graph, transpose, order)


def _sampled(graph: Graph, a: Tensor, b: Tensor) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):
        return torch.sparse.sampled_addmm(graph.csr, a.float().contiguous(), b.float().T, beta=0.0).values()


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, graph: Graph, transpose: Graph, order: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, order)
        ctx.graphs = graph, transpose
        return _sampled(graph, a, b)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b, order = ctx.saved_tensors
        graph, transpose = ctx.graphs
        of_a = replace(graph, weight=gradient) @ b
        return of_a, replace(transpose, weight=gradient.index_select(0, order)) @ a, None, None, None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, graph: Graph, transpose: Graph, order: Tensor) -> Tensor:
        ctx.save_for_backward(weight, x, order)
        ctx.graphs = graph, transpose
        return replace(graph, weight=weight) @ x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, x, order = ctx.saved_tensors
        graph, transpose = ctx.graphs
        of_x = replace(transpose, weight=weight.index_select(0, order)) @ gradient
        return _sampled(graph, gradient, x), of_x, None, None, None
