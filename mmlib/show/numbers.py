"""Scores and their comparisons: intervals first, bold only when earned."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any, Protocol

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..core.errors import InputError, closest
from ..evaluation.correction import holm
from .pictures import Html
from .theme import INK, MUTED, SYMBOLS, axis_names, caption, colour, small, style


class ScoresLike(Protocol):
    """What ``evaluation`` gives: ``means()`` has ``slice``, ``metric``, ``mean``, ``low``, ``high``, ``users``."""

    def means(self) -> pd.DataFrame: ...


Earned = tuple[str, str, str]  # name, slice, metric


def scores(
    named: Mapping[str, ScoresLike],
    *,
    metrics: Sequence[str] | None = None,
    slices: Sequence[str] | None = ("all", "few purchases"),
) -> go.Figure:
    """Means with 95 % intervals, a panel a metric, a row a model, a marker a slice of users or items.

    What to look for: intervals that do not overlap differ; those that overlap may still differ when the same users
    are compared, which ``comparison`` shows.

    Args:
        named: model -> Scores.
        metrics: panels; default: recall and NDCG at the largest k.
        slices: markers; ``None`` draws every slice, which soon is a crowd.

    Raises:
        InputError: for a metric that was not measured.
    """
    table, metrics = _means(named, metrics, last=True)
    fig = make_subplots(1, len(metrics), subplot_titles=list(metrics), shared_yaxes=True, horizontal_spacing=0.06)
    found, names = list(dict.fromkeys(table["slice"])), list(named)
    slices = [part for part in found if slices is None or part in slices] or found
    for column, metric in enumerate(metrics, 1):
        for k, part in enumerate(slices):
            rows = table[(table["metric"] == metric) & (table["slice"] == part)]
            shift = 0.5 * ((k + 0.5) / len(slices) - 0.5)
            fig.add_scatter(
                x=rows["mean"], y=[names.index(name) + shift for name in rows["name"]], name=escape(part),
                legendgroup=part, mode="markers",
                marker=dict(color=colour(k), symbol=SYMBOLS[k % len(SYMBOLS)], size=9), showlegend=column == 1,
                error_x=_bars(rows["high"] - rows["mean"], rows["mean"] - rows["low"]),
                customdata=rows[["low", "high", "users"]], text=rows["name"].map(escape), row=1, col=column,
                hovertemplate="%{text}: %{x:.4f} [%{customdata[0]:.4f}, %{customdata[1]:.4f}], "
                "%{customdata[2]:,} users<extra>" + escape(part) + "</extra>",
            )  # fmt: skip
    axis_names(fig, [f"{metric} (0 to 1)" for metric in metrics], ["model"] + [""] * (len(metrics) - 1))
    fig.update_yaxes(
        tickvals=list(range(len(names))), ticktext=list(map(escape, names)), range=[len(names) - 0.5, -0.5]
    )
    style(fig, height=150 + 52 * len(names), legend=dict(orientation="h", y=1, yanchor="bottom", yref="container", x=0))
    text = "Marker: mean over users; bar: its 95 % interval. Slices: " + ", ".join(slices) + "."
    return caption(fig.update_layout(margin_t=72, legend_yanchor="top", showlegend=len(slices) > 1), text)


def comparison(comparisons: Sequence[Any], *, level: float = 0.05) -> go.Figure:
    """Forest plot of paired differences: filled and bold only where Holm's correction leaves p below ``level``.

    What to look for: which side of the line the interval lies on, and how wide it is.

    Args:
        comparisons: ``evaluation.Comparison``; all that are given are corrected together.

    Raises:
        InputError: when there is nothing to compare.
    """
    if not comparisons:
        raise InputError("There is nothing to compare: give at least one comparison.")
    fig, labels = go.Figure(), []
    for k, (one, p) in enumerate(zip(comparisons, holm([one.p for one in comparisons]))):
        sure = _sure(one, p, level)
        names = f"{escape(one.a)} − {escape(one.b)}"
        tone = colour(0 if one.difference > 0 else 1) if sure else MUTED
        facts = f"{one.difference:+.4f} [{one.low:+.4f}, {one.high:+.4f}], {_p(p)}"
        names = f"<b>{names}</b>" if sure else names
        labels.append(names + "<br>" + small(f"{escape(one.metric)}, {escape(one.slice)}: {facts}"))
        line = dict(color=tone, width=2)
        fig.add_scatter(
            x=[one.difference], y=[k], mode="markers", showlegend=False,
            marker=dict(symbol="square" if sure else "square-open", size=10, color=tone, line=line),
            error_x=_bars([one.high - one.difference], [one.difference - one.low], color=tone),
            hovertemplate=f"{one.mean_a:.4f} against {one.mean_b:.4f}<br>{one.users:,} users, {one.seeds} seeds<br>"
            f"{facts}<extra></extra>",
        )  # fmt: skip
    fig.add_vline(x=0, line=dict(color=INK, width=1))
    axis_names(fig, "paired difference (first − second; metrics run from 0 to 1)", "")
    fig.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, tickfont_color=INK, showgrid=False)
    fig.update_yaxes(range=[len(labels) - 0.4, -0.6])
    style(fig, height=130 + 46 * len(labels), margin_t=40)
    text = (
        "Difference of means over the same users and seeds, with its 95 % interval. Filled and bold: the interval "
        f"excludes 0, and p, corrected by Holm over the {len(comparisons)} shown, is below {level:g}. "
        "Right of the line, the first is better."
    )
    return caption(fig, text, width=92)


def earned(comparisons: Sequence[Any], *, level: float = 0.05) -> set[Earned]:
    """The (name, slice, metric) that win every comparison they are part of, after Holm's correction over all.

    A win needs an interval that excludes 0 and an adjusted p below ``level``.

    Args:
        comparisons: ``evaluation.Comparison``.
    """
    won: dict[Earned, bool] = {}
    for one, p in zip(comparisons, holm([one.p for one in comparisons])):
        sure = _sure(one, p, level)
        for name, wins in ((one.a, one.difference > 0), (one.b, one.difference < 0)):
            key = (name, one.slice, one.metric)
            won[key] = won.get(key, True) and sure and wins
    return {key for key, wins in won.items() if wins}


def table(
    named: Mapping[str, ScoresLike],
    *,
    metrics: Sequence[str] | None = None,
    bold: Collection[Earned] = (),
    digits: int = 4,
) -> Html:
    """Means ± half the 95 % interval, a block a slice; the best is bold only when it earned it.

    Args:
        named: model -> Scores.
        metrics: columns; default: every recall and NDCG.
        bold: the (name, slice, metric) that earned it, see ``earned``; the best of a column that is not among
            them stays plain.

    Raises:
        InputError: for a metric that was not measured.
    """
    means, metrics = _means(named, metrics)
    blocks = "".join(
        _block(means[means["slice"] == part], part, list(named), metrics, bold, digits)
        for part in dict.fromkeys(means["slice"])
    )
    head = "".join(f"<th>{escape(metric)}</th>" for metric in metrics)
    note = "Mean over users ± half of its 95 % interval."
    note += " Bold: best, and better than every other by the paired comparison." if bold else ""
    return Html(
        f'<table class="mm-scores"><thead><tr><th>slice</th><th>model</th>{head}<th>users</th></tr>'
        f"</thead>{blocks}</table>"
        f'<div class="mm-note">{note}</div>'
    )


def _block(
    rows: pd.DataFrame, part: str, names: Sequence[str], metrics: Sequence[str], bold: Collection[Earned], digits: int
) -> str:
    """The rows of one slice; a name without a measurement gets a dash."""
    known = {(row["name"], row["metric"]): row for row in rows.to_dict("records")}
    best = rows.groupby("metric")["mean"].max()
    lines: list[str] = []
    for name in names:
        cells = ""
        for metric in metrics:
            row = known.get((name, metric))
            if row is None:
                cells += "<td>–</td>"
                continue
            mean = f"{row['mean']:.{digits}f}"
            mean = f"<b>{mean}</b>" if row["mean"] == best[metric] and (name, part, metric) in bold else mean
            half = (row["high"] - row["low"]) / 2  # NaN for a single user
            cells += f"<td>{mean}" + (f" <small>± {half:.{digits}f}</small>" if half == half else "") + "</td>"
        users = max((row["users"] for (owner, _), row in known.items() if owner == name), default=0)
        first = "" if lines else escape(part)
        lines.append(f"<tr><td>{first}</td><td>{escape(name)}</td>{cells}<td>{users:,}</td></tr>")
    return f"<tbody>{''.join(lines)}</tbody>"


def _means(
    named: Mapping[str, ScoresLike], metrics: Sequence[str] | None, *, last: bool = False
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


def _sure(one: Any, p: float, level: float) -> bool:
    return p < level and (one.low > 0 or one.high < 0)


def _bars(up: Any, down: Any, **look: Any) -> dict[str, Any]:
    return dict(type="data", symmetric=False, array=up, arrayminus=down, thickness=1.8, width=5, **look)


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
