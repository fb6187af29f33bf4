import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.evaluation import Scores
from mmlib.workbook.page import Page, begin
from mmlib.workbook.paths import notebooks, outputs
from mmlib.workbook.sweep_results import ranking

from .tiny import make


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MMLIB_RUN", "MMLIB_OUTPUTS", "MMLIB_NOTEBOOKS"):
        monkeypatch.delenv(name, raising=False)
    make(tmp_path)
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def scores(label: str = "LightGCN", shift: float = 0.0, users: int = 12) -> Scores:
    table = pd.DataFrame({"user": range(users), "slice": "all", "positives": 1})
    return Scores(
        label, table.assign(**{"recall@20": np.linspace(0, 1, users) + shift}), {"data": {"key": f"{label}-{shift}"}}
    )


def test_places_are_found_from_inside_the_project(workbook: Path, monkeypatch: pytest.MonkeyPatch):
    assert outputs() == workbook / "outputs"
    assert notebooks() == workbook / "notebooks"
    monkeypatch.setenv("MMLIB_OUTPUTS", str(workbook / "else"))
    assert outputs() == workbook / "else"
    monkeypatch.setenv("MMLIB_NOTEBOOKS", str(workbook / "none"))
    with pytest.raises(InputError, match="no folder of pages"):
        notebooks()


def test_outputs_outside_a_project_are_below_the_current_folder(workbook: Path, monkeypatch: pytest.MonkeyPatch):
    (workbook / "pyproject.toml").unlink()
    assert outputs() == workbook / "notebooks" / "outputs"


def test_begin_by_hand(workbook: Path, capsys: pytest.CaptureFixture[str]):
    variables = {"size": 4, "names": ["b"], "_i1": "x", "In": ["x"], "Path": Path, "np": np}
    page = begin("00_first", variables)
    assert page.parameters == {"size": 4, "rate": 0.1, "mode": "ok", "seed": 0}
    assert page.folder.parent == workbook / "outputs" / "runs"
    assert page.folder.name.startswith("00_first-")
    assert begin("00_first", {"size": 4}).folder == page.folder
    assert begin("00_first", {"size": 5}).folder != page.folder
    env = json.loads((page.folder / "env.json").read_text())
    assert {"python", "platform", "cpus", "threads", "gpu", "commit", "changed", "packages"} <= set(env)
    line = capsys.readouterr().out.splitlines()[0]
    assert "Python" in line
    assert "PyTorch" in line
    assert "threads" in line
    assert page.folder.name in line


def test_begin_in_a_run(workbook: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MMLIB_RUN", str(workbook / "run"))
    assert begin("00_first", {}).folder == workbook / "run"


def test_begin_refuses_what_papermill_would_let_through(workbook: Path):
    with pytest.raises(InputError, match=r'no parameter "sizes". Did you mean "size"'):
        begin("00_first", {"size": 3, "sizes": 4})
    with pytest.raises(InputError, match="rate must be float, not '1e-3'"):
        begin("00_first", {"rate": "1e-3"})
    with pytest.raises(InputError, match="There is no page"):
        begin("00_fist", {})
    assert not (workbook / "outputs").exists()


def test_begin_again_in_the_same_kernel_lets_the_pages_own_variables_be(workbook: Path):
    variables = {"size": 3}
    variables["page"] = begin("00_first", variables)
    variables["options"] = {"rate": 1}
    assert begin("00_first", variables).parameters["size"] == 3
    with pytest.raises(InputError, match="size must be int"):
        begin("00_first", variables | {"size": "3"})


def test_record_adds_up_and_replaces(tmp_path: Path):
    page = Page("04_recommend", tmp_path)
    page.record(a=1, b={"x": np.float32(0.5), "y": [np.int64(2), "z", None, True]})
    page.record(a=2, t=np.array(3.0))
    found = json.loads((tmp_path / "pages" / "04_recommend.metrics.json").read_text())
    assert found == {"a": 2, "b": {"x": 0.5, "y": [2, "z", None, True]}, "t": 3.0}


def test_record_scores(tmp_path: Path):
    page = Page("04_recommend", tmp_path)
    page.record(scores("LightGCN"))
    page.record(scores("BPR", users=1), again=scores("LightGCN", 0.5))
    page.record(scores("LightGCN", 1.0))
    Page("05_alignment", tmp_path).record(scores("LightGCN"))
    found = json.loads((tmp_path / "pages" / "04_recommend.metrics.json").read_text())
    one = found["LightGCN"]["all"]["recall@20"]
    assert (one["mean"], one["users"]) == (1.5, 12)
    assert one["low"] < 1.5 < one["high"]
    assert found["BPR"]["all"]["recall@20"] == {"mean": 0.0, "low": None, "high": None, "users": 1}
    table = pd.read_parquet(tmp_path / "per_user.parquet")
    counts = table.groupby(["page", "label", "model"]).size().to_dict()
    assert counts == {
        ("04_recommend", "LightGCN", "LightGCN"): 12,
        ("04_recommend", "BPR", "BPR"): 1,
        ("04_recommend", "again", "LightGCN"): 12,
        ("05_alignment", "LightGCN", "LightGCN"): 12,
    }
    kept = table[(table["page"] == "04_recommend") & (table["label"] == "LightGCN")]
    assert kept["recall@20"].tolist() == pytest.approx(np.linspace(1, 2, 12))
    read = ranking(tmp_path, "again")
    assert (read.about, len(read.per_user)) == ({"data": {"key": "LightGCN-0.5"}}, 12)
    assert ranking(tmp_path, "BPR").about == {"data": {"key": "BPR-0.0"}}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "x=...): the value is nan"),
        ({"y": [1, np.inf]}, "x.y[1]=...): the value is inf"),
        (np.zeros(2), "ndarray cannot be kept"),
        (SimpleNamespace(), "SimpleNamespace cannot be kept"),
    ],
)
def test_record_refuses(tmp_path: Path, value: object, says: str):
    with pytest.raises(InputError) as caught:
        Page("p", tmp_path).record(x=value)
    assert says in str(caught.value)
