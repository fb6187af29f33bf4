"""What vectors and graphs know before any recommender is trained on them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.dataset import Dataset
from ..core.errors import InputError, number
from ..core.features import Features
from ..core.item_cf import by_purchases
from ..kernels import neighbours as nearest
from .intervals import Estimate, mean_of_shares
from .item_vectors import item_vectors


def neighbour_purity(data: Dataset, features: Features, *, k: int = 10) -> pd.DataFrame:
    """How often an item's k nearest neighbours by each modality share its category, beside chance.

    Items without the modality or without a category are left out. Chance is the probability that a random other
    item of the same set has the same category.
    """
    category = data.items["category"].astype(str).to_numpy()
    rows = []
    for name, vectors in features.item.items():
        kept = features.present[name].numpy() & (category != "")
        kinds = category[kept]
        if len(kinds) < 2:
            continue
        index, _ = nearest.top_k(vectors[kept], min(k, len(kinds) - 1))  # [n, k]
        counts = pd.Series(kinds).value_counts().to_numpy()
        chance = float((counts * (counts - 1)).sum() / (len(kinds) * (len(kinds) - 1)))
        same = float((kinds[index.numpy()] == kinds[:, None]).mean())
        rows.append(
            {"modality": name, "items": len(kinds), "same category": round(same, 4), "chance": round(chance, 4)}
        )
    return pd.DataFrame(rows, columns=["modality", "items", "same category", "chance"])


def graph_overlap(graphs: Mapping[str, Any]) -> pd.DataFrame:
    """For each pair of graphs over the same rows: the share of the first one's edges that the second has too.

    Chance is the second graph's share of all possible edges.

    Args:
        graphs: name -> Graph [n, n].
    """
    keys = {name: np.unique((graph.row * graph.n_cols + graph.col).cpu().numpy()) for name, graph in graphs.items()}
    rows = []
    for a in graphs:
        for b in graphs:
            if a == b:
                continue
            share = np.isin(keys[a], keys[b], assume_unique=True).mean() if len(keys[a]) else float("nan")
            chance = len(keys[b]) / (graphs[b].n_rows * (graphs[b].n_cols - 1))
            lift = share / chance if chance else float("nan")
            row = {"edges of": a, "found in": b, "share": round(float(share), 4), "chance": round(chance, 4)}
            rows.append(row | {"times chance": round(float(lift), 1)})
    return pd.DataFrame(rows)


def neighbour_overlap(
    data: Dataset, features: Features, modalities: str | None = None, *, k: int = 10, **vectors: Any
) -> dict[str, Any]:
    """How many of an item's k nearest by content are among its k nearest by item-CF, beside chance.

    Over the items that have content and k others with which they share a training user. Chance is k over the number of
    other items with content.

    Args:
        data: a split dataset; its training part is read.
        modalities, vectors: see ``item_vectors``.
        k: neighbours.

    Returns:
        ``share``, an ``Estimate`` over items, ``chance``, ``items``, and ``left out``.

    Raises:
        InputError: for an unknown modality.
    """
    number("k", k, whole=True, least=1)
    items = item_vectors(features, modalities, **vectors)
    rows = items.present.nonzero().flatten()
    bought = by_purchases(data.matrix("train"), k)
    index, _ = nearest.top_k(items.x[rows], min(k, max(1, len(rows) - 1)))  # [n, k] places among ``rows``
    content = np.where(index.numpy() < 0, -1, rows.numpy()[index.numpy()])
    counts = np.diff(bought.indptr)
    asked = np.flatnonzero(counts[rows.numpy()] >= k)
    pairs = np.repeat(np.arange(data.n_items), counts) * data.n_items + bought.indices
    found = np.isin(rows.numpy()[asked, None] * data.n_items + content[asked], pairs) & (content[asked] >= 0)
    share = mean_of_shares(found.sum(1) / k) if len(asked) else Estimate(np.nan, np.nan, np.nan, np.nan, 0, 1)
    chance = k / max(1, len(rows) - 1)
    return {"share": share, "chance": chance, "items": len(asked), "left out": data.n_items - len(asked)}


def agreement(features: Features) -> dict[str, float]:
    """Whether an image knows its text: ``pair_cosine`` of both over the items that have both.

    Empty where the encoder's image and text vectors do not share a space (``Features.space`` says so in words).
    """
    if not ({"image", "text"} <= set(features.item) and features.shares_space):
        return {}
    rows = features.present["image"] & features.present["text"]
    return pair_cosine(features.item["image"][rows], features.item["text"][rows])


def pair_cosine(content: Any, ids: Any) -> dict[str, float]:
    """Mean cosine of each item's two vectors, and of two different items' vectors as the yardstick.

    AlignRec (CIKM 2024), section 5.4.4. ``random`` is the exact mean over all pairs of different items, so it
    needs no sampling. Rows of zeros have no direction and are left out of both.

    Args:
        content, ids: [n, d]; row i of both belongs to item i.

    Returns:
        ``{"pairs": ..., "random": ...}``; NaN where nothing is left to average.

    Raises:
        InputError: when the shapes differ.
    """
    u, v = (torch.as_tensor(values).detach().cpu().double().numpy() for values in (content, ids))
    if u.shape != v.shape:
        raise InputError(f"Content vectors are {list(u.shape)}, ID vectors {list(v.shape)}; cosines need equal shapes.")
    some = (np.linalg.norm(u, axis=1) > 0) & (np.linalg.norm(v, axis=1) > 0)
    u, v = (x[some] / np.linalg.norm(x[some], axis=1, keepdims=True) for x in (u, v))
    n, own = len(u), float((u * v).sum())
    cross = float(u.sum(0) @ v.sum(0)) - own
    return {"pairs": own / n if n else float("nan"), "random": cross / (n * (n - 1)) if n > 1 else float("nan")}
