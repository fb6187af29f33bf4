"""What a comparison can resolve, and what its methods cost."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..core.errors import InputError, one_of
from .comparison import COSTS, MethodLike, ranked
from .pictures import Html
from .theme import GRID, INK, MUTED, PALETTE, axis_names, caption, log_ticks, style

_TOLD, _SPREAD = PALETTE[0], "#b5bac0"


def resolution(comparisons: Sequence[Any], found: pd.DataFrame) -> go.Figure:
    """What was seen beside what could have been seen: each difference against the smallest detectable one.

    What to look for: an open marker inside its bar is a difference that this test part and these seeds were too few to
    settle, which is not the same as no difference.

    Args:
        comparisons: ``evaluation.Comparison`` with ``detectable``.
        found: the same, from ``contest.told_apart``.

    Raises:
        InputError: when there is nothing to compare.
    """
    if not comparisons:
        raise InputError("There is nothing to compare: give at least one comparison.")
    labels = [f"{escape(one.a)} − {escape(one.b)}" for one in comparisons]
    limits, seen = [one.detectable for one in comparisons], [abs(one.difference) for one in comparisons]
    apart = found["apart"].tolist()
    fig = go.Figure()
    fig.add_bar(
        x=limits, y=labels, orientation="h", name="smallest detectable difference", marker=dict(color=GRID), width=0.62,
        hovertemplate="detectable from %{x:.4f}<extra></extra>",
    )  # fmt: skip
    for wanted, symbol in ((True, "square"), (False, "square-open")):
        name = "difference, told apart" if wanted else "difference, not told apart"
        at = [k for k, one in enumerate(apart) if bool(one) is wanted]
        tone = _TOLD if wanted else MUTED
        fig.add_scatter(
            x=[seen[k] for k in at], y=[labels[k] for k in at], mode="markers", name=name,
            marker=dict(symbol=symbol, size=10, color=tone, line=dict(color=tone, width=2)),
            hovertemplate="%{x:.4f}<extra></extra>",
        )  # fmt: skip
    axis_names(fig, f"size of the difference of {escape(comparisons[0].metric)} (0 to 1)", "")
    fig.update_yaxes(autorange="reversed", showgrid=False, tickfont_color=INK)
    fig.update_xaxes(rangemode="tozero")
    legend = dict(orientation="h", y=1, yanchor="top", yref="container", x=0)
    style(fig, height=140 + 30 * len(labels), legend=legend, showlegend=True, margin_t=44)
    text = (
        "Bar: the smallest true difference that this comparison finds in four of five repetitions at the 5 % level, "
        "before any correction. Marker: the size of the difference that was measured."
    )
    return caption(fig, text, width=96)


def costs(methods: Mapping[str, MethodLike], *, metric: str = "recall@20", cost: str = "seconds") -> go.Figure | Html:
    """Accuracy against what it costs: training time or the number of parameters, on a logarithmic axis.

    What to look for: methods on the line are worth their cost, as no cheaper one is better on average; whether the
    step to the next of them is real, the matrix says.

    Args:
        methods: label -> method; those without this cost are left out.
        cost: ``"seconds"`` or ``"parameters"``.

    Returns:
        The figure, or a sentence where no run recorded the cost.
    """
    one_of("cost", cost, COSTS)
    table = ranked(methods, metric)
    table["cost"] = [methods[name].costs.get(cost, float("nan")) for name in table["method"]]
    table["number"] = range(1, len(table) + 1)
    rows = table[table["cost"] > 0].sort_values("cost", kind="stable")
    if rows.empty:
        return Html(f'<p class="mm-note">The runs did not record their {escape(COSTS[cost])}.</p>')
    front = rows[rows["mean"] >= rows["mean"].cummax()]
    fig, line = go.Figure(), dict(color=MUTED, dash="dot", width=1.5, shape="hv")
    fig.add_scatter(x=front["cost"], y=front["mean"], mode="lines", line=line, hoverinfo="skip")
    tones = [_TOLD if name in set(front["method"]) else MUTED for name in rows["method"]]
    spread = dict(array=rows["high"] - rows["mean"], arrayminus=rows["mean"] - rows["low"], thickness=1.2, width=3)
    spread |= dict(color=_SPREAD)
    fig.add_scatter(
        x=rows["cost"], y=rows["mean"], mode="markers+text", text=rows["number"], textposition="top right",
        marker=dict(size=9, color=tones), error_y=dict(type="data", symmetric=False, **spread),
        customdata=rows["method"].map(escape), hovertemplate="%{customdata}<br>%{y:.4f}, %{x:.3~g}<extra></extra>",
    )  # fmt: skip
    units = {"seconds": "training time of the recommender (s)", "parameters": "trained parameters"}
    axis_names(fig, units[cost], f"{metric} (0 to 1)")
    fig.update_xaxes(type="log", tickvals=log_ticks(rows["cost"].to_numpy()))
    style(fig, height=400, showlegend=False, margin_t=24)
    text = "Number: place in the table above; bar: 95 % interval; line: no cheaper method is better on average."
    left = len(table) - len(rows)
    return caption(fig, text + (f" {left} methods recorded no such cost and are left out." if left else ""))
