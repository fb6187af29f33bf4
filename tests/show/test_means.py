import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from mmlib.core.errors import InputError
from mmlib.evaluation import Method, Scores, compare
from mmlib.show import Html, costs, scores, table
from tests.evaluation.made import method, ranking


def made(mean: float, few: int = 20, users: int = 40) -> Scores:
    values = np.clip(np.random.default_rng(0).normal(mean, 0.02, users), 0, 1)
    rows = ranking(values, ndcg_20=values / 2).per_user
    part = rows[:few].assign(slice="few purchases")
    return Scores(f"{mean}", pd.concat([rows, part], ignore_index=True), {})


def cells(html: Html) -> list[list[str]]:
    rows = BeautifulSoup(html.text, "html.parser").find_all("tr")
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows]


def test_scores_draw_mean_and_interval_of_each_slice():
    named = {"<b>a": made(0.1), "b": made(0.2)}
    fig = scores(named, metrics=["ndcg@20"])
    for trace, part in zip(fig.data, ("all", "few purchases")):
        tables = [one.means().set_index(["slice", "metric"]) for one in named.values()]
        rows = [table.loc[(part, "ndcg@20")] for table in tables]
        assert list(trace.x) == pytest.approx([row["mean"] for row in rows])
        assert list(trace.error_x.array) == pytest.approx([row["high"] - row["mean"] for row in rows])
        assert list(trace.error_x.arrayminus) == pytest.approx([row["mean"] - row["low"] for row in rows])
    assert fig.layout.yaxis.ticktext == ("&lt;b&gt;a", "b")
    assert fig.layout.xaxis.title.text == "ndcg@20 (0 to 1)"
    assert fig.layout.meta["caption"]


def test_metrics_shown_by_default():
    assert [axis.title.text for axis in scores({"a": made(0.1)}).select_xaxes()] == [
        "recall@20 (0 to 1)",
        "ndcg@20 (0 to 1)",
    ]
    assert cells(table({"a": made(0.1)}))[0] == ["slice", "model", "recall@20", "ndcg@20", "users"]


def test_an_unknown_metric_is_named():
    with pytest.raises(InputError, match='Did you mean "recall@20"'):
        scores({"a": made(0.1)}, metrics=["recall@21"])
    with pytest.raises(InputError, match="at least one"):
        table({})


def test_too_few_users_are_words_in_tables_and_figures():
    named = {"a": made(0.1, few=2)}
    assert cells(table(named, metrics=["recall@20"]))[2] == ["few purchases", "a", "too few users to say (2)", "2"]
    fig = scores(named, metrics=["recall@20"])
    assert list(fig.data[1].x) == []
    assert "few purchases: too few users to say (2)" in fig.layout.meta["caption"]


def test_slices_that_hold_the_same_rows_are_one_block():
    rows = cells(table({"a": made(0.1, few=40), "b": made(0.2, few=40)}, metrics=["recall@20"]))
    assert [row[:2] for row in rows[1:]] == [["all, few purchases", "a"], ["", "b"]]


def test_table_is_bold_only_where_the_comparison_says_so():
    one, two = made(0.1), made(0.2)
    named = {"a": one, "<b>": two}

    def bold(found) -> list[tuple[str, str, str]]:
        soup = BeautifulSoup(table(named, metrics=["recall@20"], found=found).text, "html.parser")
        return [(tag.find_parent("tr").find_all("td")[1].text, tag.text) for tag in soup.find_all("b")]

    means = [f"{two.mean('recall@20', part):.4f}" for part in ("all", "few purchases")]
    assert bold(None) == []
    found = compare(Scores("<b>", two.per_user, {}), Scores("a", one.per_user, {}))
    assert bold(found) == [("<b>", means[0]), ("<b>", means[1])]
    assert bold(found.only([])) == []
    twin = compare(Scores("<b>", two.per_user, {}), Scores("a", two.per_user, {}))
    assert bold(twin) == []


METHODS = {
    name: Method(name, method(name, mean).runs, {}, {"seconds": seconds} if seconds else {})
    for name, mean, seconds in (("plain", 0.15, 0), ("<b>", 0.3, 12.0), ("mid", 0.2, 1500.0))
}


def test_accuracy_is_drawn_against_time_with_the_methods_worth_it():
    more = {"slow": (0.25, 2000.0), "quick": (0.05, 1.0)}
    every = METHODS | {
        name: Method(name, method(name, mean).runs, {}, {"seconds": s}) for name, (mean, s) in more.items()
    }
    fig = costs(every)
    line, points = fig.data
    assert list(line.x) == [1.0, 12.0]
    assert list(points.x) == [1.0, 12.0, 1500.0, 2000.0]
    assert list(points.text) == [5, 1, 3, 2]  # places in the standings; 4 has no recorded time
    assert fig.layout.xaxis.title.text == "training time of the recommender (s)"
    assert "1 methods recorded no such cost" in fig.layout.meta["caption"]


def test_a_cost_that_nobody_recorded_is_said():
    found = costs(METHODS, cost="parameters")
    assert isinstance(found, Html)
    assert "did not record their parameters" in found.text
    with pytest.raises(InputError, match="cost = 'euros' is not known"):
        costs(METHODS, cost="euros")
