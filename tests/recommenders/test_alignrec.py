"""AlignRec's second stage against a loop over its equations on ten nodes."""

import math

import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.recommenders import AlignRec

from .naive import (
    BATCH,
    ITEMS,
    PAIRS,
    USERS,
    batch_of_ten,
    content_of_ten,
    mean_of_layers,
    minus_log_sigmoid,
    purchase_matrix,
    redrawn,
    ten_nodes,
)

WEIGHTS = {"cca_weight": 0.5, "uia_weight": 0.7, "reg_weight": 0.9}


def build(features: Features | None = None, **options) -> AlignRec:
    options = {"dim": 3, "neighbours": 3} | WEIGHTS | options
    model = AlignRec(ten_nodes(), content_of_ten() if features is None else features, **options)
    redrawn(model)
    return model


def h_enc() -> torch.Tensor:
    """Text and image side by side, each at unit length: [6, 8]."""
    features = content_of_ten()
    rows = []
    for i in range(ITEMS):
        parts = [features.filled(name)[i] for name in ("text", "image")]
        rows.append(torch.cat([x / x.norm() for x in parts]))
    return torch.stack(rows)


def similar_items(x: torch.Tensor, k: int) -> torch.Tensor:
    """D^-1/2 S D^-1/2 of the k most similar items, each among its own, weighted by cosine: [6, 6]."""
    s = torch.zeros(ITEMS, ITEMS)
    for i in range(ITEMS):
        for j in sorted(range(ITEMS), key=lambda j: -cosine(x[i], x[j]))[:k]:
            s[i, j] = max(cosine(x[i], x[j]), 0.0)
    scale = 1 / s.sum(1).sqrt()
    return torch.stack([torch.stack([s[i, j] * scale[i] * scale[j] for j in range(ITEMS)]) for i in range(ITEMS)])


def naive_views(model: AlignRec, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """h_mm and h_id of all ten nodes: [10, 3] each."""
    table = model.table.detach()
    first, _, last = model.gate
    rows = []
    for i in range(ITEMS):  # eq. 5
        hidden = first.weight.detach() @ x[i] + first.bias.detach()
        if model.describe()["activation"] == "relu":
            hidden = hidden.clamp(min=0)
        rows.append(table[USERS + i] / (1 + torch.exp(-(last.weight.detach() @ hidden + last.bias.detach()))))
    items = torch.stack(rows)
    for _ in range(model.item_layers):
        items = similar_items(x, model.neighbours) @ items
    users = torch.zeros(USERS, 3)
    for u, i in PAIRS:  # eq. 6
        users[u] += items[i] / math.sqrt(sum(v == u for v, _ in PAIRS) * sum(j == i for _, j in PAIRS))
    return torch.cat([users, items]), mean_of_layers(purchase_matrix(), table, model.layers)  # eq. 4


def naive_final(model: AlignRec, x: torch.Tensor) -> torch.Tensor:
    content, ids = naive_views(model, x)
    if model.fuser == "sum":
        return content + ids  # eq. 8
    out = []
    for one in zip(content, ids):
        w, b, q = model.query[0].weight.detach(), model.query[0].bias.detach(), model.query[2].weight.detach()[0]
        score = [math.exp(float(q @ torch.tanh(w @ v + b))) for v in one]
        out.append(sum(s / sum(score) * v for s, v in zip(score, one)))
    return torch.stack(out)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def naive_loss(model: AlignRec, x: torch.Tensor) -> dict[str, float]:
    content, ids = naive_views(model, x)
    final = naive_final(model, x)
    bpr = uia = l2 = 0.0
    for u, i, j in BATCH:
        bpr += minus_log_sigmoid(final[u] @ (final[USERS + i] - final[USERS + j])) / len(BATCH)  # eq. 13
        uia += (1 - cosine(final[u], final[USERS + i])) / len(BATCH)  # eq. 12
        l2 += 0.5 * sum(float(final[node].pow(2).sum()) for node in (u, USERS + i, USERS + j)) / len(BATCH)
    cca = 0.0
    sides = [[u for u, _, _ in BATCH], [USERS + i for _, i, _ in BATCH]]
    if not model.repeats:
        sides = [sorted(set(side)) for side in sides]
    for side in sides:  # eq. 10
        for one in side:
            like = cosine if model.cca == "cosine" else lambda a, b: float(a @ b)
            z = {n: like(content[one], ids[other]) / model.temperature for n, other in enumerate(side)}
            right = z[side.index(one)]
            cca += (math.log(sum(math.exp(value) for value in z.values())) - right) / len(side)
    apart = 0.0
    for a in sides[1]:  # eq. 11
        for b in sides[1]:
            ours = cosine(content[a], content[b]) if model.gram == "cosine" else float(content[a] @ content[b])
            apart += (ours - cosine(x[a - USERS], x[b - USERS])) ** 2
    n = len(sides[1])
    reg = {"norm": math.sqrt(apart), "norm per item": math.sqrt(apart) / n, "squared": apart / n**2}[model.reg_reading]
    return {"bpr": bpr, "cca": 0.5 * cca, "uia": 0.7 * uia, "reg": 0.9 * reg} | (
        {"l2": model.l2 * l2} if model.l2 else {}
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 1, "item_layers": 2, "activation": "relu", "temperature": 0.7},
        {"cca": "cosine", "gram": "inner", "repeats": True, "l2": 0.3},
        {"fuser": "attention", "reg_reading": "squared"},
        {"learn_features": True},
    ],
)
def test_vectors_and_loss_follow_the_equations(options) -> None:
    model, x = build(**options), h_enc()
    if model.describe()["learn_features"]:  # the parameters were drawn anew, the graph was not
        model.content["fused"].vectors.data = x.clone()
    vectors = model.embed()
    torch.testing.assert_close(torch.cat([vectors.users, vectors.items]), naive_final(model, x), atol=1e-5, rtol=1e-4)
    terms = {name: float(term.detach()) for name, term in model.loss(batch_of_ten()).items()}
    assert terms == pytest.approx(naive_loss(model, x), rel=1e-4)


