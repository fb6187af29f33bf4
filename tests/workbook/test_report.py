from pathlib import Path

import pandas as pd

from mmlib.evaluation import Comparison, Comparisons
from mmlib.workbook.report import flat, write_sweep_index

MEAN = {"mean": 0.25, "low": 0.2, "high": 0.3, "users": 7}


def test_flat_keeps_the_mean_at_the_metrics_place():
    metrics = {"04": {"lightgcn": {"all": {"recall@20": MEAN}}, "cosine": {"before": 0.1}, "best": 3, "list": [1]}}
    assert flat(metrics) == {
        "04/all/recall@20": 0.25,
        "04/all/recall@20/low": 0.2,
        "04/all/recall@20/high": 0.3,
        "04/all/recall@20/users": 7,
        "04/cosine/before": 0.1,
        "04/best": 3,
    }


def test_runs_share_columns_where_a_page_has_one_ranking():
    for start in ("random", "mmcpr"):
        one = {"04": {f"lightgcn from {start}": {"all": {"recall@20": MEAN}}, "best_epoch": 3}}
        assert set(flat(one)) >= {"04/all/recall@20", "04/best_epoch"}
    two = {"04": {name: {"all": {"recall@20": MEAN}} for name in ("bpr", "lightgcn")}}
    assert set(flat(two)) >= {"04/bpr/all/recall@20", "04/lightgcn/all/recall@20"}
    assert flat({"01": {"cosine": {"a": {"b": 1}}}}) == {"01/cosine/a/b": 1}


def test_the_index_shows_means_and_links(tmp_path: Path):
    rows = pd.DataFrame(
        {
            "run": ["a", "b"], "start": ["random", "<b>"], "status": ["done", "failed"],
            "error": ["", "ValueError: no\n  log: x"],
            "folder": [str(tmp_path / "a"), str(tmp_path / "b")], "seconds": [3.0, None],
            "04/lightgcn/all/recall@20": [0.1234, None], "04/lightgcn/all/recall@20/low": [0.1111, None],
        }
    )  # fmt: skip
    page = write_sweep_index(tmp_path, "words & <signs>", rows).read_text()
    assert "lightgcn all recall@20" in page
    assert "0.1234" in page
    assert "0.1111" not in page
    assert 'href="a/report.html"' in page
    assert 'href="b/report.html"' not in page
    assert "ValueError: no" in page
    assert "words &amp; &lt;signs&gt;" in page
    assert "&lt;b&gt;" in page


def test_the_index_has_no_mean_of_too_few_users(tmp_path: Path):
    rows = pd.DataFrame({"run": ["a", "b"], "status": "done", "error": "", "folder": str(tmp_path), "seconds": 3.0})
    path = "04/cold items/recall@20"
    rows = rows.assign(**{path: [0.1234, 0.4321], f"{path}/users": [2, 12], "04/seconds": 7.0})
    page = write_sweep_index(tmp_path, "", rows).read_text()
    assert "too few users to say (2)" in page
    assert "0.1234" not in page
    assert "0.4321" in page


def test_comparisons_are_drawn_and_listed_with_their_names(tmp_path: Path):
    rows = pd.DataFrame({"run": ["a"], "status": ["done"], "error": [""], "folder": [str(tmp_path / "a")]})
    numbers = (0.3, 0.2, 0.1, 0.05, 0.15, 0.01)
    one = Comparison("<i>mmcpr", "random", "ndcg@20", ("all",), 50, 3, *numbers)
    page = write_sweep_index(tmp_path, "", rows, Comparisons.corrected([one])).read_text()
    assert page.count('class="plotly-graph-div"') == 1
    assert "ndcg@20, all: +0.1000" in page
    assert "<td>&lt;i&gt;mmcpr</td>" in page
    assert "<b>+0.1000 [+0.0500, +0.1500], p = 0.01</b>" in page
    many = write_sweep_index(tmp_path, "", rows, Comparisons.corrected([one] * 61)).read_text()
    assert 'class="plotly-graph-div"' not in many  # nobody reads a picture of so many lines
