"""One table of all probes, which holds what each probe says; and which set is better, user by user."""

import math
from dataclasses import replace

import pytest
import torch

from mmlib.core.features import Features
from mmlib.evaluation import evaluate
from mmlib.evaluation.alignrec_probes import item_cf, zero_shot
from mmlib.evaluation.feature_sets import cold_part, compare_sets, geometry_table, probe_table
from mmlib.evaluation.item_vectors import centred
from mmlib.evaluation.knock_out import knock_out
from mmlib.evaluation.retrieval import text_to_image
from mmlib.recommenders import ItemKNN

from .test_alignrec_probes import content, world


def test_the_table_holds_what_each_probe_says() -> None:
    data, clear = world(users=60), content(0.3)
    sets = {"clear": clear, "wrong": knock_out(clear, "permute")}
    table = probe_table(data, sets, k=5, draws=2).set_index(["features", "probe"])
    assert list(dict.fromkeys(table.index.get_level_values("probe"))) == [
        "zero-shot", "item-CF", "zero-shot, half the images masked", "zero-shot, half the texts masked",
        "neighbours shared with item-CF", "text finds its image",
    ]  # fmt: skip
    for name, one in sets.items():
        for probe, found in (("zero-shot", zero_shot(data, one)), ("item-CF", item_cf(data, one))):
            row, expected = table.loc[(name, probe)], found.recall(5)
            assert [row["value"], row["low"], row["high"]] == [expected.value, expected.low, expected.high]
            assert (row["chance"], row["of"], row["n"]) == (found.chance(5), found.of, len(found.who))
        assert table.loc[(name, "text finds its image"), "value"] == text_to_image(one)["raw encoder"].recall(5)
    assert table["low"].le(table["value"]).all()
    assert table["high"].ge(table["value"]).all()


def test_one_modality_has_no_masks_and_no_retrieval() -> None:
    text = content(0.3)
    text = Features({"text": text.item["text"]}, {"text": text.present["text"]})
    probes = probe_table(world(), {"text": text}, k=5)["probe"].tolist()
    assert probes == ["zero-shot", "item-CF", "neighbours shared with item-CF"]
    assert geometry_table({"text": text})["probe"].tolist() == ["uniformity of text"]


def test_different_widths_have_no_gap_but_cka() -> None:
    wide = content(0.3)
    wide = Features(wide.item | {"image": torch.randn(60, 30)}, wide.present)
    measures = geometry_table({"same": content(0.3), "wide": wide}).set_index(["features", "probe"])["value"]
    assert (
        measures["same", "linear CKA of text and image"]
        > 0.8
        > 0.3
        > abs(measures["wide", "linear CKA of text and image"])
    )
    assert ("same", "modality gap") in measures.index
    assert ("wide", "modality gap") not in measures.index
    apart = replace(content(0.3), about={"shares_space": False})  # of one width by accident
    assert "modality gap" not in set(geometry_table({"apart": apart})["probe"])


def test_content_for_cold_items_reads_no_test_interaction_and_gains_by_centring() -> None:
    """All vectors share a large part, and the rest tells the tastes apart: without its centre it does."""
    data = world(users=120)
    cold = cold_part(data, share=0.3)
    assert len(cold.interactions) == (data.interactions["part"] != "test").sum()
    assert (cold.purchases() == 0).sum() > 10
    shifted = content(0.7)
    shifted = Features({name: values + 6 for name, values in shifted.item.items()}, shifted.present)
    lists = {
        probe: {"shifted": evaluate(ItemKNN(cold, one, on="content", neighbours=30), cold, k=(3,), candidates="cold")}
        for probe, one in (("kNN", shifted), ("kNN, centred", centred(shifted)))
    }
    table = probe_table(data, {"shifted": shifted}, k=3, knn=lists, cold=cold).set_index("probe")
    assert table.loc["kNN, centred", "value"] > table.loc["kNN", "value"] + 0.1
    assert table.loc["kNN", "chance"] == pytest.approx(3 / (cold.purchases() == 0).sum())
    assert centred(shifted).item["text"].mean(0).abs().max() < 1e-5


def test_the_better_set_is_found_and_equal_ones_are_not_told_apart() -> None:
    data = world(users=300)
    sets = {"clear": content(0.1), "blurred": content(1.5), "blurred, too": content(1.5, seed=1)}
    found = compare_sets(data, sets, k=10)
    pairs = found.pairs()
    assert found.tests == 3
    assert pairs["clear", "blurred"].better == pairs["clear", "blurred, too"].better == "clear"
    shots = [zero_shot(data, sets[name]).hits(10).mean() for name in ("clear", "blurred")]
    assert pairs["clear", "blurred"].difference == pytest.approx(shots[0] - shots[1])
    same = compare_sets(data, {"a": sets["clear"], "b": content(0.1)}, k=10)
    assert same[0].difference == 0
    assert not same[0].significant
    assert not math.isnan(same[0].p)
