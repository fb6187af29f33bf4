"""Every page through papermill, at a test's size, and what it wrote."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mmlib.core.files import read_json
from mmlib.workbook.parameters import in_cell
from mmlib.workbook.planned_run import plan
from mmlib.workbook.run import RunResult, run

ROOT = Path(__file__).parents[2]
TINY = ROOT / "params" / "tiny.yaml"


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> RunResult:
    """All pages of a study, once."""
    return run(plan(TINY, outputs=tmp_path_factory.mktemp("outputs")))


def cells(result: RunResult, page: str) -> list[dict]:
    return json.loads((result.folder / "pages" / f"{page}.ipynb").read_text())["cells"]


def pages() -> list[str]:
    """Those that a study runs; a page that reads a finished sweep has a test of its own."""
    found = sorted((ROOT / "notebooks").glob("[0-9]*.py"))
    return [page.stem for page in found if "sweep" not in in_cell(page)]


def test_the_run_is_complete(result) -> None:
    done = read_json(result.folder / "metrics.json")
    assert list(done["pages"]) == pages()
    assert done["parameters"]["shop"] == {"users": 120, "items": 80, "purchases": 1500}
    for name in ("params.json", "env.json", "log.txt", "report.html", "per_user.parquet"):
        assert (result.folder / name).stat().st_size > 0, name


@pytest.mark.parametrize("page", pages())
def test_every_cell_ran_and_there_is_something_to_see(result, page: str) -> None:
    found = cells(result, page)
    code = [cell for cell in found if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code if "".join(cell["source"]).strip())
    kinds = [set(output.get("data", {})) for cell in code for output in cell["outputs"]]
    assert not any("application/vnd.jupyter.widget-view+json" in kind for kind in kinds)
    assert sum("application/vnd.plotly.v1+json" in kind or "text/html" in kind for kind in kinds) >= 3


def test_what_the_pages_recorded(result) -> None:
    found = read_json(result.folder / "metrics.json")["metrics"]
    start, random = (found["00_quickstart"][name]["all"]["recall@10"] for name in ("from MMCPR", "from random"))
    assert 0 < random["mean"] < 1
    assert 0 < start["low"] < start["mean"] < start["high"] < 1
    assert found["03_pretrain"]["MMCPR"]["all"]["recall@10"]["mean"] > 0
    assert found["04_recommend"]["lightgcn from mmcpr"]["all"]["recall@10"]["users"] == 120
    assert found["02_graphs"]["graphs"]["users"]["rows"] == 120
    assert {"image", "text"} == set(found["01_features"]["purity"])
    assert found["01_features"]["missing"]["image"] == 4
    cosine = found["05_alignment"]["cosine"]
    assert all(-1 <= value <= 1 for side in cosine.values() for value in side.values())
    assert cosine["before"] != cosine["after"]
    probes = {(row["features"], row["probe"]): row for row in found["06_probes"]["probes"]}
    assert {name for name, _ in probes} == {"small, epochs 1", "content of other items"}
    assert all(row["low"] <= row["value"] <= row["high"] for row in probes.values())
    assert {row["b"] for row in found["06_probes"]["knock_out"]} >= {"lightgcn", "freedom, permute, retrained"}


def test_every_users_score_is_kept(result) -> None:
    table = pd.read_parquet(result.folder / "per_user.parquet")
    assert set(table["page"]) == {"00_quickstart", "03_pretrain", "04_recommend"}
    mine = table[(table["page"] == "04_recommend") & (table["slice"] == "all")]
    means = read_json(result.folder / "metrics.json")["metrics"]["04_recommend"]["lightgcn from mmcpr"]["all"]
    assert mine["recall@10"].mean() == pytest.approx(means["recall@10"]["mean"])


def test_the_report_stands_alone(result) -> None:
    page = (result.folder / "report.html").read_text()
    assert len(page.encode()) < 8_000_000
    assert not re.findall(r'(?:src|srcset)="(?!data:)[^"]+"', page)
    assert not re.findall(r'<link[^>]+href="(?!data:)', page)
    outputs = [output for name in pages() for cell in cells(result, name) for output in cell.get("outputs", [])]
    figures = sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs)
    assert page.count('class="plotly-graph-div"') == figures > 10


def test_a_second_call_reuses_the_run(result) -> None:
    again = run(plan(TINY, outputs=result.folder.parents[1]))
    assert again.reused
    assert again.metrics == result.metrics


def test_raw_papermill_stops_at_an_unknown_name_before_any_work(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    page = ROOT / "notebooks" / "04_recommend.ipynb"
    command = [sys.executable, "-m", "papermill", str(page), str(tmp_path / "out.ipynb"), "--no-progress-bar"]
    done = subprocess.run(
        [*command, "-f", str(TINY), "-p", "recomender", "bpr"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode != 0
    assert 'Did you mean "recommender"' in done.stderr
    assert not list((tmp_path / "outputs").rglob("cache/*"))


def test_raw_papermill_runs_a_page(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    page = ROOT / "notebooks" / "04_recommend.ipynb"
    command = [sys.executable, "-m", "papermill", str(page), str(tmp_path / "out.ipynb"), "--no-progress-bar"]
    extra = ["-f", str(TINY), "-p", "recommender", "mixgcf", "-p", "start", "random"]
    subprocess.run([*command, *extra], check=True, capture_output=True, cwd=ROOT)
    (found,) = (tmp_path / "outputs" / "runs").glob("*/pages/04_recommend.metrics.json")
    assert read_json(found)["mixgcf from random"]["all"]["recall@10"]["mean"] > 0
