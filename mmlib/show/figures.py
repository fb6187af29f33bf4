"""Figures of training runs, catalogues, graphs and vectors; each is a plotly figure with a caption."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..data.dataset import Dataset
from ..errors import InputError, one_of
from .theme import DASHES, SYMBOLS, array, axis_names, caption, colour, style


class FitLike(Protocol):
    """What ``training.fit`` gives: one row an epoch, and the epoch that was kept."""

    history: pd.DataFrame
    best_epoch: int


def curves(fits: FitLike | Mapping[str, FitLike], *, metric: str | None = None) -> go.Figure:
    """Loss and validation metric by epoch; the kept epoch is marked with a star.

    What to look for: has the metric flattened out before the end, and does the loss still fall while the metric
    does not (over-fitting)? With one fit all its loss terms and metrics are drawn; with several, the total loss
    and one metric each.

    Args:
        fits: one ``Fit`` or name -> ``Fit``; ``history`` has ``epoch``, ``loss``, ``loss/<term>``, ``valid/<metric>``.
        metric: such as ``"recall@20"``; default: all of a single fit, the first of several.

    Raises:
        InputError: when no epoch was run, or the metric is not in a history.
    """
    named: Mapping[str, Any] = fits if isinstance(fits, Mapping) else {"": fits}
    if not named or any(len(fit.history) == 0 for fit in named.values()):
        raise InputError("There is nothing to draw: no epoch was run. Train for at least one epoch.")
    known = [name.removeprefix("valid/") for name in next(iter(named.values())).history if name.startswith("valid/")]
    shown = known if metric is None else [one_of("metric", metric, known)]
    shown = shown if len(named) == 1 else shown[:1]
    fig = make_subplots(1, 2, subplot_titles=("Training loss", "Validation"), horizontal_spacing=0.1)
    for k, (name, fit) in enumerate(named.items()):
        terms = [c for c in fit.history if c == "loss" or (len(named) == 1 and c.startswith("loss/"))]
        terms = terms if len(terms) != 2 else terms[:1]  # a single term is the total
        for j, column in enumerate(terms):
            _curve(fig, fit, column, name or column.replace("loss/", ""), k + j if not name else k, DASHES[j % 6], 1)
        for j, column in enumerate(f"valid/{one}" for one in shown):
            label = name or column.removeprefix("valid/")
            _curve(fig, fit, column, label, k + j if not name else k, DASHES[j % 6], 2, show=not name, star=True)
    y = shown[0] if len(shown) == 1 else "metric"
    axis_names(fig, "epoch", ["loss (mean over batches)", f"{y} (validation, 0 to 1)"])
    kept = ", ".join(f"{name + ': ' if name else ''}epoch {fit.best_epoch}" for name, fit in named.items())
    style(fig, height=380, legend=dict(orientation="h", y=1.16, yanchor="bottom", x=0), margin_t=96)
    text = f"Loss on training batches (left) and ranking quality on the validation part (right). The star marks the epoch whose weights were kept ({kept})."
    return caption(fig, text)


def _curve(
    fig: go.Figure,
    fit: Any,
    column: str,
    label: str,
    k: int,
    dash: str,
    panel: int,
    *,
    show: bool = True,
    star: bool = False,
) -> None:
    table = fit.history
    if column not in table:
        raise InputError(
            f"The history of {label!r} has no column {column!r}; it has {', '.join(map(str, table.columns))}."
        )
    points = table[["epoch", column]].dropna()
    line = dict(color=colour(k), dash=dash, width=2)
    trace = go.Scatter(
        x=points["epoch"], y=points[column], name=label, line=line, mode="lines" if len(points) > 1 else "markers",
        legendgroup=label, showlegend=show, hovertemplate="epoch %{x}: %{y:.4f}<extra>" + label + "</extra>",
    )  # fmt: skip
    fig.add_trace(trace, row=1, col=panel)
    best = points[points["epoch"] == fit.best_epoch]
    if star and len(best):
        marker = dict(symbol="star", size=13, color=colour(k), line=dict(color="white", width=1))
        fig.add_scatter(
            x=best["epoch"], y=best[column], mode="markers", marker=marker, legendgroup=label, showlegend=False,
            hovertemplate="kept: epoch %{x}, %{y:.4f}<extra>" + label + "</extra>", row=1, col=panel,
        )  # fmt: skip


def long_tail(data: Dataset) -> go.Figure:
    """How unevenly training purchases fall on items and users, on logarithmic axes.

    What to look for: a straight, steep line on the left is a long tail, in which most items have few purchases;
    those are the items for which pictures and words have to speak.
    """
    items, users = data.purchases(), np.bincount(data.train[:, 0], minlength=data.n_users)
    fig = make_subplots(1, 2, subplot_titles=("Items by popularity", "Users by purchases"), horizontal_spacing=0.12)
    ranked = np.sort(items[items > 0])[::-1]
    rank = _thin(len(ranked))
    line = dict(color=colour(0), width=2)
    fig.add_scatter(
        x=rank + 1, y=ranked[rank], line=line, mode="lines+markers", marker_size=5, showlegend=False, row=1, col=1,
        hovertemplate="rank %{x}: %{y} purchases<extra></extra>",
    )  # fmt: skip
    n, share = _at_least(users)
    fig.add_scatter(
        x=n, y=share, line=dict(color=colour(1), width=2), mode="lines+markers", marker=dict(size=5, symbol="square"),
        showlegend=False, row=1, col=2, hovertemplate="%{y:.1%} of users have %{x} or more<extra></extra>",
    )  # fmt: skip
    axis_names(fig, ["item's rank", "n (purchases)"], ["purchases (training part)", "share of users with n or more"])
    fig.update_xaxes(type="log", dtick=1).update_yaxes(type="log", dtick=1)
    top = max(1, round(0.2 * len(items)))
    text = (
        f"The most popular fifth of the items takes {np.sort(items)[::-1][:top].sum() / max(1, items.sum()):.0%} of the "
        f"{items.sum():,} training purchases; {int((items == 0).sum()):,} of {len(items):,} items have none. "
        f"Half of the users bought at most {int(np.median(users))} items."
    )
    return caption(style(fig, height=360), text)


def degrees(graphs: Mapping[str, Any]) -> go.Figure:
    """Share of nodes with at least n neighbours, one line a graph, on logarithmic axes.

    What to look for: a graph cut to its k strongest neighbours falls off a cliff at k; a line that starts well
    below 100 % has many isolated nodes, which learn nothing from this graph.

    Args:
        graphs: name -> Graph (``row`` [n_edges] int64, ``n_rows``).
    """
    fig, facts = go.Figure(), []
    for k, (name, graph) in enumerate(graphs.items()):
        count = np.bincount(array(graph.row), minlength=graph.n_rows)
        n, share = _at_least(count)
        fig.add_scatter(
            x=n, y=share, name=name, mode="lines+markers", line=dict(color=colour(k), dash=DASHES[k % 6], width=2),
            marker=dict(symbol=SYMBOLS[k % len(SYMBOLS)], size=6),
            hovertemplate="%{y:.1%} have %{x} or more<extra>" + name + "</extra>",
        )  # fmt: skip
        facts.append(
            f"{name}: {count.mean():.1f} neighbours on average, {int((count == 0).sum()):,} of {len(count):,} nodes have none"
        )
    axis_names(fig, "n (neighbours)", "share of nodes with n or more")
    fig.update_xaxes(type="log", dtick=1).update_yaxes(tickformat=".0%", rangemode="tozero")
    style(fig, title="Degrees", height=360, showlegend=True)
    return caption(fig, "; ".join(facts) + ".")


def attention(weights: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """How the learnt attention spreads over modalities, for users and for items.

    What to look for: a box that lies at 0 is a modality the model ignores; boxes as tall as the panel mean that
    the model decides user by user.

    Args:
        weights: panel (``"users"``, ``"items"``) -> modality -> [n] attention weights, which sum to 1 over modalities.
    """
    panels = list(weights)
    fig = make_subplots(1, len(panels), subplot_titles=panels, shared_yaxes=True, horizontal_spacing=0.06)
    modalities = list(dict.fromkeys(name for panel in weights.values() for name in panel))
    leaders = []
    for column, panel in enumerate(panels, 1):
        means = {name: float(array(values).mean()) for name, values in weights[panel].items()}
        for name, values in weights[panel].items():
            low, q1, mid, q3, high = np.quantile(array(values).astype(float), [0.05, 0.25, 0.5, 0.75, 0.95])
            fig.add_box(
                x=[name], q1=[q1], median=[mid], q3=[q3], lowerfence=[low], upperfence=[high], mean=[means[name]], name=name,
                boxmean=True, showlegend=False, marker_color=colour(modalities.index(name)), row=1, col=column,
            )  # fmt: skip
        if means:
            best = max(means, key=lambda name: means[name])
            leaders.append(f"{panel}: {best} leads with {means[best]:.2f} on average")
    axis_names(fig, "modality", ["attention weight (0 to 1)"] + [""] * (len(panels) - 1))
    fig.update_yaxes(range=[-0.03, 1.03])
    text = f"Box: quartiles; whiskers: 5th to 95th percentile; dashed line: mean. {'; '.join(leaders)}."
    return caption(style(fig, height=360), text)


def vectors(values: Any, data: Dataset, *, pairs: int = 4000, seed: int = 0) -> go.Figure:
    """Lengths of item vectors, and cosines of pairs of items of the same and of different categories.

    What to look for: the same-category curve should lie to the right of the other one; two curves on top of each
    other say that the vectors do not know the categories, and both near 1 that all vectors point one way.

    Args:
        values: [n_items, d] or name -> [n_items, d].
        pairs: sampled pairs of items.

    Raises:
        InputError: when the number of rows is not the number of items.
    """
    named = dict(values) if isinstance(values, Mapping) else {"vectors": values}
    same_other = _pairs(data, pairs, np.random.default_rng(seed))
    titles = [title for name in named for title in (f"{name}: lengths", f"{name}: cosines of pairs")]
    fig = make_subplots(
        len(named), 2, subplot_titles=titles, horizontal_spacing=0.12, vertical_spacing=0.32 / len(named)
    )
    facts = []
    for row, (name, x) in enumerate(named.items(), 1):
        x = array(x).astype(float)
        if len(x) != data.n_items:
            raise InputError(f"{name} has {len(x)} rows; {data.name} has {data.n_items} items.")
        length = np.linalg.norm(x, axis=1)
        _histogram(fig, length, None, "all items", 0, row, 1, legend=False)
        unit = x / np.maximum(length, 1e-12)[:, None]
        for k, (label, rows) in enumerate(same_other.items()):
            if len(rows):
                cosine = (unit[rows[:, 0]] * unit[rows[:, 1]]).sum(1)
                _histogram(fig, cosine, (-1, 1), label, k + 1, row, 2, legend=row == 1)
                facts.append(f"{name}, {label}: mean cosine {cosine.mean():.2f}")
    axis_names(
        fig, ["length (Euclidean norm)", "cosine (-1 to 1)"] * len(named), ["items", "share of pairs"] * len(named)
    )
    style(
        fig,
        height=120 + 250 * len(named),
        barmode="overlay",
        legend=dict(orientation="h", y=1.1, yanchor="bottom", x=0),
    )
    return caption(fig.update_layout(margin_t=84), "; ".join(facts) + ".")


def _histogram(
    fig: go.Figure,
    values: np.ndarray,
    span: tuple[float, float] | None,
    name: str,
    k: int,
    row: int,
    col: int,
    *,
    legend: bool,
) -> None:
    if span is None and np.ptp(values) < 1e-3 * max(1e-12, abs(values).max()):  # all of one length
        span = (0.0, 2 * float(abs(values).max()) or 1.0)
    heights, edges = np.histogram(values, bins=48, range=span)
    y = heights if col == 1 else heights / max(1, len(values))
    line = dict(color=colour(k), width=2, dash=DASHES[k % 6], shape="hvh")
    fig.add_scatter(
        x=(edges[:-1] + edges[1:]) / 2, y=y, name=name, mode="lines", line=line, fill="tozeroy" if col == 1 else None,
        legendgroup=name, showlegend=legend, hovertemplate="%{x:.3f}: %{y:.3~g}<extra>" + name + "</extra>", row=row, col=col,
    )  # fmt: skip


def _pairs(data: Dataset, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random pairs of different items: [n, 2] of one category, and [n, 2] of different or unknown ones."""
    codes, _ = pd.factorize(data.items["category"].where(data.items["category"] != ""))
    pairs = rng.integers(0, data.n_items, size=(20 * count, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    alike = (codes[pairs[:, 0]] == codes[pairs[:, 1]]) & (codes[pairs[:, 0]] >= 0)
    if not alike.any():
        return {"random pairs": pairs[:count]}
    return {"same category": pairs[alike][:count], "different category": pairs[~alike][:count]}


def _at_least(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each count n > 0 that occurs, and the share of entries that are n or more."""
    n, times = np.unique(count, return_counts=True)
    share = times[::-1].cumsum()[::-1] / max(1, len(count))
    keep = n > 0
    n, share = n[keep], share[keep]
    few = _thin(len(n))
    return n[few], share[few]


def _thin(n: int, most: int = 300) -> np.ndarray:
    """At most ``most`` positions of 0..n-1, dense at the front, with both ends."""
    return np.unique(np.geomspace(1, max(1, n), most).round().astype(int))[: max(0, n)] - 1 if n else np.arange(0)
