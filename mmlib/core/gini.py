"""How unequal counts are: one definition for what a catalogue holds and for what is recommended."""

import numpy as np


def gini(times: np.ndarray) -> float:
    r"""Gini coefficient of counts [m], by Shani and Gunawardana (2011), on counts in ascending order:

    .. math:: G = \frac{1}{m - 1} \sum_{j=1}^{m} (2j - m - 1) \, c_{(j)} / \textstyle\sum_j c_{(j)}

    The factor 1/(m - 1), where others have 1/m, makes 1 the value of "one item takes all". NaN for fewer than two
    items, or when all counts are 0.
    """
    m = len(times)
    weights = 2.0 * np.arange(1, m + 1) - m - 1
    below = (m - 1) * float(times.sum())
    return float(weights @ np.sort(times)) / below if below > 0 else float("nan")
