"""Spearman's correlation against SciPy's, and how often its interval holds the true one."""

import math

import numpy as np
import pytest
from scipy import stats

from mmlib.core.errors import InputError
from mmlib.evaluation.rank_correlation import spearman


def test_the_value_is_scipys_with_ties_too() -> None:
    rng = np.random.default_rng(0)
    for n in (5, 12, 40):
        x, y = rng.integers(0, 6, n), rng.integers(0, 6, n)
        assert spearman(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("n", [6, 12, 30])
@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_the_interval_holds_the_true_correlation(n: int, rho: float) -> None:
    true = 6 / math.pi * math.asin(rho / 2)  # of a normal pair with Pearson's rho
    rng, held = np.random.default_rng(7), []
    for _ in range(600):
        x = rng.normal(size=n)
        found = spearman(x, rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n))
        held.append(found.low <= true <= found.high)
    assert np.mean(held) >= 0.925


def test_a_perfect_rank_of_few_is_no_certainty() -> None:
    found = spearman(range(5), [1, 2, 4, 8, 16])
    assert found.value == pytest.approx(1)
    assert found.low < 0.8
    assert found.high == pytest.approx(1)
    assert spearman(range(40), range(40)).low > 0.98
    assert spearman(range(5), [5, 4, 3, 2, 1]).high > -0.8


def test_what_cannot_be_said_is_not_said() -> None:
    assert math.isnan(spearman([1, 2, 3], [1, 3, 2]).low)
    assert math.isnan(spearman([1, 1, 1, 1], [1, 2, 3, 4]).value)
    for x, y in (([1], [1]), ([1, 2], [1, 2, 3]), ([1, 2, math.nan], [1, 2, 3])):
        with pytest.raises(InputError, match="rank correlation"):
            spearman(x, y)
