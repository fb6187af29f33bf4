"""How far a mean may be off, where that comes from, and what difference can be seen at all.

Letters: U = users, S = seeds. Values are [U], of one trained model, or [S, U], a row a seed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from ..core.errors import InputError


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
    twice = _residual(table) / (seeds * users)
    variance = max(by_user + by_seed - twice, by_user, by_seed)
    parts = by_user**2 / max(1, users - 1) + by_seed**2 / (seeds - 1)
    freedom = (by_user + by_seed) ** 2 / parts if parts > 0 else users - 1
    return float(variance), max(1.0, float(freedom))


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
    residual = _residual(table)
    of_users = max(0.0, float(table.mean(0).var(ddof=1)) - residual / seeds)
    of_seeds = max(0.0, float(table.mean(1).var(ddof=1)) - residual / users)
    return Components(of_users, of_seeds, residual, users, seeds)


def _residual(table: np.ndarray) -> float:
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
