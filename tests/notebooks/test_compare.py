"""The page that reads a finished sweep, with one and without."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from mmlib.workbook.planned_run import plan
from mmlib.workbook.run import RunResult, run
from tests.workbook.finished import write_sweep

PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> RunResult:
    """A small sweep, beside published figures of two protocols."""
    place = tmp_path_factory.mktemp("compare")
    values = {"sweep": str(write_sweep(place / "starts")), "published_dataset": "Baby", "published_protocol": "mmrec"}
    return run(plan(values | {"mix_protocols": True}, pages=["07"], outputs=place / "outputs"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> RunResult:
    """No sweep: published figures alone."""
    values = {"published_dataset": "Baby", "published_protocol": "lmm"}
    return run(plan(values, pages=["07"], outputs=tmp_path_factory.mktemp("alone")))


def outputs(result: RunResult) -> list[dict]:
    (page,) = (result.folder / "pages").glob("07_*.ipynb")
    cells = json.loads(Path(page).read_text())["cells"]
    return [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]


def text(result: RunResult) -> str:
    html = "".join("".join(one.get("text/html", [])) for one in outputs(result) if PLOTLY not in one)
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())


def test_a_sweep_is_compared_in_figures(compared: RunResult) -> None:
    assert sum(PLOTLY in one for one in outputs(compared)) == 5
    assert "Against start = random , all else equal, 4 of 4 methods are significantly better" in text(compared)
    found = compared.metrics["07_compare"]
    assert "mmcpr" in found["best"]["method"]
    assert {row["b"].split(", ")[1] for row in found["against_baseline"]} == {"random"}
    assert all(row["significant"] for row in found["against_baseline"])


def test_published_figures_stand_beside_it_under_their_protocol(compared: RunResult) -> None:
    assert "Different protocols: the blocks cannot be ranked" in text(compared)
    assert "MMRec, table results FREEDOM" in text(compared)
    assert "Protocol measured here" in text(compared)


def test_without_a_sweep_the_page_says_what_to_run(alone: RunResult) -> None:
    assert not any(PLOTLY in one for one in outputs(alone))
    assert "No sweep is given : run mmlib sweep FILE" in text(alone)
    assert "LMM, table 3 LATTICE 0.0860 lmm" in text(alone)
    assert alone.metrics["07_compare"] == {"best": {}, "leaders": [], "against_baseline": []}
