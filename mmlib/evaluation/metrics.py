"""What each user's list is worth, and what all lists together recommend.

Letters: n = users, K = length of the lists, m = items, h = hits (1 where the item at a place is a positive, else 0),
P = positives of a user.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..core.errors import InputError, closest
from ..core.gini import gini

METRICS = ("recall", "ndcg", "precision", "hr", "map", "mrr")
OF_LISTS = ("coverage", "gini", "popularity", "relative popularity", "share")


def check_metric(name: str) -> tuple[str, int]:
    """The parts of a metric's name, such as ``("recall", 20)`` of ``"recall@20"``.

    Raises:
        InputError: for an unknown metric, or a length that is not a whole number of at least 1.
    """
    metric, _, length = str(name).partition("@")
    if metric not in METRICS or not length.isdecimal() or int(length) < 1:
        raise InputError(
            f"metric = {name!r} is not known; give one of {', '.join(METRICS)} at a length, such as 'recall@20'."
            + closest(metric, METRICS)
        )
    return metric, int(length)


def of_users(
    hits: Tensor, positives: Tensor, k: Sequence[int], metrics: Sequence[str] = METRICS
) -> dict[str, np.ndarray]:
    r"""Metrics of each user's list; all lie in 0..1.

    With P positives and the hits :math:`h_1 \dots h_k`:

    - recall: :math:`\sum_j h_j / P`; precision: :math:`\sum_j h_j / k`, also where fewer than k items are left;
      hr (hit ratio): 1 with any hit, else 0.
    - ndcg: :math:`\sum_j h_j / \log_2(j + 1)`, divided by what min(P, k) hits at the first places would give
      (Järvelin and Kekäläinen 2002).
    - map: :math:`\sum_j h_j \, (h_1 + \dots + h_j) / j`, divided by min(P, k): average precision of a list that ends
      at k, which is 1 for the best possible list. PyG's ``LinkPredMAP`` is the same; toolboxes that divide by P give
      min(P, k) / P times as much (Manning, Raghavan and Schütze 2008, section 8.4, for lists without end).
    - mrr: 1 / place of the first hit, 0 without a hit (Voorhees 1999).

    Args:
        hits: [n, K] bool, best place first; K is at least every ``k``.
        positives: [n] how many positives the user has, at least 1.
        k: lengths at which the lists are cut.
        metrics: which of ``METRICS``.

    Returns:
        ``metric@k`` -> [n] float64.
    """
    found_by, positives = hits.double().cumsum(1), positives.double()  # [n, K], [n]
    places = torch.arange(1, hits.shape[1] + 1, dtype=torch.float64)
    discount = 1 / (places + 1).log2()
    gain, ideal = (hits * discount).cumsum(1), discount.cumsum(0)
    precisions, reciprocal = (hits * found_by / places).cumsum(1), hits / places
    columns: dict[str, np.ndarray] = {}
    for at in sorted(set(k)):
        found, most = found_by[:, at - 1], positives.clamp(max=at)
        values = {
            "recall": found / positives,
            "ndcg": gain[:, at - 1] / ideal[most.long() - 1],
            "precision": found / at,
            "hr": (found > 0).double(),
            "map": precisions[:, at - 1] / most,
            "mrr": reciprocal[:, :at].amax(1),
        }
        columns |= {f"{metric}@{at}": values[metric].numpy() for metric in metrics}
    return columns


def of_lists(
    items: np.ndarray, purchases: np.ndarray, k: Sequence[int], counted: np.ndarray | None = None
) -> dict[str, float]:
    """What the lists of many users recommend, taken together; no positives are needed.

    - coverage: share of the counted items that are in any list (Ge, Delgado-Battenfeld and Jannach 2010).
    - gini: how unequally the counted items are recommended, 0 when all as often and 1 when one takes all places
      (Shani and Gunawardana 2011); see ``gini``.
    - popularity: mean number of training purchases of the recommended items, over all places; where all lists are
      full this is the average recommendation popularity of Yin et al. (2012) and PyG's ``LinkPredAveragePopularity``.
    - relative popularity: the same over the mean of the whole catalogue; 1 is what random lists would give.
    - share: share of all places that the counted items take; 1 where every item counts.

    Args:
        items: [n, K] the lists, best first; -1 is an empty place, which counts nowhere.
        purchases: [m] training purchases of each item.
        k: lengths at which the lists are cut.
        counted: [m] bool; only places with these items count, but in ``share``'s denominator.

    Returns:
        ``metric@k`` -> value; NaN where nothing is there to divide by.
    """
    counted = np.ones(len(purchases), dtype=bool) if counted is None else counted
    found: dict[str, float] = {}
    for at in sorted(set(k)):
        places = items[:, :at].ravel()
        times = np.bincount(places[places >= 0], minlength=len(purchases))
        own = times[counted]
        popularity = _ratio(own @ purchases[counted], own.sum())
        values = (
            _ratio((own > 0).sum(), len(own)),
            gini(own),
            popularity,
            _ratio(popularity, purchases.mean()),
            _ratio(own.sum(), times.sum()),
        )
        found |= {f"{name}@{at}": value for name, value in zip(OF_LISTS, values)}
    return found


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")
