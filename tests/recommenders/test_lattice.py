"""LATTICE against dense matrices and loops over the paper's equations."""

import math

import pytest
import torch
from torch import Tensor

from mmlib.core.dataset import Dataset
from mmlib.core.features import Features
from mmlib.recommenders import LATTICE
from mmlib.recommenders.plug_in import PlugIn
from mmlib.training.learner import Batch

PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (3, 5), (3, 2)]
BATCH = Batch(torch.tensor([0, 1, 3, 0]), torch.tensor([1, 3, 5, 2]), torch.tensor([[4], [0], [4], [4]]))
NGCF = {"backbone": "ngcf", "message_dropout": 0.0}


def build(data: Dataset, content: Features, kind: type = LATTICE, **options) -> PlugIn:
    torch.manual_seed(0)
    model = kind(data, content, **({"dim": 3, "neighbours": 3, "skip": 0.6, "l2": 0.1} | options))
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def similarities(x: Tensor, k: int, include_self: bool = True, present: Tensor | None = None) -> Tensor:
    """Eq. 1-2, dense, among those that are there: [n, n]."""
    kept = torch.zeros(len(x), len(x))
    present = torch.ones(len(x), dtype=torch.bool) if present is None else present
    rows = []
    for i in range(len(x)):
        cosine = torch.stack([x[i] @ x[j] / (x[i].norm() * x[j].norm()) for j in range(len(x))])
        others = [j for j in range(len(x)) if (include_self or j != i) and present[i] and present[j]]
        for j in sorted(others, key=lambda j: -float(cosine[j].detach()))[:k]:
            kept[i, j] = 1
        rows.append(cosine.clamp(min=0))
    return torch.stack(rows) * kept


def by_rows(s: Tensor) -> Tensor:
    """Eq. 3, dense."""
    root = torch.diag(
        torch.tensor([0.0 if total == 0 else 1.0 for total in s.sum(1)]) / s.sum(1).clamp(min=1e-9).sqrt()
    )
    return root @ s @ root


def both(model: PlugIn, content: Features, name: str) -> tuple[Tensor, Tensor]:
    """The similarities of raw and of transformed vectors of a modality."""
    raw = content.filled(name)
    project = model.modal[name].project
    moved = raw @ project.weight.T + project.bias
    options = model.neighbours, model.describe()["include_self"], content.present[name]
    return similarities(raw, *options), similarities(moved, *options)


def graph(model: LATTICE, content: Features) -> Tensor:
    """A of eq. 5-6."""
    names = list(model.modal)
    share = model.importance.exp() / model.importance.exp().sum() if len(names) > 1 else torch.ones(1)
    found = [both(model, content, name) for name in names]
    raw = sum(a * by_rows(one) for a, (one, _) in zip(share, found))
    if model.normalise == "sum":
        learnt = by_rows(sum(a * one for a, (_, one) in zip(share, found)))
    else:
        learnt = sum(a * by_rows(one) for a, (_, one) in zip(share, found))
    return model.skip * raw + (1 - model.skip) * learnt


def collaborative(model: PlugIn) -> Tensor:
    """The x with a tilde: [4 + 6, d]."""
    if model.describe()["backbone"] == "ngcf":
        return model.network.propagated()
    table = model.network.table
    if model.describe()["backbone"] == "mf":
        return table
    a = torch.zeros(10, 10)
    for u, i in PAIRS:
        a[u, 4 + i] = a[4 + i, u] = 1
    a = a + torch.eye(10) if model.describe()["self_loops"] else a
    degree = a.sum(1)
    for p in range(10):
        for q in range(10):
            a[p, q] /= degree[p] if model.describe()["normalisation"] == "row" else (degree[p] * degree[q]).sqrt()
    layers = [table]
    for _ in range(model.layers):
        layers.append(a @ layers[-1])
    return sum(layers) / len(layers)


def expected_terms(model: PlugIn, h: Tensor) -> dict[str, Tensor]:
    """Eq. 8-10 for h [6, d]."""
    x = collaborative(model)
    items = [x[4 + i] + h[i] / h[i].norm().clamp(min=1e-30) for i in range(6)]
    bpr, squares = torch.zeros(()), [torch.zeros(())] * 3  # of users, positives and negatives
    for u, i, j in zip(BATCH.users.tolist(), BATCH.positives.tolist(), BATCH.negatives[:, 0].tolist()):
        bpr = bpr - torch.log(torch.sigmoid(x[u] @ items[i] - x[u] @ items[j])) / 4
        held = (x[u], items[i], items[j])
        if model.l2_on == "parameters":
            held = tuple(model.network.table[row] for row in (u, 4 + i, 4 + j))
        squares = [total + vector.pow(2).sum() for total, vector in zip(squares, held)]
    read = [total.sqrt() if model.l2_reading == "norm" else total / 2 for total in squares]
    return {"bpr": bpr, "l2": 0.1 * sum(read) / 4}


def numbers(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(term.detach()) for name, term in terms.items()}


