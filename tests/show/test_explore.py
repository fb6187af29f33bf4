import os
import sys
from types import ModuleType

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from bs4 import BeautifulSoup
from plotly.callbacks import Points

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.kernels.sample import Seen
from mmlib.show import alignment, explore
from mmlib.show.pictures import Html

KERNEL = ModuleType("ipykernel")
KERNEL.version_info = (7, 0)


@pytest.fixture
def lab(monkeypatch):
    """As if in JupyterLab."""
    monkeypatch.setitem(sys.modules, "ipykernel", KERNEL)
    monkeypatch.setenv("JPY_SESSION_NAME", "page.ipynb")


@pytest.fixture
def headless(monkeypatch):
    """As if under papermill."""
    monkeypatch.setitem(sys.modules, "ipykernel", KERNEL)
    for name in ("JPY_SESSION_NAME", *[name for name in os.environ if name.startswith("VSCODE_")]):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def features(two_spaces):
    present = {"text": torch.ones(8, dtype=torch.bool), "image": torch.arange(8) < 6}
    return Features(dict(zip(("text", "image"), two_spaces)), present)


@pytest.fixture
def embeddings(two_spaces):
    return Embeddings(torch.randn(5, 5, generator=torch.Generator().manual_seed(3)), two_spaces[0])


def titles(html):
    return [tag["title"] for tag in BeautifulSoup(html, "html.parser").select(".mm-item")]


def test_items_lists_the_nearest_by_each_modality(shop, features, headless):
    shown = explore.items(shop, features, k=5, item=1)
    assert isinstance(shown, Html)
    expected = ["item 1"]
    for name, x in features.item.items():
        cosine = torch.nn.functional.cosine_similarity(x, x[1:2])
        cosine[1] = -9
        cosine[~features.present[name]] = -9
        expected += [shop.items["title"][i] for i in cosine.argsort(descending=True)[:5].tolist()]
    assert titles(shown.text) == expected
    assert "This item has no image of its own." in explore.items(shop, features, item=7).text


def test_items_take_plain_vectors_and_refuse_other_sizes(shop, embeddings, headless):
    assert "Nearest by purchases" in explore.items(shop, embeddings).text
    assert "Nearest by mine" in explore.items(shop, {"mine": np.eye(8)}).text
    with pytest.raises(InputError, match="3 rows"):
        explore.items(shop, {"mine": np.eye(3)})
    with pytest.raises(InputError, match="no item 8"):
        explore.items(shop, embeddings, item=8)


def test_users_get_the_best_unseen_items(shop, embeddings, headless):
    seen = Seen.from_pairs(*torch.from_numpy(shop.train).T, shop.n_users, shop.n_items)
    shown = explore.users(shop, embeddings, seen, k=2, user=2)
    bought = shop.train[shop.train[:, 0] == 2, 1]
    score = embeddings.items @ embeddings.users[2]
    score[torch.from_numpy(bought)] = -torch.inf
    best = [shop.items["title"][i] for i in score.argsort(descending=True)[:2].tolist()]
    assert titles(shown.text) == [shop.items["title"][i] for i in bought] + best


def test_graph_is_the_neighbourhood(shop, items_graph, headless):
    assert titles(explore.graph(shop, items_graph, item=0, k=1).text)[1:] == ["item 2"]


def test_in_lab_a_choice_redraws_the_pane_and_search_narrows_the_list(shop, features, lab):
    widget = explore.items(shop, features)
    (search, chooser), pane = widget.children[0].children, widget.children[1]
    chooser.value = 3
    assert titles(pane.value)[0] == "item 3"
    search.value = "ITEM 5"
    assert [number for _, number in chooser.options] == [5]
    assert "<script" not in pane.value


def test_values_of_figures_become_one_figure_with_a_slider(lab):
    results = {lam: go.Figure(go.Scatter(y=[lam, 2]), layout_title_text=f"at {lam}") for lam in (0.5, 0.1, 1.0)}
    fig = explore.values(results, label="lambda")
    assert [trace.visible for trace in fig.data] == [False, None, False]
    steps = fig.layout.sliders[0].steps
    assert [step.label for step in steps] == ["0.1", "0.5", "1.0"]
    assert [step.args[0]["visible"] for step in steps] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert steps[2].args[1]["title.text"] == "at 1.0"
    assert all(one.data[0].visible is None for one in results.values()), "the given figures were changed"


def test_values_of_galleries(headless, monkeypatch):
    results = {0.1: Html("<p>small</p>"), 0.9: Html("<p>large</p>")}
    assert "large" in explore.values(results).text
    assert "small" in explore.values(results, first=0.1).text
    with pytest.raises(InputError, match="no result for lambda = 3"):
        explore.values(results, label="lambda", first=3)
    monkeypatch.setenv("JPY_SESSION_NAME", "page.ipynb")
    slider, pane = explore.values(results).children
    slider.value = 0.1
    assert "small" in pane.value


def test_pictures_follow_the_pointer_in_lab_only(shop, two_spaces, lab, monkeypatch):
    fig = alignment(shop, *two_spaces)
    live, pane = explore.pictures(fig).children
    trace = next(one for one in live.data if one.customdata is not None)
    trace._dispatch_on_hover(Points(point_inds=[0]), None)
    assert "data:image/" in pane.value
    assert "<script" not in pane.value
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert explore.pictures(fig) is fig
