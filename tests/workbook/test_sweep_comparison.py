from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.core.files import read_json, write_json
from mmlib.evaluation import Comparison, Scores, compare_all, holm
from mmlib.evaluation import compare as paired
from mmlib.workbook.sweep_results import against, sweep_comparison, sweep_methods

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
    write_json(
        tmp_path / "sweep.json", {"about": "", "varying": ["start", "recommender", "seed"], "compare": {}, "runs": runs}
    )
    return tmp_path


def named(folder: Path, *args, **options) -> dict[tuple[str, str], Comparison]:
    """(first method, slice) -> comparison."""
    return {(one.a, one.slice): one for one in sweep_comparison(folder, *args, **options)}


def test_each_value_is_compared_with_the_baseline_all_else_equal(folder: Path):
    found = sweep_comparison(folder)
    assert len(found) == found.tests == 2 * 2 * 2  # mmcpr and content, two recommenders, two slices
    assert [one.difference for one in found] == sorted((one.difference for one in found), reverse=True)
    for one in found:
        start, recommender = one.a.split(", ")[0], one.a.split(", ")[1]
        assert one.b == f"random, {recommender}"
        sides = [[scores("x", name, recommender, seed) for seed in (0, 1, 2)] for name in (start, "random")]
        (expected,) = paired(*sides, "recall@20", one.slice)
        assert (one.difference, one.p) == (pytest.approx(expected.difference), pytest.approx(expected.p))
        assert (one.users, one.seeds) == (expected.users, 3)
    assert [one.adjusted for one in found] == pytest.approx(holm([one.p for one in found]))
    assert {one.a for one in found if one.significant} == {"mmcpr, lightgcn"}


def test_another_baseline_and_ranking(folder: Path):
    assert {a.split(", ")[0] for a, _ in named(folder, baseline="mmcpr")} == {"random", "content"}
    assert all(one.difference == 0 for one in sweep_comparison(folder, label="warm-up"))
    with pytest.raises(InputError, match="has no ranking 'bpr'; it has lightgcn, warm-up"):
        sweep_comparison(folder, label="bpr")


def test_only_seeds_that_both_sides_have_count(folder: Path):
    (folder / "runs" / "mmcpr-lightgcn-1" / "metrics.json").unlink()
    assert named(folder)["mmcpr, lightgcn", "all"].seeds == 2
    assert named(folder)["content, lightgcn", "all"].seeds == 3


def test_what_else_varies_has_to_be_named(folder: Path):
    assert len(sweep_comparison(folder, within=["recommender"])) == 8
    with pytest.raises(InputError, match="recommender varies in this sweep too"):
        sweep_comparison(folder, within=[])
    with pytest.raises(InputError, match="No two finished runs differ only in start"):
        sweep_comparison(folder, baseline="none")


def test_own_options_are_part_of_a_recommender_and_may_be_compared_by_themselves(folder: Path):
    about = read_json(folder / "sweep.json")
    about["varying"] = ["recommender", "model_options", "seed"]
    for run in about["runs"]:
        gains = run["parameters"].pop("start")
        run["parameters"]["model_options"] = {} if gains == "random" else {"mode": gains}
    write_json(folder / "sweep.json", about)
    found = named(folder, "recommender", "lightgcn", slices=["all"])
    names = [
        "mixgcf",
        "mixgcf (mode mmcpr)",
        "lightgcn (mode mmcpr)",
        "mixgcf (mode content)",
        "lightgcn (mode content)",
    ]
    assert {a for a, _ in found} == set(names)
    assert found["lightgcn (mode mmcpr)", "all"].difference == pytest.approx(0.2, abs=0.05)
    found = named(folder, "model_options", {"mode": "content"}, slices=["all"])
    assert {a for a, _ in found} == {"lightgcn", "lightgcn (mode mmcpr)", "mixgcf", "mixgcf (mode mmcpr)"}
    methods = sweep_methods(folder)
    assert set(methods) == {*names, "lightgcn"}
    assert methods["mixgcf (mode mmcpr)"].values == {"recommender": "mixgcf", "model_options": {"mode": "mmcpr"}}


def test_against_the_baseline_the_familys_p_stays(folder: Path):
    methods = sweep_methods(folder)
    found = compare_all(methods)
    part = against(found, methods, "start", "random")
    assert [(one.a, one.b) for one in part if one.significant] == [("mmcpr, lightgcn", "random, lightgcn")]
    assert (len(part), part.tests) == (4, found.tests) == (4, 15)
    pairs = found.pairs()
    assert all(one.numbers() == pairs[one.a, one.b].numbers() for one in part)
    with pytest.raises(InputError, match="differ in start alone and have 'none'"):
        against(found, methods, "start", "none")


def made_on(place: Path, tests: str, key: str) -> None:
    """Record in a run's rankings which data they are of, as ``page.record`` does."""
    split = {"protocol": "8:1:1", "seed": 0, "hashes": {"train": "t", "valid": "v", "test": tests}}
    table = pd.read_parquet(place / "per_user.parquet")
    about = {"data": {"name": "my-shop", "key": key, "split": split}}
    table.attrs = {"about": {f"04/{label}": about for label in table["label"].unique()}}
    table.to_parquet(place / "per_user.parquet")


@pytest.mark.parametrize("tests", ["old", "new"])
def test_runs_of_other_data_are_refused_with_both_named(folder: Path, tests: str):
    """The same users, the same parameters, and a test part, or only its items' images, that changed in between."""
    for place in (folder / "runs").iterdir():
        made_on(place, "old", "k-old")
    assert len(sweep_comparison(folder)) == 8
    made_on(folder / "runs" / "mmcpr-mixgcf-2", tests, "k-new")
    for read in (sweep_comparison, sweep_methods):
        with pytest.raises(InputError, match=r"-\d and mmcpr-mixgcf-2 were made on different data.*k-old.*k-new"):
            read(folder)


def test_a_run_that_does_not_name_its_data_is_not_paired_with_one_that_does(folder: Path):
    made_on(folder / "runs" / "random-lightgcn-0", "old", "k-old")
    with pytest.raises(InputError, match="data that it does not name"):
        sweep_comparison(folder)


def test_data_that_is_varied_on_purpose_is_compared_where_the_split_is_the_same(folder: Path):
    about = read_json(folder / "sweep.json")
    about["varying"] = ["shop", "recommender", "seed"]
    for run in about["runs"]:
        run["parameters"]["shop"] = {"picture_noise": run["parameters"].pop("start")}
        made_on(Path(run["folder"]), "same", repr(run["parameters"]["shop"]))
    write_json(folder / "sweep.json", about)
    assert len(sweep_comparison(folder, "shop", {"picture_noise": "random"})) == 8
    for run in about["runs"]:
        made_on(Path(run["folder"]), repr(run["parameters"]["shop"]), repr(run["parameters"]["shop"]))
    with pytest.raises(InputError, match="were made on different data and cannot be paired"):
        sweep_comparison(folder, "shop", {"picture_noise": "random"})
