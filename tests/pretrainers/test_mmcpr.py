"""MMCPR against a naive loop over the paper's equations, and its switches."""

import math
from dataclasses import replace

import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.pretrainers import MMCPR, content_mean
from mmlib.training import fit


def naive_graph(data, table: torch.Tensor, side: str, layers: int) -> torch.Tensor:
    """Eq. 1 and 2, node by node: the sum over neighbours divided by the root of their number; mean of layers."""
    matrix = torch.from_numpy(data.matrix("train").toarray())
    matrix = matrix if side == "users" else matrix.T
    hops = [table]
    for _ in range(layers):
        rows = []
        for node in range(len(matrix)):
            near = [m for m in range(len(matrix)) if m != node and bool((matrix[node] * matrix[m]).any())]
            rows.append(sum((hops[-1][m] for m in near), torch.zeros_like(table[0])) / math.sqrt(max(1, len(near))))
        hops.append(torch.stack(rows))
    return sum(hops) / (layers + 1)


def naive_fusion(parts: list[torch.Tensor], fusion) -> torch.Tensor:
    """Eq. 6-8 for one node: e = sum of alpha_m W_m e_m + b_m."""
    projected = [layer.weight @ part + layer.bias for layer, part in zip(fusion.project.values(), parts)]
    powers = [math.exp(max(0.0, float(fusion.query @ vector))) for vector in projected]
    return sum(power / sum(powers) * vector for power, vector in zip(powers, projected))


@torch.no_grad()
def test_vectors_follow_the_equations(blocks, features) -> None:
    model = MMCPR(blocks, features, dim=5, graph_dim=4, layers=2)
    for parameter in model.parameters():
        parameter.normal_()
    users = naive_graph(blocks, model.user_table, "users", 2)
    items = naive_graph(blocks, model.item_table, "items", 2)
    found = model.embed()
    for user in range(23):  # the last one has no review
        mine = features.reviews[features.review_users == user]
        expected = naive_fusion([mine.mean(0), users[user]], model.user_fusion)
        torch.testing.assert_close(found.users[user], expected, atol=1e-4, rtol=1e-4)
    for item in (0, 7, 19):
        parts = [features.item["text"][item], features.item["image"][item], items[item]]
        torch.testing.assert_close(found.items[item], naive_fusion(parts, model.item_fusion), atol=1e-4, rtol=1e-4)
    mean_text = features.item["text"][features.present["text"]].mean(0)  # item 3 has none
    parts = [mean_text, features.item["image"][3], items[3]]
    torch.testing.assert_close(found.items[3], naive_fusion(parts, model.item_fusion), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("contrast", ["elementwise", "softmax"])
@pytest.mark.parametrize("cima_weight", [0.0, 0.3, 1.0])
def test_loss_follows_the_equations(blocks, features, contrast: str, cima_weight: float) -> None:
    model = MMCPR(blocks, features, dim=5, cima_weight=cima_weight, contrast=contrast, temperature=0.2)
    batch = next(model.batches(16, torch.Generator().manual_seed(0)))
    vectors = model.embed()
    bce = 0.0
    for u, i, j in zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist()):
        bce -= torch.sigmoid(vectors.users[u] @ vectors.items[i]).log().item()
        bce -= (1 - torch.sigmoid(vectors.users[u] @ vectors.items[j])).log().item()
    items = [i for i in sorted(set(batch.positives.tolist())) if i not in (3, 15)]  # no text, no image
    projected = model.item_fusion.projected(model.item_modalities())
    logits = torch.tensor(
        [
            [torch.cosine_similarity(projected["text"][p], projected["image"][q], dim=0) / 0.2 for q in items]
            for p in items
        ]
    )
    if contrast == "softmax":
        rows = -(logits.diag() - logits.logsumexp(0)).mean() / 2 - (logits.diag() - logits.logsumexp(1)).mean() / 2
    else:
        chance = torch.sigmoid(logits)
        eye = torch.eye(len(items))
        rows = -(eye * chance.log() + (1 - eye) * (1 - chance).log()).sum() / len(items)
    terms = model.loss(batch)
    expected = {"cima": cima_weight * float(rows), "bce": (1 - cima_weight) * bce / 16}
    expected = {name: value for name, value in expected.items() if value}
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("modalities", ["RTVG", "RTV", "TVG", "RG", "G", "V", "T", "R", "TV"])
def test_any_subset_of_modalities(blocks, features, modalities: str) -> None:
    weight = 0.2 if {"T", "V"} <= set(modalities) else 0.0
    model = MMCPR(blocks, features, dim=8, modalities=modalities, cima_weight=weight)
    done = fit(model, epochs=1, device="cpu")
    names = {"R": "reviews", "T": "text", "V": "image"}
    expected = {names[letter] for letter in modalities if letter in names and letter != "R"}
    assert set(done.model.attention()["items"]) - {"graph"} == expected
    assert ("reviews" in done.model.attention()["users"]) == ("R" in modalities)


