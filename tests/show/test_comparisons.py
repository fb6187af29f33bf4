"""Every view of a comparison shows its decisions and its p, and makes none of its own."""

from dataclasses import replace

import numpy as np
import pytest
from bs4 import BeautifulSoup

from mmlib.core.errors import InputError
from mmlib.evaluation import Comparison, Comparisons, ranked
from mmlib.show import compared_table, comparison, conclusion, pair_matrix, resolution, standings, verdict
from mmlib.show.means import COSTS

from .test_means import METHODS, cells


def row(
    a: str, b: str, difference: float, p: float, *, slice: str = "all", users: int = 1000, half=0.005
) -> Comparison:
    numbers = (0.1 + difference, 0.1, difference, difference - 0.005, difference + 0.005, p)
    return Comparison(a, b, "recall@20", (slice,), 1000, 5, *numbers, detectable=0.02)


DENIED = Comparisons.corrected([row("a", "b", 0.010, 0.03), row("a", "b", 0.009, 0.03, slice="few purchases")])


def family(*significant: bool) -> Comparisons:
    """All pairs of METHODS."""
    pairs = (("<b>", "plain", 0.15), ("<b>", "mid", 0.1), ("mid", "plain", 0.05))
    return Comparisons.corrected(row(*pair, 1e-9 if sure else 0.4) for pair, sure in zip(pairs, significant))


def bold(html) -> list[str]:
    return [tag.get_text() for tag in BeautifulSoup(html.text, "html.parser").find_all("b")]


def text(html) -> str:
    return BeautifulSoup(html.text, "html.parser").get_text(" ")


def test_what_holm_denies_is_bold_nowhere() -> None:
    """p = .03 twice: each interval excludes 0, but neither is significant of the two together."""
    assert bold(verdict(DENIED)) == bold(compared_table(DENIED)) == []
    fig = comparison(DENIED)
    assert [trace.marker.symbol for trace in fig.data] == ["square-open"] * 2
    assert "<b>" not in "".join(fig.layout.yaxis.ticktext)
    alone = Comparisons.corrected([DENIED[0]])
    assert [trace.marker.symbol for trace in comparison(alone).data] == ["square"]
    assert len(bold(verdict(alone))) == len(bold(compared_table(alone))) == 1


def test_chart_table_and_sentence_print_the_same_numbers() -> None:
    for found in (DENIED, family(True, False, True)):
        for one, label in zip(found, comparison(found).layout.yaxis.ticktext):
            shown = one.numbers()
            assert shown in BeautifulSoup(label, "html.parser").get_text()
            assert shown in text(compared_table(found))
            assert shown in text(verdict(found))
            if found is not DENIED:
                matrix = pair_matrix(found, ["<b>", "mid", "plain"]).data[1].customdata
                assert any(shown in BeautifulSoup(cell, "html.parser").get_text() for cell in np.ravel(matrix))
    assert "p = 0.06" in text(verdict(DENIED))


@pytest.mark.parametrize("level", [0.05, 0.1])
def test_interval_and_decision_are_named_after_one_level(level: float) -> None:
    found = Comparisons.corrected(DENIED.rows, level)
    assert [one.significant for one in found] == [level > 0.06] * 2
    for said in (text(verdict(found)), comparison(found).layout.meta["caption"], text(compared_table(found))):
        assert f"{100 - 100 * level:g} % interval" in said
        assert f"p below {level:g}" in said
    assert f"at the {100 * level:g} % level" in resolution(found).layout.meta["caption"]


def test_too_few_users_are_words_everywhere() -> None:
    few = Comparison("a", "c", "recall@20", ("cold items",), 2, 1)
    found = Comparisons.corrected([row("a", "b", 0.01, 0.001), few])
    fig = comparison(found)
    assert len(fig.data) == 1
    for said in (fig.layout.yaxis.ticktext[1], text(verdict(found)), text(compared_table(found))):
        assert "too few users to say (2)" in said
        assert "nan" not in said.lower()
    assert len(resolution(found).data[0].y) == 1


def test_methods_are_ranked_by_their_mean():
    table = ranked(METHODS, "recall@20")
    assert table["method"].tolist() == ["<b>", "mid", "plain"]
    with pytest.raises(InputError, match="'recall@10' was not measured"):
        ranked(METHODS, "recall@10")
    with pytest.raises(InputError, match="no method"):
        ranked({}, "recall@20")


