"""MMCPR against a naive loop over the paper's equations, and its switches."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.evaluation.retrieval import text_to_image
from mmlib.pretrainers import MMCPR, content_mean
from mmlib.training import fit

from ..conftest import make_dataset


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
    users = naive_graph(blocks, model.user_side.table, "users", 2)
    items = naive_graph(blocks, model.item_side.table, "items", 2)
    found = model.embed()
    for user in range(23):  # the last one has no review
        mine = features.reviews[features.review_users == user]
        expected = naive_fusion([mine.mean(0), users[user]], model.user_side)
        torch.testing.assert_close(found.users[user], expected, atol=1e-4, rtol=1e-4)
    for item in (0, 7, 19):
        parts = [features.item["text"][item], features.item["image"][item], items[item]]
        torch.testing.assert_close(found.items[item], naive_fusion(parts, model.item_side), atol=1e-4, rtol=1e-4)
    mean_text = features.item["text"][features.present["text"]].mean(0)  # item 3 has none
    parts = [mean_text, features.item["image"][3], items[3]]
    torch.testing.assert_close(found.items[3], naive_fusion(parts, model.item_side), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("contrast", ["softmax", "sigmoid", "printed"])
@pytest.mark.parametrize("cima_weight", [0.0, 0.3, 1.0])
@torch.no_grad()
def test_loss_follows_the_equations(blocks, features, contrast: str, cima_weight: float) -> None:
    model = MMCPR(blocks, features, dim=5, cima_weight=cima_weight, contrast=contrast, temperature=0.2)
    batch = next(model.batches(32, torch.Generator().manual_seed(0)))
    vectors = model.embed()
    bce = 0.0
    for u, i, j in zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist()):
        bce -= torch.sigmoid(vectors.users[u] @ vectors.items[i]).log().item()
        bce -= (1 - torch.sigmoid(vectors.users[u] @ vectors.items[j])).log().item()
    items = [i for i in range(20) if i not in (3, 15)]  # no text, no image; a batch of 32 takes all others
    projected = model.item_side.projected(model.item_graph)
    logits = torch.tensor(
        [
            [torch.cosine_similarity(projected["text"][p], projected["image"][q], dim=0) / 0.2 for q in items]
            for p in items
        ]
    )
    eye = torch.eye(len(items))
    if contrast == "softmax":
        rows = -(logits.diag() - logits.logsumexp(0)).mean() / 2 - (logits.diag() - logits.logsumexp(1)).mean() / 2
    else:
        chance = torch.sigmoid(logits - 10) if contrast == "sigmoid" else torch.sigmoid(logits)
        pairs = -(eye * chance.log() + (1 - eye) * (1 - chance).log())
        rows = pairs.sum(1).mean() if contrast == "sigmoid" else pairs.mean()
    terms = model.loss(batch)
    expected = {"cima": cima_weight * float(rows), "bce": (1 - cima_weight) * bce / 32}
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
    before = model.user_side.table.detach().clone()
    fit(model, epochs=2, device="cpu", keep="last", evaluate_every=0)
    assert torch.equal(model.user_side.table, before)


@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_reviews_are_aggregated_as_named(blocks, features, aggregation: str) -> None:
    model = MMCPR(blocks, features, dim=8, aggregation=aggregation)
    mine = features.reviews[features.review_users == 5]
    expected = mine.mean(0) if aggregation == "mean" else mine.max(0).values
    torch.testing.assert_close(model.user_side.content["reviews"]()[5], expected)


def test_attention_over_reviews_starts_as_the_mean_and_learns(blocks, features) -> None:
    torch.manual_seed(0)
    model = MMCPR(blocks, features, dim=8, aggregation="attention")
    torch.testing.assert_close(
        model.user_side.content["reviews"]()[5], features.reviews[features.review_users == 5].mean(0)
    )
    fit(model, epochs=3, lr=0.05, device="cpu", keep="last")
    mine = features.reviews[features.review_users == 5]
    assert not torch.allclose(model.user_side.content["reviews"]()[5], mine.mean(0), atol=1e-4)


def test_missing_answers(blocks, features) -> None:
    for missing, expected in (
        ("mean", features.item["text"][features.present["text"]].mean(0)),
        ("zero", torch.zeros(6)),
    ):
        model = MMCPR(blocks, features, dim=8, missing=missing)
        torch.testing.assert_close(model.item_side.modalities(model.item_graph)["text"][3], expected)


@pytest.mark.parametrize("aggregation", ["mean", "attention"])
def test_what_is_absent_gets_no_attention_on_either_side(blocks, features, aggregation: str) -> None:
    model = MMCPR(blocks, features, dim=8, missing="mask", aggregation=aggregation)
    found = model.attention()
    for side, name, absent in (("users", "reviews", [23]), ("items", "text", [3]), ("items", "image", [15])):
        share = found[side][name]
        assert (share == 0).nonzero().flatten().tolist() == absent
        torch.testing.assert_close(sum(found[side].values()), torch.ones(len(share)))
        assert found[side]["graph"][absent].item() > 0
    batch = next(model.batches(200, torch.Generator()))  # the masks of the rows that a batch asks for
    rows = torch.tensor([23, 5, 23])
    torch.testing.assert_close(model.users(rows)[0], model.embed().users[rows])
    torch.testing.assert_close(model.items(torch.tensor([15, 3]))[0], model.embed().items[[15, 3]])
    assert torch.isfinite(sum(model.loss(batch).values()))


def test_a_row_with_nothing_present_falls_back_to_the_mean(blocks, features) -> None:
    features.present["image"][3] = False  # neither text nor image now
    options = {"dim": 8, "modalities": "RTV"}  # no graph either
    torch.manual_seed(0)
    mask = MMCPR(blocks, features, missing="mask", **options)
    torch.manual_seed(0)
    mean = MMCPR(blocks, features, missing="mean", **options)
    for got, expected, row in (
        (mask.items(), mean.items(), 3),
        (mask.users(), mean.users(), 23),
    ):
        assert torch.equal(got[0][row], expected[0][row])
        assert (got[1][row] > 0).all()
    assert mask.items()[1][15, 1] == 0  # its text is there


@torch.no_grad()
def test_lambda_means_the_same_at_every_batch_size() -> None:
    """The ratio of eq. 16's two terms, before any training, at 512 and at 2048."""
    data, features = shop(n_items=2048)
    for contrast in ("softmax", "sigmoid", "printed"):
        torch.manual_seed(0)
        model = MMCPR(data, features, dim=16, graph_dim=4, neighbours=2, contrast=contrast, cima_weight=0.5)
        ratios = []
        for size in (512, 2048):
            terms = model.loss(next(model.batches(size, torch.Generator().manual_seed(0))))
            ratios.append(float(terms["cima"] / terms["bce"]))
        assert ratios[1] / ratios[0] == pytest.approx(1, abs=0.3), contrast  # a sum over pairs: 4 or 16


