from dataclasses import dataclass

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from mmlib.core.errors import InputError
from mmlib.evaluation.correction import holm
from mmlib.show import comparison, earned, scores, table


@dataclass
class Made:
    recall: float

    def means(self):
        rows = [
            {"slice": part, "metric": metric, "mean": mean, "low": mean - 0.01, "high": mean + 0.01, "users": users}
            for part, users, drop in (("all", 1000, 0), ("few purchases", 200, 0.02))
            for metric, mean in (("recall@20", self.recall - drop), ("ndcg@20", self.recall / 2 - drop))
        ]
        return pd.DataFrame(rows)


@dataclass
class Paired:
    a: str
    b: str
    difference: float
    p: float
    half: float = 0.005
    slice: str = "all"
    metric: str = "recall@20"
    mean_a: float = 0.1
    mean_b: float = 0.1
    users: int = 1000
    seeds: int = 5

    @property
    def low(self):
        return self.difference - self.half

    @property
    def high(self):
        return self.difference + self.half


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([float("nan"), 0.01]) == pytest.approx([1.0, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p):
    adjusted = holm(p)
    assert all(q <= one <= min(1, q * len(p)) + 1e-12 for q, one in zip(p, adjusted))
    assert all(adjusted[i] <= adjusted[j] for i in range(len(p)) for j in range(len(p)) if p[i] < p[j])


def test_scores_draw_mean_and_interval_of_each_slice():
    fig = scores({"<b>a": Made(0.1), "b": Made(0.2)}, metrics=["ndcg@20"])
    everyone, few = fig.data
    assert list(everyone.x) == pytest.approx([0.05, 0.1])
    assert list(few.x) == pytest.approx([0.03, 0.08])
    assert list(everyone.error_x.array) == pytest.approx([0.01, 0.01])
    assert fig.layout.yaxis.ticktext == ("&lt;b&gt;a", "b")
    assert fig.layout.xaxis.title.text == "ndcg@20 (0 to 1)"
    assert fig.layout.meta["caption"]


def test_metrics_shown_by_default():
    assert [axis.title.text for axis in scores({"a": Made(0.1)}).select_xaxes()] == [
        "recall@20 (0 to 1)",
        "ndcg@20 (0 to 1)",
    ]
    assert "<th>recall@20</th><th>ndcg@20</th>" in table({"a": Made(0.1)}).text


def test_an_unknown_metric_is_named():
    with pytest.raises(InputError, match='Did you mean "recall@20"'):
        scores({"a": Made(0.1)}, metrics=["recall@21"])
    with pytest.raises(InputError, match="at least one"):
        table({})


def test_comparison_fills_only_what_survives_holm():
    found = comparison([Paired("a", "b", 0.01, 0.03), Paired("c", "b", 0.01, 0.001), Paired("d<", "b", 0.004, 0.0001)])
    symbols = [trace.marker.symbol for trace in found.data]
    assert symbols == ["square", "square", "square-open"]  # d: the interval holds 0
    found = comparison([Paired("a", "b", 0.01, 0.03), Paired("c", "b", 0.01, 0.03)])
    assert [trace.marker.symbol for trace in found.data] == ["square-open"] * 2  # 0.03 alone would pass, twice it fails
    assert [trace.marker.symbol for trace in comparison([Paired("a", "b", 0.01, 0.03)]).data] == ["square"]
    assert "<b>" not in "".join(found.layout.yaxis.ticktext)
    with pytest.raises(InputError, match="nothing to compare"):
        comparison([])


def test_earned_asks_for_every_comparison_to_be_won():
    wins = [Paired("a", "b", 0.01, 0.001), Paired("a", "c", 0.01, 0.001), Paired("b", "c", 0.01, 0.001)]
    assert earned(wins) == {("a", "all", "recall@20")}
    assert earned([*wins[1:], Paired("a", "b", 0.001, 0.001)]) == set()
    assert earned([Paired("a", "b", -0.01, 0.001)]) == {("b", "all", "recall@20")}


def test_table_is_bold_only_when_best_and_earned():
    named = {"a": Made(0.1), "<b>": Made(0.2)}

    def bold(earned):
        soup = BeautifulSoup(table(named, metrics=["recall@20"], bold=earned).text, "html.parser")
        return [(tag.find_parent("tr").find_all("td")[1].text, tag.text) for tag in soup.find_all("b")]

    assert bold(()) == []
    assert "Bold" not in table(named).text
    assert bold({("a", "all", "recall@20")}) == []
    assert bold({("<b>", "all", "recall@20")}) == [("<b>", "0.2000")]
    text = BeautifulSoup(table(named, metrics=["ndcg@20"]).text, "html.parser").text
    assert "0.1000 ± 0.0100" in text
    assert "1,000" in text
