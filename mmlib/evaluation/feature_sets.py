"""Feature sets side by side: every probe of each, in one table with intervals and chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.dataset import Dataset
from ..core.features import Features
from ..splits import cold_items
from .alignrec_probes import item_cf, known_part, mask_modality, zero_shot
from .comparison import Comparisons, compare_all
from .geometry import alignment, both, linear_cka, modality_gap, uniformity
from .intervals import Estimate
from .probes import neighbour_overlap
from .recalled import Recalled
from .retrieval import text_to_image
from .scores import Method, Scores

COLUMNS = ("features", "probe", "value", "low", "high", "chance", "of", "n")
ZERO_SHOT, ITEM_CF = "zero-shot", "item-CF"


def cold_part(data: Dataset, *, share: float = 0.2, seed: int = 0) -> Dataset:
    """The training and validation interactions, split anew so that a share of the items has none in training.

    What content alone knows of an item is judged by it, and the test part stays unread.

    Raises:
        InputError: as ``splits.cold_items``.
    """
    return cold_items(known_part(data), share, seed=seed)


def probe_table(
    data: Dataset,
    sets: Mapping[str, Features],
    *,
    k: int = 20,
    knn: Mapping[str, Mapping[str, Scores]] | None = None,
    cold: Dataset | None = None,
    draws: int = 3,
) -> pd.DataFrame:
    """What each feature set finds: ``features``, ``probe``, ``value``, ``low``, ``high``, ``chance``, ``of``, ``n``.

    AlignRec's zero-shot and item-CF, the zero-shot with half of the images or texts masked, the overlap of neighbours
    by content and by item-CF, and whether a text finds its image, where they share a space. All are shares from 0 to
    1, higher is better.

    Args:
        sets: name -> features.
        k: places of all lists, and neighbours of the overlap.
        knn: lists by content for cold items, made above this room: name of the probe -> name of the set -> ``Scores``.
        cold: whose cold items they rank.
        draws: of the masked items.
    """
    rows = []
    for name, one in sets.items():
        shot, cf = zero_shot(data, one), item_cf(data, one)
        rows += [_recalled(name, ZERO_SHOT, shot, k), _recalled(name, ITEM_CF, cf, k)]
        for modality in (each for each in ("image", "text") if len(set(one.item) - {"fused"}) > 1 and each in one.item):
            masked = mask_modality(data, one, modality, draws=draws).masked
            rows.append(_recalled(name, f"{ZERO_SHOT}, half the {modality}s masked", masked, k))
        overlap = neighbour_overlap(data, one, k=k)
        rows.append(_row(name, "neighbours shared with item-CF", overlap["share"], overlap["chance"], "items"))
        for found in text_to_image(one).values():
            rows.append(_row(name, "text finds its image", found.interval(k), found.chance(k), "items"))
    chance = min(1.0, k / int((cold.purchases() == 0).sum())) if cold else np.nan
    for probe, scores in (knn or {}).items():
        rows += [_judged(name, probe, one, f"recall@{k}", chance) for name, one in scores.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def geometry_table(sets: Mapping[str, Features]) -> pd.DataFrame:
    """How the vectors lie, in the columns of ``probe_table``, ``chance`` being NaN; of items that have text and image.

    Uniformity of each modality and the debiased linear CKA of both for all, the modality gap and alignment where text
    and image share a space.
    """
    rows = []
    for name, one in sets.items():
        here = {modality: one.item[modality][one.present[modality]] for modality in one.item}
        rows += [_row(name, f"uniformity of {modality}", uniformity(x)) for modality, x in here.items() if len(x) > 1]
        if not {"text", "image"} <= set(one.item) or not (one.present["text"] & one.present["image"]).any():
            continue
        text, image = both(one)
        rows.append(_row(name, "linear CKA of text and image", linear_cka(text, image, debiased=True)))
        if one.shares_space:
            rows.append(_row(name, "modality gap", modality_gap(text, image)))
            rows.append(_row(name, "alignment of text and image", alignment(text, image)))
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_sets(data: Dataset, sets: Mapping[str, Features], *, k: int = 20, level: float = 0.05) -> Comparisons:
    """Which feature set finds more users' last item, every pair, paired over users and corrected together.

    Raises:
        InputError: for fewer than two sets.
    """
    shots = {name: zero_shot(data, one) for name, one in sets.items()}
    methods = {name: Method(name, {"": _scores(name, one, k)}) for name, one in shots.items()}
    return compare_all(methods, f"recall@{k}", level=level)


def _scores(label: str, found: Recalled, k: int) -> Scores:
    """Hits of the users as a ranking's scores, so that they are compared like any."""
    columns = {"user": found.who.numpy(), "slice": "all", "positives": 1, f"recall@{k}": found.hits(k)}
    return Scores(label, pd.DataFrame(columns), {})


def _recalled(name: str, probe: str, found: Recalled, k: int) -> Sequence[Any]:
    return _row(name, probe, found.recall(k), found.chance(k), found.of)


def _judged(name: str, probe: str, scores: Scores, metric: str, chance: float) -> Sequence[Any]:
    means = scores.means()
    row = means[(means["slice"] == "all") & (means["metric"] == metric)].iloc[0]
    found = Estimate(row["mean"], row["low"], row["high"], np.nan, int(row["users"]), 1)
    return _row(name, probe, found, chance, "users")


def _row(name: str, probe: str, one: Estimate, chance: float = np.nan, of: str = "items") -> Sequence[Any]:
    return name, probe, float(one.value), float(one.low), float(one.high), chance, of, one.users
