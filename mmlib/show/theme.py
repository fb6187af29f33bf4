"""One look for every figure: template, captions, colours that survive colour blindness."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

PAGES = Path(__file__).parent / "pages"  # templates and style of the HTML pages
# Okabe & Ito (2008), darkest first; yellow is left out because it is lost on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B4C9A", "#8C6D31")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
INK, MUTED, GRID = "#1f2328", "#6a737d", "#e6e8eb"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HEIGHT = 400  # pixels
LEGEND = dict(orientation="h", x=0, y=1, yref="container", yanchor="top")  # in a line above the panels
OTHER = "other"
# a content policy under which a page loads nothing, and runs nothing unless ``script-src`` is added
NOTHING_FETCHED = (
    "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
# of every figure: no button, logo or address by which a chart could leave the machine
CONFIG: dict[str, Any] = dict(
    displaylogo=False,
    showSendToCloud=False,
    plotlyServerURL="",
    modeBarButtonsToRemove=["sendChartToCloud", "lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions=dict(format="svg"),
    responsive=True,
)


@cache
def keep_at_home() -> None:
    """Show every figure of this process with ``CONFIG``, also those that are not made here."""
    for renderer in (pio.renderers[name] for name in pio.renderers):  # the first look at them takes a second
        if hasattr(renderer, "config"):
            renderer.config = {**(renderer.config or {}), **CONFIG}


def plotly_script() -> str:
    """plotly.js without the address that its charts are uploaded to."""
    return get_plotlyjs().replace("https://cloud.plotly.com/newchart", "")


_line = dict(linecolor="#b5bac0", showline=True, zeroline=False, gridcolor=GRID, automargin=True)
_ticks = dict(ticks="outside", tickcolor="#b5bac0", ticklen=4, tickfont=dict(size=12, color=MUTED))
_axis = _line | _ticks | dict(title=dict(font=dict(size=13, color=INK), standoff=10))
_font = dict(family=FONT, size=13, color=INK)
TEMPLATE = go.layout.Template(
    layout=dict(
        font=_font,
        title=dict(font=dict(size=16), x=0, xref="paper", xanchor="left", y=0.97, yanchor="top"),
        colorway=list(PALETTE),
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin=dict(l=70, r=24, t=64, b=60),
        xaxis=_axis,
        yaxis=_axis,
        legend=dict(font=dict(size=12)),
        annotationdefaults=dict(font=dict(size=13)),
        hoverlabel=dict(bgcolor="white", bordercolor="#b5bac0", font=_font, align="left"),
    )
)


def style(fig: go.Figure, *, title: str = "", height: int = HEIGHT, **layout: Any) -> go.Figure:
    """Give ``fig`` the house template, a title and a height in pixels; ``layout`` goes to ``update_layout``."""
    keep_at_home()
    fig.update_layout(template=TEMPLATE, height=height, margin=dict(l=70, r=24, t=56, b=60))
    fig.update_annotations(font_size=14)  # the panels' titles
    return fig.update_layout(title_text=title or None, **layout)


def finish(
    fig: go.Figure,
    text: str,
    *,
    x: str | Sequence[str] = "",
    y: str | Sequence[str] = "",
    width: int = 118,
    **look: Any,
) -> go.Figure:
    """The end of every figure: titles of the axes, ``style`` with ``look``, and the caption ``text``.

    Args:
        x, y: titles of the panels' axes; one text is used for all of them.
        width: characters of the caption a line.
    """
    for axes, names in ((fig.select_xaxes(), x), (fig.select_yaxes(), y)):
        axes = list(axes)
        for axis, name in zip(axes, [names] * len(axes) if isinstance(names, str) else names):
            axis.title.text = name
    return caption(style(fig, **look), text, width=width)


def caption(fig: go.Figure, text: str, *, width: int = 118) -> go.Figure:
    """Put ``text`` under the figure, in addition to its height; a second caption replaces the first.

    In JupyterLab the caption is drawn as part of the figure. An exported page finds it in ``layout.meta`` and sets
    it as text instead, so that it wraps on a phone.

    Args:
        width: characters a line.
    """
    meta = dict(fig.layout.meta or {})
    lines = textwrap.wrap(text, width)
    added = 17 * len(lines) + 14
    bottom = (fig.layout.margin.b or 60) - meta.get("caption_height", 0)
    height = (fig.layout.height or HEIGHT) - meta.get("caption_height", 0)
    below = dict(text="<br>".join(map(escape, lines)), font=dict(size=12, color=MUTED), align="left", showarrow=False)
    place = dict(name="caption", x=0, xref="paper", xanchor="left", y=0, yref="paper", yanchor="top", yshift=-bottom)
    others = [note for note in fig.layout.annotations if note.name != "caption"]
    fig.update_layout(annotations=[*others, go.layout.Annotation(**below, **place)])
    fig.update_layout(height=height + added, margin_b=bottom + added)
    return fig.update_layout(meta=meta | {"caption": text, "caption_height": added})


@dataclass(frozen=True)
class Style:
    """How one category is drawn: colour and marker symbol, so that colour is not the only channel."""

    colour: str
    symbol: str


def category_styles(categories: Iterable[str], *, most: int = len(PALETTE)) -> dict[str, Style]:
    """Return category -> Style, most frequent first and ties by name, so it is stable for a catalogue.

    Categories beyond the ``most`` frequent ones, and the empty category, share the grey style of ``OTHER``,
    which is always the last key.
    """
    counts = Counter(str(name) for name in categories if str(name))
    names = sorted(counts, key=lambda name: (-counts[name], name))[:most]
    found = {name: Style(PALETTE[k % len(PALETTE)], SYMBOLS[k % len(SYMBOLS)]) for k, name in enumerate(names)}
    return {**found, OTHER: Style("#9aa0a6", "circle-open")}


def small(text: str) -> str:
    """``text`` (already escaped) as smaller print inside a figure."""
    return f'<span style="font-size:12px;font-weight:400">{text}</span>'


def log_ticks(values: np.ndarray) -> list[float]:
    """1, 2, 5, 10, 20, ... over the range of ``values``, for an axis on which a power of ten alone says little."""
    if len(values) == 0:
        return [1]
    low, high = int(np.floor(np.log10(min(values)))), int(np.ceil(np.log10(max(values))))
    ticks = [digit * 10.0**power for power in range(low, high + 1) for digit in (1, 2, 5)]
    return ticks if high - low <= 2 else ticks[::3]


def text_of(name: str) -> str:
    """A file of ``pages``."""
    return (PAGES / name).read_text(encoding="utf-8")


@cache
def css(name: str) -> str:
    """A style sheet of ``pages`` as an element."""
    return f"<style>{text_of(name)}</style>"


@cache
def _templates() -> jinja2.Environment:
    found = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES), autoescape=True, keep_trailing_newline=True)
    found.filters["shorten"] = shorten
    return found


def filled(template: str, **values: Any) -> str:
    """A template of ``pages`` with its values, which are escaped."""
    return _templates().get_template(template).render(values)


def bars(rows: pd.DataFrame, **look: Any) -> dict[str, Any]:
    """Error bars of ``mean`` from ``low`` to ``high``, which need not lie evenly."""
    ends = dict(array=rows["high"] - rows["mean"], arrayminus=rows["mean"] - rows["low"])
    return dict(type="data", symmetric=False, thickness=1.8, width=5, **ends, **look)


def panels(titles: Sequence[str], **grid: Any) -> go.Figure:
    """Panels side by side, each under its title; ``grid`` goes to ``make_subplots``."""
    return make_subplots(1, len(titles), subplot_titles=titles, **{"horizontal_spacing": 0.12} | grid)


def colour(k: int) -> str:
    """The ``k``-th colour of the palette; it starts again at its end."""
    return PALETTE[k % len(PALETTE)]


def line(k: int, **look: Any) -> dict[str, Any]:
    """The ``k``-th line, by colour and dash."""
    return dict(color=colour(k), dash=DASHES[k % len(DASHES)], width=2) | look


def mark(k: int, **look: Any) -> dict[str, Any]:
    """The ``k``-th marker, by colour and shape."""
    return dict(color=colour(k), symbol=SYMBOLS[k % len(SYMBOLS)]) | look


def array(values: Any) -> np.ndarray:
    """A numpy array of a tensor on any device, an array or a sequence."""
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)


def shorten(text: Any, length: int = 60) -> str:
    """``text`` on one line, cut at ``length`` characters with an ellipsis."""
    text = " ".join(str(text).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
