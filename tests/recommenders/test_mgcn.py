"""MGCN against a loop over its equations on ten nodes."""

import math

import pytest
import torch

from mmlib.recommenders import MGCN

from .naive import (
    BATCH,
    ITEMS,
    PAIRS,
    USERS,
    batch_of_ten,
    content_of_ten,
    item_matrix,
    mean_of_layers,
    minus_log_sigmoid,
    purchase_matrix,
    redrawn,
    ten_nodes,
)


def build(**options) -> MGCN:
    options = {"dim": 3, "neighbours": 3, "l2": 0.1, "contrast_weight": 0.5} | options
    model = MGCN(ten_nodes(), content_of_ten(), **options)
    redrawn(model)
    return model


def linear(layer, x: torch.Tensor) -> torch.Tensor:
    return layer.weight.detach() @ x + layer.bias.detach()


def naive_views(model: MGCN) -> tuple[torch.Tensor, torch.Tensor]:
    """e_id and e_mul of all ten nodes, node by node."""
    table, features = model.table.detach(), content_of_ten()
    behaviour = mean_of_layers(purchase_matrix(), table, model.layers)  # eq. 3-5
    views = {}
    for name in model.content:
        x = features.filled(name)
        pure = [
            table[USERS + i] * torch.sigmoid(linear(model.gate[name], linear(model.project[name], x[i])))
            for i in range(ITEMS)
        ]  # eq. 1-2
        items = torch.stack(pure)
        for _ in range(model.item_layers):  # eq. 6-9
            items = item_matrix(name, model.neighbours, "cosine") @ items
        users = torch.zeros(USERS, 3)
        for u, i in PAIRS:  # eq. 10
            users[u] += items[i] / math.sqrt(sum(v == u for v, _ in PAIRS) * sum(j == i for _, j in PAIRS))
        views[name] = torch.cat([users, items])
    fused = []
    for node in range(USERS + ITEMS):
        q = model.query[2].weight.detach()[0]
        score = {
            name: math.exp(float(q @ torch.tanh(linear(model.query[0], view[node])))) for name, view in views.items()
        }
        shared = sum(score[name] / sum(score.values()) * view[node] for name, view in views.items())  # eq. 11-12
        own = [
            torch.sigmoid(linear(model.prefer[name], behaviour[node])) * (view[node] - shared)
            for name, view in views.items()
        ]  # eq. 13-14
        if model.fusion == "mean":
            fused.append(shared + sum(own) / len(own))  # eq. 15
        else:
            fused.append((shared + sum(own)) / (len(own) + 1))
    return behaviour, torch.stack(fused)


def naive_contrast(side: torch.Tensor, behaviour: torch.Tensor, nodes: list[int], temperature: float) -> float:
    """Eq. 16 over the nodes of a batch."""
    total = 0.0
    for a in nodes:
        z = {
            n: float(side[a] @ behaviour[b] / (side[a].norm() * behaviour[b].norm())) / temperature
            for n, b in enumerate(nodes)
        }
        own = float(side[a] @ behaviour[a] / (side[a].norm() * behaviour[a].norm())) / temperature
        total -= math.log(math.exp(own) / sum(math.exp(value) for value in z.values()))
    return total / len(nodes)


OPTIONS = [
    {},
    {"fusion": "average", "repeats": True, "temperature": 0.5},
    {"modalities": "text", "l2_on": "ids"},
    {"layers": 1, "item_layers": 2, "contrast_weight": 0.0},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_vectors_and_terms_follow_the_equations(options: dict) -> None:
    model = build(**options)
    behaviour, side = naive_views(model)
    e, vectors = behaviour + side, model.embed()
    torch.testing.assert_close(torch.cat([vectors.users, vectors.items]), e, atol=1e-5, rtol=1e-4)
    expected = {"bpr": 0.0, "l2": 0.0}
    held = e if model.l2_on == "final" else model.table.detach()
    for u, i, j in BATCH:
        expected["bpr"] += minus_log_sigmoid(e[u] @ (e[USERS + i] - e[USERS + j])) / len(BATCH)
        expected["l2"] += 0.1 / 2 * sum(float(held[n].pow(2).sum()) for n in (u, USERS + i, USERS + j)) / len(BATCH)
    if model.contrast_weight:
        users, items = [u for u, _, _ in BATCH], [USERS + i for _, i, _ in BATCH]
        if not model.repeats:
            users, items = sorted(set(users)), sorted(set(items))
        both = sum(naive_contrast(side, behaviour, nodes, model.temperature) for nodes in (users, items))
        expected["contrast"] = model.contrast_weight * both
    terms = {name: float(term.detach()) for name, term in model.loss(batch_of_ten()).items()}
    assert terms == pytest.approx(expected, rel=1e-4)


def test_gradients_are_those_of_embedding_everyone() -> None:
    model, batch = build(contrast_weight=0.0), batch_of_ten()
    model.loss(batch)["bpr"].backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    vectors = model.embed()
    better = vectors.items[batch.positives] - vectors.items[batch.negatives[:, 0]]
    torch.nn.functional.softplus(-(vectors.users[batch.users] * better).sum(1)).mean().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad)


def test_half_precision_is_near_and_learnt_features_learn() -> None:
    exact, near = build().embed(), build(precision="bfloat16").embed()
    torch.testing.assert_close(near.items, exact.items, atol=0.1, rtol=0.05)
    assert not torch.equal(near.items, exact.items)
    learnt = build(learn_features=True)
    learnt.loss(batch_of_ten())["bpr"].backward()
    assert learnt.content["text"].vectors.grad.abs().sum() > 0
    assert not any("vectors" in name for name, _ in build().named_parameters())


def test_only_nodes_of_the_batch_are_fused(monkeypatch) -> None:
    model, asked = build(), []
    fused = model.fused
    monkeypatch.setattr(model, "fused", lambda behaviour, parts: asked.append(len(parts)) or fused(behaviour, parts))
    model.loss(batch_of_ten())
    assert asked == [len({u for u, _, _ in BATCH}) + len({item for _, i, j in BATCH for item in (i, j)})]