def test_the_standings_say_how_far_behind_the_best_each_is():
    found = family(True, True, True)
    head, first, second, third = cells(standings(METHODS, found))
    assert head == ["", "method", "recall@20", "paired difference from the best", "training (s)", "seeds"]
    assert (first[:2], first[3:]) == (["1", "<b>"], ["", "12.0", "3"])
    assert second[3:] == ["-0.1000 [-0.1050, -0.0950], p < 0.001", "1,500", "3"]
    assert third[3:5] == ["-0.1500 [-0.1550, -0.1450], p < 0.001", "–"]
    low, high = ranked(METHODS, "recall@20")[["low", "high"]].iloc[0]
    assert first[2].endswith(f"[{low:.4f}, {high:.4f}]")


def test_seconds_have_decimals_and_parameters_are_counted():
    methods = {"<b>": replace(METHODS["<b>"], costs={"seconds": 0.04, "parameters": 0.0})}
    methods["mid"] = replace(METHODS["mid"], costs={"parameters": 89600.0})
    rows = cells(standings(methods, Comparisons.corrected([row("<b>", "mid", 0.1, 0.2)])))
    assert [row[4:6] for row in rows[1:]] == [["0.0", "0"], ["–", "89,600"]]
    assert list(COSTS) == ["seconds", "parameters"]


def test_bold_is_earned_by_beating_all():
    assert len(bold(standings(METHODS, family(True, True, True)))) == 1
    group = standings(METHODS, family(True, False, True))
    assert bold(group) == []
    assert [row[2].endswith(" ≈") for row in cells(group)[1:]] == [True, True, False]
    assert "No method beats all others" in group.text


def test_the_matrix_is_row_minus_column_and_grey_where_nothing_is_significant():
    fig = pair_matrix(family(True, True, False), ["<b>", "mid", "plain"])
    grey, colour = fig.data
    assert np.array_equal(np.array(grey.z), [[np.nan] * 3, [np.nan, np.nan, 0], [np.nan, 0, np.nan]], equal_nan=True)
    expected = [[np.nan, 0.1, 0.15], [-0.1, np.nan, np.nan], [-0.15, np.nan, np.nan]]
    assert np.array_equal(np.array(colour.z, dtype=float), expected, equal_nan=True)
    assert (colour.zmin, colour.zmax) == (-0.15, 0.15)
    assert np.array(colour.text).tolist() == [["", "+.100", "+.150"], ["-.100", "", ""], ["-.150", "", ""]]
    assert list(colour.y) == ["&lt;b&gt;  <b>1</b>", "mid  <b>2</b>", "plain  <b>3</b>"]
    assert "2 of 3 pairs are significant" in fig.layout.meta["caption"]
    assert fig.layout.xaxis.title.text == "column: method by its number"


def test_a_large_matrix_shows_signs():
    names = [f"m{k}" for k in range(12)]
    found = Comparisons.corrected(row(a, b, 0.1, 1e-9) for i, a in enumerate(names) for b in names[i + 1 :])
    shown = np.array(pair_matrix(found, names).data[1].text)
    assert shown[0].tolist() == [""] + ["+"] * 11
    assert shown[11].tolist() == ["−"] * 11 + [""]


def test_nothing_to_compare_is_refused():
    for draw in (comparison, resolution, lambda found: pair_matrix(found, ["plain"])):
        with pytest.raises(InputError, match="at least two methods"):
            draw(Comparisons(()))


def test_the_conclusion_counts_what_is_decided():
    found = family(True, True, True)
    alone = text(conclusion(found, found, "start", "random"))
    assert "<b> is significantly better than every other method" in alone
    assert "3 of 3 methods are significantly better, 0 worse, and 0 neither" in alone
    found = family(True, False, False)
    shared = text(conclusion(found, found.only(one.turned() for one in found), "start", "random"))
    assert "is not significantly better than mid" in shared
    assert "0 of 3 methods are significantly better, 1 worse, and 2 neither" in shared
    assert "2 of all 3 pairs stay open" in shared
    assert "nothing to compare" in conclusion(Comparisons(()), Comparisons(()), "", "").text


def test_a_difference_is_drawn_beside_the_smallest_detectable_one():
    found = Comparisons.corrected([row("<b>", "a", -0.05, 1e-6), row("c", "d", 0.01, 0.5)])
    bars, sure, unsure = resolution(found).data
    assert list(bars.x) == [0.02, 0.02]
    assert (list(sure.x), list(sure.y), sure.marker.symbol) == ([0.05], ["&lt;b&gt; − a"], "square")
    assert (list(unsure.x), list(unsure.y), unsure.marker.symbol) == ([0.01], ["c − d"], "square-open")
