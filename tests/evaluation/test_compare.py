import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmlib.core.errors import InputError
from mmlib.evaluation import Scores, compare, holm, paired, statistics


def scores(values: np.ndarray, label: str = "a") -> list[Scores]:
    """One Scores per seed from values [S, U]."""
    users = np.arange(values.shape[1])
    return [
        Scores(label, pd.DataFrame({"user": users, "slice": "all", "positives": 1, "recall@20": row}), {})
        for row in values
    ]


def test_one_seed_is_the_paired_t_test_over_users() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((1, 200)), rng.random((1, 200))
    found, expected = compare(scores(a), scores(b)), stats.ttest_rel(a[0], b[0])
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_interval_holds_what_it_promises_when_users_and_seeds_vary() -> None:
    rng = np.random.default_rng(1)
    covered, alarms = 0, 0
    for _ in range(400):
        user, seed, noise = rng.normal(0, 0.1, 150), rng.normal(0, 0.02, (5, 1)), rng.normal(0, 0.2, (5, 150))
        found = compare(scores(0.03 + user + seed + noise), scores(np.zeros((5, 150))))
        covered += found.low <= 0.03 <= found.high
        null = compare(scores(user + seed + noise), scores(np.zeros((5, 150))))
        alarms += null.p < 0.05
    assert 0.92 <= covered / 400 <= 0.99
    assert alarms / 400 <= 0.08


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.2, (5, 500))
    steady = compare(scores(noise + 0.02), scores(np.zeros((5, 500))))
    shaky = compare(scores(noise + 0.02 + rng.normal(0, 0.05, (5, 1))), scores(np.zeros((5, 500))))
    assert shaky.high - shaky.low > 2 * (steady.high - steady.low)


def test_equal_methods_differ_by_nothing() -> None:
    values = np.random.default_rng(3).random((3, 50))
    found = compare(scores(values), scores(values))
    assert (found.difference, found.p) == (0, 1)


def test_unpaired_input_is_refused() -> None:
    values = np.random.default_rng(4).random((2, 10))
    with pytest.raises(InputError, match="same seeds"):
        compare(scores(values), scores(values[:1]))
    with pytest.raises(InputError, match="same users"):
        compare(scores(values), scores(values[:, :9]))
    with pytest.raises(InputError, match="no metric 'recall@7'"):
        compare(scores(values), scores(values), "recall@7")


def test_holm_matches_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_comparisons_say_what_they_could_have_found_and_what_ranks_say() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((4, 80)) + 0.05, rng.random((4, 80))
    found = compare(scores(a), scores(b))
    assert found.wilcoxon == pytest.approx(stats.wilcoxon((a - b).mean(0)).pvalue)
    assert found.detectable == pytest.approx(statistics.minimum_detectable(a - b))
    assert np.isnan([found.bootstrap_low, found.bootstrap_high]).all()
    found = compare(scores(a), scores(b), resamples=300)
    expected = statistics.paired_bootstrap(a, b, resamples=300)
    assert (found.bootstrap_low, found.bootstrap_high) == (expected.low, expected.high)


def test_paired_values_come_in_the_order_of_users() -> None:
    values = np.random.default_rng(6).random((2, 9))
    one = scores(values)
    mixed = [Scores("b", two.per_user.sample(frac=1, random_state=1), {}) for two in scores(values + 1)]
    left, right = paired(one, mixed)
    np.testing.assert_array_equal(left, values)
    np.testing.assert_array_equal(right, values + 1)
    with pytest.raises(InputError, match="No user has positives in the slice 'tail'"):
        paired(one, mixed, slice="tail")
