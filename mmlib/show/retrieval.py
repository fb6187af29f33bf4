"""Text and image of the same item: how close they are, and whether one finds the other."""

from collections.abc import Mapping
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..evaluation.retrieval import BINS, Retrieval
from .tables import Html
from .theme import DASHES, MUTED, array, axis_names, caption, colour, style


def text_and_image(found: Mapping[str, Retrieval]) -> go.Figure:
    """Cosines of own and other pairs (left), and how often a text finds its own image among the first k (right).

    What to look for: own pairs (solid) to the right of other pairs (dotted), and a curve above chance and above the
    raw encoder's. Two humps that moved together have merely turned one way.

    Args:
        found: label -> what ``evaluation.retrieval.text_to_image`` gives.
    """
    fig = make_subplots(1, 2, subplot_titles=("Cosines of text and image", "A text finds its image"))
    middles = (np.arange(BINS) + 0.5) * 2 / BINS - 1
    for k, (label, one) in enumerate(found.items()):
        own, _ = np.histogram(array(one.own).clip(-1, 1), BINS, (-1, 1))
        for kind, counts, dash in (("own pairs", own, "solid"), ("other pairs", array(one.others), "dot")):
            fig.add_scatter(
                x=middles, y=counts / max(1, counts.sum()), name=f"{label}: {kind}", mode="lines",
                line=dict(color=colour(k), dash=dash, width=2, shape="hvh"), row=1, col=1,
            )  # fmt: skip
        places = np.unique(np.geomspace(1, len(one.rank), 60).round().astype(int))
        fig.add_scatter(
            x=places, y=[one.recall(int(place)) for place in places], name=label, mode="lines", legend="legend2",
            line=dict(color=colour(k), width=2), row=1, col=2,
        )  # fmt: skip
        if k == len(found) - 1:
            fig.add_scatter(
                x=places, y=[one.chance(int(place)) for place in places], name="chance", mode="lines",
                legend="legend2", line=dict(color=MUTED, dash=DASHES[2], width=1.5), row=1, col=2,
            )  # fmt: skip
    fig.update_xaxes(range=[-1, 1], col=1).update_xaxes(type="log", dtick=1, col=2)
    axis_names(fig, ["cosine", "k (images, log scale)"], ["share of pairs", "R@k (share of texts, 0 to 1)"])
    bar = dict(orientation="h", y=1.13, yanchor="bottom")
    style(fig, height=410, legend=bar | dict(x=0, entrywidth=180), legend2=bar | dict(x=0.56), margin_t=112)
    n = max((len(one.rank) for one in found.values()), default=0)
    gains = "; ".join(
        f"{label}: own {float(one.own.mean()):.3f}, other {one.other:.3f}, R@1 {one.recall(1):.3f}, "
        f"R@10 {one.recall(10):.3f}"
        for label, one in found.items()
    )
    text = f"{n:,} items with both a text and an image; chance is k / {n:,}. {gains or 'There is nothing to compare'}."
    return caption(fig, text)


def text_and_image_answer(found: Mapping[str, Retrieval]) -> Html:
    """What ``text_to_image`` found, in a sentence per encoder or model."""
    rows = [
        f"<li><b>{escape(label)}</b>: a text finds its image among the first ten of {len(one.rank):,} in "
        f"{one.recall(10):.0%} of cases (chance {one.chance(10):.1%}); mean cosine {float(one.own.mean()):+.2f} for "
        f"own pairs, {one.other:+.2f} for others.</li>"
        for label, one in found.items()
    ]
    return Html(f"<ul>{''.join(rows)}</ul>" if rows else "<p>There are no text and image to compare.</p>")
