"""Is the difference real? Two methods on the same users and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from ..core.errors import InputError
from . import statistics
from .scores import Scores, metric_columns


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
        wilcoxon: p of Wilcoxon's signed-rank test over users (``statistics.wilcoxon``), seeds averaged first.
        detectable: the smallest true difference that this comparison finds with probability 0.8 at level 0.05.
        bootstrap_low, bootstrap_high: 95 % interval of ``statistics.paired_bootstrap``; NaN unless asked for.
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
    wilcoxon: float = np.nan
    detectable: float = np.nan
    bootstrap_low: float = np.nan
    bootstrap_high: float = np.nan


def compare(
    a: Sequence[Scores], b: Sequence[Scores], metric: str = "recall@20", slice: str = "all", *, resamples: int = 0
) -> Comparison:
    """Compare two methods that were run with the same seeds on the same users; ``a[s]`` and ``b[s]`` share a seed.

    Users and seeds are both sampled, and crossed: every seed ranks every user. The variance of the mean difference
    and its degrees of freedom are those of ``statistics.variance_of_mean``, and the test is Student's. With one seed
    that is the paired t-test over users, which says nothing of other seeds.

    Args:
        metric, slice: a metric column of ``per_user``, and one of its slices.
        resamples: of the bootstrap interval, such as 9999; 0 leaves it out, as it takes seconds for many users.

    Raises:
        InputError: when the two differ in seeds or users.
    """
    left, right = paired(a, b, metric, slice)
    difference = left - right
    variance, freedom = statistics.variance_of_mean(difference)
    mean, error = float(difference.mean()), float(np.sqrt(variance))
    half = float(stats.t.ppf(0.975, freedom)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0)
    means = float(left.mean()), float(right.mean())
    seeds, users = difference.shape
    found = Comparison(a[0].label, b[0].label, slice, metric, *means, mean, mean - half, mean + half, p, users, seeds)
    found = replace(found, wilcoxon=statistics.wilcoxon(left, right).p)
    if users > 1:
        found = replace(found, detectable=statistics.detectable(error, freedom))
    if resamples:
        interval = statistics.paired_bootstrap(left, right, resamples=resamples)
        found = replace(found, bootstrap_low=interval.low, bootstrap_high=interval.high)
    return found


def paired(
    a: Sequence[Scores], b: Sequence[Scores], metric: str = "recall@20", slice: str = "all"
) -> tuple[np.ndarray, np.ndarray]:
    """The values of both methods, [S, U] each, users and seeds in the same order: what ``statistics`` takes.

    Raises:
        InputError: when the two differ in seeds or users, or the metric or slice is not there.
    """
    if len(a) != len(b) or not a:
        raise InputError(f"A paired comparison needs the same seeds on both sides, not {len(a)} and {len(b)} runs.")
    left, right = _matrix(a, metric, slice), _matrix(b, metric, slice)
    if left[0].tolist() != right[0].tolist():
        raise InputError(f"{a[0].label} and {b[0].label} were not scored on the same users; use one split for both.")
    return left[1], right[1]


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
