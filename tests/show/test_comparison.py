from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from mmlib.core.errors import InputError
from mmlib.show import conclusion, pair_matrix, ranked, standings
from mmlib.show.comparison import p_text


@dataclass
class Made:
    mean: float
    costs: dict = field(default_factory=dict)
    runs: dict = field(default_factory=lambda: {"seed 0": None, "seed 1": None})

    def means(self) -> pd.DataFrame:
        rows = [
            ("all", "recall@20", self.mean, self.mean - 0.01, self.mean + 0.01, 1000),
            ("all", "ndcg@20", self.mean / 2, self.mean / 2, self.mean / 2, 1000),
            ("few purchases", "recall@20", 0.9, 0.9, 0.9, 10),
        ]
        return pd.DataFrame(rows, columns=["slice", "metric", "mean", "low", "high", "users"])


METHODS = {"plain": Made(0.1), "<b>": Made(0.3, {"seconds": 12.0}), "mid": Made(0.2, {"seconds": 1500.0})}


def pairs(apart: tuple[bool, bool, bool] = (True, True, True)) -> pd.DataFrame:
    found = pd.DataFrame({"a": ["plain", "plain", "<b>"], "b": ["<b>", "mid", "mid"], "difference": [-0.2, -0.1, 0.1]})
    found = found.assign(low=found["difference"] - 0.01, high=found["difference"] + 0.01, apart=list(apart))
    return found.assign(**{"p (Holm)": np.where(found["apart"], 0.0001, 0.4)})


def cells(html) -> list[list[str]]:
    rows = BeautifulSoup(html.text, "html.parser").find_all("tr")
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows]


def bold(html) -> list[str]:
    return [tag.get_text() for tag in BeautifulSoup(html.text, "html.parser").find_all("b")]


def test_methods_are_ranked_by_their_mean():
    table = ranked(METHODS, "recall@20")
    assert table["method"].tolist() == ["<b>", "mid", "plain"]
    assert table.loc[0].tolist() == ["<b>", 0.3, 0.3 - 0.01, 0.3 + 0.01, 1000]
    with pytest.raises(InputError, match="'recall@10' was not measured"):
        ranked(METHODS, "recall@10")
    with pytest.raises(InputError, match="no method"):
        ranked({}, "recall@20")


def test_the_standings_say_how_far_behind_the_best_each_is():
    head, first, second, third = cells(standings(METHODS, pairs(), ["<b>"]))
    assert head == ["", "method", "recall@20", "paired difference from the best", "training (s)", "seeds"]
    assert first == ["1", "<b>", "0.3000 ± 0.0100", "", "12.0", "2"]
    assert second == ["2", "mid", "0.2000 ± 0.0100", "-0.1000 [-0.1100, -0.0900], p < 0.001", "1,500", "2"]
    assert third[3:5] == ["-0.2000 [-0.2100, -0.1900], p < 0.001", "–"]


def test_seconds_have_decimals_and_parameters_are_counted():
    methods = {"<b>": Made(0.3, {"seconds": 0.04, "parameters": 0.0}), "mid": Made(0.2, {"parameters": 89600.0})}
    rows = cells(standings(methods, pairs(), ["<b>"]))
    assert [row[4:6] for row in rows[1:]] == [["0.0", "0"], ["–", "89,600"]]


def test_bold_is_earned_by_beating_all():
    assert bold(standings(METHODS, pairs(), ["<b>"])) == ["0.3000"]
    group = standings(METHODS, pairs((True, True, False)), ["<b>", "mid"])
    assert bold(group) == []
    assert [row[2][-2:] for row in cells(group)[1:]] == [" ≈", " ≈", "00"]
    assert "no method beats all" in group.text


def test_the_matrix_is_row_minus_column_and_grey_where_nothing_is_told_apart():
    fig = pair_matrix(pairs((True, False, True)), ["<b>", "mid", "plain"])
    grey, colour = fig.data
    assert np.array_equal(np.array(grey.z), [[np.nan] * 3, [np.nan, np.nan, 0], [np.nan, 0, np.nan]], equal_nan=True)
    expected = [[np.nan, 0.1, 0.2], [-0.1, np.nan, np.nan], [-0.2, np.nan, np.nan]]
    assert np.array_equal(np.array(colour.z, dtype=float), expected, equal_nan=True)
    assert (colour.zmin, colour.zmax) == (-0.2, 0.2)
    assert np.array(colour.text).tolist() == [["", "+.100", "+.200"], ["-.100", "", ""], ["-.200", "", ""]]
    assert list(colour.y) == ["&lt;b&gt;  <b>1</b>", "mid  <b>2</b>", "plain  <b>3</b>"]
    assert "p &lt; 0.001" in np.array(colour.customdata)[0][1]
    assert "2 of 3 pairs are told apart" in fig.layout.meta["caption"]
    assert fig.layout.xaxis.title.text == "column: method by its number"


def test_a_large_matrix_shows_signs():
    names = [f"m{k}" for k in range(12)]
    rows = [{"a": a, "b": b, "difference": 0.1} for i, a in enumerate(names) for b in names[i + 1 :]]
    found = pd.DataFrame(rows).assign(low=0.05, high=0.15, apart=True, **{"p (Holm)": 0.01})
    text = np.array(pair_matrix(found, names).data[1].text)
    assert text[0].tolist() == [""] + ["+"] * 11
    assert text[11].tolist() == ["−"] * 11 + [""]


def test_nothing_to_compare_is_refused():
    with pytest.raises(InputError, match="at least two methods"):
        pair_matrix(pairs().iloc[:0], ["plain"])


def test_the_conclusion_counts_what_is_decided():
    alone = conclusion(pairs(), ["<b>"], pairs(), "start", "random").text
    assert "<b>&lt;b&gt;</b> is better than every other method." in alone
    assert "1 of 3 methods are better, 2 worse, and 0 are not told apart" in alone
    found = pairs((True, False, False))
    shared = conclusion(found, ["<b>", "mid"], found, "start", "random").text
    assert "is not told apart from mid" in shared
    assert "0 of 3 methods are better, 1 worse, and 2 are not told apart" in shared
    assert "2 of all 3 pairs stay open" in shared
    assert "nothing to compare" in conclusion(found, [], found, "", "").text


def test_probabilities_as_text():
    assert [p_text(p) for p in (0.0009, 0.001, 0.2)] == ["p < 0.001", "p = 0.001", "p = 0.200"]
