import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmlib.core.errors import InputError
from mmlib.evaluation import statistics
from mmlib.evaluation.intervals import variance_of_mean
from mmlib.evaluation.statistics import components, detectable, minimum_detectable


def crossed(rng: np.random.Generator, seeds: int, users: int, of_seeds: float, of_users: float, noise: float):
    """Differences [S, U] that are made of a part of the user, a part of the seed, and the rest."""
    parts = rng.normal(0, of_users, users), rng.normal(0, of_seeds, (seeds, 1)), rng.normal(0, noise, (seeds, users))
    return sum(parts)


def hits(rng: np.random.Generator, users: int) -> tuple[np.ndarray, np.ndarray]:
    """Recall of two methods that are equally good: most users have the same under both."""
    both = rng.random((3, users)) < [[0.3], [0.08], [0.08]]
    return (both[0] | both[1]).astype(float), (both[0] | both[2]).astype(float)


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(0).random(80)
    found = statistics.mean(values, resamples=999, seed=5)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=999, method="percentile", random_state=np.random.default_rng(5)
    ).confidence_interval
    assert (found.value, found.users, found.seeds) == (pytest.approx(values.mean()), 80, 1)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert np.isnan(found.p)


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(1)
    for values in (rng.random(30), rng.random((3, 30))):
        one, two, other = (statistics.mean(values, resamples=200, seed=seed) for seed in (0, 0, 1))
        assert (one.low, one.high) == (two.low, two.high) != (other.low, other.high)


def test_crossed_resamples_match_a_slow_twin() -> None:
    """Users drawn, and all seeds but one, then the mean of the rows and columns that were drawn."""
    rng = np.random.default_rng(2)
    table, draws = crossed(rng, 4, 30, 0.3, 1.0, 0.5), []
    for _ in range(20_000):
        seeds, users = rng.integers(4, size=3), rng.integers(30, size=30)
        draws.append(table[np.ix_(seeds, users)].mean())
    found = statistics.mean(table, resamples=20_000)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_seeds_count_in_full_in_the_crossed_bootstrap() -> None:
    """With nothing but seeds varying, the spread of the resamples is that of the mean over seeds."""
    table = np.repeat(np.array([[0.1], [0.4], [0.3], [0.9]]), 50, axis=1)
    drawn = statistics._resampled(table, 40_000, 0)
    assert drawn.var() == pytest.approx(table[:, 0].var(ddof=1) / 4, rel=0.03)


def test_paired_t_is_scipys_with_seeds_averaged() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((3, 50)), rng.random((3, 50))
    found, expected = statistics.paired_t(a, b, level=0.9), stats.ttest_rel(a.mean(0), b.mean(0))
    low, high = expected.confidence_interval(0.9)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.value, found.low, found.high) == pytest.approx(((a - b).mean(), low, high))
    assert (found.users, found.seeds) == (50, 3)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=70).filter(any), st.sampled_from(["pratt", "zsplit", "wilcox"])
)
def test_wilcoxon_is_scipys_with_ties_and_zeros(differences, zeros) -> None:
    a = np.array(differences, dtype=float)
    found = statistics.wilcoxon(a, np.zeros(len(a)), zeros=zeros)
    assert found.p == pytest.approx(stats.wilcoxon(a, zero_method=zeros).pvalue)
    assert (found.better, found.worse, found.equal) == ((a > 0).sum(), (a < 0).sum(), (a == 0).sum())


def test_the_effect_of_wilcoxon_by_hand() -> None:
    # |d| = 1, 2, 3, 4 with ranks 1 to 4, only the second of b
    found = statistics.wilcoxon([1.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 0.0])
    assert found.effect == pytest.approx((1 + 3 + 4 - 2) / 10)
    assert statistics.wilcoxon([0.5, 0.5], [0.0, 0.0]).effect == 1


def test_rounding_noise_breaks_no_ties_of_wilcoxon() -> None:
    a, b = np.array([0.3, 0.7, 0.2, 0.1]), np.array([0.2, 0.6, 0.3, 0.0])
    assert len(set(np.abs(a - b))) > 1  # all are 0.1, but not to the last bit
    assert statistics.wilcoxon(a, b) == statistics.wilcoxon([1, 1, 0, 1], [0, 0, 1, 0])


