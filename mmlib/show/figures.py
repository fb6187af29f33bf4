"""Figures of training runs, catalogues, graphs and vectors; each is a plotly figure with a caption."""

from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..kernels import neighbours as nearest
from .spaces import Vectors, item_spaces
from .tables import Html
from .theme import LEGEND, array, colour, finish, line, log_ticks, mark, panels


class FitLike(Protocol):
    """What ``training.fit`` gives: one row an epoch, and the epoch that was kept."""

    @property
    def history(self) -> pd.DataFrame: ...

    @property
    def best_epoch(self) -> int: ...


def curves(fits: FitLike | Mapping[str, FitLike] | None, *, metric: str | None = None) -> go.Figure | Html:
    """Loss and validation metric by epoch; the kept epoch is marked with a star.

    What to look for: has the metric flattened out before the end, and does the loss still fall while the metric
    does not (over-fitting)? With one fit all its loss terms and metrics are drawn; with several, the total loss
    and one metric each.

    Args:
        fits: one ``Fit`` or name -> ``Fit``; ``history`` has ``epoch``, ``loss``, ``loss/<term>``, ``valid/<metric>``.
            ``None`` is said in words.
        metric: such as ``"recall@20"``; default: all of a single fit, the first of several.

    Raises:
        InputError: when no epoch was run, or the metric is not in a history.
    """
    if fits is None:
        return Html("<p>Nothing was trained here.</p>")
    named: Mapping[str, Any] = fits if isinstance(fits, Mapping) else {"": fits}
    if not named or any(len(fit.history) == 0 for fit in named.values()):
        raise InputError("There is nothing to draw: no epoch was run. Train for at least one epoch.")
    known = [name.removeprefix("valid/") for name in next(iter(named.values())).history if name.startswith("valid/")]
    shown = known if metric is None else [one_of("metric", metric, known)]
    shown = shown if len(named) == 1 else shown[:1]
    fig = panels(("Training loss", "Validation"))
    for k, (name, fit) in enumerate(named.items()):
        terms = sorted(c for c in fit.history if c == "loss" or (len(named) == 1 and c.startswith("loss/")))
        for j, column in enumerate(terms if len(terms) != 2 else terms[:1]):  # a single term is the total
            label = name or ("total" if column == "loss" else column.removeprefix("loss/"))
            _curve(fig, fit, column, label, k + j, 1, show=True)
        for j, metric in enumerate(shown):
            _curve(fig, fit, f"valid/{metric}", name or metric, k + j, 2, show=not name)
    fig.update_xaxes(dtick=1 if max(len(fit.history) for fit in named.values()) <= 12 else None)
    bar: dict[str, Any] = dict(orientation="h", y=1.13, yanchor="bottom")
    kept = ", ".join(f"{name + ': ' if name else ''}epoch {fit.best_epoch}" for name, fit in named.items())
    text = (
        "Loss on training batches (left) and ranking quality on the validation part (right). "
        f"The star marks the epoch whose weights were kept ({kept})."
    )
    y = ["loss (mean over batches)", f"{shown[0]} (0 to 1)" if len(shown) == 1 else "metric (0 to 1)"]
    return finish(fig, text, x="epoch", y=y, height=390, margin_t=92, legend=bar | {"x": 0}, legend2=bar | {"x": 0.56})


def _curve(fig: go.Figure, fit: Any, column: str, label: str, k: int, panel: int, *, show: bool) -> None:
    """One column of a history; in the validation panel (2) the kept epoch gets a star."""
    table = fit.history
    if column not in table:
        known = ", ".join(map(str, table.columns))
        raise InputError(f"The history of {label!r} has no column {column!r}; it has {known}.")
    points = table[["epoch", column]].dropna()
    look = dict(legendgroup=label, legend="legend2" if show and panel == 2 else "legend", row=1, col=panel)
    fig.add_scatter(
        x=points["epoch"], y=points[column], name=label, mode="lines" if len(points) > 1 else "markers",
        showlegend=show, line=line(k),
        hovertemplate="epoch %{x}: %{y:.4f}<extra>" + escape(label) + "</extra>", **look,
    )  # fmt: skip
    best = points[points["epoch"] == fit.best_epoch]
    if panel == 2 and len(best):
        fig.add_scatter(
            x=best["epoch"], y=best[column], mode="markers", showlegend=False,
            marker=dict(symbol="star", size=13, color=colour(k), line=dict(color="white", width=1)),
            hovertemplate="kept: epoch %{x}, %{y:.4f}<extra>" + escape(label) + "</extra>", **look,
        )  # fmt: skip


