from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mmlib.core.errors import InputError
from mmlib.evaluation import (
    ENOUGH,
    Comparison,
    Comparisons,
    Method,
    Scores,
    compare,
    compare_all,
    compare_pairs,
    holm,
    paired,
    statistics,
)
from mmlib.evaluation.comparison import p_text
from mmlib.evaluation.intervals import mean_difference

from .made import method, ranking


def scores(values: np.ndarray, label: str = "a") -> list[Scores]:
    """One Scores per seed from values [S, U]."""
    return [ranking(row, label) for row in values]


def one(a: np.ndarray, b: np.ndarray, **options) -> Comparison:
    (found,) = compare(scores(np.atleast_2d(a)), scores(np.atleast_2d(b), "b"), **options)
    return found


def four() -> dict[str, Method]:
    """Of which two cannot be told apart."""
    means = {"best": 0.45, "mid": 0.35, "twin": 0.345, "last": 0.1}
    return {name: method(name, mean) for name, mean in means.items()}


def test_one_seed_and_many_users_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((1, 2000)) * 0.9 + 0.03, rng.random((1, 2000)) * 0.9
    found, expected = one(a, b), stats.ttest_rel(a[0], b[0])
    assert found.p == pytest.approx(expected.pvalue, rel=0.02)
    low, high = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.02)


def test_interval_holds_what_it_promises_when_users_and_seeds_vary() -> None:
    rng = np.random.default_rng(1)
    covered, alarms = 0, 0
    for _ in range(400):
        user, seed, noise = rng.normal(0, 0.1, 150), rng.normal(0, 0.02, (5, 1)), rng.normal(0, 0.2, (5, 150))
        found = mean_difference(0.03 + user + seed + noise)
        covered += found.low <= 0.03 <= found.high
        alarms += mean_difference(user + seed + noise).p < 0.05
    assert 0.92 <= covered / 400 <= 0.99
    assert alarms / 400 <= 0.08


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.2, (5, 500))
    steady = one(noise + 0.02, np.zeros((5, 500)))
    shaky = one(noise + 0.02 + rng.normal(0, 0.05, (5, 1)), np.zeros((5, 500)))
    assert shaky.high - shaky.low > 2 * (steady.high - steady.low)


def test_equal_methods_do_not_differ_but_are_not_proven_equal() -> None:
    found = one(np.full((3, 50), 0.5), np.full((3, 50), 0.5))
    assert (found.difference, found.p, found.significant) == (0, 1, False)
    assert -0.1 < found.low < 0 < found.high < 0.1


@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.05, 0.1, 0.3]))
def test_interval_and_decision_are_of_one_level(seed: int, level: float) -> None:
    """A lone comparison is significant exactly where its interval, of level 1 - alpha, excludes 0."""
    rng = np.random.default_rng(seed)
    found = one(np.clip(rng.normal(0.52, 0.1, 40), 0, 1), np.clip(rng.normal(0.5, 0.1, 40), 0, 1), level=level)
    assert found.significant == (found.low > 0 or found.high < 0)
    assert found.adjusted == found.p
    assert found.level == level


def test_a_family_is_corrected_by_holm_and_sorted_by_effect() -> None:
    methods = four()
    found = compare_all(methods)
    assert {frozenset((row.a, row.b)) for row in found} == {frozenset(pair) for pair in combinations(methods, 2)}
    assert [row.difference for row in found] == sorted((row.difference for row in found), reverse=True)
    assert all(row.difference >= 0 for row in found)
    assert [row.adjusted for row in found] == pytest.approx(holm([row.p for row in found]))
    assert {(row.a, row.b) for row in found if not row.significant} in ({("mid", "twin")}, {("twin", "mid")})
    assert all(row.significant == (row.adjusted < 0.05) for row in found)
    assert found.tests == 6
    assert [row.adjusted for row in compare_all(methods, level=0.01)] == [row.adjusted for row in found]


def test_what_holm_denies_is_significant_nowhere() -> None:
    """p = .03 of two: the second row's adjusted p is above .05, though its own interval excludes 0."""
    rows = [Comparison("a", "b", "recall@20", (name,), 100, 1, 0.2, 0.1, 0.1, 0.01, 0.2, p) for name, p in
            (("all", 0.03), ("few purchases", 0.04))]  # fmt: skip
    found = Comparisons.corrected(rows)
    assert [row.adjusted for row in found] == pytest.approx([0.06, 0.06])
    assert not any(row.significant for row in found)
    assert found.earned() == set()
    assert all("no significant difference" in text for text in found.verdict)
    assert all("p = 0.06" in text for text in found.verdict)


