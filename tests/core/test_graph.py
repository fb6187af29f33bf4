import numpy as np
import pytest
import torch
from torch_geometric.nn import LGConv

from mmlib.core import graph as graphs
from mmlib.core.errors import InputError
from mmlib.core.graph import Graph


def dense(graph: Graph) -> torch.Tensor:
    out = torch.zeros(graph.n_rows, graph.n_cols, dtype=torch.float64)
    for row, col, weight in zip(graph.row.tolist(), graph.col.tolist(), graph.weight.tolist()):
        out[row, col] += weight
    return out


def some_graph(n: int, m: int, e: int) -> Graph:
    generator = torch.Generator().manual_seed(n * m + e)
    key = torch.randperm(n * m, generator=generator)[:e]
    return Graph.from_edges(key // m, key % m, torch.rand(e, generator=generator) + 0.1, n, m)


@pytest.mark.parametrize(("n", "m", "e"), [(5, 7, 12), (6, 6, 9), (1, 1, 1), (4, 4, 0)])
def test_matmul_and_gradient_match_dense(n: int, m: int, e: int, device: str) -> None:
    graph = some_graph(n, m, e).to(device)
    x = torch.randn(m, 3, device=device, requires_grad=True)
    ((graph @ x) ** 2).sum().backward()
    plain = x.detach().cpu().double().requires_grad_()
    ((dense(graph) @ plain) ** 2).sum().backward()
    torch.testing.assert_close(
        (graph @ x).detach().cpu().double(), (dense(graph) @ plain).detach(), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(x.grad.cpu().double(), plain.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_mean_of_layers_matches_layer_by_layer(layers: int, device: str) -> None:
    graph = some_graph(6, 6, 14).to(device)  # not symmetric: the backward pass must use the transpose
    x = torch.randn(6, 3, device=device, requires_grad=True)
    graph.mean_of_layers(x, layers).pow(2).sum().backward()
    plain = x.detach().cpu().double().requires_grad_()
    hops = [plain]
    for _ in range(layers):
        hops.append(dense(graph) @ hops[-1])
    torch.stack(hops).mean(0).pow(2).sum().backward()
    torch.testing.assert_close(x.grad.cpu().double(), plain.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_rows_of_the_mean_and_of_the_start_match_the_whole_tables(layers: int, device: str) -> None:
    graph = some_graph(6, 6, 14).to(device)
    rows = torch.tensor([[0, 3, 3, 5], [2, 2, 0, 3]], device=device)  # repeats must add up
    x = torch.randn(6, 3, device=device, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    weight = torch.randn(2, 2, 4, 3, device=device)
    mean, start = graph.mean_of_layers_at(x, layers, rows)
    ((weight[0] * mean).sum() + (weight[1] * start.pow(2)).sum()).backward()
    whole = graph.mean_of_layers(twin, layers)[rows]
    ((weight[0] * whole).sum() + (weight[1] * twin[rows].pow(2)).sum()).backward()
    torch.testing.assert_close(mean, whole)
    torch.testing.assert_close(x.grad, twin.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("how", graphs.NORMALISATIONS)
def test_normalisation_matches_its_formula(how: str) -> None:
    graph = some_graph(5, 7, 16)
    matrix = dense(graph)
    rows, cols = matrix.sum(1).clamp(min=1e-12), matrix.sum(0).clamp(min=1e-12)
    expected = {
        "symmetric": matrix / rows.sqrt()[:, None] / cols.sqrt()[None],
        "row": matrix / rows[:, None],
        "one-sided": matrix / rows.sqrt()[:, None],
        "none": matrix,
    }[how]
    torch.testing.assert_close(dense(graph.normalised(how)), expected, atol=1e-6, rtol=1e-5)


def test_bipartite_propagates_like_pyg(blocks) -> None:
    graph = graphs.bipartite(blocks)
    x = torch.randn(44, 5)
    edges = torch.stack([graph.col, graph.row])
    torch.testing.assert_close(graph @ x, LGConv()(x, edges), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["users", "items"])
@pytest.mark.parametrize("weight", ["binary", "count"])
def test_co_interaction_counts_shared_purchases_of_the_training_part(blocks, side: str, weight: str) -> None:
    graph = graphs.co_interaction(blocks, side, weight=weight, normalisation="none")
    matrix = blocks.matrix("train").toarray()
    matrix = matrix if side == "users" else matrix.T
    shared = matrix @ matrix.T
    np.fill_diagonal(shared, 0)
    expected = shared if weight == "count" else (shared > 0).astype(float)
    np.testing.assert_allclose(dense(graph).numpy(), expected)


def test_strongest_neighbours_are_kept_by_both_ends(blocks) -> None:
    few = graphs.co_interaction(blocks, "users", neighbours=2, weight="count", normalisation="none")
    full = dense(graphs.co_interaction(blocks, "users", weight="count", normalisation="none"))
    matrix = dense(few)
    assert torch.equal(matrix, matrix.T)
    assert few.degrees().min() >= 2
    assert len(few.weight) < (full > 0).sum()
    for user in range(blocks.n_users):  # whoever is left out is no stronger than the strongest two
        kept = matrix[user] > 0
        assert full[user][~kept].max() <= full[user].topk(2).values[-1]


def test_nearest_neighbours_follow_cosine() -> None:
    x = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    graph = graphs.nearest_neighbours(x, 1, normalisation="none")
    assert graph.col.tolist() == [1, 0, 3, 2]
    torch.testing.assert_close(graph.weight[0], torch.cosine_similarity(x[0], x[1], dim=0))
    with pytest.raises(InputError, match="at least two vectors"):
        graphs.nearest_neighbours(x[:1])


def test_unknown_choice_names_the_closest() -> None:
    with pytest.raises(InputError, match='Did you mean "symmetric"'):
        some_graph(3, 3, 4).normalised("symetric")


def test_the_order_leads_to_the_transpose() -> None:
    row, col = torch.tensor([3, 0, 0, 2, 3, 3]), torch.tensor([1, 4, 0, 1, 0, 2])
    graph = Graph.from_edges(row, col, torch.arange(1.0, 7), 4, 5)  # row 1 and column 3 are empty
    transpose, order = graph.transposed()
    assert (transpose.n_rows, transpose.n_cols) == (5, 4)
    torch.testing.assert_close(transpose.csr.to_dense(), graph.csr.to_dense().T)
    assert torch.equal(graph.weight[order], transpose.weight)
    assert torch.equal(graph.row[order], transpose.col)
