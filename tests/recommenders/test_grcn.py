"""GRCN against a loop over its routing and its weighted sums, edge by edge."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.embeddings import Embeddings
from mmlib.core.features import Features
from mmlib.recommenders import GRCN

from .gaps import BOUGHT, BUYERS, batch_of, detached, mean_bpr, squares, triples


def build(data, content, **options) -> GRCN:
    torch.manual_seed(0)
    model = GRCN(data, content, **({"dim": 2, "content_dim": 3, "l2": 0.1} | options))
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def shares(scores: list[torch.Tensor]) -> list[float]:
    exponentials = [math.exp(float(score)) for score in scores]
    return [one / sum(exponentials) for one in exponentials]


def by_hand(model: GRCN, content: Features) -> tuple[torch.Tensor, torch.Tensor]:
    """What scores, from one sum over neighbours after the other."""

    def unit(x: torch.Tensor) -> torch.Tensor:
        return x / x.norm() if model.unit_vectors else x

    given: dict[tuple[str, int, int], list[float]] = {}  # (to whom, user, item) -> affinity, a modality each
    parts: list[list[torch.Tensor]] = [[] for _ in range(10)]
    for name in model.content:
        weight, bias = model.project[name].weight.detach(), model.project[name].bias.detach()
        item = [unit(F.leaky_relu(weight @ content.filled(name)[i] + bias)) for i in range(6)]
        user = [unit(row) for row in model.preference[name].detach()]
        for _ in range(model.iterations):
            routed = []
            for u in range(4):
                p = shares([user[u] @ item[i] for i in BOUGHT[u]])
                routed.append(unit(user[u] + sum((w * item[i] for w, i in zip(p, BOUGHT[u])), torch.zeros(3))))
            user = routed
        for u in range(4):
            p = shares([user[u] @ item[i] for i in BOUGHT[u]])
            parts[u].append(user[u] + sum((w * item[i] for w, i in zip(p, BOUGHT[u])), torch.zeros(3)))
            for w, i in zip(p, BOUGHT[u]):
                given.setdefault(("user", u, i), []).append(w)
        for i in range(6):
            p = shares([user[u] @ item[i] for u in BUYERS[i]])
            parts[4 + i].append(item[i] + sum((w * user[u] for w, u in zip(p, BUYERS[i])), torch.zeros(3)))
            for w, u in zip(p, BUYERS[i]):
                given.setdefault(("item", u, i), []).append(w)
    weight_of = {}
    for (side, u, i), each in given.items():
        if model.weighting == "confidence":
            giver = model.confidence.detach()[4 + i if side == "user" else u]
            each = [float(c) * w for c, w in zip(giver, each)]
        weight = sum(each) / len(each) if model.weighting == "mean" else max(each)
        weight_of[side, u, i] = max(weight, 0) if model.pruning == "hard" else weight
    ids = [unit(row) for row in model.table.detach()]
    total = torch.stack(ids)
    for _ in range(model.layers):
        after = [torch.zeros(2) for _ in range(10)]
        for (side, u, i), weight in weight_of.items():
            to, source = (u, 4 + i) if side == "user" else (4 + i, u)
            after[to] = after[to] + weight * ids[source]
        ids = after
        total = total + torch.stack(ids)
    rows = torch.stack([torch.cat([total[node], *parts[node]]) for node in range(10)])
    return rows[:4], rows[4:]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pruning": "hard"},
        {"iterations": 0, "unit_vectors": True, "l2_reading": "mean"},
        {"unit_vectors": True, "layers": 3},
        {"weighting": "max"},
        {"weighting": "mean", "modalities": "text+image", "iterations": 1},
        {"modalities": "image"},
    ],
)
def test_vectors_and_loss_follow_the_equations(gapped, content, options) -> None:
    model = build(gapped, content, **options)
    users, items = by_hand(model, content)
    vectors = model.embed()
    torch.testing.assert_close(vectors.users.detach(), users)
    torch.testing.assert_close(vectors.items.detach(), items)
    terms = detached(model.loss(batch_of()))
    assert terms["bpr"] == pytest.approx(mean_bpr(users, items), rel=1e-5)
    of_users = [sum(squares(model.table[u]) for u, _, _ in triples())]
    of_users += [sum(squares(model.preference[name][u]) for u, _, _ in triples()) for name in model.content]
    of_items = sum(squares(model.table[4 + i], model.table[4 + j]) for _, i, j in triples())
    if model.l2_reading == "mean":  # 4 users of width 2 (IDs) or 3 (preferences), 8 items of width 2
        expected = of_users[0] / 8 + sum(of_users[1:]) / 12 + of_items / 16
    else:
        expected = (sum(of_users) + of_items) / 2 / 4
    assert terms["l2"] == pytest.approx(0.1 * expected, rel=1e-5)


@pytest.mark.parametrize("name", ["table", "confidence", "preference.text", "project.image.weight"])
def test_gradients_are_the_slopes_of_the_loop(gapped, content, name: str) -> None:
    model = build(gapped, content, l2=0.0)
    parameter = dict(model.named_parameters())[name]
    parameter.data.mul_(0.5)
    model.loss(batch_of())["bpr"].backward()
    for _ in range(3):
        step = 1e-2 * torch.randn_like(parameter)
        losses = []
        for sign in (1, -1):
            parameter.data += sign * step
            losses.append(mean_bpr(*by_hand(model, content)))
            parameter.data -= sign * step
        assert (losses[0] - losses[1]) / 2 == pytest.approx(float((parameter.grad * step).sum()), rel=0.03, abs=1e-4)


def test_hard_pruning_cuts_what_soft_pruning_keeps(gapped, content) -> None:
    soft, hard = (build(gapped, content, pruning=how) for how in ("soft", "hard"))
    for model in (soft, hard):
        model.confidence.data.fill_(-1.0)
    assert torch.equal(hard.embed().users[:, :2], hard.table[:4])  # nothing travels
    assert not torch.allclose(soft.embed().users[:3, :2], soft.table[:3])


def test_ids_may_start_from_vectors_and_features_be_learnt(gapped, content) -> None:
    start = Embeddings(torch.randn(4, 2), torch.randn(6, 2))
    assert torch.equal(GRCN(gapped, content, dim=2, start=start).table.data, torch.cat([start.users, start.items]))
    learnt = build(gapped, content, learn_features=True)
    learnt.loss(batch_of())["bpr"].backward()
    assert learnt.content["image"].vectors.grad.abs().sum() > 0
    assert not any("content" in name for name, _ in build(gapped, content).named_parameters())
    near, exact = (build(gapped, content, precision=precision).embed() for precision in ("bfloat16", "float32"))
    torch.testing.assert_close(near.items, exact.items, atol=0.3, rtol=0.1)
