"""A comparison (``evaluation.Comparisons``) as sentences, tables and figures, which decide nothing."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..core.errors import InputError
from ..evaluation import Comparison, Comparisons, Method, ranked
from .means import COSTS
from .tables import Html, html_table, interval, listed, note
from .theme import GRID, INK, LEGEND, MUTED, PALETTE, bars, finish, small

_BETTER, _WORSE = PALETTE[0], PALETTE[1]  # blue and orange stay apart for every kind of colour blindness
_ONE_LINE = 40  # letters of two names that stand on one line beside a figure on a phone
_MOST_WRITTEN = 10  # methods up to which each cell of the matrix has room for its number


def verdict(found: Comparisons) -> Html:
    """One sentence per comparison, bold where it is significant, and how it was decided."""
    rows = (f"<b>{escape(one.sentence())}</b>" if one.significant else escape(one.sentence()) for one in found)
    return Html(listed((f"{one}." for one in rows), "There was nothing to compare.").text + note(found.rule))


def conclusion(found: Comparisons, versus: Comparisons, vary: str, baseline: str) -> Html:
    """What a comparison of many methods found: who leads, what the baseline's rivals gain, what stays open."""
    if not len(found):
        return Html("<p>There was nothing to compare.</p>")
    better, worse, unsure = versus.tally()
    first, *others = found.verdict
    against = (
        f"Against <code>{escape(vary)} = {escape(baseline)}</code>, all else equal, {better} of {len(versus)} methods "
        f"are significantly better, {worse} worse, and {unsure} neither"
    )
    said = [f"<b>{escape(first)}</b>", against, *map(escape, others)]
    return Html("".join(f"<p>{one}.</p>" for one in said) + note(found.rule))


def compared_table(found: Comparisons) -> Html:
    """A row a comparison: both sides, their means, the difference with its interval and p; bold: significant."""
    rows = []
    for one in found:
        means = [f"{mean:.4f}" if one.enough else "" for mean in (one.mean_a, one.mean_b)]
        numbers = f"<b>{escape(one.numbers())}</b>" if one.significant else escape(one.numbers())
        names = map(escape, (one.a, one.b, one.slice))
        rows.append([*names, *means, numbers, f"{one.users:,}", f"{one.seeds}"])
    metric = found[0].metric if len(found) else "metric"
    head = ["first", "second", "slice", f"{metric} of the first", "of the second", "difference", "users", "seeds"]
    return html_table(head, rows, f"Bold: significant. {found.rule}")


def comparison(found: Comparisons) -> go.Figure:
    """Forest plot of paired differences, the largest on top: filled and bold only where significant.

    What to look for: which side of the line the interval lies on, and how wide it is.

    Raises:
        InputError: when there is nothing to compare.
    """
    rows = _some(found)
    fig, labels = go.Figure(), []
    for k, one in enumerate(rows):
        tone = _BETTER if one.better == one.a else _WORSE if one.better else MUTED
        names = _names(one, "<br>" if len(one.a + one.b) > _ONE_LINE else "")
        names = f"<b>{names}</b>" if one.significant else names
        labels.append(names + "<br>" + small(escape(f"{one.metric}, {one.slice}: {one.numbers()}")))
        if not one.enough:
            continue
        fig.add_scatter(
            x=[one.difference], y=[k], mode="markers", showlegend=False,
            marker=_marker(one.significant, tone),
            error_x=bars(pd.DataFrame([dict(mean=one.difference, low=one.low, high=one.high)]), color=tone),
            hovertemplate=f"{one.mean_a:.4f} against {one.mean_b:.4f}<br>{one.users:,} users, {one.seeds} seeds<br>"
            f"{escape(one.numbers())}<extra></extra>",
        )  # fmt: skip
    fig.add_vline(x=0, line=dict(color=INK, width=1))
    fig.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, tickfont_color=INK, showgrid=False)
    fig.update_yaxes(range=[len(labels) - 0.4, -0.6])
    text = f"Filled and bold: significant. Right of the line, the first is better. {found.rule}"
    x, lines = "paired difference (first − second; metrics run from 0 to 1)", max(one.count("<br>") for one in labels)
    return finish(fig, text, x=x, width=92, height=130 + (46 + 16 * (lines > 1)) * len(labels), margin_t=40)


def standings(methods: Mapping[str, Method], found: Comparisons, *, metric: str = "recall@20", digits: int = 4) -> Html:
    """All methods by their mean, each with its paired difference from the best; bold only when it is earned.

    Bold is the best method alone, and only if it is significantly better than every other one. Otherwise nothing is
    bold, and all that are not significantly worse than the best are marked with "≈".

    Args:
        methods: label -> method.
        found: from ``evaluation.compare_all``.

    Raises:
        InputError: when there is no method, or the metric was not measured.
    """
    table, leaders, pairs = ranked(methods, metric), found.leaders, found.pairs()
    best = str(table["method"].iloc[0])
    shown = [name for name in COSTS if any(name in one.costs for one in methods.values())]
    rows = []
    for place, row in enumerate(table.to_dict("records"), 1):
        name, mean = row["method"], interval(row, digits, bold=leaders == [row["method"]])
        mean += " ≈" if name in leaders and len(leaders) > 1 else ""
        behind = escape(pairs[name, best].numbers(digits)) if (name, best) in pairs else ""
        costs = (_cost(methods[name], cost) for cost in shown)
        rows.append([f"{place}", escape(name), mean, behind, *costs, f"{len(methods[name].runs)}"])
    head = ["", "method", metric, "paired difference from the best", *map(COSTS.__getitem__, shown), "seeds"]
    alone = "Bold: significantly better than every other." if len(leaders) == 1 else "No method beats all others."
    text = f"Means over {table['users'].max():,} users and all seeds, with 95 % intervals. {found.rule} {alone} "
    return html_table(head, rows, text + "≈: not significantly worse than the best.")


