"""The correction for many comparisons, which figures and tables of comparisons share."""

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): adjusted p values in the given order; NaN counts as 1."""
    values = np.nan_to_num(np.asarray(p, dtype=float), nan=1.0)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()
