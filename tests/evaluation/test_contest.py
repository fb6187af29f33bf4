from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.core.errors import InputError
from mmlib.evaluation import Scores, compare, holm
from mmlib.evaluation.contest import Method, against, contest, flipped, leading, told_apart


def made(label: str, mean: float, *, seeds=(0, 1, 2), users: int = 60, noise: float = 0.05, **values) -> Method:
    """A method whose users share what is easy for them."""
    easy = np.random.default_rng(99).normal(0, 0.2, users)
    runs = {}
    for seed in seeds:
        own = np.random.default_rng([seed, len(label), round(1000 * mean)]).normal(mean, noise, users)
        table = pd.DataFrame({"user": range(users), "slice": "all", "positives": 1, "recall@20": own + easy})
        few = table[:20].assign(slice="few purchases", **{"recall@20": own[:20]})
        both = pd.concat([table, few], ignore_index=True).assign(**{"ndcg@20": 0.5})
        runs[f"seed {seed}"] = Scores("as recorded", both.sample(frac=1, random_state=seed), {})
    return Method(label, runs, values)


def recall(method: Method) -> float:
    rows = method.means()
    return rows.loc[(rows["slice"] == "all") & (rows["metric"] == "recall@20"), "mean"].item()


@pytest.fixture(scope="module")
def methods() -> dict[str, Method]:
    every = [
        made("best", 0.45, model="a", start="content"),
        made("second", 0.35, model="a", start="random"),
        made("third", 0.345, model="b", start="content"),
        made("last", 0.10, model="b", start="random"),
    ]
    return {one.label: one for one in every}


def test_every_pair_is_compared_as_compare_does(methods):
    found = contest(methods)
    assert [(one.a, one.b) for one in found] == list(combinations(methods, 2))
    for one in found:
        expected = compare(*(list(methods[name].runs.values()) for name in (one.a, one.b)))
        assert (one.difference, one.low, one.high, one.p) == pytest.approx(
            (expected.difference, expected.low, expected.high, expected.p)
        )
        assert (one.users, one.seeds, one.slice) == (60, 3, "all")


def test_only_common_seeds_are_paired():
    a, b = made("a", 0.4, seeds=(0, 1, 2)), made("b", 0.3, seeds=(2, 1, 7))
    (found,) = contest({"a": a, "b": b})
    expected = compare([a.runs["seed 1"], a.runs["seed 2"]], [b.runs["seed 1"], b.runs["seed 2"]])
    assert found.seeds == 2
    assert found.difference == pytest.approx(expected.difference)


def test_the_correction_is_over_all_pairs(methods):
    found = contest(methods)
    table = told_apart(found)
    assert table["p (Holm)"].tolist() == pytest.approx(holm([one.p for one in found]))
    assert dict(zip(zip(table["a"], table["b"]), table["apart"])) == {
        ("best", "second"): True, ("best", "third"): True, ("best", "last"): True,
        ("second", "third"): False, ("second", "last"): True, ("third", "last"): True,
    }  # fmt: skip
    assert not told_apart(found, level=0.0)["apart"].any()
    assert told_apart([]).empty


def test_the_best_leads_alone_only_when_it_beats_all(methods):
    assert leading(contest(methods)) == ["best"]
    rest = {name: methods[name] for name in ("last", "third", "second")}
    group = leading(contest(rest))
    assert set(group) == {"second", "third"}
    assert group == sorted(group, key=lambda name: -recall(methods[name]))
    assert leading(contest(methods), level=0.0) == ["best", *group, "last"]
    assert leading([]) == []


def test_against_a_baseline_all_else_is_equal(methods):
    found = against(contest(methods), methods, "start", "random")
    assert [(one.a, one.b) for one in found] == [("best", "second"), ("third", "last")]
    assert [(one.a, one.b) for one in against(contest(methods), methods, "model", "a")] == [
        ("third", "best"), ("last", "second")
    ]  # fmt: skip
    assert against(contest(methods), methods, "model", "a")[0].difference < 0
    with pytest.raises(InputError, match="differ in start alone and have 'mmcpr'"):
        against(contest(methods), methods, "start", "mmcpr")


