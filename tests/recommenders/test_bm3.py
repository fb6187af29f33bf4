"""BM3 against a loop over its equations on ten nodes."""

import pytest
import torch
import torch.nn.functional as F

from mmlib.recommenders import BM3

from .naive import (
    BATCH,
    ITEMS,
    USERS,
    batch_of_ten,
    content_of_ten,
    mean_of_layers,
    purchase_matrix,
    redrawn,
    ten_nodes,
)


def build(**options) -> BM3:
    torch.manual_seed(0)
    model = BM3(ten_nodes(), content_of_ten(), **({"dim": 3, "layers": 2, "l2": 0.3} | options))
    redrawn(model)
    return model


def naive_vectors(model: BM3) -> torch.Tensor:
    """h of all ten nodes: LightGCN's mean; items have their layer-0 vectors added."""
    table = model.table.detach()
    h = mean_of_layers(purchase_matrix(), table, model.layers)
    for i in range(ITEMS):
        h[USERS + i] = h[USERS + i] + table[USERS + i]
    return h


def ahead(model: BM3, x: torch.Tensor) -> torch.Tensor:
    return model.predictor.weight.detach() @ x + model.predictor.bias.detach()


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


@pytest.mark.parametrize("modalities", [None, "image"])
@pytest.mark.parametrize(
    "options", [{}, {"align_weight": 2.0, "l2_on": "all", "l2_reading": "norm"}, {"l2_on": "all"}, {"layers": 1}]
)
def test_terms_follow_the_equations(modalities: str | None, options: dict) -> None:
    model = build(modalities=modalities, **options).eval()  # no dropout: a view is the vector itself
    h, features = naive_vectors(model), content_of_ten()
    expected = {"reconstruction": 0.0, "between_modalities": 0.0, "within_modalities": 0.0}
    squares = 0.0
    for u, i, _ in BATCH:
        user, item = h[u], h[USERS + i]
        expected["reconstruction"] -= (cosine(ahead(model, user), item) + cosine(ahead(model, item), user)) / len(BATCH)
        squares += float(user.pow(2).sum() + item.pow(2).sum())
        for name in modalities.split("+") if modalities else ("text", "image"):
            layer = model.project[name]
            content = layer.weight.detach() @ features.filled(name)[i] + layer.bias.detach()
            share = model.align_weight / len(BATCH)
            expected["between_modalities"] -= share * cosine(ahead(model, content), item)
            expected["within_modalities"] -= share * cosine(ahead(model, content), content)
    if model.l2_on == "batch":
        expected["l2"] = 0.3 * squares / 2 / len(BATCH)
    elif model.l2_reading == "squared":
        expected["l2"] = 0.3 * float(h.pow(2).sum()) / 2 / ITEMS
    else:
        expected["l2"] = 0.3 * float(h[:USERS].norm() + h[USERS:].norm()) / ITEMS
    terms = {name: float(term.detach()) for name, term in model.loss(batch_of_ten()).items()}
    assert terms == pytest.approx(expected, rel=1e-4)


def test_scores_are_products_of_predictions() -> None:
    model = build()
    h, vectors = naive_vectors(model), model.embed()
    for u in range(USERS):
        for i in range(ITEMS):
            expected = ahead(model, h[u]) @ ahead(model, h[USERS + i])
            torch.testing.assert_close(vectors.users[u] @ vectors.items[i], expected)


def test_targets_pass_no_gradient_and_drop_elements() -> None:
    model = build(dim=64, dropout=0.25)
    x = torch.randn(500, 64, requires_grad=True)
    target = model.view(x)
    assert not target.requires_grad
    dropped = target == 0
    assert float(dropped.float().mean()) == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(target[~dropped], x.detach()[~dropped])
    assert torch.equal(model.eval().view(x), x)


def test_gradients_are_those_with_constant_targets() -> None:
    model, batch = build(modalities="text", dropout=0.0), batch_of_ten()
    terms = model.loss(batch)
    terms["between_modalities"].backward()
    assert model.table.grad is None or float(model.table.grad.abs().sum()) == 0  # the item is a target there
    model.zero_grad()
    h = naive_vectors(model)[USERS + batch.positives]
    content = model.project["text"](content_of_ten().item["text"])[batch.positives]
    (-F.cosine_similarity(model.predictor(content), h).mean()).backward()
    expected = model.project["text"].weight.grad.clone()
    model.zero_grad()
    model.loss(batch)["between_modalities"].backward()
    torch.testing.assert_close(model.project["text"].weight.grad, expected)


def test_half_precision_is_near_and_learnt_features_learn() -> None:
    batch = batch_of_ten()
    exact, near = (build(precision=name).eval().loss(batch) for name in ("float32", "bfloat16"))
    for name, term in near.items():
        torch.testing.assert_close(term, exact[name], atol=0.02, rtol=0.02)
    learnt = build(learn_features=True)
    learnt.loss(batch)["between_modalities"].backward()
    assert learnt.content["text"].vectors.grad.abs().sum() > 0
    assert not any("vectors" in name for name, _ in build().named_parameters())


def test_only_the_items_of_the_batch_are_projected(monkeypatch) -> None:
    model, asked = build(), []
    forward = model.project["image"].forward
    monkeypatch.setattr(model.project["image"], "forward", lambda x: asked.append(len(x)) or forward(x))
    model.loss(batch_of_ten())
    assert asked == [len({i for _, i, _ in BATCH})]