def test_a_selection_keeps_the_familys_p() -> None:
    found = compare_all({name: method(name, mean) for name, mean in (("a", 0.3), ("b", 0.32), ("c", 0.34))})
    part = found.only([found[0].turned()])
    assert (part[0].adjusted, part.tests, part.level) == (found[0].adjusted, 3, 0.05)
    assert part[0].difference == -found[0].difference


def test_turning_exchanges_the_sides_and_nothing_else() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.random((2, 40)), rng.random((2, 40))
    turned, other = one(a, b).turned(), one(b, a)
    for name in ("mean_a", "mean_b", "difference", "low", "high", "p", "adjusted", "users", "seeds"):
        assert getattr(turned, name) == pytest.approx(getattr(other, name)), name
    assert (turned.a, turned.b) == ("b", "a")


def slices(few: int, users: int = 40) -> tuple[Scores, Scores]:
    """Two rankings; "few purchases" holds ``few`` users with the same rows as "all"."""
    rng = np.random.default_rng(3)
    made = []
    for shift in (0.1, 0.0):
        table = ranking(np.clip(rng.normal(0.4 + shift, 0.05, users), 0, 1)).per_user
        made.append(Scores("ab"[len(made)], pd.concat([table, table[:few].assign(slice="few purchases")]), {}))
    return made[0], made[1]


def test_slices_that_hold_the_same_rows_are_one_under_both_names() -> None:
    found = compare(*slices(40))
    assert [(row.slices, row.slice) for row in found] == [(("all", "few purchases"), "all, few purchases")]
    assert found.tests == 1
    assert found[0].adjusted == found[0].p
    assert "(the same as few purchases)" in found.verdict[0]
    assert [row.slices for row in compare(*slices(39))] in (
        [("all",), ("few purchases",)],
        [("few purchases",), ("all",)],
    )


@pytest.mark.parametrize("users", [1, 2, ENOUGH - 1])
def test_too_few_users_say_so_instead_of_numbers(users: int) -> None:
    found = compare(*slices(users))
    assert [row.slices for row in found] == [("all",), ("few purchases",)]  # the last, whatever its difference
    few = found[1]
    assert not few.significant
    assert np.isnan([few.difference, few.low, few.high, few.p, few.adjusted, few.mean_a, few.mean_b]).all()
    assert few.numbers() == f"too few users to say ({users})"
    assert f"too few users to say ({users})" in few.sentence()
    assert found.tests == 1
    assert found.plain()[1]["difference"] is None
    assert compare(*slices(ENOUGH)).tests == 2


def test_every_text_prints_the_same_p() -> None:
    found = compare(*slices(20))
    for row in found:
        assert p_text(row.adjusted) in row.numbers()
        assert row.numbers() in row.sentence()
    assert [p_text(p) for p in (0.0009, 0.001, 0.0496, 0.2)] == ["p < 0.001", "p = 0.001", "p = 0.0496", "p = 0.2"]


def test_the_best_leads_alone_only_when_it_beats_all() -> None:
    methods = four()
    found = compare_all(methods)
    assert found.leaders == ["best"]
    assert found.verdict[0] == "best is significantly better than every other method"
    assert found.earned() == {("best", "all", "recall@20")}
    rest = compare_all({name: methods[name] for name in ("last", "twin", "mid")})
    assert set(rest.leaders) == {"mid", "twin"}
    assert "is not significantly better than" in rest.verdict[0]
    assert rest.tally() == (2, 0, 1)
    assert Comparisons(()).leaders == []


def test_where_not_all_pairs_were_compared_each_row_is_said() -> None:
    methods = four()
    found = compare_pairs([(methods[name], methods["last"]) for name in ("best", "mid")], slices="all")
    assert found.verdict == [row.sentence() for row in found]
    assert all(f"{row.a} is better" in row.sentence() for row in found)


def data(test: str = "t1", key: str = "k1") -> dict:
    return {"data": {"name": "shop", "key": key, "split": {"protocol": "8:1:1", "seed": 0, "hashes": {"test": test}}}}


