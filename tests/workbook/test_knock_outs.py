"""A page's recommender whole and knocked out, and what probes said of its features before."""

from pathlib import Path

import pytest

from mmlib.core.features import Features
from mmlib.evaluation import Method
from mmlib.evaluation.alignrec_probes import zero_shot
from mmlib.evaluation.knock_out import knock_out, knock_out_pairs, of_one_recommender
from mmlib.workbook import knock_outs
from mmlib.workbook.knock_outs import knocked_out, probed, ways_of
from mmlib.workbook.page import Page
from mmlib.workbook.parameters import STUDY


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    read = {one.name: one.default for one in STUDY.values() if "06_probes" in one.pages}
    small = dict(recommender="vbpr", epochs=2, dim=4, k=[3], batch_size=64)
    return Page("06_probes", tmp_path / "run", read | small)


def test_each_seed_is_trained_whole_knocked_out_and_without_content(page, blocks, features, monkeypatch) -> None:
    trained = []
    real = knock_outs.fit
    monkeypatch.setattr(knock_outs, "fit", lambda model, **options: trained.append(model) or real(model, **options))
    found = knocked_out(page, blocks, features, ["permute", "zero text", "drop image"], seeds=2)
    assert list(found) == [
        "vbpr", "vbpr, permute, at test", "vbpr, permute, retrained", "vbpr, zero text, at test",
        "vbpr, zero text, retrained", "vbpr, drop image, retrained", "lightgcn",
    ]  # fmt: skip
    assert len(trained) == 2 * 5  # what is knocked out at test is not trained again
    assert all(list(one.runs) == ["seed 0", "seed 1"] for one in found.values())
    family = knock_out_pairs(found, "lightgcn", "recall@3")
    assert family.tests == 5 + 6
    assert {one.b for one in of_one_recommender(family, found)} == set(list(found)[1:6])


def test_ways_are_those_of_the_modalities_that_there_are(features) -> None:
    assert ways_of(features) == ["permute", "permute text", "permute image"]
    text = Features({"text": features.item["text"]}, {"text": features.present["text"]})
    assert ways_of(text) == ["permute"]


def test_probes_stand_beside_the_recall_of_what_was_trained_on_the_same_features(
    page, blocks, features, monkeypatch
) -> None:
    """Only retrained models that read content count; the probe is that of the knocked-out features."""
    asked = []
    monkeypatch.setattr(Page, "features", lambda one, data: asked.append(one) or one._knocked_out(features, "training"))
    found = knocked_out(page, blocks, features, ["permute"])
    table = probed(page, blocks, found, k=3).set_index(["features", "probe"])
    assert set(table.index.get_level_values("features")) == {"whole", "permute"}
    assert len(asked) == 2
    gone = knock_out(features, "permute", seed=0)
    assert table.loc[("permute", "zero-shot"), "value"] == zero_shot(blocks, gone).recall(3).value
    assert table.loc[("whole", "zero-shot"), "value"] == zero_shot(blocks, features).recall(3).value
    means = found["vbpr, permute, retrained"].means().set_index(["slice", "metric"])["mean"]
    assert table.loc[("permute", "zero-shot"), "recall"] == means["all", "recall@3"]


def test_the_encoder_of_a_sweep_is_that_of_its_values(page, blocks, features, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(Page, "features", lambda one, data: asked.append(one.value("encoder_epochs")) or features)
    runs = knocked_out(page, blocks, features, ["permute"])["vbpr"].runs
    methods = {
        f"{epochs}, {seed}": Method(f"{epochs}", runs, {"recommender": "vbpr", "encoder_epochs": epochs})
        for seed in (0, 1)
        for epochs in (1, 5)
    }
    table = probed(page, blocks, methods, k=3)
    assert asked == [1, 5]
    assert set(table["features"]) == {"encoder_epochs 1", "encoder_epochs 5"}