def long_tail(data: Dataset) -> go.Figure:
    """How unevenly training purchases fall on items and users, on logarithmic axes.

    What to look for: a straight, steep line on the left is a long tail, in which most items have few purchases;
    those are the items for which pictures and words have to speak.
    """
    items, users = data.purchases(), np.bincount(data.train[:, 0], minlength=data.n_users)
    fig = panels(("Items by popularity", "Users by purchases"))
    ranked = np.sort(items[items > 0])[::-1]
    rank = _thin(len(ranked))
    fig.add_scatter(
        x=rank + 1, y=ranked[rank], line=dict(color=colour(0), width=2), mode="lines+markers", marker_size=5,
        showlegend=False, row=1, col=1, hovertemplate="rank %{x}: %{y} purchases<extra></extra>",
    )  # fmt: skip
    look: dict[str, Any] = dict(line=dict(color=colour(1), width=2, shape="vh"), marker=dict(size=5, symbol="square"))
    n = _at_least(fig, users, "%{y:.1%} of users have %{x} or more<extra></extra>", showlegend=False, col=2, **look)
    fig.update_xaxes(type="log", tickvals=log_ticks(rank + 1), col=1)
    fig.update_xaxes(type="log", tickvals=log_ticks(n), col=2)
    fig.update_yaxes(type="log", tickvals=log_ticks(ranked), col=1)
    fig.update_yaxes(tickformat=".0%", rangemode="tozero", col=2)
    top = np.sort(items)[::-1][: max(1, round(0.2 * len(items)))].sum() / max(1, items.sum())
    text = (
        f"The most popular fifth of the items takes {top:.0%} of the {items.sum():,} training purchases; "
        f"{int((items == 0).sum()):,} of {len(items):,} items have none. "
        f"Half of the users bought at most {int(np.median(users))} items."
    )
    y = ["purchases (training part)", "share of users with n or more"]
    return finish(fig, text, x=["item's rank", "n (purchases)"], y=y, height=370)


def degrees(graphs: Mapping[str, Any]) -> go.Figure:
    """Share of nodes with at least n neighbours, one line a graph, on logarithmic axes.

    What to look for: a graph cut to its k strongest neighbours falls off a cliff at k; a line that starts well
    below 100 % has many isolated nodes, which learn nothing from this graph.

    Args:
        graphs: name -> Graph (``row`` [n_edges] int64, ``n_rows``).
    """
    fig, facts, ticks = go.Figure(), [], np.array([1])
    for k, (name, graph) in enumerate(graphs.items()):
        count = np.bincount(array(graph.row), minlength=graph.n_rows)
        hover = "%{y:.1%} have %{x} or more<extra>" + escape(name) + "</extra>"
        look: dict[str, Any] = dict(
            name=escape(name), line=line(k, shape="vh"), marker=dict(symbol=mark(k)["symbol"], size=6)
        )
        ticks, none = np.append(ticks, _at_least(fig, count, hover, **look)), int((count == 0).sum())
        facts.append(f"{name}: {count.mean():.1f} neighbours on average, {none:,} of {len(count):,} nodes have none")
    fig.update_xaxes(type="log", tickvals=log_ticks(ticks)).update_yaxes(tickformat=".0%", rangemode="tozero")
    x, y, text = "n (neighbours)", "share of nodes with n or more", "; ".join(facts) + "."
    return finish(fig, text, x=x, y=y, title="Degrees", height=360, showlegend=True)