def test_rankings_of_other_test_parts_are_not_paired_though_their_users_are_the_same() -> None:
    values = np.random.default_rng(4).random(30)
    a, b = ranking(values, "old", about=data("t1")), ranking(values, "new", about=data("t2", "k2"))
    with pytest.raises(
        InputError, match=r"old, 0 and new, 0 were made on different data .*shop k1.*shop k2.*test differ"
    ):
        compare(a, b)
    with pytest.raises(InputError, match="old, 0 and new, 0 were made on different data"):
        paired(a, b)
    with pytest.raises(InputError, match="new, 0 does not say which data"):
        compare(a, ranking(values, "new"))
    assert len(compare(a, ranking(values, "new", about=data("t1")))) == 1


def test_unpaired_input_is_refused() -> None:
    values = np.random.default_rng(4).random((2, 10))
    with pytest.raises(InputError, match="same seeds"):
        compare(scores(values), scores(values[:1]))
    with pytest.raises(InputError, match="same users"):
        compare(scores(values), scores(values[:, :9]))
    moved = [replace(each, per_user=each.per_user.assign(user=range(1, 11))) for each in scores(values)]
    with pytest.raises(InputError, match="same users"):
        compare(scores(values), moved)
    with pytest.raises(InputError, match="metric = 'recall@7' is not known"):
        compare(scores(values), scores(values), "recall@7")
    with pytest.raises(InputError, match="slice = 'rare' is not known"):
        compare(scores(values), scores(values), slices="rare")
    with pytest.raises(InputError, match="level = 5 must lie between"):
        compare(scores(values), scores(values), level=5)
    with pytest.raises(InputError, match="level = 1e-09 must"):
        compare(scores(values), scores(values), level=1e-9)
    with pytest.raises(InputError, match="at least two methods, not 1"):
        compare_all({"a": method("a", 0.3)})
    with pytest.raises(InputError, match="a and b have no seed in common"):
        compare_all({"a": method("a", 0.3), "b": method("b", 0.3, seeds=(8,))})
    two = Method("two", {"0": method("a", 0.3).runs["seed 0"], "1": method("a", 0.3, users=9).runs["seed 1"]})
    with pytest.raises(InputError, match="The runs of two were not scored on the same users"):
        two.means()


def test_only_common_seeds_are_paired() -> None:
    a, b = method("a", 0.4, seeds=(0, 1, 2)), method("b", 0.3, seeds=(2, 1, 7))
    (found,) = compare_pairs([(a, b)], slices="all")
    (expected,) = compare([a.runs["seed 1"], a.runs["seed 2"]], [b.runs["seed 1"], b.runs["seed 2"]], slices="all")
    assert (found.seeds, found.difference) == (2, expected.difference)


def test_holm_matches_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([float("nan"), 0.01]) == pytest.approx([1.0, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p) -> None:
    adjusted = holm(p)
    assert all(q <= one <= min(1, q * len(p)) + 1e-12 for q, one in zip(p, adjusted))
    assert all(adjusted[i] <= adjusted[j] for i in range(len(p)) for j in range(len(p)) if p[i] < p[j])


def test_comparisons_say_what_they_could_have_found_and_statistics_take_the_same_values() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((4, 80)) * 0.9 + 0.05, rng.random((4, 80)) * 0.9
    assert one(a, b).detectable == pytest.approx(statistics.minimum_detectable(a - b))
    both = paired(scores(a), scores(b, "b"))
    np.testing.assert_array_equal(both, [a, b])
    assert statistics.wilcoxon(*both).p == pytest.approx(stats.wilcoxon((a - b).mean(0)).pvalue)
    with pytest.raises(InputError, match="same seeds on both sides, not 4 and 3"):
        paired(scores(a), scores(b[:3]))


def test_paired_values_come_in_the_order_of_users() -> None:
    values = np.random.default_rng(6).random(9)
    mixed = ranking(values + 1, "b")
    mixed = replace(mixed, per_user=mixed.per_user.sample(frac=1, random_state=1))
    left, right = paired(ranking(values), mixed)
    np.testing.assert_array_equal(left, [values])
    np.testing.assert_array_equal(right, [values + 1])
    with pytest.raises(InputError, match="No user has positives in the slice 'tail'"):
        paired(ranking(values), mixed, slice="tail")
