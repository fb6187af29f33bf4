"""Is the difference real? Two methods on the same users and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..errors import InputError
from .ranking import Scores, metric_columns


@dataclass(frozen=True)
class Comparison:
    """The mean difference ``a - b`` on one metric, paired over users and seeds.

    Args:
        a, b: the two labels.
        slice, metric: what was compared.
        mean_a, mean_b: means over users and seeds.
        difference, low, high: the mean difference and its 95 % interval.
        p: two-sided probability of so large a difference if there were none.
        users, seeds: how many of each.
    """

    a: str
    b: str
    slice: str
    metric: str
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p: float
    users: int
    seeds: int


def compare(a: Sequence[Scores], b: Sequence[Scores], metric: str = "recall@20", slice: str = "all") -> Comparison:
    r"""Compare two methods that were run with the same seeds on the same users; ``a[s]`` and ``b[s]`` share a seed.

    Users and seeds are both sampled, and crossed: every seed ranks every user. With D[s, u] the difference of
    seed s on user u, the variance of the mean is estimated from both sides,

    .. math:: v = \mathrm{var}(\bar D_{s\cdot}) / S + \mathrm{var}(\bar D_{\cdot u}) / U - \sigma_e^2 / (S U)

    where the last term (the residual, counted twice by the first two) keeps v from being too large; v is at
    least as large as either side's own. The degrees of freedom follow Satterthwaite (1946). With one seed only
    users are counted, and the result says nothing of other seeds.

    Raises:
        InputError: when the two differ in seeds or users.
    """
    if len(a) != len(b) or not a:
        raise InputError(f"A paired comparison needs the same seeds on both sides, not {len(a)} and {len(b)} runs.")
    left, right = _matrix(a, metric, slice), _matrix(b, metric, slice)  # [S, U]
    if left[0].tolist() != right[0].tolist():
        raise InputError(f"{a[0].label} and {b[0].label} were not scored on the same users; use one split for both.")
    difference = left[1] - right[1]
    variance, freedom = _variance(difference)
    mean, error = float(difference.mean()), float(np.sqrt(variance))
    half = float(stats.t.ppf(0.975, freedom)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0)
    means = float(left[1].mean()), float(right[1].mean())
    shape = difference.shape[1], difference.shape[0]
    return Comparison(a[0].label, b[0].label, slice, metric, *means, mean, mean - half, mean + half, p, *shape)


def _variance(difference: np.ndarray) -> tuple[float, float]:
    """Variance of the mean of D [S, U] and its degrees of freedom."""
    seeds, users = difference.shape
    by_user = difference.mean(0).var(ddof=1) / users if users > 1 else 0.0
    if seeds == 1:
        return by_user, max(1, users - 1)
    by_seed = difference.mean(1).var(ddof=1) / seeds
    residual = difference - difference.mean(0) - difference.mean(1, keepdims=True) + difference.mean()
    twice = (residual**2).sum() / max(1, (seeds - 1) * (users - 1)) / (seeds * users)
    variance = max(by_user + by_seed - twice, by_user, by_seed)
    parts = by_user**2 / max(1, users - 1) + by_seed**2 / (seeds - 1)
    freedom = (by_user + by_seed) ** 2 / parts if parts > 0 else 1
    return variance, max(1.0, freedom)


def _matrix(scores: Sequence[Scores], metric: str, slice: str) -> tuple[np.ndarray, np.ndarray]:
    """Users [U] and values [S, U]."""
    tables = [one.per_user[one.per_user["slice"] == slice].sort_values("user") for one in scores]
    users = tables[0]["user"].to_numpy()
    for table in tables:
        if metric not in table:
            raise InputError(f"There is no metric {metric!r}; there are {metric_columns(table)}.")
        if table["user"].to_numpy().tolist() != users.tolist():
            raise InputError("The runs were not scored on the same users; use one split for all seeds.")
    if len(users) == 0:
        raise InputError(f"No user has positives in the slice {slice!r}.")
    return users, np.stack([table[metric].to_numpy() for table in tables])
