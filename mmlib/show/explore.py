"""Explorers: pick an item, a user or a value and see what belongs to it.

In JupyterLab each function returns a widget. Headless (papermill, plain Python) it returns the same content for one
choice as a static gallery, so that a report never holds a dead widget.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError
from ..core.progress import _someone_watches
from ..kernels import neighbours as nearest
from ..kernels import rank
from ..kernels.sample import Seen
from .pictures import beside, neighbourhood, recommendations, tile
from .spaces import Vectors, item_spaces
from .tables import Html
from .theme import CONFIG, shorten

_SHOWN = 200  # matches listed at a time


def items(data: Dataset, vectors: Vectors, *, k: int = 6, item: int | None = None) -> Any:
    """Pick an item; see its picture, its text and its nearest neighbours by each modality.

    What to look for: what the picture, the words and the purchases each call similar.

    Args:
        vectors: ``Features``, ``Embeddings``, or name -> [n_items, d].
        k: neighbours by modality.
        item: the first choice; default: the most bought one.

    Returns:
        A widget in JupyterLab, else ``Html`` for the first choice.
    """
    spaces = {name: (nearest.unit(x), present) for name, (x, present) in item_spaces(data, vectors).items()}

    def draw(chosen: int) -> Html:
        groups = []
        for name, (unit, present) in spaces.items():
            found = _nearest(unit, present, chosen, k)
            note = "" if present[chosen] else f"This item has no {name} of its own."
            tiles = [tile(data, other, f"cosine {cosine:.2f}") for other, cosine in found]
            groups.append((f"Nearest by {name}", note, tiles))
        return beside(data, chosen, groups)

    return _explorer("item", data.items["title"], draw, _most_bought(data) if item is None else item)


def users(
    data: Dataset,
    ranked: Any,
    seen: Seen | None = None,
    *,
    k: int = 10,
    user: int | None = None,
    mark_hits: bool = False,
) -> Any:
    """Pick a user; see what they bought and what is recommended to them.

    Args:
        ranked: ``Embeddings``, or what has ``scores(users [b]) -> [b, n_items]``.
        seen: items that are not recommended again, usually the training purchases.
        k: recommended items.
        user: the first choice; default: one with a median number of training purchases.
        mark_hits: frame the items that were bought in the test part; see ``recommendations``.

    Returns:
        A widget in JupyterLab, else ``Html`` for the first choice.
    """

    def draw(chosen: int) -> Html:
        if isinstance(ranked, Embeddings):
            rows = torch.tensor([chosen], device=ranked.users.device)
            top, score = rank.top_k(ranked.users[rows], ranked.items, k, seen=seen, rows=rows)
        else:
            top, score = rank.top_k_by(ranked.scores, torch.tensor([chosen]), data.n_items, k, seen=seen)
        some = top[0] >= 0
        return recommendations(data, chosen, top[0][some].tolist(), score[0][some].tolist(), mark_hits=mark_hits)

    count = np.bincount(data.train[:, 0], minlength=data.n_users)
    typical = int(np.argsort(count, kind="stable")[len(count) // 2])
    return _explorer("user", data.users["id"], draw, typical if user is None else user)


def graph(data: Dataset, graph: Any, *, k: int = 8, item: int | None = None) -> Any:
    """Pick an item; see its strongest neighbours in an item graph.

    Args:
        graph: item x item, see ``neighbourhood``.
        item: the first choice; default: the most bought one.

    Returns:
        A widget in JupyterLab, else ``Html`` for the first choice.
    """
    first = _most_bought(data) if item is None else item
    return _explorer("item", data.items["title"], lambda chosen: neighbourhood(data, graph, chosen, k), first)


def values(results: Mapping[float, Any], *, label: str = "value", first: float | None = None) -> Any:
    """A slider over the values of an option, such as lambda, and what came out at each.

    Figures become one plotly figure with a slider, which also works in an exported page. Other results
    (anything with ``_repr_html_``) become a widget in JupyterLab, else the first choice.

    Args:
        results: value -> figure or gallery, drawn alike.
        label: the option's name, shown at the slider.
        first: the value shown at first; default: the middle one.

    Raises:
        InputError: when there is no result, or ``first`` is not among them.
    """
    if not results:
        raise InputError("There is nothing to show: give at least one value and its figure.")
    known = sorted(results)
    first = known[len(known) // 2] if first is None else first
    if first not in results:
        raise InputError(f"There is no result for {label} = {first}; there are {', '.join(map(str, known))}.")
    if all(isinstance(one, go.Figure) for one in results.values()):
        return _slider({value: results[value] for value in known}, label, first)
    if not _live():
        return Html(f'<div class="mm-head">{escape(label)} = {escape(str(first))}</div>{results[first]._repr_html_()}')
    import ipywidgets as widgets

    pane = widgets.HTML(results[first]._repr_html_())
    slider = widgets.SelectionSlider(options=known, value=first, description=label)
    slider.observe(lambda change: setattr(pane, "value", results[change["new"]]._repr_html_()), names="value")
    return widgets.VBox([slider, pane])


def pictures(fig: go.Figure) -> Any:
    """``fig`` beside a pane that shows the picture of the item under the pointer.

    Exported pages show pictures by themselves; this is for JupyterLab. Headless it returns ``fig`` as it is.

    Args:
        fig: with ``layout.meta["cards"]``, such as from ``alignment``.
    """
    if not _live():
        return fig
    import ipywidgets as widgets

    known = (fig.layout.meta or {}).get("cards", [])
    live, pane = go.FigureWidget(fig), widgets.HTML("", layout=widgets.Layout(width="140px"))

    live._config = CONFIG  # the widget has no other way to say it

    def show(trace: Any, points: Any, state: Any) -> None:
        if points.point_inds and trace.customdata is not None:
            pane.value = _card(known[int(trace.customdata[points.point_inds[0]])])

    for trace in live.data:
        trace.on_hover(show)
    return widgets.HBox([live, pane])


def _card(card: Mapping[str, str]) -> str:
    title, text = escape(card["title"]), escape(card["text"])
    return f'<img src="{escape(card["picture"])}" width="120" alt=""><br><b>{title}</b><br>{text}'


def _slider(results: dict[float, go.Figure], label: str, first: float) -> go.Figure:
    """All figures in one, of which the slider shows one at a time."""
    fig = go.Figure(layout=results[first].layout)
    owner = [value for value, one in results.items() for _ in one.data]
    fig.add_traces([trace for one in results.values() for trace in one.data])
    shown = [trace.visible for trace in fig.data]
    for trace, value in zip(fig.data, owner):
        trace.visible = trace.visible if value == first else False
    steps = []
    for value, one in results.items():
        visible = [(True if was is None else was) if own == value else False for was, own in zip(shown, owner)]
        notes = one.layout.to_plotly_json().get("annotations", [])
        layout = {"annotations": notes, "title.text": one.layout.title.text}
        layout |= {"meta": one.layout.meta} if one.layout.meta != fig.layout.meta else {}
        steps.append(dict(label=str(value), method="update", args=[{"visible": visible}, layout]))
    place = dict(x=0, len=1, y=1, yanchor="bottom", pad=dict(b=64, t=0))
    name = dict(prefix=f"{label} = ", font_size=14)
    fig.update_layout(sliders=[dict(active=list(results).index(first), steps=steps, currentvalue=name, **place)])
    return fig.update_layout(margin_t=(fig.layout.margin.t or 64) + 100, height=(fig.layout.height or 400) + 100)


def _nearest(unit: torch.Tensor, present: torch.Tensor, item: int, k: int) -> list[tuple[int, float]]:
    """The ``k`` items of highest cosine with ``item`` among those present: one row, so no block is needed."""
    if not present[item]:
        return []
    cosine = (unit @ unit[item]).masked_fill(~present, -2)  # [n_items]
    cosine[item] = -2
    found = cosine.topk(min(k, int(present.sum()) - 1))
    return list(zip(found.indices.tolist(), found.values.tolist()))


def _most_bought(data: Dataset) -> int:
    return int(data.purchases().argmax())


def _live() -> bool:
    return "ipykernel" in sys.modules and _someone_watches()


def _explorer(what: str, found: Iterable[Any], draw: Callable[[int], Html], first: int) -> Any:
    """A searchable list of names beside a pane; headless, the pane of the first choice."""
    names = list(map(str, found))
    if not 0 <= first < len(names):
        raise InputError(f"There is no {what} {first}: the catalogue has {what}s 0 to {len(names) - 1}.")
    if not _live():
        return draw(first)
    import ipywidgets as widgets

    lowered = [name.lower() for name in names]

    def matches(text: str) -> list[tuple[str, int]]:
        found = [n for n, name in enumerate(lowered) if text.lower() in name][:_SHOWN]
        return [(f"{shorten(names[n], 40)} ({n})", n) for n in found]

    search = widgets.Text(placeholder=f"find {what} …", layout=widgets.Layout(width="260px"))
    chooser = widgets.Select(layout=widgets.Layout(width="260px", height="280px"))
    pane = widgets.HTML(draw(first)._repr_html_(), layout=widgets.Layout(margin="0 0 0 20px"))
    head = [] if first < _SHOWN else [(f"{shorten(names[first], 40)} ({first})", first)]
    chooser.options = head + matches("")
    chooser.value = first

    def choose(change: Mapping[str, Any]) -> None:
        if change["new"] is not None:
            pane.value = draw(change["new"])._repr_html_()

    chooser.observe(choose, names="value")
    search.observe(lambda change: setattr(chooser, "options", matches(change["new"])), names="value")
    return widgets.HBox([widgets.VBox([search, chooser]), pane])
