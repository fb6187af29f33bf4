from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch

from mmlib import show
from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.show.figures import _at_least, _thin


def made_fit(epochs=6, best=4, terms=("bce", "cima")):
    history = pd.DataFrame({"epoch": range(1, epochs + 1), "seconds": 0.1})
    for k, term in enumerate(terms):
        history[f"loss/{term}"] = np.linspace(1 + k, 0.5, epochs)
    history["loss"] = history.filter(like="loss/").sum(axis=1)
    history["valid/recall@20"] = np.linspace(0, 0.1, epochs)
    history["valid/ndcg@20"] = np.linspace(0, 0.05, epochs)
    return SimpleNamespace(history=history, best_epoch=best)


def names(fig):
    return [trace.name for trace in fig.data if trace.showlegend is not False]


def test_curves_of_one_fit_show_every_term_and_star_the_kept_epoch():
    fig = show.curves(made_fit())
    assert names(fig) == ["total", "bce", "cima", "recall@20", "ndcg@20"]
    stars = [trace for trace in fig.data if trace.marker.symbol == "star"]
    assert [list(star.x) for star in stars] == [[4], [4]]
    assert "epoch 4" in fig.layout.meta["caption"]


def test_curves_of_several_fits_compare_total_and_one_metric():
    fig = show.curves({"a<b>": made_fit(), "b": made_fit(best=2, terms=("bpr",))}, metric="ndcg@20")
    assert names(fig) == ["a<b>", "b"]
    assert fig.layout.yaxis2.title.text == "ndcg@20 (0 to 1)"
    assert not any("a<b>" in (trace.hovertemplate or "") for trace in fig.data)


def test_curves_refuse_what_cannot_be_drawn():
    with pytest.raises(InputError, match="at least one epoch"):
        show.curves(made_fit(epochs=0))
    with pytest.raises(InputError, match="recall@20"):
        show.curves(made_fit(), metric="recall@2")


def test_curves_survive_gaps_and_a_single_epoch():
    fit = made_fit()
    fit.history.loc[fit.history["epoch"] % 2 == 1, "valid/recall@20"] = np.nan
    line = next(trace for trace in show.curves(fit).data if trace.name == "recall@20")
    assert list(line.x) == [2, 4, 6]
    assert show.curves(made_fit(epochs=1, best=1)).data[0].mode == "markers"


@pytest.mark.parametrize(
    ("count", "n", "share"), [([0, 1, 1, 3], [1, 3], [0.75, 0.25]), ([5, 5], [1, 5], [1.0, 1.0]), ([], [1], [0.0])]
)
def test_at_least_is_the_share_that_reaches_n(count, n, share):
    fig = go.Figure()
    assert _at_least(fig, np.array(count, dtype=int), "").tolist() == n
    assert (list(fig.data[0].x), list(fig.data[0].y)) == (n, share)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 300, 5000])
def test_thin_keeps_both_ends_and_few_points(n):
    kept = _thin(n)
    assert len(kept) <= 300
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert (kept[[0, -1]].tolist() == [0, n - 1]) if n else len(kept) == 0


def test_long_tail_counts_training_purchases_only(shop):
    fig = show.long_tail(shop)
    assert sum(fig.data[0].y) == len(shop.train)
    assert f"{len(shop.train)} training purchases" in fig.layout.meta["caption"]


def test_degrees_tell_isolated_nodes(items_graph):
    fig = show.degrees({"items": items_graph})
    assert list(fig.data[0].x) == [1, 4]
    assert list(fig.data[0].y) == [3 / 8, 1 / 8]
    assert "5 of 8 nodes have none" in fig.layout.meta["caption"]


def test_attention_draws_quantiles_of_each_modality():
    weights = {"G": np.linspace(0, 1, 101), "T": 1 - np.linspace(0, 1, 101) ** 2}
    fig = show.attention({"users": weights, "items": {"G": np.ones(3)}})
    assert [trace.x[0] for trace in fig.data] == ["G", "T", "G"]
    assert [round(fig.data[0][key][0], 2) for key in ("lowerfence", "q1", "median", "q3", "upperfence")] == [
        0.05,
        0.25,
        0.5,
        0.75,
        0.95,
    ]
    assert "for users, T leads" in fig.layout.meta["caption"].replace("For", "for")


def test_vectors_separate_pairs_by_category(shop):
    codes = pd.factorize(shop.items["category"])[0]
    fig = show.vectors({"text": np.eye(8)[codes] * 3}, shop)
    assert "same category 1.00" in fig.layout.meta["caption"]
    assert "different category 0.00" in fig.layout.meta["caption"]
    assert names(fig) == ["same category", "different category"]
    with pytest.raises(InputError, match=r"3 rows.*8 items"):
        show.vectors(np.eye(3), shop)


def test_vectors_leave_missing_items_out(shop, two_spaces):
    text = two_spaces[0].clone()
    text[5:] = 1000.0
    features = Features({"text": text}, {"text": torch.arange(8) < 5})
    assert max(show.vectors(features, shop).data[0].x) < 100
    assert names(show.vectors(Embeddings(text, text), shop)) == ["same category", "different category"]


def test_vectors_without_categories_use_random_pairs(shop):
    from dataclasses import replace

    bare = replace(shop, items=shop.items.assign(category=""))
    assert names(show.vectors(np.eye(8), bare)) == ["random pairs"]


def test_every_figure_has_a_caption_and_axis_titles(shop, items_graph, two_spaces):
    drawn = [
        show.curves(made_fit()),
        show.long_tail(shop),
        show.degrees({"items": items_graph}),
        show.attention({"users": {"G": np.ones(4)}}),
        show.vectors(np.eye(8), shop),
        show.alignment(shop, *two_spaces),
    ]
    for fig in drawn:
        assert isinstance(fig, go.Figure)
        assert fig.layout.meta["caption"]
        assert all(axis.title.text for axis in fig.select_xaxes())
        assert fig.layout.yaxis.title.text