def test_a_recommenders_own_options_vary_with_it():
    made_of = [("lightgcn", {}), ("micro", {}), ("micro", {"backbone": "mf"}), ("lightgcn", {"layers": 1})]
    methods = {
        str(place): made(str(place), 0.1 * place, recommender=name, model_options=own, epochs=6)
        for place, (name, own) in enumerate(made_of)
    }
    found = against(contest(methods), methods, "recommender", "lightgcn")
    assert [(one.a, one.b) for one in found] == [("1", "0"), ("2", "0"), ("3", "0")]
    found = against(contest(methods), methods, "recommender", "micro (backbone mf)")
    assert [(one.a, one.b) for one in found] == [("0", "2"), ("1", "2"), ("3", "2")]
    found = against(contest(methods), methods, "model_options", {"backbone": "mf"})
    assert [(one.a, one.b) for one in found] == [("1", "2")]
    far = {"0": methods["0"], "4": made("4", 0.5, recommender="micro", model_options={}, epochs=60)}
    with pytest.raises(InputError, match="differ in recommender alone"):
        against(contest(far), far, "recommender", "lightgcn")


def test_a_flipped_comparison_is_the_one_of_the_exchanged_sides(methods):
    (one,) = contest({name: methods[name] for name in ("best", "last")})
    (other,) = contest({name: methods[name] for name in ("last", "best")})
    turned = flipped(one)
    assert (turned.a, turned.b) == (other.a, other.b) == ("last", "best")
    for name in ("mean_a", "mean_b", "difference", "low", "high", "p"):
        assert getattr(turned, name) == pytest.approx(getattr(other, name))


@settings(max_examples=30, deadline=None)
@given(seeds=st.integers(1, 4), users=st.integers(2, 30), mean=st.floats(0.1, 0.9))
def test_means_are_compared_with_a_method_that_scores_nothing(seeds, users, mean):
    method = made("a", round(mean, 2), seeds=range(seeds), users=users)
    zero = [Scores("0", one.per_user.assign(**{"recall@20": 0.0}), {}) for one in method.runs.values()]
    rows = method.means().set_index(["slice", "metric"])
    for part in ("all", "few purchases"):
        tables = [one.per_user for one in method.runs.values()]
        values = [table.loc[table["slice"] == part, "recall@20"].to_numpy() for table in tables]
        found = rows.loc[(part, "recall@20")]
        assert found["mean"] == pytest.approx(np.mean(values))
        assert found["users"] == len(values[0]) == min(users, 20 if part != "all" else users)
        twin = compare(list(method.runs.values()), zero, "recall@20", part)
        assert (found["low"], found["high"]) == pytest.approx((twin.low, twin.high))


def test_a_lone_user_has_no_interval():
    row = made("a", 0.4, users=1).means().query("metric == 'recall@20' and slice == 'all'").iloc[0]
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])


def test_slices_and_metrics_are_those_of_every_run():
    one = made("a", 0.4)
    short = next(iter(one.runs.values())).per_user.query("slice == 'all'").drop(columns="ndcg@20")
    both = Method("a", {**one.runs, "seed 9": Scores("x", short, {})})
    assert (set(one.slices), one.metrics) == ({"all", "few purchases"}, ["recall@20", "ndcg@20"])
    assert (both.slices, both.metrics) == (["all"], ["recall@20"])


def test_what_cannot_be_compared_is_named(methods):
    with pytest.raises(InputError, match="at least two methods, not 1"):
        contest({"best": methods["best"]})
    with pytest.raises(InputError, match='Did you mean "recall@20"'):
        contest(methods, "recall@10")
    with pytest.raises(InputError, match="slice = 'rare' is not known"):
        contest(methods, slice="rare")
    with pytest.raises(InputError, match="best and other have no seed in common"):
        contest({"best": methods["best"], "other": made("other", 0.3, seeds=(8,))})
    with pytest.raises(InputError, match="same users"):
        contest({"best": methods["best"], "other": made("other", 0.3, users=50)})
    two = Method("two", {"0": made("a", 0.3).runs["seed 0"], "1": made("a", 0.3, users=9).runs["seed 1"]})
    with pytest.raises(InputError, match="The runs of two were not scored on the same users"):
        two.means()