def test_fused_features_come_before_all_others_and_stay_as_long_as_they_are() -> None:
    both = content_of_ten()
    fused = 3 * torch.randn(ITEMS, 4, generator=torch.Generator().manual_seed(5))
    item, present = both.item | {"fused": fused}, both.present | {"fused": torch.ones(ITEMS, dtype=torch.bool)}
    model = build(Features(item, present))
    torch.testing.assert_close(model.embed().items, naive_final(model, fused)[USERS:], atol=1e-5, rtol=1e-4)
    assert build(Features(item, present), modalities="text+image").content["fused"]().shape[1] == 8


def test_items_without_anything_are_marked_and_those_with_something_are_not() -> None:
    given = content_of_ten()
    given.present["text"][4] = given.present["text"][2] = False  # item 4 has no image either
    model = build(given)
    assert model.content["fused"].present.tolist() == [True, True, True, True, False, True]
    others = model.content["fused"].vectors[[0, 1, 2, 3, 5]]
    torch.testing.assert_close(model.content["fused"].vectors[4], others.mean(0))


def test_the_mean_of_modalities_needs_equal_widths() -> None:
    with pytest.raises(InputError, match="3 and 5 numbers have no mean"):
        build(combine="mean")
    item = {name: torch.randn(ITEMS, 4) for name in ("text", "image")}
    model = build(Features(item, {name: torch.ones(ITEMS, dtype=torch.bool) for name in item}), combine="mean")
    expected = sum(torch.nn.functional.normalize(x) for x in item.values()) / 2
    torch.testing.assert_close(model.content["fused"].vectors, expected)


def test_no_gradient_reaches_the_similarity_that_is_kept() -> None:
    model = build(learn_features=True, cca_weight=0, uia_weight=0)
    learnt = model.content["fused"].vectors
    h = torch.randn(3, 3, requires_grad=True)
    model.kept_similar(h, torch.tensor([0, 2, 4])).backward()
    assert learnt.grad is None
    assert h.grad.abs().sum() > 0


def test_half_precision_is_near_and_a_start_is_taken() -> None:
    exact, near = build().embed(), build(precision="bfloat16").embed()
    torch.testing.assert_close(near.items, exact.items, atol=0.1, rtol=0.05)
    start = Embeddings(torch.randn(USERS, 3), torch.randn(ITEMS, 3))
    model = AlignRec(ten_nodes(), content_of_ten(), dim=3, start=start)
    torch.testing.assert_close(model.table.detach(), torch.cat([start.users, start.items]))