@pytest.mark.parametrize("shape", [(20,), (3, 20)])
def test_equal_methods_differ_by_nothing(shape) -> None:
    values = np.random.default_rng(4).random(shape)
    for found in (
        statistics.paired_t(values, values),
        statistics.paired_bootstrap(values, values, resamples=99),
        statistics.wilcoxon(values, values),
    ):
        assert found.p == 1
    assert statistics.paired_bootstrap(values, values, resamples=99).high == 0


def test_a_difference_that_is_the_same_for_everyone_is_sure() -> None:
    found = statistics.paired_t(np.full(9, 0.5), np.full(9, 0.25))
    assert (found.value, found.low, found.high, found.p) == (0.25, 0.25, 0.25, 0)
    assert statistics.paired_bootstrap(np.full(9, 0.5), np.full(9, 0.25), resamples=99).p == 2 / 100


def test_true_nulls_are_rejected_as_often_as_promised() -> None:
    rng, runs = np.random.default_rng(5), 600
    alarms = dict.fromkeys(("bootstrap", "t", "pratt", "zsplit"), 0)
    for _ in range(runs):
        a, b = hits(rng, 300)
        alarms["bootstrap"] += statistics.paired_bootstrap(a, b, resamples=199).p < 0.05
        alarms["t"] += statistics.paired_t(a, b).p < 0.05
        alarms["pratt"] += statistics.wilcoxon(a, b).p < 0.05
        alarms["zsplit"] += statistics.wilcoxon(a, b, zeros="zsplit").p < 0.05
    for name in ("bootstrap", "t", "pratt"):
        assert 0.03 <= alarms[name] / runs <= 0.07, name  # 0.05 and a little over two standard errors
    assert alarms["zsplit"] / runs < 0.02


def test_intervals_cover_as_often_as_promised() -> None:
    rng, runs, inside = np.random.default_rng(6), 400, {"mean": 0, "t": 0, "users and seeds": 0}
    for _ in range(runs):
        values = 0.1 + (rng.random(150) < 0.2) - 0.2
        found = statistics.mean(values, resamples=199)
        inside["mean"] += found.low <= 0.1 <= found.high
        found = statistics.paired_t(values, np.zeros(150))
        inside["t"] += found.low <= 0.1 <= found.high
        table = 0.1 + crossed(rng, 5, 150, 0.01, 0.2, 0.2)
        found = statistics.paired_bootstrap(table, np.zeros((5, 150)), resamples=199)
        inside["users and seeds"] += found.low <= 0.1 <= found.high
    for name, count in inside.items():
        assert 0.92 <= count / runs <= 0.98, name


def test_many_users_and_resamples_need_little_memory() -> None:
    table = np.random.default_rng(7).random((2, 20_000))
    for values in (table[0], table):
        tracemalloc.start()
        found = statistics.mean(values, resamples=500)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100e6  # a matrix of all draws would take 80 MB for its indices alone, 1.6 GB with 9,999
        assert found.low < values.mean() < found.high


def test_a_single_user_has_no_interval() -> None:
    found = statistics.mean([0.4])
    assert found.value == 0.4
    assert np.isnan([found.low, found.high, found.p]).all()
    assert statistics.wilcoxon([1.0], [0.0]).p == 1
    with pytest.raises(InputError, match="at least two users"):
        statistics.paired_t([1.0], [0.0])


def test_values_that_cannot_be_are_named() -> None:
    with pytest.raises(InputError, match="1 of 2 values are NaN"):
        statistics.mean([0.1, np.nan])
    with pytest.raises(InputError, match=r"shape \[0\]"):
        statistics.mean([])
    with pytest.raises(InputError, match=r"not \[3\] and \[2\]"):
        statistics.paired_bootstrap([1, 2, 3], [1, 2])
    with pytest.raises(InputError, match=r"level = 95"):
        statistics.mean([1, 2], level=95)
    with pytest.raises(InputError, match="resamples = 0"):
        statistics.mean([1, 2], resamples=0)
    with pytest.raises(InputError, match="zeros = 'split'"):
        statistics.wilcoxon([1, 2], [0, 0], zeros="split")


