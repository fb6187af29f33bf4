"""Probes of features and the knock-out: figures and tables of values that are given."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..evaluation import Comparison, Comparisons, Method, ranked
from ..evaluation.feature_sets import ITEM_CF, ZERO_SHOT
from ..evaluation.intervals import in_words
from ..evaluation.knock_out import of_one_recommender
from ..evaluation.rank_correlation import spearman
from .tables import Html, html_table, listed
from .theme import LEGEND, MUTED, bars, finish, mark, panels

ACROSS = 2  # panels side by side
GAP = 84  # pixels between panels, for the axis of one and the title of the next


def probe_ranking(table: pd.DataFrame, *, k: int = 20) -> go.Figure:
    """Every probe of every feature set: a panel a probe, a row a set, with its interval and a line at chance.

    What to look for: sets whose interval lies right of the dotted line know something of what users take; the order of
    the sets should be the same in most panels.

    Args:
        table: from ``evaluation.feature_sets.probe_table``.
        k: places of the lists, for the caption.
    """
    names, kinds = list(dict.fromkeys(table["features"])), list(dict.fromkeys(table["probe"]))
    down, high = -(-len(kinds) // ACROSS), 30 + 30 * len(names)
    total = down * high + (down - 1) * GAP
    grid = dict(shared_yaxes=True, horizontal_spacing=0.05, vertical_spacing=GAP / total)
    fig = make_subplots(down, ACROSS, subplot_titles=kinds, **grid)
    for place, kind in enumerate(kinds):
        row, column = place // ACROSS + 1, place % ACROSS + 1
        rows = table[table["probe"] == kind].rename(columns={"value": "mean"})
        for n, name in enumerate(names):
            own = rows[rows["features"] == name]
            fig.add_scatter(
                x=own["mean"], y=[n] * len(own), mode="markers", showlegend=False, error_x=bars(own),
                marker=mark(n, size=9), row=row, col=column,
                customdata=own[["low", "high", "n"]], hovertemplate="%{x:.4f} [%{customdata[0]:.4f}, "
                "%{customdata[1]:.4f}], %{customdata[2]:,}<extra>" + escape(name) + "</extra>",
            )  # fmt: skip
        if len(rows) and np.isfinite(chance := rows["chance"].mean()):
            fig.add_vline(x=chance, line=dict(color=MUTED, dash="dot", width=1.5), row=row, col=column)
    fig.update_yaxes(
        tickvals=list(range(len(names))), ticktext=list(map(escape, names)), range=[len(names) - 0.5, -0.5]
    )
    fig.update_xaxes(rangemode="tozero")
    text = f"Share of users or items whose target is among the first {k}, with its 95 % interval; dotted: chance."
    return finish(fig, text, x="share found (0 to 1)", height=total + 116, margin_t=56)


def vector_geometry(table: pd.DataFrame, *, digits: int = 3) -> Html:
    """How vectors lie: a row a measure, a column a feature set, each with its interval over items.

    Args:
        table: from ``evaluation.feature_sets.geometry_table``.
    """
    names, kinds = list(dict.fromkeys(table["features"])), list(dict.fromkeys(table["probe"]))
    known = {(row["features"], row["probe"]): row for row in table.to_dict("records")}
    lines = [[escape(kind), *(_cell(known.get((name, kind)), digits) for name in names)] for kind in kinds]
    note = (
        "95 % intervals over items. Modality gap: 0 (one place) to 2. Alignment: 0 (each pair is one point) to 4, "
        "lower is closer. Uniformity: 0 where all vectors are one, lower is more even. Linear CKA, debiased: 0 where "
        "text and image have nothing in common, 1 where they are the same up to rotation. – : no shared space, or not "
        "there."
    )
    return html_table(["measure", *names], lines, note)


def knock_out_table(found: Comparisons, methods: Mapping[str, Method], *, metric: str = "recall@20") -> Html:
    """Each recommender whole and knocked out: its mean, what the knock-out costs, and what is left against no content.

    Bold: significant. A model that loses nothing by a permutation does not use that content here.

    Args:
        found: from ``evaluation.knock_out.knock_out_pairs``.
        methods: those that were compared.
    """
    own = {one.b: one for one in of_one_recommender(found, methods)}
    base = {one.a: one for one in found if one.b not in own}
    lines = []
    for name in sorted(methods, key=lambda each: (each in base, str(methods[each].values["recommender"]))):
        said = [own[name].turned() if name in own else None, base.get(name)]
        cells = [escape(name), _mean(methods[name], metric), *map(_numbers, said)]
        lines.append([*cells, f"{len(methods[name].runs)}"])
    alone = ", ".join(dict.fromkeys(one.b for one in base.values())) or "no content"
    head = ["recommender", metric, "against the whole model", f"against {alone}", "seeds"]
    return html_table(head, lines, f"Bold: significant. {found.rule}")


def probe_prediction(table: pd.DataFrame, *, metric: str = "recall@20") -> go.Figure:
    """How well a probe foretells what a recommender makes of the features: a panel a probe, a marker a feature set.

    What to look for: markers of one colour that rise from left to right. The correlation's interval is for other
    feature sets, so a handful of them says little, however clear the line.

    Args:
        table: ``recommender``, ``features``, ``probe``, ``value``, ``recall``.
    """
    kinds, names = list(dict.fromkeys(table["probe"])), list(dict.fromkeys(table["recommender"]))
    fig = panels(kinds or [""], shared_yaxes=True, horizontal_spacing=0.06)
    for column, kind in enumerate(kinds, 1):
        for n, name in enumerate(names):
            own = table[(table["probe"] == kind) & (table["recommender"] == name)]
            fig.add_scatter(
                x=own["value"], y=own["recall"], mode="markers", name=escape(name), legendgroup=name,
                showlegend=column == 1, text=own["features"].map(escape), row=1, col=column,
                marker=mark(n, size=10),
                hovertemplate="%{text}<br>probe %{x:.4f}, " + metric + " %{y:.4f}<extra>" + escape(name) + "</extra>",
            )  # fmt: skip
    text = f"Each marker is one feature set. Spearman's rank correlation: {'; '.join(correlations(table))}."
    text = text if len(table) else "There is nothing to draw: no recommender that reads content was run."
    y = [f"{metric} after training (0 to 1)"] + [""] * (len(kinds) - 1)
    fig.update_layout(legend=LEGEND)
    return finish(fig, text, x="probe (share found, 0 to 1)", y=y, height=400, margin_t=92)


def correlations(table: pd.DataFrame) -> list[str]:
    """Spearman's correlation of each probe with the Recall of each recommender, with its interval, in words."""
    said = []
    for (kind, name), own in table.groupby(["probe", "recommender"], sort=False):
        if len(own) < 2:
            said.append(f"{kind}, {name}: one feature set says nothing")
            continue
        one = spearman(own["value"], own["recall"])
        ends = f" [{one.low:+.2f}, {one.high:+.2f}]" if np.isfinite(one.low) else ", too few sets for an interval"
        said.append(f"{kind}, {name}: {one.value:+.2f}{ends}, {one.users} sets")
    return said


