"""Scores as figures and tables: intervals first, bold only where a comparison earned it."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import product

import pandas as pd
import plotly.graph_objects as go

from ..core.errors import InputError, closest, one_of
from ..evaluation import Comparisons, Method, Scores, ranked
from ..evaluation.intervals import too_few
from ..evaluation.scores import same_rows
from .tables import Html, html_table, interval, note
from .theme import LEGEND, MUTED, PALETTE, bars, finish, log_ticks, mark, panels

COSTS = {"seconds": "training (s)", "parameters": "parameters"}
_UNITS = {"seconds": "training time of the recommender (s)", "parameters": "trained parameters"}


def scores(
    named: Mapping[str, Scores | Method],
    *,
    metrics: Sequence[str] | None = None,
    slices: Sequence[str] | None = ("all", "few purchases"),
) -> go.Figure:
    """Means with 95 % intervals, a panel a metric, a row a model, a marker a slice of users or items.

    What to look for: intervals that do not overlap differ; those that overlap may still differ when the same users
    are compared, which ``comparison`` shows. Slices of too few users have no marker and are named.

    Args:
        named: model -> Scores.
        metrics: panels; default: recall and NDCG at the largest k.
        slices: markers; ``None`` draws every slice, which soon is a crowd.

    Raises:
        InputError: for a metric that was not measured.
    """
    table, metrics = _means(named, metrics, last=True)
    fig = panels(metrics, shared_yaxes=True, horizontal_spacing=0.06)
    found, names = list(dict.fromkeys(table["slice"])), list(named)
    slices = [part for part in found if slices is None or part in slices] or found
    few = table[table["low"].isna() & table["slice"].isin(slices)].drop_duplicates("slice")
    for (column, metric), (k, part) in product(enumerate(metrics, 1), enumerate(slices)):
        rows = table[(table["metric"] == metric) & (table["slice"] == part)].dropna(subset="low")
        shift = 0.5 * ((k + 0.5) / len(slices) - 0.5)
        fig.add_scatter(
            x=rows["mean"], y=[names.index(name) + shift for name in rows["name"]], name=escape(part),
            legendgroup=part, mode="markers", marker=mark(k, size=9), showlegend=column == 1,
            error_x=bars(rows), customdata=rows[["low", "high", "users"]], text=rows["name"].map(escape),
            hovertemplate="%{text}: %{x:.4f} [%{customdata[0]:.4f}, %{customdata[1]:.4f}], "
            "%{customdata[2]:,} users<extra>" + escape(part) + "</extra>", row=1, col=column,
        )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(names))), ticktext=list(map(escape, names)), range=[len(names) - 0.5, -0.5]
    )
    text = "Marker: mean over users; bar: its 95 % interval. Slices: " + ", ".join(slices) + "."
    text += "".join(f" {row['slice']}: {too_few(row['users'])}." for row in few.to_dict("records"))
    x, y = [f"{metric} (0 to 1)" for metric in metrics], ["model"] + [""] * (len(metrics) - 1)
    height, many = 150 + 52 * len(names), len(slices) > 1
    return finish(fig, text, x=x, y=y, height=height, margin_t=72, legend=LEGEND, showlegend=many)


def table(
    named: Mapping[str, Scores | Method],
    *,
    metrics: Sequence[str] | None = None,
    found: Comparisons | None = None,
    digits: int = 4,
) -> Html:
    """Means with their 95 % intervals, a block a slice; slices that hold the same rows are one block.

    Args:
        named: model -> Scores.
        metrics: columns; default: every recall and NDCG.
        found: a comparison of them; what is significantly better than every other one in it is bold.

    Raises:
        InputError: for a metric that was not measured.
    """
    means, metrics = _means(named, metrics)
    bold = found.earned() if found else set()
    known = {(row["name"], row["slice"], row["metric"]): row for row in means.to_dict("records")}
    lines: list[list[str]] = []
    for first, *others in _slices(named, list(dict.fromkeys(means["slice"]))):
        for place, name in enumerate(named):
            own = [known.get((name, first, metric)) for metric in metrics]
            cells = [interval(row, digits, bold=(name, first, one) in bold) for row, one in zip(own, metrics)]
            users = max((row["users"] for row in own if row), default=0)
            label = "" if place else escape(", ".join([first, *others]))
            lines.append([label, escape(name), *cells, f"{users:,}"])
        lines.append([])
    below = "Mean over users with its 95 % interval."
    below += " Bold: significantly better than every other. " + found.rule if found and bold else ""
    return html_table(["slice", "model", *metrics, "users"], lines[:-1], below)


def _slices(named: Mapping[str, Scores | Method], known: Sequence[str]) -> list[tuple[str, ...]]:
    """The slices of all models, those with the same rows under one another's names."""
    runs = [run for one in named.values() for run in (one.runs.values() if isinstance(one, Method) else [one])]
    shared = [name for name in known if all(name in run.slices for run in runs)]
    return [*same_rows(runs, shared), *((name,) for name in known if name not in shared)]


def _means(
    named: Mapping[str, Scores | Method], metrics: Sequence[str] | None, *, last: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """All means in one table with a column ``name``, and the metrics to show (``last``: only the largest k's)."""
    if not named:
        raise InputError("There are no scores to show: give at least one model's.")
    found = pd.concat([one.means().assign(name=name) for name, one in named.items()], ignore_index=True)
    known = list(dict.fromkeys(found["metric"]))
    groups = ([metric for metric in known if metric.startswith(kind)] for kind in ("recall@", "ndcg@"))
    usual = [metric for group in groups for metric in (group[-1:] if last else group)]
    chosen = list(metrics or usual or known)
    for metric in chosen:
        if metric not in known:
            raise InputError(f"{metric!r} was not measured; there are {', '.join(known)}.{closest(metric, known)}")
    return found[found["metric"].isin(chosen)], chosen


def costs(methods: Mapping[str, Method], *, metric: str = "recall@20", cost: str = "seconds") -> go.Figure | Html:
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
        return Html(note(f"The runs did not record their {COSTS[cost]}."))
    front = rows[rows["mean"] >= rows["mean"].cummax()]
    fig, line = go.Figure(), dict(color=MUTED, dash="dot", width=1.5, shape="hv")
    fig.add_scatter(x=front["cost"], y=front["mean"], mode="lines", line=line, hoverinfo="skip")
    tones = [PALETTE[0] if name in set(front["method"]) else MUTED for name in rows["method"]]
    fig.add_scatter(
        x=rows["cost"], y=rows["mean"], mode="markers+text", text=rows["number"], textposition="top right",
        marker=dict(size=9, color=tones), error_y=bars(rows, color="#b5bac0"),
        customdata=rows["method"].map(escape), hovertemplate="%{customdata}<br>%{y:.4f}, %{x:.3~g}<extra></extra>",
    )  # fmt: skip
    fig.update_xaxes(type="log", tickvals=log_ticks(rows["cost"].to_numpy()))
    left = len(table) - len(rows)
    text = "Number: place in the table above; bar: 95 % interval; line: no cheaper method is better on average."
    text += f" {left} methods recorded no such cost and are left out." if left else ""
    return finish(fig, text, x=_UNITS[cost], y=f"{metric} (0 to 1)", showlegend=False, margin_t=24)