def attention(weights: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """How the learnt attention spreads over modalities, for users and for items.

    What to look for: a box that lies at 0 is a modality the model ignores; boxes as tall as the panel mean that
    the model decides user by user.

    Args:
        weights: panel (``"users"``, ``"items"``) -> modality -> [n] attention weights, which sum to 1 over modalities.
    """
    fig = panels(list(weights), shared_yaxes=True, horizontal_spacing=0.06)
    modalities, leaders = list(dict.fromkeys(name for panel in weights.values() for name in panel)), []
    for column, (panel, found) in enumerate(weights.items(), 1):
        means = {name: float(array(values).mean()) for name, values in found.items()}
        for name, values in found.items():
            low, q1, mid, q3, high = np.quantile(array(values).astype(float), [0.05, 0.25, 0.5, 0.75, 0.95])
            fig.add_box(
                x=[name], q1=[q1], median=[mid], q3=[q3], lowerfence=[low], upperfence=[high], mean=[means[name]],
                name=name, boxmean=True, showlegend=False, marker_color=colour(modalities.index(name)),
                row=1, col=column,
            )  # fmt: skip
        if means:
            best = max(means, key=lambda name: means[name])
            leaders.append(f"for {panel}, {best} leads with {means[best]:.2f} on average")
    fig.update_yaxes(range=[-0.03, 1.03])
    facts = "; ".join(leaders)
    text = f"Box: quartiles; whiskers: 5th to 95th percentile; dashed line: mean. {facts[:1].upper()}{facts[1:]}."
    y = ["attention weight (0 to 1)"] + [""] * (len(weights) - 1)
    return finish(fig, text, x="modality", y=y, height=360)


def vectors(values: Vectors, data: Dataset, *, pairs: int = 4000, seed: int = 0) -> go.Figure:
    """Lengths of item vectors, and cosines of pairs of items of the same and of different categories.

    What to look for: the same-category curve should lie to the right of the other one; two curves on top of each
    other say that the vectors do not know the categories, and both near 1 that all vectors point one way.

    Args:
        values: ``Features`` (missing items are left out), ``Embeddings``, name -> [n_items, d], or [n_items, d].
        pairs: sampled pairs of items.

    Raises:
        InputError: when the number of rows is not the number of items.
    """
    spaces, facts = item_spaces(data, values), []
    titles = [title for name in spaces for title in (f"{escape(name)}: lengths", f"{escape(name)}: cosines of pairs")]
    n = len(spaces)
    fig = make_subplots(n, 2, subplot_titles=titles, horizontal_spacing=0.12, vertical_spacing=0.4 / n)
    for row, (name, (rows, present)) in enumerate(spaces.items(), 1):
        length = rows.norm(dim=1)[present].numpy()
        spread = None if np.ptp(length) > 1e-3 * length.max() else (0.0, 2 * float(length.max()) or 1.0)
        _histogram(fig, length, spread, "all items", 0, row, 1)
        unit = nearest.unit(rows).numpy()
        found = _pairs(data, present.numpy(), pairs, np.random.default_rng(seed))
        for k, (label, two) in enumerate(found.items(), 1):
            cosine = (unit[two[:, 0]] * unit[two[:, 1]]).sum(1)
            _histogram(fig, cosine, (-1.0, 1.0), label, k, row, 2)
            facts.append(f"{label} {cosine.mean():.2f} ({name})")
    x, y = ["length (Euclidean norm)", "cosine (-1 to 1)"] * n, ["share of items", "share of pairs"] * n
    text = "Mean cosines: " + ", ".join(facts) + "."
    return finish(fig, text, x=x, y=y, height=120 + 260 * n, legend=LEGEND | {"x": 0.56}, margin_t=76)


def _histogram(
    fig: go.Figure, values: np.ndarray, span: tuple[float, float] | None, name: str, k: int, row: int, col: int
) -> None:
    """The outline of a histogram, from zero and back to zero."""
    bins = int(np.clip(2 * len(values) ** 0.5, 8, 50))
    heights, edges = np.histogram(values, bins=bins, range=span)
    x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(heights / max(1, len(values)), 2), [0]])
    fig.add_scatter(
        x=x, y=y, name=name, mode="lines", line=line(k, width=1.8), legendgroup=name, row=row, col=col,
        fill="tozeroy" if col == 1 else None, showlegend=col == 2 and row == 1,
        hovertemplate="%{x:.3f}: %{y:.2~p}<extra>" + name + "</extra>",
    )  # fmt: skip


def _pairs(data: Dataset, present: np.ndarray, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random pairs of different present items, by whether their categories agree: name -> [n, 2]."""
    codes, _ = pd.factorize(data.items["category"].where(data.items["category"] != ""))  # -1: unknown
    items = np.flatnonzero(present)
    if len(items) < 2:
        return {}
    pairs = rng.choice(items, size=(20 * count, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    first, second = codes[pairs].T
    known = (first >= 0) & (second >= 0)
    alike, unlike = pairs[known & (first == second)][:count], pairs[known & (first != second)][:count]
    found = {"same category": alike, "different category": unlike} if len(alike) and len(unlike) else {}
    return found or {"random pairs": pairs[:count]}


def _at_least(fig: go.Figure, count: np.ndarray, hover: str, *, col: int | None = None, **look: Any) -> np.ndarray:
    """Draw the share of entries that are n or more, for n = 1 and each larger one that occurs; returns n."""
    n = np.unique(np.append(count[count > 0], 1))
    n = n[_thin(len(n))]
    share = (len(count) - np.searchsorted(np.sort(count), n)) / max(1, len(count))
    place = {} if col is None else dict(row=1, col=col)
    fig.add_scatter(x=n, y=share, mode="lines+markers", hovertemplate=hover, **look, **place)
    return n


def _thin(n: int, most: int = 300) -> np.ndarray:
    """At most ``most`` positions of 0..n-1, dense at the front, with both ends."""
    return np.unique(np.geomspace(1, max(1, n), most).round().astype(int))[: max(0, n)] - 1 if n else np.arange(0)
