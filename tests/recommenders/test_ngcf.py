"""NGCF against loops over the paper's equations, node by node and message by message."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmlib.core.graph import bipartite
from mmlib.recommenders import NGCF
from mmlib.recommenders.ngcf import thinned
from mmlib.training.learner import Batch

from ..conftest import make_dataset

PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (3, 5), (3, 2)]
OFFICIAL = {
    "normalisation": "row",
    "self_messages": "matrix",
    "activation": "separate",
    "bias": True,
    "unit_outputs": True,
    "l2_on": "final",
}
VARIANTS = [
    {},
    OFFICIAL,
    OFFICIAL | {"pool": "mean", "slope": 0.01},
    {"self_messages": "none", "bias": True, "unit_outputs": True},
    {"layers": 0},
]
N = 10  # 4 users, 6 items


@pytest.fixture
def tiny():
    return make_dataset(np.array([*PAIRS, (1, 0), (2, 3)]), ["train"] * len(PAIRS) + ["valid", "test"], 4, 6)


def build(data, **options) -> NGCF:
    torch.manual_seed(0)
    model = NGCF(data, **({"dim": 3, "layers": 2, "l2": 0.1, "message_dropout": 0.0} | options))
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def batch_of() -> Batch:
    return Batch(torch.tensor([0, 1, 3, 0]), torch.tensor([1, 3, 5, 2]), torch.tensor([[4], [0], [4], [3]]))


def leaky(x: torch.Tensor, slope: float) -> torch.Tensor:
    return torch.where(x > 0, x, slope * x)


def by_hand(model: NGCF, coefficient: torch.Tensor | None = None) -> torch.Tensor:
    """Eq. 3-6 and 9 with a loop over nodes and neighbours; ``coefficient`` [n, n] replaces p_ui of eq. 3."""
    neighbours = {node: set() for node in range(N)}
    for u, i in PAIRS:
        neighbours[u].add(4 + i)
        neighbours[4 + i].add(u)
    if model.self_messages == "matrix":
        neighbours = {node: found | {node} for node, found in neighbours.items()}
    x, layers = model.table.detach(), [model.table.detach()]
    for w1, w2 in zip(model.w1, model.w2):
        rows = []
        for node, found in neighbours.items():
            sums = x[node] @ w1.weight.T if model.self_messages == "message" else torch.zeros(model.dim)
            products = torch.zeros(model.dim)
            for other in found:
                p = 1 / math.sqrt(len(found) * len(neighbours[other]))
                p = 1 / len(found) if model.describe()["normalisation"] == "row" else p
                p = p if coefficient is None else coefficient[node, other]
                sums = sums + p * (x[other] @ w1.weight.T)
                products = products + p * ((x[other] * x[node]) @ w2.weight.T)
            if model.describe()["bias"]:
                sums, products = sums + w1.bias, products + w2.bias
            if model.activation == "joint":
                rows.append(leaky(sums + products, model.slope))
            else:
                rows.append(leaky(sums, model.slope) + leaky(products, model.slope))
        x = torch.stack(rows).detach()
        layers.append(x / x.norm(dim=1, keepdim=True) if model.unit_outputs else x)
    return torch.cat(layers, 1) if model.pool == "concat" else sum(layers) / len(layers)


@pytest.mark.parametrize("options", VARIANTS)
def test_vectors_and_loss_follow_the_equations(tiny, options) -> None:
    model = build(tiny, **options)
    final = by_hand(model)
    vectors = model.embed()
    torch.testing.assert_close(torch.cat([vectors.users, vectors.items]), final)
    batch, bpr, squares = batch_of(), 0.0, 0.0
    for u, i, j in zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist()):
        bpr += math.log1p(math.exp(float(final[u] @ final[4 + j] - final[u] @ final[4 + i]))) / 4
        counted = final if model.l2_on == "final" else model.table.detach()
        squares += sum(float(counted[row].pow(2).sum()) for row in (u, 4 + i, 4 + j))
    if model.l2_on == "parameters":
        squares += sum(float(w.weight.detach().pow(2).sum()) for w in [*model.w1, *model.w2])
    terms = {name: float(term.detach()) for name, term in model.loss(batch).items()}
    assert terms["bpr"] == pytest.approx(bpr, rel=1e-5)
    assert terms["l2"] == pytest.approx(0.1 / 2 * squares / 4, rel=1e-5)


def test_dropped_messages_are_those_between_neighbours(tiny) -> None:
    """With one layer the edges that survive can be drawn again, and weigh 1 / (1 - share) of what they did."""
    model = build(tiny, layers=1, message_dropout=0.5)
    torch.manual_seed(5)
    found = model.pooled(model.hops())
    torch.manual_seed(5)
    kept = F.dropout(torch.ones(len(model.graph.weight)), 0.5)
    coefficient = torch.zeros(N, N)
    coefficient[model.graph.row, model.graph.col] = kept * model.graph.weight
    assert set(kept.tolist()) == {0.0, 2.0}
    torch.testing.assert_close(found, by_hand(model, coefficient))


def test_a_dropped_node_sends_nothing_to_others(tiny) -> None:
    model = build(tiny, layers=1, node_dropout=0.5)
    torch.manual_seed(5)
    found = model.pooled(model.hops())
    torch.manual_seed(5)
    kept = F.dropout(torch.ones(N, 1), 0.5).T  # by sender
    assert set(kept.flatten().tolist()) == {0.0, 2.0}
    coefficient = torch.zeros(N, N)
    coefficient[model.graph.row, model.graph.col] = model.graph.weight
    torch.testing.assert_close(found, by_hand(model, coefficient * kept))


def test_dropout_of_elements_thins_the_matrix_once_and_then_the_outputs(tiny) -> None:
    model = build(tiny, dropout_of="elements", message_dropout=0.3, node_dropout=0.4)
    torch.manual_seed(5)
    found = model.hops()
    torch.manual_seed(5)
    kept = F.dropout(torch.ones(len(model.graph.weight)), 0.4)
    matrix = torch.zeros(N, N)
    matrix[model.graph.row, model.graph.col] = kept * model.graph.weight
    x = model.table
    for hop, w1, w2 in zip(found[1:], model.w1, model.w2):
        x = F.dropout(leaky((matrix @ x + x) @ w1.weight.T + (matrix @ x * x) @ w2.weight.T, 0.2), 0.3)
        torch.testing.assert_close(hop, x)


def test_gradients_pass_a_thinned_graph(blocks) -> None:
    torch.manual_seed(0)
    graph = thinned(bipartite(blocks), 0.4)
    dense = torch.zeros(graph.n_rows, graph.n_cols)
    dense[graph.row, graph.col] = graph.weight
    x, back = torch.randn(graph.n_rows, 3, requires_grad=True), torch.randn(graph.n_rows, 3)
    ((graph @ x) * back).sum().backward()
    torch.testing.assert_close(x.grad, dense.T @ back)


@pytest.mark.parametrize("dropout_of", ["messages", "elements"])
def test_no_dropout_outside_training(tiny, dropout_of: str) -> None:
    model = build(tiny, message_dropout=0.5, node_dropout=0.5, dropout_of=dropout_of)
    full = by_hand(model)
    torch.testing.assert_close(model.propagated(), full)  # what is ranked, in training mode too
    assert not torch.allclose(model.pooled(model.hops()), full)
    torch.testing.assert_close(model.eval().pooled(model.hops()), full)
