"""Many methods side by side: who is better than whom, and what that amounts to."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..core.errors import InputError
from .pictures import Html
from .published import html_table
from .theme import GRID, INK, PALETTE, axis_names, caption, style

_BETTER, _WORSE = PALETTE[0], PALETTE[1]  # blue and orange stay apart for every kind of colour blindness
_MOST_WRITTEN = 10  # methods up to which each cell of the matrix has room for its number


class MethodLike(Protocol):
    """What ``evaluation.contest`` gives: one method's means, seeds and costs."""

    @property
    def runs(self) -> Mapping[str, Any]: ...

    @property
    def costs(self) -> Mapping[str, float]: ...

    def means(self) -> pd.DataFrame: ...


def standings(
    methods: Mapping[str, MethodLike],
    found: pd.DataFrame,
    leaders: Sequence[str],
    *,
    metric: str = "recall@20",
    slice: str = "all",
    digits: int = 4,
) -> Html:
    """All methods by their mean, each with its paired distance from the best; bold only when it is earned.

    Bold is the best method alone, and only if it is better than every other one after the correction. Otherwise
    nothing is bold, and all that cannot be told apart from the best are marked with "≈".

    Args:
        methods: label -> method.
        found: all pairs, from ``contest.told_apart``: ``a``, ``b``, ``difference``, ``low``, ``high``, ``p (Holm)``.
        leaders: from ``contest.leading``.

    Raises:
        InputError: when there is no method, or the metric was not measured.
    """
    table = ranked(methods, metric, slice)
    best, pairs = str(table["method"].iloc[0]), _by_pair(found)
    shown = [name for name in COSTS if any(name in one.costs for one in methods.values())]
    rows = []
    for place, row in enumerate(table.to_dict("records"), 1):
        name, mean = str(row["method"]), f"{row['mean']:.{digits}f}"
        alone, half = list(leaders) == [name], f" <small>± {row['high'] - row['mean']:.{digits}f}</small>"
        mark = "" if alone or name not in leaders else " ≈"
        cells = [f"{place}", escape(name), (f"<b>{mean}</b>" if alone else mean) + half + mark]
        cells += [
            _behind(pairs.get((name, best)), digits),
            *(_cost(methods[name].costs.get(cost), cost) for cost in shown),
        ]
        rows.append([*cells, f"{len(methods[name].runs)}"])
    head = ["", "method", metric, "paired difference from the best", *map(COSTS.__getitem__, shown), "seeds"]
    note = (
        f"Means over {table['users'].max():,} users and all seeds ± half of the 95 % interval. Difference: paired over "
        f"the same users and seeds, [95 % interval], p after Holm's correction over all {len(found)} pairs. "
        + ("Bold: better than every other method. " if len(leaders) == 1 else "Nothing is bold: no method beats all. ")
        + "≈: not told apart from the best."
    )
    return html_table(head, rows, note)


COSTS = {"seconds": "training (s)", "parameters": "parameters"}


def ranked(methods: Mapping[str, MethodLike], metric: str, slice: str = "all") -> pd.DataFrame:
    """``method``, ``mean``, ``low``, ``high``, ``users`` of one metric and slice, the best first.

    Raises:
        InputError: when there is no method, or the metric was not measured in this slice.
    """
    if not methods:
        raise InputError("There is no method to show: give a finished sweep.")
    found = pd.concat([one.means().assign(method=name) for name, one in methods.items()], ignore_index=True)
    rows = found[(found["metric"] == metric) & (found["slice"] == slice)]
    if rows.empty:
        raise InputError(f"{metric!r} was not measured in the slice {slice!r}.")
    rows = rows.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    return rows[["method", "mean", "low", "high", "users"]]