def agree(model: PlugIn, terms: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Values and gradients of all parameters."""
    assert numbers(terms) == pytest.approx(numbers(expected), rel=1e-4, abs=1e-6)
    names, parameters = zip(*model.named_parameters())
    ours = torch.autograd.grad(sum(terms.values()), parameters)
    theirs = torch.autograd.grad(sum(expected.values()), parameters)
    for name, one, other in zip(names, ours, theirs):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalise": "sum", "normalisation": "row", "self_loops": True},
        {"backbone": "mf", "item_layers": 2, "include_self": False},
        {"l2_on": "parameters", "graph_gradient": "every"},
        {"l2_reading": "norm"},
        {"l2_reading": "norm", "l2_on": "parameters"},
        {"modalities": "image", "skip": 0.0, "neighbours": 9},
        NGCF,
    ],
    ids=str,
)
def test_lattice_follows_its_equations(tiny, content, options: dict) -> None:
    model = build(tiny, content, **options)
    a = graph(model, content)
    h = model.network.table[4:]
    for _ in range(model.item_layers):
        h = a @ h
    agree(model, model.loss(BATCH), expected_terms(model, h))
    x = collaborative(model)
    vectors = model.embed()
    torch.testing.assert_close(vectors.users, x[:4])
    torch.testing.assert_close(
        vectors.items, x[4:] + h / h.norm(dim=1, keepdim=True).clamp(min=1e-30), atol=1e-5, rtol=1e-4
    )


def test_the_graph_of_the_first_batch_stays_for_the_epoch(tiny, content) -> None:
    model = build(tiny, content)
    model.start_epoch(1)
    first = numbers(model.loss(BATCH))
    weight = model.modal["text"].project.weight
    weight.data.normal_()
    again = model.loss(BATCH)
    assert numbers(again) == pytest.approx(first, rel=1e-5)
    sum(again.values()).backward()
    assert torch.equal(weight.grad, torch.zeros_like(weight))  # not None: the optimiser goes on with its momentum
    assert torch.equal(model.importance.grad, torch.zeros(2))
    model.start_epoch(2)
    renewed = model.loss(BATCH)
    agree(model, renewed, expected_terms(model, graph(model, content) @ model.network.table[4:]))
    assert numbers(renewed)["bpr"] != pytest.approx(first["bpr"], rel=1e-5)


def test_a_graph_a_batch_keeps_the_neighbours_of_the_epoch_and_learns_in_each(tiny, content) -> None:
    model = build(tiny, content, graph_gradient="every")
    model.start_epoch(1)
    model.loss(BATCH)
    kept = model.modal["text"].kept.clone()
    weight = model.modal["text"].project.weight
    for _ in range(2):
        weight.data.normal_()
        (gradient,) = torch.autograd.grad(model.loss(BATCH)["bpr"], [weight])
        assert gradient.abs().sum() > 0
        assert torch.equal(model.modal["text"].kept, kept)
    model.start_epoch(2)
    model.loss(BATCH)
    assert not torch.equal(model.modal["text"].kept, kept)


def test_an_item_unlike_all_others_passes_nothing_on(tiny, content) -> None:
    vectors = -torch.ones(6, 3) + 0.1 * torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    vectors[2] = 1.0  # its cosine with every other is below zero
    alone = Features({"text": vectors}, {"text": torch.ones(6, dtype=torch.bool)})
    model = build(tiny, alone, include_self=False, skip=1.0)
    a = graph(model, alone)
    assert torch.equal(a[2], torch.zeros(6))
    assert torch.isfinite(model.embed().items).all()
    torch.testing.assert_close(model.embed().items[2], collaborative(model)[4 + 2])
    assert all(math.isfinite(term) for term in numbers(model.loss(BATCH)).values())


def test_learnt_features_are_parameters_and_frozen_ones_are_not(tiny, content) -> None:
    assert not [name for name, _ in build(tiny, content).named_parameters() if "content" in name]
    learning = build(tiny, content, learn_features=True)
    found = [one for name, one in learning.named_parameters() if "content" in name]
    assert len(found) == 2
    assert all(one.abs().sum() > 0 for one in torch.autograd.grad(learning.loss(BATCH)["bpr"], found))


def test_in_bfloat16_the_vectors_are_nearly_the_same(blocks, features) -> None:
    full, half = (build(blocks, features, neighbours=20, dim=8, precision=name) for name in ("float32", "bfloat16"))
    half.load_state_dict(full.state_dict())
    torch.testing.assert_close(half.embed().items, full.embed().items, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("there", [[], [2], [1, 4], [0, 1, 2, 4]])
def test_items_without_a_modality_have_no_neighbours_and_are_nobodys(tiny, content, there, include_self) -> None:
    """Filled alike, they would be each other's nearest, in the order of their ids."""
    present = {"text": content.present["text"], "image": torch.zeros(6, dtype=torch.bool)}
    present["image"][there] = True
    model = build(tiny, Features(content.item, present), modalities="image", include_self=include_self)
    one = model.modal["image"]
    for index, weight in ((one.index, one.weight), one.learnt(anew=True)):
        dense = torch.zeros(6, 6).scatter_add_(1, index, weight.detach())
        away = [i for i in range(6) if i not in there]
        assert dense[away].sum() == dense[:, away].sum() == 0
        assert not include_self or (dense.diagonal()[there] > 0).all()
    assert torch.isfinite(model.embed().items).all()
    sum(model.loss(BATCH).values()).backward()
