"""How sure a mean or a difference is: intervals, tests, and what a test part can resolve.

Letters: U = users, S = seeds, B = resamples. Values are [U], of one trained model, or [S, U], where row s is what
the model trained with seed s is worth to each user; every seed ranks every user, so the two are crossed.

What each says: ``mean`` and ``paired_bootstrap`` are about other users and, given [S, U], other seeds; ``paired_t`` and
``wilcoxon`` average the seeds first and are about other users of these trained models alone. ``compare`` tests users
and seeds together and is what the tables show.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from scipy import stats

from ..core.errors import InputError, one_of
from .intervals import Estimate
from .variance import Components, components, detectable, difference_of, minimum_detectable, table_of, variance_of_mean

__all__ = [
    "Components",
    "Estimate",
    "SignedRanks",
    "components",
    "detectable",
    "mean",
    "minimum_detectable",
    "paired_bootstrap",
    "paired_t",
    "variance_of_mean",
    "wilcoxon",
]

AT_ONCE = 2**21  # values resampled at a time: about 50 MB


@dataclass(frozen=True)
class SignedRanks:
    """What ``wilcoxon`` finds.

    Args:
        p: two-sided probability of so uneven ranks if a and b were exchangeable for every user.
        effect: rank-biserial correlation in -1..1 over the users who differ: (R+ - R-) / (R+ + R-) (Kerby 2014).
        better, worse, equal: users with a > b, a < b and a = b.
    """

    p: float
    effect: float
    better: int
    worse: int
    equal: int


def mean(values: Any, *, level: float = 0.95, resamples: int = 9_999, seed: int = 0) -> Estimate:
    """The mean with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    For [U] users are drawn with replacement (``scipy.stats.bootstrap``). For [S, U] users and seeds are drawn apart
    and crossed (Owen 2007, "The pigeonhole bootstrap"), where S - 1 of the S seeds are drawn, with replacement: S draws
    would give (S - 1) / S of the seeds' variance, S - 1 give it whole (Rao and Wu 1988). The residual is counted up to
    three times, so with noise that is neither the user's nor the seed's the interval is somewhat too wide; where seeds
    matter most and are few it is too narrow, as no resample knows Student's tails: then use ``compare``'s interval.

    Args:
        values: [U] or [S, U].
        level: of the interval, in (0, 1).
        resamples: B.
        seed: of the resampling; the same seed gives the same interval.

    Raises:
        InputError: for another shape, NaN or infinite values, and a level or number of resamples that cannot be.
    """
    return _bootstrapped(table_of(values), level, resamples, seed, test=False)


def paired_bootstrap(a: Any, b: Any, *, level: float = 0.95, resamples: int = 9_999, seed: int = 0) -> Estimate:
    """The mean difference ``a - b`` over the same users and seeds with its bootstrap interval and p.

    Resampled as in ``mean``. p is the largest at which the percentile interval would still hold 0, with one added
    above and below (Davison and Hinkley 1997, section 4.2), so it is never under 2 / (B + 1).

    Args:
        a, b: [U] or [S, U], users and seeds in the same order.
        level, resamples, seed: as in ``mean``.

    Raises:
        InputError: as ``mean``, and when the shapes differ.
    """
    return _bootstrapped(difference_of(a, b), level, resamples, seed, test=True)


def paired_t(a: Any, b: Any, *, level: float = 0.95) -> Estimate:
    """Student's paired t-test over users (``scipy.stats.ttest_rel``); seeds are averaged first.

    Args:
        a, b: [U] or [S, U], users and seeds in the same order.
        level: of the interval.

    Raises:
        InputError: when the shapes differ, for fewer than two users, and values or a level that cannot be.
    """
    difference = difference_of(a, b)
    _check(level, 1)
    seeds, users = difference.shape
    if users < 2:
        raise InputError("A paired t-test needs at least two users.")
    by_user = difference.mean(0)
    value = float(by_user.mean())
    if np.ptp(by_user) == 0:
        return Estimate(value, value, value, float(value == 0), users, seeds)
    found = stats.ttest_1samp(by_user, 0.0)
    low, high = found.confidence_interval(level)
    return Estimate(value, float(low), float(high), float(found.pvalue), users, seeds)


def wilcoxon(a: Any, b: Any, *, zeros: str = "pratt") -> SignedRanks:
    """Wilcoxon's signed-rank test over users (``scipy.stats.wilcoxon``); seeds are averaged first.

    Most users have the same hits under both methods, so zero differences are many and their treatment matters:

    - ``"pratt"`` (1959) ranks them with the others and then leaves them out of both sums and of the variance. It keeps
      its level with any share of zeros.
    - ``"zsplit"`` gives half of their ranks to each side, but leaves their variance in: with many zeros it
      is far too cautious (at 80 % zeros it rejects true nulls in about 1 % of cases, not 5 %).
    - ``"wilcox"`` (1945) drops them before ranking.

    Differences are rounded to 12 digits of the largest, so that rounding noise breaks no ties.

    Args:
        a, b: [U] or [S, U], users and seeds in the same order.
        zeros: SciPy's ``zero_method``.

    Raises:
        InputError: when the shapes differ, for an unknown ``zeros``, and values that cannot be.
    """
    one_of("zeros", zeros, ("pratt", "zsplit", "wilcox"))
    by_user = difference_of(a, b).mean(0)
    largest = np.abs(by_user).max()
    if largest == 0:
        return SignedRanks(1.0, 0.0, 0, 0, len(by_user))
    by_user = np.round(by_user / largest, 12)
    ranks = stats.rankdata(np.abs(by_user)) * np.sign(by_user)
    better, worse = int((by_user > 0).sum()), int((by_user < 0).sum())
    method = cast(Literal["pratt", "zsplit", "wilcox"], zeros)
    p = float(stats.wilcoxon(by_user, zero_method=method).pvalue)
    effect = float(ranks.sum() / np.abs(ranks).sum())
    return SignedRanks(p, effect, better, worse, len(by_user) - better - worse)


def _bootstrapped(table: np.ndarray, level: float, resamples: int, seed: int, *, test: bool) -> Estimate:
    _check(level, resamples)
    seeds, users = table.shape
    value = float(table.mean())
    if users == 1:
        return Estimate(value, np.nan, np.nan, np.nan, users, seeds)
    drawn = _users_drawn(table[0], resamples, seed) if seeds == 1 else _crossed(table, resamples, seed)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    least = min((drawn <= 0).sum(), (drawn >= 0).sum())
    p = min(1.0, 2 * (1 + least) / (resamples + 1)) if test else np.nan
    return Estimate(value, float(low), float(high), float(p), users, seeds)


def _users_drawn(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of resamples of [U]: [B]."""
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=resamples, batch=_batch(len(values)), method="percentile",
        random_state=np.random.default_rng(seed),
    )  # fmt: skip
    return found.bootstrap_distribution


def _crossed(table: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of resamples of the users and of the seeds of [S, U]: [B]."""
    (seeds, users), rng, drawn = table.shape, np.random.default_rng(seed), []
    for start in range(0, resamples, _batch(users)):
        b = min(_batch(users), resamples - start)
        times_user = _times(rng.integers(users, size=(b, users)), users)  # [b, U]
        times_seed = _times(rng.integers(seeds, size=(b, seeds - 1)), seeds)  # [b, S]
        drawn.append(((times_seed @ table) * times_user).sum(1) / (users * (seeds - 1)))
    return np.concatenate(drawn)


def _times(draws: np.ndarray, n: int) -> np.ndarray:
    """How often each of 0..n-1 was drawn in each row of [b, c]: [b, n]."""
    b = len(draws)
    return np.bincount((draws + n * np.arange(b)[:, None]).ravel(), minlength=b * n).reshape(b, n)


def _batch(users: int) -> int:
    return max(1, AT_ONCE // users)


def _check(level: float, resamples: int) -> None:
    if not 0 < level < 1:
        raise InputError(f"level = {level} must lie between 0 and 1, such as 0.95.")
    if resamples < 1:
        raise InputError(f"resamples = {resamples} must be at least 1; 9999 is usual.")
