"""Intervals of bounded metrics: inside the metric's range, and right as often as they promise.

Letters: U = users, S = seeds. Values are [U], of one trained model, or [S, U], a row a seed. ``bench/intervals.py``
compares these intervals with others on sparse metrics of 2 to 2,000 users; ``bench/results`` holds what it printed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ..core.errors import InputError

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

    @classmethod
    def of(cls, table: np.ndarray, low: float = np.nan, high: float = np.nan, p: float = np.nan) -> "Estimate":
        """The mean of values [S, U] with these ends."""
        seeds, users = table.shape
        return cls(float(table.mean()), float(low), float(high), float(p), users, seeds)


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
    mean, users = float(table.mean()), table.shape[1]
    if users < ENOUGH:
        return Estimate.of(table)
    variance, freedom = variance_of_mean(table)
    t = float(stats.t.ppf((1 + level) / 2, freedom))
    if table.min() < 0 or table.max() > 1:
        return Estimate.of(table, mean - t * variance**0.5, mean + t * variance**0.5)
    far, worst = table.mean(0), mean * (1 - mean) / users
    far = far if mean <= 0.5 else 1 - far
    informative = far.sum() ** 2 / (far @ far) if far @ far > 0 else 0.0
    effect = (informative * variance / worst + PRIOR) / (informative + PRIOR) if worst > 0 else 1.0
    k = t**2 * effect / users
    centre, half = (mean + k / 2) / (1 + k), (k * (mean * (1 - mean) + k / 4)) ** 0.5 / (1 + k)
    return Estimate.of(table, max(0.0, centre - half), min(1.0, centre + half))


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
    given = table_of(difference)
    if given.shape[1] < ENOUGH:
        return Estimate.of(given)
    table = np.where(np.abs(given) < SAME, 0.0, given)
    some = table.mean(0)[table.mean(0) != 0]
    size = float(np.sqrt((some**2).mean())) if len(some) else 1.0
    more = np.concatenate([table, np.tile([size, -size], (len(table), 1))], axis=1)
    variance, freedom = variance_of_mean(more)
    centre, error = float(more.mean()), float(np.sqrt(variance))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(centre) / error, freedom))
    bound = 1.0 if np.abs(table).max() <= 1 else np.inf
    return Estimate.of(given, max(-bound, centre - half), min(bound, centre + half), p)


def variance_of_mean(values: Any) -> tuple[float, float]:
    r"""Variance of the mean of D, [U] or [S, U], for other users and seeds, and its degrees of freedom.

    .. math:: v = \mathrm{var}(\bar D_{s\cdot}) / S + \mathrm{var}(\bar D_{\cdot u}) / U - \sigma_e^2 / (S U)

    where the last term (the residual, counted twice by the first two) keeps v from being too large; v is at
    least as large as either side's own. The degrees of freedom follow Satterthwaite (1946). With one seed only
    users are counted, and the result says nothing of other seeds.
    """
    table = table_of(values)
    seeds, users = table.shape
    by_user = table.mean(0).var(ddof=1) / users if users > 1 else 0.0
    if seeds == 1:
        return float(by_user), max(1, users - 1)
    by_seed = table.mean(1).var(ddof=1) / seeds
    twice = residual(table) / (seeds * users)
    variance = max(by_user + by_seed - twice, by_user, by_seed)
    parts = by_user**2 / max(1, users - 1) + by_seed**2 / (seeds - 1)
    freedom = (by_user + by_seed) ** 2 / parts if parts > 0 else users - 1
    return float(variance), max(1.0, float(freedom))


def residual(table: np.ndarray) -> float:
    """Mean square of what neither the user nor the seed explains."""
    seeds, users = table.shape
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    return float((rest**2).sum() / max(1, (seeds - 1) * (users - 1)))


def table_of(values: Any) -> np.ndarray:
    """Values as [S, U] float64, S = 1 for [U].

    Raises:
        InputError: for another shape, no values, and NaN or infinite ones.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"Values of shape {list(np.shape(values))} are not [users] or [seeds, users].")
    if not np.isfinite(table).all():
        raise InputError(f"{int((~np.isfinite(table)).sum())} of {table.size} values are NaN or infinite.")
    return table


def in_words(mean: float, low: float, high: float, users: int, digits: int = 4) -> str:
    """A mean with its interval as text, ``"0.1234 [0.1100, 0.1370]"``; without an interval, why there is none."""
    if users < ENOUGH or not np.isfinite(low):
        return too_few(users)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def too_few(users: int) -> str:
    """What stands in the place of a number that too few users would have made."""
    return f"too few users to say ({users})"
