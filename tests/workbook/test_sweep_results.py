from pathlib import Path

import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.core.files import read_json, write_json
from mmlib.workbook.sweep_results import sweep_baseline, sweep_comparison, sweep_methods, sweep_protocol

from .finished import write_sweep


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sweep(tmp_path)


def test_runs_that_differ_by_seed_alone_are_one_method(folder: Path):
    found = sweep_methods(folder)
    assert list(found)[:2] == ["lightgcn, random, epochs 6", "lightgcn, random, epochs 60"]
    assert len(found) == 8
    one = found["mixgcf, mmcpr, epochs 60"]
    assert one.values == {"recommender": "mixgcf", "start": "mmcpr", "epochs": 60}
    assert list(one.runs) == ["seed 0", "seed 1"]
    assert one.costs == {"seconds": 1.5, "best_epoch": 60.0}
    stored = pd.read_parquet(folder / "mixgcf-mmcpr-60-1" / "per_user.parquet")["recall@20"].tolist()
    assert one.runs["seed 1"].per_user["recall@20"].tolist() == stored


def test_some_runs_and_names_alone(folder: Path):
    assert list(sweep_methods(folder, only={"epochs": 60})) == [
        "lightgcn, random", "lightgcn, mmcpr", "mixgcf, random", "mixgcf, mmcpr"
    ]  # fmt: skip
    few = sweep_methods(folder, by=["start"], only={"epochs": "6", "recommender": "mixgcf"})
    assert list(few) == ["random", "mmcpr"]
    assert sweep_methods("") == {}


def test_an_unfinished_run_is_left_out(folder: Path):
    (folder / "lightgcn-random-6-1" / "metrics.json").unlink()
    assert list(sweep_methods(folder)["lightgcn, random, epochs 6"].runs) == ["seed 0"]


def test_a_cost_that_one_run_lacks_is_not_averaged(folder: Path):
    path = folder / "lightgcn-random-6-1" / "metrics.json"
    write_json(path, read_json(path) | {"metrics": {"04_recommend": {"best_epoch": 2}}})
    assert sweep_methods(folder)["lightgcn, random, epochs 6"].costs == {"best_epoch": 4.0}


def test_what_is_wrong_is_named(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"recommender, epochs varies too"):
        sweep_methods(folder, by=["start"])
    with pytest.raises(InputError, match=r'does not vary .* Did you mean "start"'):
        sweep_methods(folder, by=["strat"])
    with pytest.raises(InputError, match="dataset does not vary"):
        sweep_methods(folder, only={"dataset": "toy"})
    with pytest.raises(InputError, match=r"no finished run with \{'epochs': 7\}"):
        sweep_methods(folder, only={"epochs": 7})
    with pytest.raises(InputError, match=r"no sweep\.json in it"):
        sweep_methods(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no ranking 'bpr'"):
        sweep_methods(folder, label="bpr")


def test_a_sweep_is_found_by_its_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "elsewhere" / "sweeps" / "starts-1"
    write_json(place / "sweep.json", read_json(folder / "sweep.json"))
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "elsewhere"))
    assert len(sweep_methods("starts-1")) == 8


def test_the_baseline_is_as_given_else_as_the_sweep_says(folder: Path):
    assert sweep_baseline(folder) == ("start", "random")
    assert sweep_baseline(folder, "recommender", "mixgcf") == ("recommender", "mixgcf")
    assert sweep_baseline("") == ("", "")
    write_json(folder / "sweep.json", read_json(folder / "sweep.json") | {"compare": {}})
    with pytest.raises(InputError, match="give vary and baseline"):
        sweep_baseline(folder, vary="start")


def test_the_protocol_is_that_of_the_runs(folder: Path):
    one = sweep_protocol(folder)
    assert (one.split, one.masked) == ("8:1:1 of each user's interactions at random", "training and validation items")
    assert one.lengths == (10, 20)
    about = read_json(folder / "sweep.json")
    for run in about["runs"]:
        run["parameters"] |= {"split": "given", "mask_valid": False}
    write_json(folder / "sweep.json", about)
    assert (sweep_protocol(folder).split, sweep_protocol(folder).masked) == (
        "the parts that the data came with", "training items"
    )  # fmt: skip
    assert "as the sweep's parameters say" in sweep_protocol(folder).chosen
    chosen = {"choose": {"over": ["lr"], "metric": "recall@20"}, "tried": [{"lr": 0.1, "runs": 5, "chosen": True}]}
    write_json(folder / "sweep.json", about | chosen)
    assert "lr by the mean validation recall@20 of 5 runs" in sweep_protocol(folder).chosen
    about["runs"][0]["parameters"]["mask_valid"] = True
    write_json(folder / "sweep.json", about)
    with pytest.raises(InputError, match="mask_valid varies"):
        sweep_protocol(folder)


def test_options_that_were_chosen_are_no_part_of_a_name(folder: Path):
    about = read_json(folder / "sweep.json")
    for run in about["runs"]:
        run["parameters"]["model_options"] = {"layers": 3} if run["parameters"]["recommender"] == "lightgcn" else {}
    write_json(folder / "sweep.json", about)
    assert "lightgcn (layers 3), random, epochs 6" in sweep_methods(folder)
    write_json(folder / "sweep.json", about | {"choose": {"over": ["model_options"], "metric": "recall@20"}})
    assert "lightgcn, random, epochs 6" in sweep_methods(folder)
    assert {one.a.split(", ")[0] for one in sweep_comparison(folder, "recommender", "lightgcn")} == {"mixgcf"}
    with pytest.raises(InputError, match="model_options was chosen for each method"):
        sweep_methods(folder, by=["model_options"])