def shop(n_items: int = 200, noise: float = 0.5):
    """Items with a text and an image that are noisy views of the same 12 numbers, partly turned against each other.

    As from an encoder that knows something of the world, not of this catalogue. Half of the items have no interactions.
    """
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(n_items, 12, generator=generator)
    skew = 0.2 * torch.randn(12, 12, generator=generator)
    views = {"text": latent, "image": latent @ torch.linalg.matrix_exp(skew - skew.T)}
    item = {name: view + noise * torch.randn(view.shape, generator=generator) for name, view in views.items()}
    present = {name: torch.ones(n_items, dtype=torch.bool) for name in item}
    rng = np.random.default_rng(0)
    pairs = np.unique(np.stack([rng.integers(0, 300, 4000), rng.integers(0, n_items // 2, 4000)], 1), axis=0)
    parts = ["valid", "test", *["train"] * (len(pairs) - 2)]
    return make_dataset(pairs, parts, 300, n_items), Features(item, present, n_users=300)


@pytest.mark.parametrize("contrast", ["softmax", "sigmoid", "printed"])
def test_what_the_contrast_is_for(contrast: str) -> None:
    """Section 3.4: own pairs close, others far; text finds its image better than with the raw encoder.

    As printed, eq. 11 does the opposite: it is kept as a fact, and nothing to train with.
    """
    data, features = shop()
    torch.manual_seed(0)
    model = MMCPR(data, features, dim=32, neighbours=5, contrast=contrast)
    options = {"epochs": 40, "batch_size": 256, "keep": "last", "evaluate_every": 0, "device": "cpu"}
    done = fit(model, lr=0.01, **options)
    raw, after = text_to_image(features, {"after": done.model}).values()
    own, other = float(after.own.mean()), after.other
    if contrast == "printed":
        assert own < 0
        assert after.recall(10) < raw.recall(10) - 0.05
    else:
        assert own > other + 0.5
        assert own > float(raw.own.mean())
        assert after.recall(10) > raw.recall(10) + 0.1
        bought = torch.zeros(200, dtype=torch.bool).index_fill(0, torch.from_numpy(data.train[:, 1]), True)
        assert float(after.own[~bought].mean()) > other + 0.5  # also without interactions


def test_items_to_align_come_from_the_catalogue_or_the_batch() -> None:
    data, features = shop()
    features.present["text"][7] = features.present["image"][120] = False
    bought = set(data.train[:, 1].tolist())
    drawn = {}
    for choice in ("catalogue", "batch"):
        model = MMCPR(data, features, dim=8, cima_items=choice)
        seen: list[int] = []
        model.cima = lambda items, seen=seen, model=model: (
            seen.append(items.tolist()) or model.item_side.table.sum() * 0
        )
        torch.manual_seed(5)
        for batch in model.batches(64, torch.Generator().manual_seed(0)):
            model.loss(batch)
        drawn[choice] = seen
        assert all(len(set(items)) == len(items) and not {7, 120} & set(items) for items in seen)
    assert {item for items in drawn["catalogue"] for item in items} == set(range(200)) - {7, 120}
    assert all(len(items) <= 64 for items in drawn["catalogue"])
    assert len(drawn["catalogue"][0]) == 64
    assert {item for items in drawn["batch"] for item in items} == bought - {7, 120}


def test_a_killed_training_draws_the_same_items(tmp_path) -> None:
    data, features = shop()
    options = {"batch_size": 64, "lr": 0.01, "keep": "last", "evaluate_every": 0, "device": "cpu"}

    def model() -> MMCPR:
        torch.manual_seed(0)
        return MMCPR(data, features, dim=8)

    straight = fit(model(), epochs=3, **options).embeddings
    fit(model(), epochs=1, checkpoint=tmp_path / "c.pt", checkpoint_seconds=0, **options)
    torch.manual_seed(99)  # another process
    resumed = fit(model(), epochs=3, checkpoint=tmp_path / "c.pt", checkpoint_seconds=0, **options).embeddings
    assert torch.equal(resumed.items, straight.items)
    other = fit(model(), epochs=3, seed=1, **options).embeddings
    assert not torch.equal(other.items, straight.items)


def wide(features: Features) -> Features:
    """Images of another width than texts: 9 and 6."""
    image = torch.cat([features.item["image"], features.item["image"][:, :3]], 1)
    return replace(features, item=features.item | {"image": image})


@pytest.mark.parametrize("aligned", ["projected", "adapted"])
def test_modalities_of_different_widths(blocks, features, aligned: str) -> None:
    torch.manual_seed(0)
    model = MMCPR(blocks, wide(features), dim=8, aligned=aligned, cima_weight=0.5)
    text, image = model.text_and_image()
    assert text.shape == image.shape == (20, 8 if aligned == "projected" else 6)
    if aligned == "adapted":
        assert torch.equal(text, model.item_side.content["text"].vectors)  # the narrower one starts as it is
    done = fit(model, epochs=30, lr=0.02, batch_size=32, keep="last", device="cpu")
    after = text_to_image(wide(features), {"after": done.model})
    assert list(after) == ["after"]  # the raw encoder's have no cosine
    assert float(after["after"].own.mean()) > after["after"].other + 0.3


def test_content_mean_of_different_widths(blocks, features) -> None:
    given = wide(features)
    full = content_mean(blocks, given, dim=15).items
    assert full.shape == (20, 15)
    sides = [given.filled(name) for name in ("text", "image")]
    unit = torch.cat([side / side.pow(2).sum(1).mean().sqrt() for side in sides], 1) / math.sqrt(2)
    centred = unit - unit.mean(0)
    torch.testing.assert_close(full @ full.T, centred @ centred.T, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(content_mean(blocks, given, dim=4).items, full[:, :4])
    scaled = replace(given, item=given.item | {"image": 1000 * given.item["image"]})  # must not drown the text
    torch.testing.assert_close(content_mean(blocks, scaled, dim=4).items, full[:, :4], atol=1e-4, rtol=1e-4)


def test_bad_options_are_named(blocks, features) -> None:
    with pytest.raises(InputError, match="modalities = 'RX'"):
        MMCPR(blocks, features, modalities="RX")
    with pytest.raises(InputError, match=r"cima_weight = 1\.5"):
        MMCPR(blocks, features, cima_weight=1.5)
    with pytest.raises(InputError, match="needs both T and V"):
        MMCPR(blocks, features, modalities="TG")
    with pytest.raises(InputError, match="Leave V out"):
        MMCPR(blocks, replace(features, item={"text": features.item["text"]}), modalities="VG", cima_weight=0)
    for option, value, said in (
        ("contrast", "softmx", 'Did you mean "softmax"'),
        ("contrast", "elementwise", "choose one of 'softmax', 'sigmoid', 'printed'"),
        ("cima_items", "catalog", 'Did you mean "catalogue"'),
        ("aligned", "raw", "aligned = 'raw'"),
        ("missing", "nothing", "missing = 'nothing'"),
        ("temperature", 0.0, "temperature = 0.0 must be a finite number above 0"),
    ):
        with pytest.raises(InputError, match=said):
            MMCPR(blocks, features, **{option: value})
    with pytest.raises(InputError, match="needs T and V"):
        MMCPR(blocks, features, modalities="RG", cima_weight=0).text_and_image()


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
