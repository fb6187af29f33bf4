"""Figures, tables and sentences of probes show the values that they are given."""

import pandas as pd
import pytest

from mmlib.evaluation.feature_sets import COLUMNS
from mmlib.evaluation.knock_out import knock_out_pairs, of_one_recommender
from mmlib.evaluation.published import published
from mmlib.evaluation.rank_correlation import spearman
from mmlib.show import (
    knock_out_table,
    probe_prediction,
    probe_ranking,
    probes_answer,
    published_knock_out,
    vector_geometry,
)
from tests.evaluation.made import method

ROWS = [
    ("good <b>", "zero-shot", 0.30, 0.25, 0.36, 0.10, "users", 200),
    ("bad", "zero-shot", 0.11, 0.08, 0.15, 0.10, "users", 200),
    ("good <b>", "item-CF", 0.20, 0.15, 0.26, 0.10, "items", 90),
    ("bad", "item-CF", 0.22, 0.17, 0.28, 0.10, "items", 90),
    ("bad", "text finds its image", 0.5, 0.4, 0.6, 0.2, "items", 80),
]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.fixture
def methods():
    made = [
        method("reader", 0.5, users=200, recommender="reader", knock_out="none"),
        method("reader, permute", 0.3, users=200, recommender="reader", knock_out="permute"),
        method("lightgcn", 0.3, users=200, recommender="lightgcn", knock_out="none"),
    ]
    return {one.label: one for one in made}


@pytest.fixture
def foretold() -> pd.DataFrame:
    rows = [("reader", f"set {n}", "zero-shot", n / 10, recall) for n, recall in enumerate((0.1, 0.3, 0.2, 0.4, 0.5))]
    return pd.DataFrame(rows, columns=["recommender", "features", "probe", "value", "recall"])


def test_every_probe_has_a_panel_and_every_set_a_row(table) -> None:
    fig = probe_ranking(table, k=10)
    assert [note.text for note in fig.layout.annotations if note.name != "caption"][:3] == list(
        dict.fromkeys(table["probe"])
    )
    drawn = {(trace.xaxis, trace.y[0]): trace for trace in fig.data if trace.x is not None and len(trace.x)}
    assert drawn["x", 0].x[0] == 0.30
    assert drawn["x", 0].error_x.array[0] == pytest.approx(0.06)
    assert drawn["x", 0].error_x.arrayminus[0] == pytest.approx(0.05)
    assert drawn["x2", 1].x[0] == 0.22
    assert ("x3", 0) not in drawn
    assert len([shape for shape in fig.layout.shapes if shape.x0 == pytest.approx(0.10)]) == 2
    assert list(fig.layout.yaxis.ticktext) == ["good &lt;b&gt;", "bad"]
    assert "first 10" in fig.layout.meta["caption"]
    assert fig.layout.xaxis.title.text == "share found (0 to 1)"


def test_measures_that_are_not_there_are_dashes(table) -> None:
    text = vector_geometry(table).text
    assert "good &lt;b&gt;" in text
    assert "<td>–</td>" in text  # the first set has no text that finds its image
    assert "0.300 <small>[0.250, 0.360]</small>" in text


def test_the_knock_out_table_has_both_differences(methods) -> None:
    found = knock_out_pairs(methods, "lightgcn")
    text = knock_out_table(found, methods).text
    own, base = found.pairs()["reader, permute", "reader"], found.pairs()["reader", "lightgcn"]
    assert own.significant
    assert f"<b>{own.numbers().replace('<', '&lt;')}</b>" in text
    assert f"<b>{base.numbers().replace('<', '&lt;')}</b>" in text
    assert "against lightgcn" in text
    assert text.index("<td>lightgcn</td>") < text.index("<td>reader</td>")
    assert "after Holm&#x27;s correction over 3 comparisons" in text


def test_the_prediction_names_spearman_with_its_interval(foretold) -> None:
    fig, one = probe_prediction(foretold), spearman(foretold["value"], foretold["recall"])
    assert list(fig.data[0].y) == foretold["recall"].tolist()
    assert (
        f"zero-shot, reader: {one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}], 5 sets" in fig.layout.meta["caption"]
    )
    assert "one feature set says nothing" in probe_prediction(foretold[:1]).layout.meta["caption"]
    assert "too few sets for an interval" in probe_prediction(foretold[:3]).layout.meta["caption"]
    assert "nothing to draw" in probe_prediction(foretold[:0]).layout.meta["caption"]


def test_the_answer_says_which_set_leads_and_what_was_lost(table, methods, foretold) -> None:
    found = knock_out_pairs(methods, "lightgcn")
    said = probes_answer(table, found, of_one_recommender(found, methods), foretold).text
    assert "good &lt;b&gt; leads by zero-shot, 0.3000 [0.2500, 0.3600] (chance 0.1000)" in said
    assert "bad leads by item-CF" in said
    assert "significantly worse than the model with its content: reader, permute." in said
    assert "Not told apart from it, or better: none." in said
    assert "Spearman: zero-shot, reader: +0.90" in said


def test_published_figures_stand_by_model_and_variant() -> None:
    text = published_knock_out(published("Clothing", "recall@10", "mkf"), "One seed.").text
    assert "<th>as it is</th>" in text
    assert "<td>FREEDOM</td><td>0.0598</td>" in text
    assert "–" in text.split("<td>LATTICE</td>")[1].split("</tr>")[0]  # no LLaVA captions for LATTICE
    assert "One seed." in text
