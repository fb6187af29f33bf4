"""Learnt edge weights against dense matrices, forwards and backwards."""

import pytest
import torch

from mmlib.core.graph import Graph
from mmlib.kernels.propagate import along_weighted, edge_products


@pytest.fixture
def graph() -> Graph:
    row, col = torch.tensor([3, 0, 0, 2, 3, 3]), torch.tensor([1, 4, 0, 1, 0, 2])
    return Graph.from_edges(row, col, torch.arange(1.0, 7), 4, 5)  # row 1 and column 3 are empty


def test_edge_products_and_weighted_sums_are_those_of_dense_matrices(graph) -> None:
    torch.manual_seed(0)
    a, b, x = torch.randn(4, 3), torch.randn(5, 3), torch.randn(5, 2)
    to_each, to_sum = torch.randn(6), torch.randn(4, 2)
    found = [one.clone().requires_grad_() for one in (a, b, x)]
    expected = [one.clone().requires_grad_() for one in (a, b, x)]
    transpose, order = graph.transposed()
    ways = (graph.csr, transpose.csr), order
    weight = edge_products(found[0], found[1], *ways)
    y = along_weighted(weight, found[2], *ways)
    all_dots = expected[0] @ expected[1].T
    dense = torch.zeros(4, 5).index_put((graph.row, graph.col), all_dots[graph.row, graph.col])
    torch.testing.assert_close(weight, all_dots[graph.row, graph.col])
    torch.testing.assert_close(y, dense @ expected[2])
    ((weight * to_each).sum() + (y * to_sum).sum()).backward()
    ((all_dots[graph.row, graph.col] * to_each).sum() + ((dense @ expected[2]) * to_sum).sum()).backward()
    for one, other in zip(found, expected):
        torch.testing.assert_close(one.grad, other.grad)
