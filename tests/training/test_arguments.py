"""Every argument of a model's constructor is recorded, checked and known by its content."""

import json
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import nn

from mmlib.core.dataset import Dataset
from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.core.graph import bipartite
from mmlib.recommenders import LightGCN
from mmlib.training import Recommender


class Mine(Recommender):
    """Keeps nothing under the name of its option."""

    def __init__(
        self, data: Dataset, features: Features | None = None, *, start=None, heat: float = 1.0, **rest
    ) -> None:
        super().__init__(data)
        self.scale = 1 / heat
        self.rest = rest
        self.table = nn.Parameter(torch.randn(data.n_users + data.n_items, 4))

    def embed(self) -> Embeddings:
        return Embeddings(*self.table.split([self.data.n_users, self.data.n_items]))


class Theirs(LightGCN):
    def __init__(
        self, data: Dataset, *, width: int = 8, side: Literal["left", "right"] = "left", **options: Any
    ) -> None:
        super().__init__(data, dim=width, **options)


def test_models_that_differ_in_any_argument_describe_themselves_differently(blocks, features) -> None:
    start = Embeddings(torch.zeros(24, 4), torch.zeros(20, 4))
    shorter = replace(features, item={"text": features.item["text"]}, present={"text": features.present["text"]})
    graphs = {"graph": bipartite(blocks)}
    table = blocks.interactions
    other_data = replace(blocks, interactions=table.assign(part=["test", *table["part"][1:]]))
    models = [
        Mine(blocks),
        Mine(blocks, heat=2.0),
        Mine(blocks, features),
        Mine(blocks, shorter),
        Mine(blocks, start=start),
        Mine(blocks, start=replace(start, items=start.items + 1)),
        Mine(blocks, widths=[4, 4]),
        Mine(blocks, widths=[4, 5]),
        Mine(blocks, graphs=graphs),
        Mine(blocks, graphs={"graph": bipartite(blocks, normalisation="row")}),
        Mine(blocks, weights=torch.zeros(3)),
        Mine(blocks, weights=torch.ones(3)),
        Mine(other_data),
    ]
    described = [json.dumps(one.describe(), sort_keys=True) for one in models]
    assert len(set(described)) == len(models)
    assert json.dumps(Mine(blocks, heat=2).describe()) != described[0]
    assert json.dumps(Mine(blocks, start=replace(start)).describe(), sort_keys=True) == described[4]
    assert not any(one.unknown_arguments() for one in models)


def test_what_a_subclass_passes_on_is_recorded_too(blocks) -> None:
    described = Theirs(blocks, width=6, layers=1).describe()
    assert {
        "model": "Theirs",
        "width": 6,
        "side": "left",
        "dim": 6,
        "layers": 1,
        "l2": 1e-4,
    }.items() <= described.items()

    class Wide(LightGCN):
        def __init__(self, data: Dataset, *, dim: int = 8) -> None:
            super().__init__(data, dim=2 * dim)

    assert Wide(blocks).describe()["dim"] == 8
    assert Wide(blocks).describe()["LightGCN.dim"] == 16


def test_options_are_listed_with_their_defaults_and_unknown_ones_refused(blocks) -> None:
    assert {"width": 8, "side": "left", "layers": 3, "dim": 64}.items() <= Theirs.in_force().items()
    assert Theirs.options()["side"].annotation == Literal["left", "right"]
    with pytest.raises(InputError, match=r"Theirs has no option 'layrs'. Did you mean \"layers\"\? It has: width"):
        Theirs(blocks, layrs=9)
    with pytest.raises(InputError, match="LightGCN has no option 'layrs'"):
        LightGCN(blocks, layrs=9)
    with pytest.raises(InputError, match="side = 'up' is not known; choose one of 'left', 'right'"):
        Theirs(blocks, side="up")
    with pytest.raises(TypeError, match="Mine: missing a required argument: 'data'"):
        Mine()


def test_what_cannot_be_known_by_content_is_named(blocks) -> None:
    model = Mine(blocks, activation=lambda x: x)
    assert model.unknown_arguments() == ["activation"]
    assert json.dumps(model.describe())


@pytest.mark.parametrize("several", [False, True])
def test_graphs_are_found_and_go_along_to_a_device(blocks, several) -> None:
    graph = bipartite(blocks)
    model = Mine(blocks)
    model.roads = {"one": graph, "two": graph} if several else graph
    assert list(model.read_graphs()) == (["roads one", "roads two"] if several else ["roads"])
    moved = model.to("meta").roads
    for one in moved.values() if several else [moved]:
        assert one.weight.device.type == "meta"
    model.roads = None
    assert not model.read_graphs()
