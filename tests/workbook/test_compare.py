from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.core.files import read_json, write_json
from mmlib.evaluation import Scores, holm
from mmlib.evaluation import compare as paired
from mmlib.workbook.compare import compare
from mmlib.workbook.methods import sweep_methods

GAIN = {"random": 0.0, "mmcpr": 0.2, "content": 0.0}


def scores(label: str, start: str, recommender: str, seed: int) -> Scores:
    noise = np.random.default_rng([seed, list(GAIN).index(start), len(recommender)])
    tables = []
    for name, users in (("all", 40), ("few purchases", 15)):
        values = 0.3 + GAIN[start] * (recommender == "lightgcn") + 0.05 * noise.standard_normal(users)
        tables.append(pd.DataFrame({"user": range(users), "slice": name, "positives": 1, "recall@20": values}))
    return Scores(label, pd.concat(tables, ignore_index=True), {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    runs = []
    for start in GAIN:
        for recommender in ("lightgcn", "mixgcf"):
            for seed in (0, 1, 2):
                place = tmp_path / "runs" / f"{start}-{recommender}-{seed}"
                write_json(place / "metrics.json", {"metrics": {}, "seconds": 1.0})
                kept = [
                    one.per_user.assign(page="04", label=one.label, model=one.label)
                    for one in (scores("warm-up", "random", "x", 9), scores(recommender, start, recommender, seed))
                ]
                pd.concat(kept).to_parquet(place / "per_user.parquet")
                parameters = {"start": start, "recommender": recommender, "seed": seed, "lr": 0.1}
                runs.append({"run": place.name, "folder": str(place), "parameters": parameters, "error": ""})
    write_json(tmp_path / "sweep.json", {"varying": ["start", "recommender", "seed"], "runs": runs})
    return tmp_path


def test_each_value_is_compared_with_the_baseline_within_groups(folder: Path):
    table = compare(folder)
    assert len(table) == 2 * 2 * 2  # mmcpr and content, two recommenders, two slices
    for _, row in table.iterrows():
        sides = [
            [scores("x", start, row["recommender"], seed) for seed in (0, 1, 2)] for start in (row["start"], "random")
        ]
        expected = paired(*sides, "recall@20", row["slice"])
        assert row["difference"] == pytest.approx(expected.difference)
        assert row["p"] == pytest.approx(expected.p)
        assert (row["users"], row["seeds"]) == (expected.users, 3)
    assert table["p (Holm)"].tolist() == pytest.approx(holm(table["p"].tolist()))
    clear = table[(table["recommender"] == "lightgcn") & (table["start"] == "mmcpr")]
    assert (clear["low"] > 0).all()
    assert (clear["p (Holm)"] < 0.05).all()


def test_another_baseline_and_ranking(folder: Path):
    assert set(compare(folder, baseline="mmcpr")["start"]) == {"random", "content"}
    assert (compare(folder, label="warm-up")["difference"] == 0).all()
    with pytest.raises(InputError, match="has no ranking 'bpr'; it has lightgcn, warm-up"):
        compare(folder, label="bpr")


def test_only_seeds_that_both_sides_have_count(folder: Path):
    (folder / "runs" / "mmcpr-lightgcn-1" / "metrics.json").unlink()
    table = compare(folder).set_index(["start", "recommender", "slice"])
    assert table.loc[("mmcpr", "lightgcn", "all"), "seeds"] == 2
    assert table.loc[("content", "lightgcn", "all"), "seeds"] == 3


def test_what_else_varies_has_to_be_named(folder: Path):
    assert len(compare(folder, within=["recommender"])) == 8
    with pytest.raises(InputError, match="recommender varies in this sweep too"):
        compare(folder, within=[])
    with pytest.raises(InputError, match="No two finished runs differ only in start"):
        compare(folder, baseline="none")


def test_own_options_are_part_of_a_recommender_and_may_be_compared_by_themselves(folder: Path):
    about = read_json(folder / "sweep.json")
    about["varying"] = ["recommender", "model_options", "seed"]
    for run in about["runs"]:
        gains = run["parameters"].pop("start")
        run["parameters"]["model_options"] = {} if gains == "random" else {"mode": gains}
    write_json(folder / "sweep.json", about)
    table = compare(folder, "recommender", "lightgcn", slices=["all"]).set_index("recommender")
    names = [
        "mixgcf",
        "mixgcf (mode mmcpr)",
        "lightgcn (mode mmcpr)",
        "mixgcf (mode content)",
        "lightgcn (mode content)",
    ]
    assert set(table.index) == set(names)
    assert table.loc["lightgcn (mode mmcpr)", "difference"] == pytest.approx(0.2, abs=0.05)
    table = compare(folder, "model_options", {"mode": "content"}, slices=["all"])
    assert set(table["model_options"]) == {"mode mmcpr", "as its paper has it"}
    assert len(table) == 4  # two recommenders
    found = sweep_methods(folder)
    assert set(found) == {*names, "lightgcn"}
    assert found["mixgcf (mode mmcpr)"].values == {"recommender": "mixgcf", "model_options": {"mode": "mmcpr"}}
