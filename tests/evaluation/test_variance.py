import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmlib.core.errors import InputError
from mmlib.evaluation.variance import components, detectable, minimum_detectable, variance_of_mean


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
