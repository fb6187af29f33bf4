"""How sure a mean or a difference is: bootstrap, tests, where the variance comes from, what a test part can resolve.

Letters: U = users, S = seeds, B = resamples. Values are [U], of one trained model, or [S, U], where row s is what
the model trained with seed s is worth to each user; every seed ranks every user, so the two are crossed.

What each says: ``mean`` and ``paired_bootstrap`` are about other users and, given [S, U], other seeds; ``paired_t`` and
``wilcoxon`` average the seeds first and are about other users of these trained models alone. ``compare`` tests users
and seeds together and is what the tables show.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy import optimize, special, stats

from ..core.errors import InputError, one_of
from .intervals import Estimate, residual, table_of, variance_of_mean

AT_ONCE = 2**21  # values resampled at a time: about 50 MB
Zeros = Literal["pratt", "zsplit", "wilcox"]


@dataclass(frozen=True)
class Components:
    """Variance components of values [S, U]: what users, seeds and their interplay add; see ``components``."""

    users: float
    seeds: float
    residual: float
    n_users: int
    n_seeds: int

    def error(self, users: int | None = None, seeds: int | None = None) -> float:
        """Standard error of the mean over so many users and seeds; by default as many as were measured."""
        u, s = users or self.n_users, seeds or self.n_seeds
        return float(np.sqrt(self.users / u + self.seeds / s + self.residual / (u * s)))


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


def minimum_detectable(difference: Any, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true difference that a paired test on such data finds with probability ``power``.

    It is made of the spread of the differences, not of their mean, so it may be read before or after the
    test. Differences that are there but smaller will often be called noise.

    Args:
        difference: [U] or [S, U], ``a - b`` for the same users and seeds, of a pair of methods like those to come.
        alpha: two-sided level of the test; divide it by the number of tests for Holm's first step.
        power: in (alpha, 1).

    Raises:
        InputError: for fewer than two users, and values, alpha or power that cannot be.
    """
    table = table_of(difference)
    if table.shape[1] < 2:
        raise InputError("What can be detected is not known from fewer than two users.")
    variance, freedom = variance_of_mean(table)
    return detectable(float(np.sqrt(variance)), freedom, alpha=alpha, power=power)


