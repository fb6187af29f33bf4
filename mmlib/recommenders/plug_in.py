"""What LATTICE and MICRO share: a collaborative method whose items are enhanced by what item graphs carry to them.

Letters: n = items, b = interactions of a batch, d = width of vectors.
"""

import functools
import inspect
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.graph import Graph, bipartite
from ..core.neighbours import Search
from ..kernels.neighbours import unit
from ..training.learner import Batch
from .bpr import BPR
from .item_graphs import LearntGraph, MinedGraph, item_searches, searches_of
from .lightgcn import LightGCN
from .losses import Reading, bpr, length
from .modalities import ContentRecommender, Modality
from .ngcf import NGCF

BACKBONES: dict[str, type[BPR]] = {"mf": BPR, "ngcf": NGCF, "lightgcn": LightGCN}


class PlugIn(ContentRecommender):
    """A collaborative method whose items are enhanced: x_i + h_i / ||h_i||, h from learnt item graphs.

    A subclass gives ``adjacency`` and ``item_vectors``.

    Args:
        data: a split dataset.
        features: vectors of items.
        backbone: ``"lightgcn"``, ``"ngcf"`` (mean of layers) or ``"mf"``; gives the x.
        layers: of the backbone.
        item_layers: L, on the item graphs.
        neighbours: k.
        skip: lambda.
        include_self: an item is its own nearest neighbour, as eq. 2 reads and the official code has it.
        l2: of a batch's rows, halved, summed and divided by its size.
        l2_on: their ``"final"`` vectors (official code; the paper does not say) or layer-0 ``"parameters"``.
        l2_reading: see ``losses.length``.
        normalisation, self_loops: of users and items; LightGCN's D^-1/2 A D^-1/2. The official code has D^-1 (A + I).
        graph_gradient: what the graphs are made of learns in the ``"first"`` batch of an epoch, and the graphs then
            stay as they are (the official code; the paper says "dynamically"), or in ``"every"`` one, which projects
            all items each time. Either way neighbours are searched once an epoch, and once for ``embed()``.
        options: of :class:`ContentRecommender`, and more of the backbone, such as NGCF's ``message_dropout``.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        backbone: Literal["mf", "ngcf", "lightgcn"] = "lightgcn",
        layers: int = 2,
        item_layers: int = 1,
        neighbours: int = 10,
        skip: float = 0.9,
        include_self: bool = True,
        l2: float = 1e-5,
        l2_on: Literal["final", "parameters"] = "final",
        l2_reading: Reading = "squared",
        normalisation: str = "symmetric",
        self_loops: bool = False,
        graph_gradient: Literal["first", "every"] = "first",
        **options: Any,
    ) -> None:
        if neighbours < 1 or not 0 <= skip <= 1 or item_layers < 0:
            given = f"neighbours={neighbours}, skip={skip}, item_layers={item_layers}"
            raise InputError(f"{given}: need at least 1, 0 to 1, and at least 0.")
        own = {name: options.pop(name) for name in ContentRecommender.options() if name in options}
        super().__init__(data, features, **own)
        self.layers, self.item_layers, self.skip, self.graph_gradient = layers, item_layers, skip, graph_gradient
        self.neighbours, self.l2, self.l2_on, self.l2_reading = neighbours, l2, l2_on, l2_reading
        of: dict[str, Any] = {"dim": self.dim, "l2": l2} | self.started | options
        if backbone != "mf":
            of |= {"layers": layers, "normalisation": normalisation}
        if backbone == "ngcf":
            if of.setdefault("pool", "mean") != "mean":
                raise InputError("NGCF under item graphs needs pool='mean': h is as wide as one layer.")
            of = ({"self_messages": "matrix"} if self_loops else {}) | of
        self.network = BACKBONES[backbone](data, **of)
        if backbone == "lightgcn" and self_loops:
            self.network.graph = bipartite(data, normalisation=normalisation, self_loops=True)
        searches = item_searches(self.content, neighbours, include_self=include_self) if item_layers else {}
        lists, self.modal = self.lists_of(searches), nn.ModuleDict()
        mined = functools.partial(MinedGraph, dim=self.dim, k=neighbours, include_self=include_self)
        for name, one in self.content.items():
            if isinstance(one, Modality):
                self.modal[name] = mined(one, lists=lists.get(name))
        del self.content  # each modality is with its graphs
        self.fixed: dict[str, Graph] = {}

    @classmethod
    def options(cls, **chosen: Any) -> dict[str, inspect.Parameter]:
        known = super().options(**chosen)
        backbone = one_of("backbone", chosen.get("backbone", "lightgcn"), BACKBONES)
        return BACKBONES[backbone].options() | known

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        given = cls.in_force(**options)
        if not given["item_layers"]:
            return {}
        return searches_of(cls.__name__, features, given.pop("neighbours"), **given)

    def adjacency(self, *, anew: bool) -> dict[str, LearntGraph]:
        """The item graphs of the weights in force; ``anew``: with neighbours searched anew."""
        raise NotImplementedError

    def item_vectors(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        """h of ``items`` [...], or of all: [..., d]."""
        raise NotImplementedError

    def start_epoch(self, epoch: int) -> None:
        """The epoch's first batch searches the neighbours anew."""
        self.fixed = {}
        for one in self.mined().values():
            one.kept = one.kept[:0]

    def mined(self) -> dict[str, MinedGraph]:
        """Modality -> its graphs."""
        return {name: one for name, one in self.modal.items() if isinstance(one, MinedGraph)}

    def graphs(self) -> dict[str, Any]:
        """The item graphs of a batch: learnt in the first of an epoch (or in every one), then fixed."""
        if self.fixed:
            return self.fixed
        learnt = self.adjacency(anew=False)
        if self.graph_gradient == "first":
            self.fixed = {name: one.frozen() for name, one in learnt.items()}
        return learnt

    def embed(self) -> Embeddings:
        users, items = self.split(self.network.propagated())
        return Embeddings(users, items + unit(self.item_vectors(self.adjacency(anew=True))))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        items = torch.stack([batch.positives, batch.negatives[:, 0]])  # [2, b]
        idle = bool(self.fixed)
        return self.terms(batch, self.item_vectors(self.graphs(), items), idle)

    def terms(self, batch: Batch, h: Tensor, idle: bool) -> dict[str, Tensor]:
        """BPR and L2 with h [2, b, d] of the positives and the negatives.

        Args:
            idle: give the graphs' parameters a gradient of zero, so that an optimiser with momentum goes on moving
                them between the batches that teach them, as in the official code.
        """
        final, ego = self.network.gathered(self.network.rows(batch))  # [3, b, d] each
        user, positive, negative = final[0], *(final[1:] + unit(h.flatten(0, 1)).view_as(h))
        held = (user, positive, negative) if self.l2_on == "final" else tuple(ego)
        terms = {"bpr": bpr(user, positive, negative), "l2": length(self.l2, *held, reading=self.l2_reading)}
        if idle:
            terms["bpr"] = terms["bpr"] + 0 * torch.stack([one.sum() for one in self.graph_parameters()]).sum()
        return terms

    def graph_parameters(self) -> list[nn.Parameter]:
        """Those that the item graphs alone depend on."""
        return list(self.modal.parameters())


def attention(dim: int) -> nn.Sequential:
    """q tanh(W h + b) of MICRO's eq. 7: [..., d] -> [..., 1]."""
    first, last = nn.Linear(dim, dim), nn.Linear(dim, 1, bias=False)
    nn.init.xavier_uniform_(first.weight)
    nn.init.xavier_uniform_(last.weight)
    return nn.Sequential(first, nn.Tanh(), last)
