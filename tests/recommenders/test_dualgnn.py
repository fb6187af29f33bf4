"""DualGNN against a loop over both of its graphs."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.embeddings import Embeddings
from mmlib.core.features import Features
from mmlib.recommenders import DualGNN

from .gaps import BOUGHT, BUYERS, batch_of, detached, mean_bpr, squares, triples


def build(data, content, **options) -> DualGNN:
    torch.manual_seed(0)
    model = DualGNN(data, content, **({"dim": 3, "hidden": 4, "neighbours": 1, "l2": 0.1} | options))
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def near(u: int, k: int) -> list[tuple[int, int]]:
    """(user, shared purchases) of the k users nearest to u."""
    shared = {v: len(set(BOUGHT[u]) & set(BOUGHT[v])) for v in range(4) if v != u}
    return sorted([(v, n) for v, n in shared.items() if n], key=lambda one: -one[1])[:k]


def by_hand(model: DualGNN, content: Features) -> tuple[torch.Tensor, torch.Tensor]:
    of_users, of_items = [], []
    for name in model.content:
        mapping, items = model.project[name], []
        for i in range(6):
            x = content.filled(name)[i]
            layers = [mapping[0], mapping[2]] if model.describe()["hidden"] else [mapping]
            for place, layer in enumerate(layers):
                x = layer.weight.detach() @ (F.leaky_relu(x) if place else x) + layer.bias.detach()
            items.append(x)
        users = list(model.preference[name].detach())
        if model.unit_inputs:
            users, items = ([x / x.norm() for x in some] for some in (users, items))
        user_sum, item_sum = torch.stack(users), torch.stack(items)
        for _ in range(model.layers):

            def norm(u: int, i: int) -> float:
                return 1 / math.sqrt(len(BOUGHT[u]) * len(BUYERS[i]))

            none = torch.zeros(3)
            after = [sum((norm(u, i) * items[i] for i in BOUGHT[u]), none) for u in range(4)]
            items = [sum((norm(u, i) * users[u] for u in BUYERS[i]), none) for i in range(6)]
            users = after
            user_sum, item_sum = user_sum + torch.stack(users), item_sum + torch.stack(items)
        of_users.append(user_sum)
        of_items.append(item_sum)
    fused = []
    for u in range(4):
        alpha = model.weigh.detach()[u]
        if model.attention == "softmax":
            alpha = alpha.exp() / alpha.exp().sum()
        weighted = [a * one[u] for a, one in zip(alpha, of_users)]
        if model.construction == "concat":
            fused.append(model.construct.weight.detach() @ torch.cat(weighted) + model.construct.bias.detach())
        else:
            fused.append(sum(weighted) if model.construction == "sum" else torch.stack(weighted).amax(0))
    for _ in range(model.user_layers):
        heard = []
        for u in range(4):
            others = near(u, model.describe()["neighbours"])
            weights = [math.exp(n) if model.describe()["user_weight"] == "softmax" else 1.0 for _, n in others]
            said = [w / sum(weights) * fused[v] for w, (v, _) in zip(weights, others)]
            heard.append(fused[u] + sum(said, torch.zeros(3)))
        fused = heard
    return torch.stack(fused), sum(of_items)


@pytest.mark.parametrize(
    "options",
    [
        {"neighbours": 3},
        {"hidden": 0, "neighbours": 3, "user_layers": 2},
        {"attention": "free", "unit_inputs": True, "l2_reading": "mean", "neighbours": 3},
        {"construction": "max", "layers": 3, "user_layers": 0},
        {"construction": "concat", "neighbours": 2, "user_weight": "mean"},
        {"modalities": "image", "layers": 1},
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
    tables = [*model.preference.values(), model.weigh]
    held = [sum(squares(table[u]) for u, _, _ in triples()) for table in tables]
    if model.l2_reading == "mean":
        expected = sum(one / 4 / table.shape[1] for one, table in zip(held, tables))
    else:
        expected = sum(held) / 2 / 4
    assert terms["l2"] == pytest.approx(0.1 * expected, rel=1e-5)


def test_users_hear_their_own_nearest_alone(gapped, content) -> None:
    """Users 0 and 2 share two purchases; user 1 shares one with each of them, and hears one, heard by nobody."""
    graph = build(gapped, content, neighbours=1).users_graph
    assert list(zip(graph.row.tolist(), graph.col.tolist())) == [(0, 2), (1, 0), (2, 0)]
    both = build(gapped, content, neighbours=40).users_graph.csr.to_dense()
    assert both[0, 2] == pytest.approx(math.e**2 / (math.e**2 + math.e))
    assert both[0, 1] == pytest.approx(math.e / (math.e**2 + math.e))
    assert both[3].sum() == 0


def test_free_weights_start_as_a_softmax(gapped, content) -> None:
    weigh = DualGNN(gapped, content, attention="free").weigh
    torch.testing.assert_close(weigh.sum(1), torch.ones(4))


def test_preferences_may_start_from_vectors_and_features_be_learnt(gapped, content) -> None:
    start = Embeddings(torch.randn(4, 3), torch.randn(6, 3))
    started = DualGNN(gapped, content, dim=3, start=start)
    assert all(torch.equal(one.data, start.users) for one in started.preference.values())
    learnt = build(gapped, content, learn_features=True)
    learnt.loss(batch_of())["bpr"].backward()
    assert learnt.content["image"].vectors.grad.abs().sum() > 0
    assert not any("content" in name for name, _ in build(gapped, content).named_parameters())
    rough, exact = (build(gapped, content, precision=precision).embed() for precision in ("bfloat16", "float32"))
    torch.testing.assert_close(rough.items, exact.items, atol=0.5, rtol=0.1)
