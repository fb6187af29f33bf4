"""What LATTICE and MICRO share: a collaborative method whose items are enhanced by what learnt item graphs carry.

Letters: n = items, k = neighbours, b = interactions of a batch, d = width of vectors, d_m = of a modality's.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError, number, one_of
from ..core.graph import Graph, bipartite
from ..core.neighbours import NeighbourLists, nearest
from ..kernels.neighbours import unit
from ..training import Batch, Dataset, Embeddings, Features
from .bpr import BPR
from .lightgcn import LightGCN
from .losses import Reading, bpr, length
from .modalities import ContentRecommender, Modality, Projection, nearest_items
from .ngcf import NGCF

BACKBONES: dict[str, type[BPR]] = {"mf": BPR, "ngcf": NGCF, "lightgcn": LightGCN}


@dataclass(frozen=True)
class LearntGraph:
    """A graph whose weights carry gradients: ``index`` and ``weight`` [n, k] of each row's neighbours."""

    index: Tensor
    weight: Tensor

    def __matmul__(self, x: Tensor) -> Tensor:
        """Weighted sum over neighbours, differentiable in the weights and in x: [n, d] -> [n, d]."""
        return F.embedding_bag(self.index, x, per_sample_weights=self.weight.to(x.dtype), mode="sum")

    def frozen(self) -> Graph:
        """The same without gradients, whose products take a third of the time."""
        n, k = self.index.shape
        row = torch.arange(n, device=self.index.device).repeat_interleave(k)
        return Graph.from_edges(row, self.index.flatten(), self.weight.detach().flatten(), n, n)


class MinedGraph(nn.Module):
    """One modality's item graphs: S of its raw vectors, and that of its transformed vectors W e + b (eq. 4).

    An item without the modality has no neighbours and is nobody's: filled vectors, all alike, would be each other's.

    Args:
        content: the raw vectors, [n, d_m].
        dim: d, the width of the transformed ones.
        k: neighbours.
        include_self: whether an item is its own nearest neighbour.
        lists: each item's nearest by raw vectors; ``None`` keeps the transformation alone.
    """

    index: Tensor
    weight: Tensor
    kept: Tensor
    known: Tensor

    def __init__(
        self, content: Modality, dim: int, *, k: int, include_self: bool, lists: NeighbourLists | None = None
    ) -> None:
        super().__init__()
        here, least = int(content.present.sum()), int(not include_self)
        self.content, self.include_self, self.k = content, include_self, max(1, min(k, here - least))
        self.project = Projection(content().shape[1], dim)
        nn.init.xavier_uniform_(self.project.weight)
        index, weight = torch.empty(0, self.k, dtype=torch.long), torch.empty(0, self.k)
        if lists is not None:
            index, cosine = lists.table(self.k)
            weight = normalised(index, cosine.clamp(min=0))
        self.register_buffer("index", index, persistent=False)  # [n, k], of the raw vectors
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("kept", index[:0], persistent=False)  # of the transformed ones, once known in an epoch
        known = content.present & (here > least)
        self.register_buffer("known", known.float().unsqueeze(1), persistent=False)  # who has neighbours, [n, 1]

    def transformed(self, items: Tensor | None = None) -> Tensor:
        """Eq. 4 for ``items`` [...], or for all: [..., d]."""
        return self.project(self.content(items))

    def learnt(self, *, anew: bool) -> tuple[Tensor, Tensor]:
        """Eq. 1-2 of the transformed vectors: neighbours, and their similarities with gradient, [n, k] each.

        Args:
            anew: search the neighbours anew, or take those that were found first in this epoch.
        """
        x = unit(self.transformed())
        index = self.kept
        if anew or not len(index):
            search = nearest(x, self.k, include_self=self.include_self, present=self.content.present)
            index, _ = search.run().table(self.k)
        if not anew:
            self.kept = index
        cosine = torch.bmm(F.embedding(index, x), x.unsqueeze(2)).squeeze(2)
        cosine = cosine * self.known.to(cosine.dtype)  # who has no neighbours names itself
        return index, cosine.clamp(min=0).to(x.dtype)


def normalised(index: Tensor, similarity: Tensor, degrees: Tensor | None = None) -> Tensor:
    """Eq. 3, D^-1/2 S D^-1/2, where D_ii is the sum of row i on both sides: [n, k].

    Args:
        degrees: [n] to take in place of the sums of the rows.
    """
    sums = similarity.sum(1) if degrees is None else degrees
    root = sums.masked_fill(sums == 0, torch.inf).rsqrt()
    return root.unsqueeze(1) * similarity * root[index]


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
        number("skip", skip, least=0, most=1)
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
        searches = nearest_items(self.content, neighbours, include_self=include_self) if item_layers else {}
        lists, graphs = (
            self.lists_of(searches),
            partial(MinedGraph, dim=self.dim, k=neighbours, include_self=include_self),
        )
        mined = {name: graphs(cast(Modality, one), lists=lists.get(name)) for name, one in self.content.items()}
        self.modal = cast(Mapping[str, MinedGraph], nn.ModuleDict(mined))
        del self.content  # each modality is with its graphs
        self.fixed: dict[str, Graph] = {}

    @classmethod
    def options(cls, **chosen: Any) -> dict[str, inspect.Parameter]:
        known = super().options(**chosen)
        backbone = one_of("backbone", chosen.get("backbone", "lightgcn"), BACKBONES)
        return BACKBONES[backbone].options() | known

    def adjacency(self, *, anew: bool) -> dict[str, LearntGraph]:
        """The item graphs of the weights in force; ``anew``: with neighbours searched anew."""
        raise NotImplementedError

    def item_vectors(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        """h of ``items`` [...], or of all: [..., d]."""
        raise NotImplementedError

    def start_epoch(self, epoch: int) -> None:
        """The epoch's first batch searches the neighbours anew."""
        self.fixed = {}
        for one in self.modal.values():
            one.kept = one.kept[:0]

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
        return self.terms(batch, self.item_vectors(self.graphs(), batch.items))

    def terms(self, batch: Batch, h: Tensor) -> dict[str, Tensor]:
        """BPR and L2 with h [2, b, d] of the positives and the negatives.

        Where the graphs are fixed, their parameters get a gradient of zero, so that an optimiser with momentum goes on
        moving them between the batches that teach them, as in the official code.
        """
        final, ego = self.network.gathered(self.rows(batch))  # [3, b, d] each
        user, positive, negative = final[0], *(final[1:] + unit(h.flatten(0, 1)).view_as(h))
        held = (user, positive, negative) if self.l2_on == "final" else tuple(ego)
        terms = {"bpr": bpr(user, positive, negative), "l2": length(self.l2, *held, reading=self.l2_reading)}
        if self.fixed:
            terms["bpr"] = terms["bpr"] + 0 * torch.stack([one.sum() for one in self.graph_parameters()]).sum()
        return terms

    def graph_parameters(self) -> list[nn.Parameter]:
        """Those that the item graphs alone depend on."""
        return [parameter for one in self.modal.values() for parameter in one.parameters()]
