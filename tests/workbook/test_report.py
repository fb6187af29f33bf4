from pathlib import Path

import pandas as pd

from mmlib.workbook.report import compared_table, flat, without_lone_labels, write_sweep_index

MEAN = {"mean": 0.25, "low": 0.2, "high": 0.3, "users": 7}


def test_flat_keeps_the_mean_at_the_metrics_place():
    metrics = {"04": {"lightgcn": {"all": {"recall@20": MEAN}}, "cosine": {"before": 0.1}, "best": 3, "list": [1]}}
    assert dict(flat(metrics)) == {
        "04/lightgcn/all/recall@20": 0.25,
        "04/lightgcn/all/recall@20/low": 0.2,
        "04/lightgcn/all/recall@20/high": 0.3,
        "04/lightgcn/all/recall@20/users": 7,
        "04/cosine/before": 0.1,
        "04/best": 3,
    }


def test_runs_share_columns_where_a_page_has_one_ranking():
    for start in ("random", "mmcpr"):
        one = {"04": {f"lightgcn from {start}": {"all": {"recall@20": MEAN}}, "best_epoch": 3}}
        assert set(dict(flat(without_lone_labels(one)))) >= {"04/all/recall@20", "04/best_epoch"}
    two = {"04": {name: {"all": {"recall@20": MEAN}} for name in ("bpr", "lightgcn")}}
    assert set(dict(flat(without_lone_labels(two)))) >= {"04/bpr/all/recall@20", "04/lightgcn/all/recall@20"}
    assert without_lone_labels({"01": {"cosine": {"a": {"b": 1}}}}) == {"01": {"cosine": {"a": {"b": 1}}}}


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


def test_only_what_is_sure_is_bold():
    row = {"start": "<i>", "slice": "all", "mean": 0.3, "mean of baseline": 0.2, "difference": 0.1, "low": 0.05}
    row |= {"high": 0.15, "p": 0.01, "p (Holm)": 0.02, "users": 5, "seeds": 3}
    table = compared_table(pd.DataFrame([row, row | {"difference": -0.1, "p (Holm)": 0.3}]))
    assert "<b>+0.1000 [+0.0500, +0.1500]</b>" in table
    assert "<td>-0.1000 [" in table
    assert "&lt;i&gt;" in table


def test_comparisons_are_drawn_with_their_names(tmp_path: Path):
    rows = pd.DataFrame({"run": ["a"], "status": ["done"], "error": [""], "folder": [str(tmp_path / "a")]})
    row = {"recommender": "bpr", "start": "mmcpr", "slice": "all", "mean": 0.3, "mean of baseline": 0.2}
    row |= {"difference": 0.1, "low": 0.05, "high": 0.15, "p": 0.01, "p (Holm)": 0.02, "users": 5, "seeds": 3}
    how = {"baseline": "random", "metric": "ndcg@20"}
    page = write_sweep_index(tmp_path, "", rows, pd.DataFrame([row]), how).read_text()
    assert page.count('class="plotly-graph-div"') == 1
    assert "mmcpr (recommender bpr) \\u2212 random" in page or "mmcpr (recommender bpr) − random" in page
    assert "ndcg@20, all: +0.1000" in page
    many = write_sweep_index(tmp_path, "", rows, pd.DataFrame([row] * 61), how).read_text()
    assert 'class="plotly-graph-div"' not in many  # nobody reads a picture of so many lines