def probes_answer(table: pd.DataFrame, sets: Comparisons, own: Comparisons, foretold: pd.DataFrame) -> Html:
    """Which features are good, whether the recommender uses them, and how well the one foretells the other.

    Args:
        table: from ``evaluation.feature_sets.probe_table``.
        sets: from ``evaluation.feature_sets.compare_sets``.
        own: from ``evaluation.knock_out.of_one_recommender``.
        foretold: as in ``probe_prediction``.
    """
    lost, kept = ("; ".join(one.b for one in own if (one.better == one.a) is lost) for lost in (True, False))
    said = [
        f"<b>Before training</b>: {escape(_best(table))}",
        f"Compared user by user by their zero-shot, {escape('; '.join(sets.verdict))}",
        f"<b>In training</b>: significantly worse than the model with its content: {escape(lost or 'none')}",
        f"Not told apart from it, or better: {escape(kept or 'none')}",
        f"<b>Does a probe foretell Recall?</b> Spearman: {escape('; '.join(correlations(foretold)) or 'not measured')}",
    ]
    return Html(listed(f"{one}." for one in said).text + f'<div class="mm-note">{escape(own.rule)}</div>')


def published_knock_out(rows: pd.DataFrame, note: str = "", *, digits: int = 4) -> Html:
    """Published figures of one metric and catalogue: a row a model, a column a variant.

    Args:
        rows: from ``evaluation.published.published`` with one protocol.
        note: the protocol's own.
    """
    wide = rows.pivot(index="method", columns="variant", values="value")
    order: Sequence[str] = ["", *sorted(name for name in wide.columns if name)]
    wide = wide[list(order)].sort_values("", ascending=False)
    lines = [
        [escape(str(name)), *(f"{one:.{digits}f}" if one == one else "–" for one in row)]
        for name, *row in wide.itertuples()
    ]
    return html_table(["model", *(name or "as it is" for name in order)], lines, note)


def _cell(row: Mapping[Any, Any] | None, digits: int) -> str:
    if row is None:
        return "–"
    mean, bracket, ends = in_words(row["value"], row["low"], row["high"], int(row["n"]), digits).partition(" [")
    return mean + (f" <small>[{ends}</small>" if bracket else "")


def _mean(one: Method, metric: str) -> str:
    row = ranked({one.label: one}, metric).iloc[0]
    return in_words(float(row["mean"]), float(row["low"]), float(row["high"]), int(row["users"]))


def _best(table: pd.DataFrame) -> str:
    parts = []
    for kind in (ZERO_SHOT, ITEM_CF):
        rows = table[table["probe"] == kind].sort_values("value", ascending=False, kind="stable").to_dict("records")
        for row in rows[:1]:
            numbers = in_words(row["value"], row["low"], row["high"], int(row["n"]))
            parts.append(f"{row['features']} leads by {kind}, {numbers} (chance {row['chance']:.4f})")
    return "; ".join(parts) or "no feature set was probed"


def _numbers(one: Comparison | None) -> str:
    """A comparison in a cell: bold where it is significant, a dash where there is none."""
    text = escape(one.numbers()) if one else "–"
    return f"<b>{text}</b>" if one and one.significant else text
