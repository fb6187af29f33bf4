"""Text and image of the same item: how close they are, and whether one finds the other."""

from collections.abc import Mapping
from html import escape

import numpy as np
import plotly.graph_objects as go

from ..evaluation.retrieval import BINS, Retrieval
from .tables import Html, listed
from .theme import MUTED, array, colour, finish, panels


def text_and_image(found: Mapping[str, Retrieval]) -> go.Figure:
    """Cosines of own and other pairs (left), and how often a text finds its own image among the first k (right).

    What to look for: own pairs (solid) to the right of other pairs (dotted), and a curve above chance and above the
    raw encoder's. Two humps that moved together have merely turned one way.

    Args:
        found: label -> what ``evaluation.retrieval.text_to_image`` gives.
    """
    fig = panels(("Cosines: own pairs (solid), other pairs (dotted)", "A text finds its image"))
    n = max((len(one.rank) for one in found.values()), default=1)
    places = np.unique(np.geomspace(1, n, 60).round().astype(int))
    middles = (np.arange(BINS) + 0.5) * 2 / BINS - 1
    for k, (label, one) in enumerate(found.items()):
        own, _ = np.histogram(array(one.own).clip(-1, 1), BINS, (-1, 1))
        look = dict(mode="lines", name=label, legendgroup=label)
        for kind, counts, dash in (("own pairs", own, "solid"), ("other pairs", array(one.others), "dot")):
            line = dict(color=colour(k), dash=dash, width=2, shape="hvh")
            share = counts / max(1, counts.sum())
            hover = f"{kind}: %{{y:.3f}} at %{{x:.2f}}"
            fig.add_scatter(x=middles, y=share, line=line, showlegend=False, hovertemplate=hover, row=1, col=1, **look)
        fig.add_scatter(x=places, y=[one.recall(int(p)) for p in places], line_color=colour(k), row=1, col=2, **look)
    chance = dict(color=MUTED, dash="dashdot", width=1.5)
    fig.add_scatter(x=places, y=places / n, name="chance", mode="lines", line=chance, row=1, col=2)
    fig.update_xaxes(range=[-1, 1], col=1).update_xaxes(type="log", dtick=1, col=2)
    gains = "; ".join(
        f"{label}: own {float(one.own.mean()):.3f}, other {one.other:.3f}, R@1 {one.recall(1):.3f}, "
        f"R@10 {one.recall(10):.3f}"
        for label, one in found.items()
    )
    text = f"{n:,} items with both a text and an image; chance is k / {n:,}. {gains}."
    text = text if found else "There is nothing to compare: no item has both a text and an image."
    x, y = ["cosine", "k (images, log scale)"], ["share of pairs", "R@k (share of texts, 0 to 1)"]
    legend = dict(orientation="h", y=1.14, yanchor="bottom", x=0)
    return finish(fig, text, x=x, y=y, height=410, legend=legend, margin_t=92)


def text_and_image_answer(found: Mapping[str, Retrieval]) -> Html:
    """What ``text_to_image`` found, in a sentence per encoder or model."""
    return listed(
        (
            f"<b>{escape(label)}</b>: a text finds its image among the first ten of {len(one.rank):,} in "
            f"{one.recall(10):.0%} of cases (chance {one.chance(10):.1%}); mean cosine {float(one.own.mean()):+.2f} "
            f"for own pairs, {one.other:+.2f} for others."
            for label, one in found.items()
        ),
        "There are no text and image to compare.",
    )
