"""Does one ranking predict another? Spearman's rank correlation with its interval."""

from typing import Any

import numpy as np
from scipy import stats

from ..core.errors import InputError
from .intervals import Estimate

FEWEST = 4  # pairs from which an interval can be made


def spearman(x: Any, y: Any, *, level: float = 0.95) -> Estimate:
    r"""Spearman's rank correlation of n pairs with the interval of Bonett and Wright (2000).

    .. math:: \tanh\Big( \mathrm{artanh}(r) \pm z \sqrt{(1 + r^2 / 2) / (n - 3)} \Big)

    It is for other pairs of the same kind, such as other feature sets: few pairs give a wide interval, whatever each
    value is worth. A perfect rank would have no width; its r is set half a step lower for the interval.

    Args:
        x, y: [n]; ties share their mean rank.

    Returns:
        ``value`` in -1..1 with its interval; ``users`` is n. NaN ends for fewer than ``FEWEST`` pairs, NaN all over
        where one side is constant.

    Raises:
        InputError: for different lengths, fewer than two pairs, and NaN or infinite values.
    """
    a, b = (np.asarray(values, dtype=float) for values in (x, y))
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise InputError(f"A rank correlation takes pairs, two or more, not {list(a.shape)} and {list(b.shape)}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("A rank correlation takes finite values only.")
    n = len(a)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return Estimate(np.nan, np.nan, np.nan, np.nan, n, 1)
    r = float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])
    if n < FEWEST:
        return Estimate(r, np.nan, np.nan, np.nan, n, 1)
    most = 1 - 6 / (n * (n**2 - 1))  # an exchange of neighbours costs twice that
    inner = float(np.clip(r, -most, most))
    half = float(stats.norm.ppf((1 + level) / 2)) * np.sqrt((1 + inner**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(inner) - half), np.tanh(np.arctanh(inner) + half)
    return Estimate(r, min(float(low), r), max(float(high), r), np.nan, n, 1)