def test_works_without_reviews(blocks, features) -> None:
    bare = Features(features.item, features.present)
    model = MMCPR(blocks, bare, dim=8)
    assert list(model.attention()["users"]) == ["graph"]
    assert torch.isfinite(fit(model, epochs=2, device="cpu").embeddings.users).all()


def test_without_bce_nothing_is_learnt_of_users(blocks, features) -> None:
    model = MMCPR(blocks, features, dim=8, cima_weight=1.0)
    before = model.user_table.detach().clone()
    fit(model, epochs=2, device="cpu", keep="last", evaluate_every=0)
    assert torch.equal(model.user_table, before)


@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_reviews_are_aggregated_as_named(blocks, features, aggregation: str) -> None:
    model = MMCPR(blocks, features, dim=8, aggregation=aggregation)
    mine = features.reviews[features.review_users == 5]
    expected = mine.mean(0) if aggregation == "mean" else mine.max(0).values
    torch.testing.assert_close(model.reviews()[5], expected)


def test_attention_over_reviews_starts_as_the_mean_and_learns(blocks, features) -> None:
    model = MMCPR(blocks, features, dim=8, aggregation="attention")
    torch.testing.assert_close(model.reviews()[5], features.reviews[features.review_users == 5].mean(0))
    fit(model, epochs=3, lr=0.05, device="cpu", keep="last")
    assert not torch.allclose(model.reviews()[5], features.reviews[features.review_users == 5].mean(0), atol=1e-4)


def test_missing_answers(blocks, features) -> None:
    for missing, expected in (
        ("mean", features.item["text"][features.present["text"]].mean(0)),
        ("zero", torch.zeros(6)),
    ):
        model = MMCPR(blocks, features, dim=8, missing=missing)
        torch.testing.assert_close(model.item_modalities()["text"][3], expected)
    masked = MMCPR(blocks, features, dim=8, missing="mask").attention()["items"]
    assert masked["text"][3] == 0
    assert masked["text"][4] > 0
    torch.testing.assert_close(sum(masked.values()), torch.ones(20))


def test_alignment_brings_text_and_image_together(blocks, features) -> None:
    torch.manual_seed(0)
    model = MMCPR(blocks, features, dim=8, cima_weight=1.0, contrast="softmax")

    def cosine() -> float:
        parts = model.item_fusion.projected(model.item_modalities())
        return float(torch.cosine_similarity(parts["text"], parts["image"]).mean())

    before = cosine()
    fit(model, epochs=30, lr=0.01, device="cpu", keep="last", evaluate_every=0)
    assert cosine() > before + 0.3


def test_bad_options_are_named(blocks, features) -> None:
    with pytest.raises(InputError, match="modalities = 'RX'"):
        MMCPR(blocks, features, modalities="RX")
    with pytest.raises(InputError, match=r"cima_weight = 1\.5"):
        MMCPR(blocks, features, cima_weight=1.5)
    with pytest.raises(InputError, match="needs both T and V"):
        MMCPR(blocks, features, modalities="TG")
    with pytest.raises(InputError, match="Leave V out"):
        MMCPR(blocks, replace(features, item={"text": features.item["text"]}), modalities="VG", cima_weight=0)
    with pytest.raises(InputError, match='Did you mean "softmax"'):
        MMCPR(blocks, features, contrast="softmx")


def test_content_mean_starts_from_principal_components(blocks, features) -> None:
    start = content_mean(blocks, features, dim=4)
    mean = torch.stack([features.filled("text"), features.filled("image")]).mean(0)
    centred = mean - mean.mean(0)
    full = content_mean(blocks, features, dim=6)
    torch.testing.assert_close(full.items @ full.items.T, centred @ centred.T, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(start.items, full.items[:, :4])
    bought = torch.from_numpy(blocks.train[blocks.train[:, 0] == 7][:, 1])
    torch.testing.assert_close(start.users[7], start.items[bought].mean(0))
    assert content_mean(blocks, features, dim=9).items.shape == (20, 9)
