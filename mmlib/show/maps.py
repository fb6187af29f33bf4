"""Maps of item vectors: how far what an item looks like lies from what its buyers made of it."""

from collections.abc import Sequence
from html import escape
from itertools import product
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..evaluation.probes import pair_cosine
from .pictures import cards
from .theme import OTHER, array, category_styles, finish, panels, small

Pair = tuple[Any, Any]


def alignment(
    data: Dataset,
    content: Any,
    ids: Any,
    *,
    sample: int = 150,
    seed: int = 0,
    title: str = "Content and ID vectors of the same items",
) -> go.Figure:
    """Joint t-SNE of content and ID vectors of the same items, joined by a line (AlignRec fig. 4, one panel).

    What to look for: short lines. Long ones say that what an item looks like and what its buyers made of it are
    told in two languages; two separate clouds, that the model keeps them apart altogether.

    Rows are scaled to length 1 first, since alignment is a matter of direction. t-SNE shows who is near whom; its
    distances between far clusters mean nothing.

    Args:
        content, ids: [n_items, d].
        sample: number of items drawn, chosen by ``seed``.

    Raises:
        InputError: when shapes do not fit the catalogue or each other.
    """
    return _alignment(data, {title: (content, ids)}, sample, seed)


def alignment_pair(data: Dataset, before: Pair, after: Pair, *, sample: int = 150, seed: int = 0) -> go.Figure:
    """``alignment`` of the same items before and after, side by side (AlignRec fig. 4).

    What to look for: shorter lines on the right, and a mean cosine of pairs that has risen away from that of
    random pairs; if both rose together, all vectors have merely turned one way.

    Args:
        before, after: (content [n_items, d], ids [n_items, d]).
    """
    return _alignment(data, {"Before": before, "After": after}, sample, seed)


def _alignment(data: Dataset, spaces: dict[str, Pair], sample: int, seed: int) -> go.Figure:
    chosen = _choose(data, list(spaces.values()), sample, seed)
    cosines = [pair_cosine(*pair) for pair in spaces.values()]
    titles = [
        f"{escape(name)}<br>" + small(f"mean cosine: pairs {one['pairs']:.3f}, random {one['random']:.3f}")
        for name, one in zip(spaces, cosines)
    ]
    fig = panels(titles, horizontal_spacing=0.05)
    for column, pair in enumerate(spaces.values(), 1):
        _draw(fig, data, chosen, _tsne([array(x)[chosen] for x in pair], seed), column)
    for update in (fig.update_xaxes, fig.update_yaxes):
        update(showticklabels=False, ticks="", showgrid=False)
    rise = f" Pairs go from {cosines[0]['pairs']:.3f} to {cosines[1]['pairs']:.3f}." if len(cosines) > 1 else ""
    text = (
        f"{len(chosen)} of {data.n_items:,} items, drawn at random. Filled marker: what the item's content says; open "
        "marker: its ID vector; the line joins the two of one item. Mean cosines are over all items; random: vectors "
        f"of two different items.{rise} Point at a marker to see the item."
    )
    meta, y = {"cards": cards(data, chosen.tolist())}, ["t-SNE 2 (no unit)"] + [""] * (len(spaces) - 1)
    return finish(fig, text, x="t-SNE 1 (no unit)", y=y, height=540, margin_t=84, meta=meta, legend_tracegroupgap=2)


def _draw(
    fig: go.Figure, data: Dataset, chosen: np.ndarray, points: tuple[np.ndarray, np.ndarray], column: int
) -> None:
    """One panel: both points of each chosen item, [n, 2] each, and the line between them."""
    first, second = points
    gap = np.full(len(chosen), np.nan)
    x, y = (np.stack([first[:, axis], second[:, axis], gap], 1).ravel() for axis in (0, 1))
    fig.add_scatter(
        x=x, y=y, mode="lines", line=dict(color="#b5bac0", width=0.8), hoverinfo="skip", showlegend=False,
        row=1, col=column,
    )  # fmt: skip
    names, styles = data.items["category"].astype(str).to_numpy()[chosen], category_styles(data.items["category"])
    groups = np.array([name if name in styles else OTHER for name in names])
    titles = [escape(str(title)) for title in data.items["title"].iloc[chosen]]
    for (name, look), (kind, place) in product(styles.items(), (("content", first), ("ID", second))):
        rows = np.flatnonzero(groups == name)
        if not len(rows):
            continue
        filled = kind == "content"
        line = dict(color="white", width=0.5) if filled else dict(color=look.colour, width=1.5)
        symbol = look.symbol.removesuffix("-open") + ("" if filled else "-open")
        fig.add_scatter(
            x=place[rows, 0].round(3), y=place[rows, 1].round(3), mode="markers", name=escape(name),
            legendgroup=name, showlegend=filled and column == 1,
            marker=dict(color=look.colour, symbol=symbol, size=9 if filled else 8, line=line),
            customdata=rows.tolist(), text=[titles[row] for row in rows], row=1, col=column,
            hovertemplate="%{text}<br>" + kind + " vector<extra>" + escape(name) + "</extra>",
        )  # fmt: skip


def _choose(data: Dataset, pairs: Sequence[Pair], sample: int, seed: int) -> np.ndarray:
    """Numbers of the items that are drawn, rising."""
    for content, ids in pairs:
        for name, values in (("content", content), ("ID", ids)):
            if len(values) != data.n_items:
                raise InputError(f"There are {len(values)} {name} vectors; {data.name} has {data.n_items} items.")
    if data.n_items < 4:
        raise InputError(f"{data.name} has {data.n_items} items; a map needs at least 4.")
    size = max(4, min(sample, data.n_items))
    return np.sort(np.random.default_rng(seed).choice(data.n_items, size=size, replace=False))


def _tsne(pair: Sequence[np.ndarray], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One map of content and ID vectors of the same items, scaled to length 1: two [n, 2]."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import normalize
    from threadpoolctl import threadpool_limits

    x = np.concatenate([normalize(one.astype(float)) for one in pair]).astype(np.float32)
    perplexity = min(30.0, (len(x) - 1) / 3)
    with threadpool_limits(1):  # a few hundred points: more threads only wait for each other
        y = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed).fit_transform(x)
    return y[: len(y) // 2], y[len(y) // 2 :]
