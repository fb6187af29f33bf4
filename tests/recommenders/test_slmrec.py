"""SLMRec against a loop over its equations on ten nodes, and the encoder that it shares with MMGCL."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.embeddings import Embeddings
from mmlib.recommenders import SLMRec
from mmlib.training.learner import Batch

from .naive import (
    BATCH,
    ITEMS,
    USERS,
    content_of_ten,
    mean_of_layers,
    minus_log_sigmoid,
    purchase_matrix,
    redrawn,
    ten_nodes,
)

TWICE = [*BATCH, (1, 1, 2)]  # item 1 is bought twice, and so are user 0 and user 1


def build(**options) -> SLMRec:
    options = {"dim": 4, "layers": 2, "l2": 0.0, "ssl_weight": 0.5} | options
    model = SLMRec(ten_nodes(), content_of_ten(), **options)
    redrawn(model)
    return model


def batch() -> Batch:
    users, positives, negatives = torch.tensor(TWICE).T
    return Batch(users, positives, negatives.unsqueeze(1))


def terms_of(model) -> dict[str, float]:
    return {name: float(term.detach()) for name, term in model.loss(batch()).items()}


def linear(layer, x: torch.Tensor) -> torch.Tensor:
    return layer.weight.detach() @ x + layer.bias.detach()


def naive_inputs(model) -> list[torch.Tensor]:
    """U above E_k, the ID vectors first: K x [10, d]."""
    table, features = model.table.detach(), content_of_ten()
    out = [table]
    for name in model.content:
        x, present = features.item[name].clone(), features.present[name]
        if model.describe()["unit_features"]:
            x = torch.stack([row / row.norm() for row in x])
        for i in range(ITEMS):
            if not present[i]:
                x[i] = sum(x[j] for j in range(ITEMS) if present[j]) / int(present.sum())
        out.append(torch.cat([table[:USERS], torch.stack([linear(model.project[name], row) for row in x])]))
    return out


def naive_states(model, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """H_k: K x [10, d]."""
    return [mean_of_layers(purchase_matrix(), x, model.layers) for x in inputs]


def naive_read(model, states: list[torch.Tensor], node: int) -> torch.Tensor:
    """z of a user (0-3) or an item (4-9)."""
    return linear(model.read_user if node < USERS else model.read_item, torch.cat([h[node] for h in states]))


def naive_nce(a: list[torch.Tensor], b: list[torch.Tensor], t: float, unit: bool = True) -> float:
    """Each a is to find its b."""
    total = 0.0
    for n, x in enumerate(a):
        z = [float(F.cosine_similarity(x, y, dim=0) if unit else x @ y) / t for y in b]
        total += (math.log(sum(math.exp(value) for value in z)) - z[n]) / len(a)
    return total


def different(nodes: list[int], repeats: bool) -> list[int]:
    return nodes if repeats else sorted(set(nodes))


def bought(repeats: bool = False) -> list[int]:
    return different([USERS + i for _, i, _ in TWICE], repeats)


@pytest.mark.parametrize("options", [{}, {"layers": 1, "unit_features": False}, {"modalities": "image"}])
def test_scores_and_main_loss_follow_the_equations(options) -> None:
    model = build(tasks="none", temperature=0.7, **options)
    states = naive_states(model, naive_inputs(model))
    z = torch.stack([naive_read(model, states, node) for node in range(USERS + ITEMS)])
    vectors = model.embed()
    torch.testing.assert_close(torch.cat([vectors.users, vectors.items]), z, atol=1e-5, rtol=1e-4)
    pairs = [z[u] for u, _, _ in TWICE], [z[USERS + i] for _, i, _ in TWICE]
    assert terms_of(model) == pytest.approx({"infonce": naive_nce(*pairs, 0.7)}, rel=1e-4)
    margins = [float(z[u] @ (z[USERS + i] - z[USERS + j])) for u, i, j in TWICE]
    ranked = terms_of(build(tasks="none", main="bpr", **options))
    assert ranked == pytest.approx({"bpr": sum(minus_log_sigmoid(x) for x in margins) / len(margins)}, rel=1e-4)


@pytest.mark.parametrize("options", [{}, {"fac_cosine": False}, {"repeats": True}, {"modalities": "text"}])
def test_fine_and_coarse_spaces_follow_the_equations(options) -> None:
    model = build(ssl_temperature=0.9, **options)
    states = dict(zip(["", *model.content], naive_states(model, naive_inputs(model))))
    order = ["text"] if options.get("modalities") else ["image", "text"]  # text last, wherever it stands
    items, expected = bought(model.repeats), 0.0
    shared = [states[""][node] for node in items]
    for step, name in zip(model.common, order):
        shared = [linear(step, x) for x in shared]
        own = [linear(model.own[name], states[name][node]) for node in items]
        expected += naive_nce(shared, own, 0.9, model.fac_cosine)
    assert len(shared[0]) == (4 if len(order) == 1 else 2)
    assert terms_of(model)["fac"] == pytest.approx(0.5 * expected, rel=1e-4)


@pytest.mark.parametrize("sides", ["items", "both"])
def test_masked_views_follow_the_equations(sides: str) -> None:
    model = build(tasks="FM", sides=sides)
    torch.manual_seed(9)
    hidden = torch.randperm(3)[:2].tolist()
    assert hidden[0] != hidden[1]
    views = []
    for part in hidden:
        inputs = [x.clone() for x in naive_inputs(model)]
        inputs[part][USERS:] = 0
        views.append(naive_states(model, inputs))
    expected = 0.0
    for nodes in [bought(), different([u for u, _, _ in TWICE], False)][: 1 + (sides == "both")]:
        expected += naive_nce(*([naive_read(model, view, node) for node in nodes] for view in views), 0.2)
    torch.manual_seed(9)
    assert terms_of(model)["views"] == pytest.approx(0.5 * expected, rel=1e-4)


@pytest.mark.parametrize("dropout_of", ["features", "layers"])
def test_dropped_views_follow_the_equations(dropout_of: str, monkeypatch) -> None:
    """Dropout replaced by a known change: the number of the call is what everything is multiplied with."""
    calls = []

    def scaled(x: torch.Tensor, p: float, training: bool) -> torch.Tensor:
        assert (p, training) == (0.3, True)
        calls.append(x)
        return x * len(calls)

    model = build(tasks="FD", dropout_of=dropout_of)
    monkeypatch.setattr(F, "dropout", scaled)
    found = terms_of(model)["views"]
    monkeypatch.undo()
    views, matrix = [], purchase_matrix()
    for first in (1, 3) if dropout_of == "layers" else (1, 2):
        states = []
        for k, x in enumerate(naive_inputs(model)):
            if dropout_of == "features":
                scale = torch.ones(USERS + ITEMS, 1)
                scale[USERS:] = first if k else 1  # content alone, users' and items' ID vectors stay
                states.append(mean_of_layers(matrix, x * scale, 2))
            else:
                once = matrix @ x * first
                states.append((x + once + matrix @ once * (first + 1)) / 3)
        views.append(states)
    expected = naive_nce(*([naive_read(model, view, node) for node in bought()] for view in views), 0.2)
    assert found == pytest.approx(0.5 * expected, rel=1e-4)


def test_dropout_rests_while_evaluating_and_the_l2_term_counts_every_parameter() -> None:
    model = build(tasks="FD+FM", l2=0.1)
    squares = sum(float(x.detach().pow(2).sum()) for x in model.parameters())
    assert terms_of(model)["l2"] == pytest.approx(0.05 * squares, rel=1e-4)
    found = []
    for _ in range(2):
        torch.manual_seed(4)
        torch.randperm(3)
        found.append(terms_of(model.eval())["views"])
    assert found[0] == found[1]


def test_features_stay_and_a_start_is_taken() -> None:
    exact, near = build().embed(), build(precision="bfloat16").embed()
    torch.testing.assert_close(near.items, exact.items, atol=0.1, rtol=0.05)
    start = Embeddings(torch.randn(USERS, 4), torch.randn(ITEMS, 4))
    model = SLMRec(ten_nodes(), content_of_ten(), dim=4, start=start)
    torch.testing.assert_close(model.table.detach(), torch.cat([start.users, start.items]))
    assert "own" not in dict(build(tasks="FM").named_modules())
