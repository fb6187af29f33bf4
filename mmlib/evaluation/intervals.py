"""Intervals of bounded metrics: inside the metric's range, and right as often as they promise.

Letters: U = users, S = seeds. Values are [U], of one trained model, or [S, U], a row a seed. ``bench/intervals.py``
compares these intervals with others on sparse metrics of 2 to 2,000 users; ``bench/results`` holds what it printed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .variance import table_of, variance_of_mean

ENOUGH = 10  # users; with fewer, nothing is said of a mean or a difference
SAME = 1e-12  # values that differ by less differ by rounding alone
PRIOR = 0.25  # informative users that the worst case, values of 0 and 1 alone, counts for


@dataclass(frozen=True)
class Estimate:
    """A mean, or a mean difference ``a - b``, with its interval.

    Args:
        value, low, high: the mean and the ends of the interval; NaN ends for too few users.
        p: two-sided probability of so large a value if the true one were 0; NaN where it is not asked.
        users, seeds: how many of each.
    """

    value: float
    low: float
    high: float
    p: float
    users: int
    seeds: int


def mean_of_shares(values: Any, *, level: float = 0.95) -> Estimate:
    r"""The mean of values in 0..1 with Wilson's score interval for an effective number of users.

    .. math:: \frac{m + k/2 \pm \sqrt{k \, (m (1 - m) + k / 4)}}{1 + k}, \quad k = t^2 / n, \quad n = U / f

    where t is Student's quantile, and f the design effect: the variance of the mean by ``variance_of_mean`` over that
    of U values that are 0 or 1 (Wilson 1927; Kott and Carr 1997; Dean and Pagano 2015). f is pulled towards 1, its
    largest possible value with one seed, with the weight of ``PRIOR`` users against the number of users whose values
    are told apart from the bound, :math:`(\sum x)^2 / \sum x^2` (Kish 1965): where hardly anybody has a hit, the
    variance of the few who have one says little. With no hit at all this is Wilson's interval of none among U.

    The ends never leave 0..1. Values outside 0..1 get Student's interval.

    Args:
        values: [U] or [S, U].
        level: of the interval, in (0, 1).

    Raises:
        InputError: for another shape, NaN or infinite values.
    """
    table = table_of(values)
    seeds, users = table.shape
    mean = float(table.mean())
    if users < ENOUGH:
        return Estimate(mean, np.nan, np.nan, np.nan, users, seeds)
    variance, freedom = variance_of_mean(table)
    t = float(stats.t.ppf((1 + level) / 2, freedom))
    if table.min() < 0 or table.max() > 1:
        return Estimate(mean, mean - t * variance**0.5, mean + t * variance**0.5, np.nan, users, seeds)
    far, worst = table.mean(0), mean * (1 - mean) / users
    far = far if mean <= 0.5 else 1 - far
    informative = far.sum() ** 2 / (far @ far) if far @ far > 0 else 0.0
    effect = (informative * variance / worst + PRIOR) / (informative + PRIOR) if worst > 0 else 1.0
    k = t**2 * effect / users
    centre, half = (mean + k / 2) / (1 + k), (k * (mean * (1 - mean) + k / 4)) ** 0.5 / (1 + k)
    return Estimate(mean, max(0.0, centre - half), min(1.0, centre + half), np.nan, users, seeds)


def mean_difference(difference: Any, *, level: float = 0.95) -> Estimate:
    """The mean of paired differences in -1..1 with its interval, and the test whose decision the interval shows.

    Student's test and interval with the crossed variance of ``variance_of_mean``, on the users and two more, one on
    each side, as Bonett and Price (2012) have it for values of 0 and 1: without them a handful of users who differ
    by chance alike looks sure, and nobody who differs looks like certainty. The two differ by the root mean square of
    the differences that are not 0 (by 1 where all are 0), so that with many users they hardly count.

    The ends are cut at -1 and 1, beyond which the true difference cannot lie. The interval of level 1 - alpha
    excludes 0 exactly where p < alpha.

    Args:
        difference: [U] or [S, U], ``a - b`` for the same users and seeds.
        level: of the interval, in (0, 1).

    Raises:
        InputError: for another shape, NaN or infinite values.
    """
    table = table_of(difference)
    seeds, users = table.shape
    value = float(table.mean())
    if users < ENOUGH:
        return Estimate(value, np.nan, np.nan, np.nan, users, seeds)
    table = np.where(np.abs(table) < SAME, 0.0, table)
    by_user = table.mean(0)
    some = by_user[by_user != 0]
    size = float(np.sqrt((some**2).mean())) if len(some) else 1.0
    more = np.concatenate([table, np.tile([size, -size], (seeds, 1))], axis=1)
    variance, freedom = variance_of_mean(more)
    centre, error = float(more.mean()), float(np.sqrt(variance))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(centre) / error, freedom))
    bound = 1.0 if np.abs(table).max() <= 1 else np.inf
    return Estimate(value, max(-bound, centre - half), min(bound, centre + half), p, users, seeds)


def in_words(mean: float, low: float, high: float, users: int, digits: int = 4) -> str:
    """A mean with its interval as text, ``"0.1234 [0.1100, 0.1370]"``; without an interval, why there is none."""
    if users < ENOUGH or not np.isfinite(low):
        return too_few(users)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def too_few(users: int) -> str:
    """What stands in the place of a number that too few users would have made."""
    return f"too few users to say ({users})"