def test_one_seed_is_the_usual_standard_error() -> None:
    values = np.random.default_rng(0).random(40)
    variance, freedom = variance_of_mean(values)
    assert variance == pytest.approx(stats.sem(values) ** 2)
    assert freedom == 39


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 10**6))
def test_components_are_those_of_the_analysis_of_variance(seeds: int, users: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(seeds, users))
    total = sum((table[s, u] - table.mean()) ** 2 for s in range(seeds) for u in range(users))
    of_users = sum(seeds * (table[:, u].mean() - table.mean()) ** 2 for u in range(users))
    of_seeds = sum(users * (table[s].mean() - table.mean()) ** 2 for s in range(seeds))
    residual = (total - of_users - of_seeds) / ((users - 1) * (seeds - 1))
    found = components(table)
    assert found.residual == pytest.approx(residual)
    assert found.users == pytest.approx(max(0, (of_users / (users - 1) - residual) / seeds), abs=1e-12)
    assert found.seeds == pytest.approx(max(0, (of_seeds / (seeds - 1) - residual) / users), abs=1e-12)


def test_components_find_what_was_put_in_and_foretell_other_counts() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(0, 0.3, 3000) + rng.normal(0, 0.1, (40, 1)) + rng.normal(0, 0.5, (40, 3000))
    found = components(table)
    assert found.users == pytest.approx(0.09, rel=0.1)
    assert found.seeds == pytest.approx(0.01, rel=0.6)
    assert found.residual == pytest.approx(0.25, rel=0.02)
    assert found.error() ** 2 == pytest.approx(variance_of_mean(table)[0], rel=1e-6)
    assert found.error(users=100, seeds=2) ** 2 == pytest.approx(
        found.users / 100 + found.seeds / 2 + found.residual / 200
    )


def test_many_users_make_it_2_80_errors() -> None:
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert detectable(0.01, 1e6) == pytest.approx(0.01 * z, rel=1e-4)
    assert detectable(0.01, 1e6, alpha=0.01, power=0.9) == pytest.approx(
        0.01 * (stats.norm.ppf(0.995) + stats.norm.ppf(0.9)), rel=1e-4
    )


@pytest.mark.parametrize("freedom", [1, 2, 4, 4.5, 30, 20_000])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 200])
def test_few_degrees_of_freedom_are_minded(freedom: float, alpha: float) -> None:
    """The test's power at the answer, from draws of the statistic itself."""
    found = detectable(1.0, freedom, alpha=alpha)
    rng = np.random.default_rng(2)
    t = (rng.normal(size=200_000) + found) / np.sqrt(rng.chisquare(freedom, 200_000) / freedom)
    assert (t > stats.t.ppf(1 - alpha / 2, freedom)).mean() == pytest.approx(0.8, abs=0.01)


def test_what_is_detectable_is_detected_in_80_percent() -> None:
    rng, runs = np.random.default_rng(3), 800
    truth = detectable(np.sqrt(2 * 0.2 * 0.8 / 400), 399)  # of the noise below, by its definition
    tables = truth + _noise(rng, (runs, 400))
    found = stats.ttest_1samp(tables, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    assert np.mean([minimum_detectable(row) for row in tables[:50]]) == pytest.approx(truth, rel=0.02)


def test_what_is_detectable_with_users_and_seeds_is_detected_in_80_percent() -> None:
    """Found by the crossed test of ``compare`` on data of the same kind as those that it was foretold from."""
    rng, runs = np.random.default_rng(4), 400

    def noise() -> np.ndarray:
        return rng.normal(0, 0.2, 150) + rng.normal(0, 0.02, (5, 1)) + rng.normal(0, 0.2, (5, 150))

    truth = np.mean([minimum_detectable(noise()) for _ in range(100)])
    found = 0
    for _ in range(runs):
        table = truth + noise()
        variance, freedom = variance_of_mean(table)
        found += table.mean() / np.sqrt(variance) > stats.t.ppf(0.975, freedom)
    assert found / runs == pytest.approx(0.8, abs=0.06)


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Differences of hits, in -1, 0, 1, of mean 0 and variance 2 * 0.2 * 0.8."""
    return (rng.random(shape) < 0.2) * 1.0 - (rng.random(shape) < 0.2)


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(InputError, match="two of each or more, not 9 users and 1 seeds"):
        components(np.zeros(9))
    with pytest.raises(InputError, match="fewer than two users"):
        minimum_detectable([0.3])
    with pytest.raises(InputError, match=r"power = 1.5"):
        minimum_detectable([0.3, 0.1], power=1.5)
    assert minimum_detectable(np.zeros(9)) == 0