def pair_matrix(found: Comparisons, order: Sequence[str]) -> go.Figure:
    """Who is better than whom: row minus column, grey where the difference is not significant.

    What to look for: blocks of grey on the diagonal are groups of methods that this test part cannot rank. Colour is
    not the only sign: a significant cell has a plus or a minus.

    Args:
        found: from ``evaluation.compare_all``.
        order: the methods, as they are numbered from the top and from the left.

    Raises:
        InputError: when there are no pairs.
    """
    metric, pairs, n = _some(found)[0].metric, found.pairs(), len(order)
    cells = [[pairs.get((a, b)) for b in order] for a in order]
    value = np.array([[one.difference if one else np.nan for one in row] for row in cells])
    sure = np.array([[bool(one and one.significant) for one in row] for row in cells])
    hover = [[f"{_names(one)}<br>{escape(one.numbers())}" if one else "" for one in row] for row in cells]
    numbers = [f"{k}" for k in range(1, n + 1)]
    labels = [f"{escape(name)}  <b>{k}</b>" for k, name in zip(numbers, order)]
    common = dict(x=numbers, y=labels, customdata=hover, hovertemplate="%{customdata}<extra></extra>", xgap=1, ygap=1)
    fig, grey = go.Figure(), np.where(np.isnan(value) | sure, np.nan, 0)
    fig.add_heatmap(z=grey, colorscale=[[0, GRID], [1, GRID]], showscale=False, **common)
    most = float(np.nanmax(np.abs(value))) or 1.0
    fig.add_heatmap(
        z=np.where(sure, value, np.nan), zmin=-most, zmax=most, text=_written(value, sure), texttemplate="%{text}",
        colorscale=[[0, _WORSE], [0.5, "#ffffff"], [1, _BETTER]],
        colorbar=dict(title=dict(text=f"difference<br>of {escape(metric)}", font_size=12), thickness=12), **common,
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False, tickfont_color=INK)
    fig.update_xaxes(showgrid=False, side="bottom", type="category")
    text = (
        f"Row minus column. Blue, +: the row is better; orange, −: the column is; grey: not significant. "
        f"{len(found) - found.tally()[2]} of {len(found)} pairs are significant. {found.rule}"
    )
    x, y = "column: method by its number", "row: method"
    return finish(fig, text, x=x, y=y, width=96, height=150 + 26 * n, margin_t=24)


def resolution(found: Comparisons) -> go.Figure:
    """What was seen beside what could have been seen: each difference against the smallest detectable one.

    What to look for: an open marker inside its bar is a difference that this test part and these seeds were too few to
    settle, which is not the same as no difference.

    Raises:
        InputError: when there is nothing to compare.
    """
    rows = [one for one in _some(found) if one.enough]
    labels = list(map(_names, rows))
    fig = go.Figure()
    fig.add_bar(
        x=[one.detectable for one in rows], y=labels, orientation="h", name="smallest detectable difference",
        marker=dict(color=GRID), width=0.62, hovertemplate="detectable from %{x:.4f}<extra></extra>",
    )  # fmt: skip
    for wanted, tone in ((True, _BETTER), (False, MUTED)):
        shown = [one for one in rows if one.significant is wanted]
        fig.add_scatter(
            x=[abs(one.difference) for one in shown], y=list(map(_names, shown)), marker=_marker(wanted, tone),
            mode="markers", name=f"difference, {'' if wanted else 'not '}significant",
            hovertemplate="%{x:.4f}<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False, tickfont_color=INK)
    fig.update_xaxes(rangemode="tozero")
    text = (
        "Bar: the smallest true difference that this comparison finds in four of five repetitions at the "
        f"{100 * found.level:g} % level, before any correction. Marker: the size of the difference that was measured."
    )
    x, height = f"size of the difference of {escape(found[0].metric)} (0 to 1)", 140 + 30 * len(labels)
    return finish(fig, text, x=x, width=96, height=height, margin_t=44, legend=LEGEND, showlegend=True)


def _some(found: Comparisons) -> Comparisons:
    if not len(found):
        raise InputError("There is nothing to compare: give at least two methods.")
    return found


def _names(one: Comparison, gap: str = "") -> str:
    return f"{escape(one.a)} − {gap}{escape(one.b)}"


def _marker(sure: bool, tone: str) -> dict[str, object]:
    return dict(symbol="square" if sure else "square-open", size=10, color=tone, line=dict(color=tone, width=2))


def _written(value: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """The text of each cell: the number where there is room, else its sign; nothing where it is not significant."""
    text = np.full(value.shape, "", dtype=object)
    for i, j in zip(*np.nonzero(sure)):
        number = f"{value[i, j]:+.3f}".replace("0.", ".")
        text[i, j] = number if len(value) <= _MOST_WRITTEN else "+" if value[i, j] > 0 else "−"
    return text


def _cost(method: Method, name: str) -> str:
    value = method.costs.get(name)
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < 1000 and name == "seconds" else f"{value:,.0f}"