def detectable(error: float, freedom: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The true mean that a two-sided t-test finds, on the right side of 0, with probability ``power``.

    By the noncentral t distribution (Cohen 1988, chapter 2).

    With many degrees of freedom that is (z of 1 - alpha / 2, plus z of power) times the error: 2.80 errors at 0.05
    and 0.8.

    Args:
        error: standard error of the mean difference.
        freedom: its degrees of freedom.

    Raises:
        InputError: when alpha or power cannot be.
    """
    if not 1e-12 < alpha < power < 1:  # beyond which the noncentral t is not computed in double precision
        raise InputError(f"alpha = {alpha} and power = {power} must lie in (1e-12, 1), and alpha below power.")
    if error == 0:
        return 0.0
    critical = float(stats.t.ppf(1 - alpha / 2, freedom))

    def missing(shift: float) -> float:
        return 1 - float(special.nctdtr(freedom, shift, critical)) - power

    most = critical + float(stats.norm.ppf(max(power, 0.5)))
    while missing(most) < 0:
        most *= 1.5
    return error * float(optimize.brentq(missing, 0, most, xtol=1e-9))


def components(values: Any) -> Components:
    r"""How much of the variance comes from users, seeds and the rest: two-way analysis of variance, one value a cell.

    .. math:: \sigma_u^2 = (MS_u - MS_e) / S, \quad \sigma_s^2 = (MS_s - MS_e) / U, \quad \sigma_e^2 = MS_e

    with estimates below 0 set to 0 (Searle, Casella and McCulloch 1992, chapter 4). ``Components.error`` says what
    more users or more seeds would bring.

    Args:
        values: [S, U], values or paired differences, with S and U at least 2.

    Raises:
        InputError: for another shape.
    """
    table = table_of(values)
    seeds, users = table.shape
    if min(seeds, users) < 2:
        raise InputError(f"To tell users from seeds takes two of each or more, not {users} users and {seeds} seeds.")
    rest = residual(table)
    of_users = max(0.0, float(table.mean(0).var(ddof=1)) - rest / seeds)
    of_seeds = max(0.0, float(table.mean(1).var(ddof=1)) - rest / users)
    return Components(of_users, of_seeds, rest, users, seeds)


def difference_of(a: Any, b: Any) -> np.ndarray:
    """``a - b`` as [S, U].

    Raises:
        InputError: as ``table_of``, and when the shapes differ.
    """
    left, right = table_of(a), table_of(b)
    if left.shape != right.shape:
        shapes = f"{list(np.shape(a))} and {list(np.shape(b))}"
        raise InputError(f"A paired comparison needs the same seeds and users on both sides, not {shapes}.")
    return left - right


def mean(values: Any, *, level: float = 0.95, resamples: int = 9_999, seed: int = 0) -> Estimate:
    """The mean with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    For [U] users are drawn with replacement. For [S, U] users and seeds are drawn apart and crossed (Owen 2007, "The
    pigeonhole bootstrap"), where S - 1 of the S seeds are drawn, with replacement: S draws would give (S - 1) / S of
    the seeds' variance, S - 1 give it whole (Rao and Wu 1988). The residual is counted up to three times, so with
    noise that is neither the user's nor the seed's the interval is somewhat too wide; where seeds matter most and are
    few it is too narrow, as no resample knows Student's tails: then use ``compare``'s interval.

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
    _check(level)
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


def wilcoxon(a: Any, b: Any, *, zeros: Zeros = "pratt") -> SignedRanks:
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
    one_of("zeros", zeros, get_args(Zeros))
    by_user = difference_of(a, b).mean(0)
    largest = np.abs(by_user).max()
    if largest == 0:
        return SignedRanks(1.0, 0.0, 0, 0, len(by_user))
    by_user = np.round(by_user / largest, 12)
    ranks = stats.rankdata(np.abs(by_user)) * np.sign(by_user)
    better, worse = int((by_user > 0).sum()), int((by_user < 0).sum())
    p = float(stats.wilcoxon(by_user, zero_method=zeros).pvalue)
    effect = float(ranks.sum() / np.abs(ranks).sum())
    return SignedRanks(p, effect, better, worse, len(by_user) - better - worse)


def _bootstrapped(table: np.ndarray, level: float, resamples: int, seed: int, *, test: bool) -> Estimate:
    _check(level, resamples)
    if table.shape[1] == 1:
        return Estimate.of(table)
    drawn = _resampled(table, resamples, seed)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    least = min((drawn <= 0).sum(), (drawn >= 0).sum())
    p = min(1.0, 2 * (1 + least) / (resamples + 1)) if test else np.nan
    return Estimate.of(table, low, high, p)


def _resampled(table: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means of resamples of the users and, where there are several, of the seeds of [S, U]: [B]."""
    (seeds, users), rng, drawn = table.shape, np.random.default_rng(seed), []
    few, batch = max(1, seeds - 1), max(1, AT_ONCE // users)
    for start in range(0, resamples, batch):
        b = min(batch, resamples - start)
        times_user = _times(rng.integers(users, size=(b, users)), users)  # [b, U]
        times_seed = _times(rng.integers(seeds, size=(b, few)), seeds)  # [b, S]
        drawn.append(((times_seed @ table) * times_user).sum(1) / (users * few))
    return np.concatenate(drawn)


def _times(draws: np.ndarray, n: int) -> np.ndarray:
    """How often each of 0..n-1 was drawn in each row of [b, c]: [b, n]."""
    b = len(draws)
    return np.bincount((draws + n * np.arange(b)[:, None]).ravel(), minlength=b * n).reshape(b, n)


def _check(level: float, resamples: int = 1) -> None:
    if not 0 < level < 1:
        raise InputError(f"level = {level} must lie between 0 and 1, such as 0.95.")
    if resamples < 1:
        raise InputError(f"resamples = {resamples} must be at least 1; 9999 is usual.")
