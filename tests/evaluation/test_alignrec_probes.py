"""AlignRec's three probes against plain loops, and on worlds whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.evaluation.alignrec_probes import item_cf, known_part, mask_modality, zero_shot
from mmlib.evaluation.knock_out import knock_out

from ..conftest import make_dataset

TASTES, PER_TASTE = 6, 10


def world(seed: int = 0, users: int = 90):
    """Each user keeps to one of six tastes, and each item is of one; in time order."""
    rng = np.random.default_rng(seed)
    pairs = [
        (user, PER_TASTE * (user % TASTES) + item) for user in range(users) for item in rng.permutation(PER_TASTE)[:6]
    ]
    parts = ["train", "train", "train", "train", "valid", "test"] * users
    return make_dataset(np.array(pairs), parts, users, TASTES * PER_TASTE, time=np.arange(len(pairs), dtype=float))


def content(noise: float, seed: int = 0, width: int = 8) -> Features:
    """Text and image of an item lie around its taste's centre."""
    generator = torch.Generator().manual_seed(seed)
    n = TASTES * PER_TASTE
    centre = torch.randn(TASTES, width, generator=generator)[torch.arange(n) // PER_TASTE]
    item = {name: centre + noise * torch.randn(n, width, generator=generator) for name in ("text", "image")}
    return Features(item, {name: torch.ones(n, dtype=torch.bool) for name in item})


def cosine(a, b) -> float:
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length else 0.0


def place(query, target: int, x, candidates) -> int:
    """Where the target comes among the candidates, equal ones ahead of it."""
    own = cosine(query, x[target])
    return 1 + sum(cosine(query, x[j]) >= own - 1e-6 for j in candidates if j != target)


@pytest.mark.parametrize("candidates", ["all", "unseen"])
def test_zero_shot_is_the_naive_count(candidates: str) -> None:
    data, features = world(users=20), content(1.0)
    features.present["text"][4] = features.present["image"][4] = False
    x = torch.cat([features.item[name] * features.present[name].unsqueeze(1) for name in ("text", "image")], 1).numpy()
    found = zero_shot(data, features, candidates=candidates)
    there = [j for j in range(60) if j != 4]
    table = data.interactions[data.interactions["part"] != "test"].sort_values("time")
    for user, rank in zip(found.who.tolist(), found.rank.tolist()):
        *history, target = table.loc[table["user"] == user, "item"].tolist()
        asked = there if candidates == "all" else [j for j in there if j not in history]
        expected = place(x[history].mean(0), target, x, asked) if target != 4 else 60
        assert rank == expected
    assert len(found.who) == 20
    assert found.candidates == pytest.approx(59 if candidates == "all" else found.candidates)


def test_item_cf_is_the_naive_count() -> None:
    data, features = world(users=20), content(1.0)
    bought = (data.matrix("train") + data.matrix("valid")).toarray()
    x = torch.cat([features.item["text"], features.item["image"]], 1).numpy()
    found = item_cf(data, features)
    for item, rank in zip(found.who.tolist(), found.rank.tolist()):
        shared = bought[:, item] @ bought / np.sqrt(np.maximum(bought[:, item].sum() * bought.sum(0), 1))
        shared[item] = 0
        best = np.flatnonzero(shared >= shared.max() - 1e-6)
        others = [j for j in range(60) if j != item]
        assert rank in {place(x[item], target, x, others) for target in best}
    assert found.candidates == 59
    assert found.left_out == 60 - len(found.who)


def test_the_probes_rank_features_by_what_they_know() -> None:
    """Clear content finds nearly all, blurred content less, content of other items what chance would."""
    data = world(users=300)
    clear, blurred = content(0.1), content(1.2)
    foreign = [knock_out(clear, "permute", seed=seed) for seed in range(12)]
    for probe, k in ((zero_shot, 10), (item_cf, 9)):
        best, middle, none = (probe(data, one).recall(k) for one in (clear, blurred, foreign[0]))
        assert best.value > 0.95
        assert best.low > middle.high
        assert middle.low > none.high
        found = np.mean([probe(data, one).recall(k).value for one in foreign])
        assert found == pytest.approx(probe(data, clear).chance(k), abs=0.025)


def test_vectors_that_say_nothing_find_nothing() -> None:
    flat = content(1.0)
    flat = replace(flat, item={name: torch.ones_like(values) for name, values in flat.item.items()})
    assert zero_shot(world(), flat).recall(20).value == 0
    assert item_cf(world(), flat).recall(20).value == 0


def test_masking_the_modality_that_knows_costs_and_masking_the_other_does_not() -> None:
    data, features = world(users=300), content(0.3)
    noise = torch.randn(60, 8, generator=torch.Generator().manual_seed(5))
    features = replace(features, item=features.item | {"image": 0.1 * noise})
    for probe in ("zero-shot", "item-CF"):
        text, image = (mask_modality(data, features, name, probe=probe, draws=3) for name in ("text", "image"))
        assert text.masked.rank.shape == (3, len(text.whole.who))
        assert text.change(10).high < -0.1
        assert image.change(10).value > -0.02
    gone = mask_modality(data, features, "text", share=1.0)
    alone = zero_shot(data, features, "image")
    assert torch.equal(gone.masked.rank[0], alone.rank)


def test_a_fused_vector_is_replaced_by_that_of_the_other_modality() -> None:
    """As an encoder of both would be given one alone; without a shared space this cannot be."""
    data, features = world(), content(0.2)
    fused = (features.item["text"] + features.item["image"]) / 2
    every = Features(features.item | {"fused": fused}, features.present | {"fused": features.present["text"]})
    gone = mask_modality(data, every, "text", share=1.0)
    assert torch.equal(gone.whole.rank, zero_shot(data, every, "fused").rank)
    assert torch.equal(gone.masked.rank[0], zero_shot(data, features, "image").rank)
    narrow = Features(every.item | {"image": every.item["image"][:, :5]}, every.present)
    with pytest.raises(InputError, match="same space; here are text 8, image 5, fused 8"):
        mask_modality(data, narrow, "text")


def test_the_test_part_stays_unread() -> None:
    data, features = world(), content(1.0)
    table = data.interactions
    other = table.copy()
    test = (table["part"] == "test").to_numpy()
    other.loc[test, "item"] = (other.loc[test, "item"] + 7) % 60
    moved = replace(data, interactions=other)
    moved.__dict__.pop("_parts", None)
    assert len(known_part(data).interactions) == 450
    for probe in (zero_shot, item_cf):
        assert torch.equal(probe(data, features).rank, probe(moved, features).rank)
    assert not torch.equal(
        zero_shot(data, features, parts=("train", "valid", "test")).rank,
        zero_shot(moved, features, parts=("train", "valid", "test")).rank,
    )


def test_without_times_the_target_is_drawn_and_can_be_refused() -> None:
    data, features = world(), content(0.3)
    timeless = replace(data, interactions=data.interactions.drop(columns="time"))
    found = zero_shot(timeless, features)
    assert torch.equal(found.rank, zero_shot(data, features, order="random").rank)
    assert not torch.equal(found.rank, zero_shot(data, features).rank)
    with pytest.raises(InputError, match="does not say when"):
        zero_shot(timeless, features, order="time")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (dict(order="tme"), "order"),
        (dict(candidates="some"), "candidates"),
        (dict(similarity="dot"), "similarity"),
        (dict(scale="big"), "scale"),
        (dict(parts=("train", "tset")), "parts"),
        (dict(modalities="txt"), "modality"),
    ],
)
def test_wrong_names_are_refused(given: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        zero_shot(world(), content(1.0), **given)


@pytest.mark.parametrize(
    ("given", "says"),
    [(dict(share=0.0), "share"), (dict(probe="zero"), "probe"), (dict(draws=0), "draws"), (dict(modality="x"), "'x'")],
)
def test_wrong_masks_are_refused(given: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        mask_modality(world(), content(1.0), **({"modality": "text"} | given))


def test_modalities_of_different_scale_and_width() -> None:
    """A loud modality drowns the other one in a concatenation, unless both are brought to one length."""
    data, features = world(users=200), content(0.2)
    noise = 100 * torch.randn(60, 30, generator=torch.Generator().manual_seed(1))
    loud = Features({"text": features.item["text"], "image": noise}, features.present)
    plain, scaled = (zero_shot(data, loud, scale=scale).recall(10) for scale in ("none", "unit"))
    assert plain.high < 0.5 < scaled.low


def test_centring_undoes_a_common_direction() -> None:
    data, features = world(users=200), content(0.5)
    shifted = replace(features, item={name: values + 20 for name, values in features.item.items()})
    assert zero_shot(data, shifted, centre=True).recall(10).value >= zero_shot(data, shifted).recall(10).value + 0.05