def pair_matrix(found: pd.DataFrame, order: Sequence[str], *, metric: str = "recall@20") -> go.Figure:
    """Who is better than whom: row minus column, grey where the two cannot be told apart.

    What to look for: blocks of grey on the diagonal are groups of methods that this test part cannot rank. Colour is
    not the only sign: a cell that is told apart has a plus or a minus.

    Args:
        found: all pairs, from ``contest.told_apart``.
        order: the methods, as they are numbered from the top and from the left.

    Raises:
        InputError: when there are no pairs.
    """
    if found.empty:
        raise InputError("There is no pair to compare: give at least two methods.")
    n, numbers = len(order), [f"{k}" for k in range(1, len(order) + 1)]
    value, apart, hover = _cells(found, order)
    labels = [f"{escape(name)}  <b>{k}</b>" for k, name in zip(numbers, order)]
    common = dict(x=numbers, y=labels, customdata=hover, hovertemplate="%{customdata}<extra></extra>", xgap=1, ygap=1)
    fig, grey = go.Figure(), np.where(np.isnan(value) | apart, np.nan, 0)
    fig.add_heatmap(z=grey, colorscale=[[0, GRID], [1, GRID]], showscale=False, **common)
    most = float(np.nanmax(np.abs(value))) or 1.0
    fig.add_heatmap(
        z=np.where(apart, value, np.nan), zmin=-most, zmax=most, text=_written(value, apart), texttemplate="%{text}",
        colorscale=[[0, _WORSE], [0.5, "#ffffff"], [1, _BETTER]],
        colorbar=dict(title=dict(text=f"difference<br>of {escape(metric)}", font_size=12), thickness=12), **common,
    )  # fmt: skip
    axis_names(fig, "column: method by its number", "row: method")
    fig.update_yaxes(autorange="reversed", showgrid=False, tickfont_color=INK)
    fig.update_xaxes(showgrid=False, side="bottom", type="category")
    style(fig, height=150 + 26 * n, margin_t=24)
    sure = int(found["apart"].sum())
    words = (
        f"Row minus column. Blue, +: the row is better; orange, −: the column is; grey: not told apart. {sure} of "
        f"{len(found)} pairs are told apart after Holm's correction over all of them."
    )
    return caption(fig, words, width=96)


def _cells(found: pd.DataFrame, order: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row minus column [n, n], NaN where there is no pair; which are told apart; what hovering says."""
    n, pairs = len(order), _by_pair(found)
    value, apart, hover = np.full((n, n), np.nan), np.zeros((n, n), dtype=bool), np.full((n, n), "", dtype=object)
    for i, a in enumerate(order):
        for j, b in enumerate(order):
            if one := pairs.get((a, b)):
                value[i, j], apart[i, j] = one["difference"], one["apart"]
                span = f"{one['difference']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"
                hover[i, j] = f"{escape(a)} − {escape(b)}<br>{span}, {p_text(one['p (Holm)']).replace('<', '&lt;')}"
    return value, apart, hover


def _written(value: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """The text of each cell: the number where there is room, else its sign; nothing where two are not told apart."""
    text = np.full(value.shape, "", dtype=object)
    for i, j in zip(*np.nonzero(apart)):
        number = f"{value[i, j]:+.3f}".replace("0.", ".")
        text[i, j] = number if len(value) <= _MOST_WRITTEN else "+" if value[i, j] > 0 else "−"
    return text


def conclusion(found: pd.DataFrame, leaders: Sequence[str], versus: pd.DataFrame, vary: str, baseline: str) -> Html:
    """What a comparison found, in a few sentences: who leads, what the baseline's rivals gain, what stays open.

    Args:
        found, versus: all pairs, and those with the baseline, from ``contest.told_apart``.
        leaders: from ``contest.leading``.
    """
    if not leaders:
        return Html("<p>There was nothing to compare.</p>")
    best, rest = escape(leaders[0]), ", ".join(map(escape, leaders[1:]))
    first = f"<b>{best}</b> is better than every other method." if not rest else (
        f"<b>{best}</b> has the highest mean, but is not told apart from {rest}."
    )  # fmt: skip
    better, worse = (int((versus["apart"] & (versus["difference"] * sign > 0)).sum()) for sign in (1, -1))
    second = (
        f"Against <code>{escape(vary)} = {escape(baseline)}</code>, all else equal, {better} of {len(versus)} methods "
        f"are better, {worse} worse, and {len(versus) - better - worse} are not told apart."
    )
    third = f"{len(found) - int(found['apart'].sum())} of all {len(found)} pairs stay open."
    return Html("".join(f"<p>{one}</p>" for one in (first, second, third)))


def p_text(p: float) -> str:
    """A probability as text."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _by_pair(found: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Each pair in both directions."""
    pairs = {}
    for one in found.to_dict("records"):
        row = {str(name): value for name, value in one.items()}
        pairs[row["a"], row["b"]] = row
        pairs[row["b"], row["a"]] = row | {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
    return pairs


def _behind(one: Mapping[str, Any] | None, digits: int) -> str:
    """The distance from the best; the best itself has none."""
    if one is None:
        return ""
    span = f"{one['difference']:+.{digits}f} [{one['low']:+.{digits}f}, {one['high']:+.{digits}f}]"
    return f"{span}, {p_text(one['p (Holm)']).replace('<', '&lt;')}"


def _cost(value: float | None, name: str) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < 1000 and name == "seconds" else f"{value:,.0f}"
