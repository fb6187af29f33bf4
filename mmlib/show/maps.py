"""Maps of item vectors: how far what an item looks like lies from what its buyers made of it."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..evaluation.probes import pair_cosine
from .pictures import cards
from .theme import OTHER, Style, array, caption, category_styles, small, style

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


def _alignment(data: Dataset, panels: dict[str, Pair], sample: int, seed: int) -> go.Figure:
    chosen = _choose(data, list(panels.values()), sample, seed)
    styles = category_styles(data.items["category"])
    titles, facts = [], []
    for name, (content, ids) in panels.items():
        cosine = pair_cosine(content, ids)
        facts.append(cosine)
        titles.append(
            escape(name) + "<br>" + small(f"mean cosine: pairs {cosine['pairs']:.3f}, random {cosine['random']:.3f}")
        )
    fig = make_subplots(1, len(panels), subplot_titles=titles, horizontal_spacing=0.05)
    for column, (content, ids) in enumerate(panels.values(), 1):
        points = _tsne(_unit(array(content)[chosen].astype(float)), _unit(array(ids)[chosen].astype(float)), seed)
        _draw(fig, data, chosen, points, styles, column)
    fig.update_xaxes(title_text="t-SNE 1 (no unit)", showticklabels=False, ticks="", showgrid=False)
    fig.update_yaxes(title_text="t-SNE 2 (no unit)", showticklabels=False, ticks="", showgrid=False)
    fig.update_yaxes(title_text="", col=2)
    style(fig, height=540, meta={"cards": cards(data, chosen.tolist())}, legend=dict(tracegroupgap=2))
    rise = f" Pairs go from {facts[0]['pairs']:.3f} to {facts[1]['pairs']:.3f}." if len(facts) > 1 else ""
    text = (
        f"{len(chosen)} of {data.n_items:,} items, drawn at random. Filled marker: what the item's content says; open "
        "marker: its ID vector; the line joins the two of one item. Mean cosines are over all items; random: vectors "
        f"of two different items.{rise} Point at a marker to see the item."
    )
    return caption(fig.update_layout(margin_t=84), text)


def _draw(
    fig: go.Figure,
    data: Dataset,
    chosen: np.ndarray,
    points: tuple[np.ndarray, np.ndarray],
    styles: dict[str, Style],
    column: int,
) -> None:
    first, second = points
    gap = np.full(len(chosen), np.nan)
    x, y = (np.stack([first[:, axis], second[:, axis], gap], 1).ravel() for axis in (0, 1))
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line=dict(color="#b5bac0", width=0.8),
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=column,
    )
    names = data.items["category"].astype(str).to_numpy()[chosen]
    groups = np.array([name if name in styles else OTHER for name in names])
    titles = [escape(str(title)) for title in data.items["title"].iloc[chosen]]
    for name, look in styles.items():
        rows = np.flatnonzero(groups == name)
        for kind, place in (("content", first), ("ID", second)):
            if not len(rows):
                continue
            symbol = look.symbol.removesuffix("-open") + ("" if kind == "content" else "-open")
            line = dict(color="white", width=0.5) if kind == "content" else dict(color=look.colour, width=1.5)
            fig.add_scatter(
                x=place[rows, 0].round(3), y=place[rows, 1].round(3), mode="markers", name=escape(name),
                legendgroup=name, showlegend=kind == "content" and column == 1,
                marker=dict(color=look.colour, symbol=symbol, size=9 if kind == "content" else 8, line=line),
                customdata=rows.tolist(), text=[titles[row] for row in rows], row=1, col=column,
                hovertemplate="%{text}<br>" + kind + " vector<extra>" + escape(name) + "</extra>",
            )  # fmt: skip


def _choose(data: Dataset, pairs: Sequence[Pair], sample: int, seed: int) -> np.ndarray:
    for content, ids in pairs:
        for name, values in (("content", content), ("ID", ids)):
            if len(values) != data.n_items:
                raise InputError(f"There are {len(values)} {name} vectors; {data.name} has {data.n_items} items.")
    if data.n_items < 4:
        raise InputError(f"{data.name} has {data.n_items} items; a map needs at least 4.")
    return np.sort(
        np.random.default_rng(seed).choice(data.n_items, size=max(4, min(sample, data.n_items)), replace=False)
    )


def _tsne(content: np.ndarray, ids: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One map of both: two [n, 2]."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    x = np.concatenate([content, ids]).astype(np.float32)
    perplexity = min(30.0, (len(x) - 1) / 3)
    with threadpool_limits(1):  # a few hundred points: more threads only wait for each other
        y = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed).fit_transform(x)
    return y[: len(content)], y[len(content) :]


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
