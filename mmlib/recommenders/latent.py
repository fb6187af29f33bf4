"""What LATTICE and MICRO share: item graphs learnt from content, and the seam to any collaborative method.

Letters: n = items, b = purchases of a batch, k = neighbours, m = a modality, d_m = its width, d = width of vectors.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..core.graph import Graph, bipartite
from ..kernels import neighbours as nearest
from ..training.learner import Batch, Learner
from .bpr import BPR
from .content import Content, Projection
from .lightgcn import LightGCN
from .losses import bpr, length
from .ngcf import NGCF

BACKBONES = ("mf", "ngcf", "lightgcn")
NOT_OPTIONS = ("self", "data", "features", "options", "__class__")  # among the locals of a constructor


@dataclass(frozen=True)
class Neighbours:
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


class LatentGraph(nn.Module):
    """One modality's item graphs: S of its raw vectors, and that of its transformed vectors W e + b (eq. 4).

    An item without the modality has no neighbours and is nobody's: filled vectors, all alike, would be each other's.

    Args:
        content: the raw vectors, [n, d_m].
        dim: d, the width of the transformed ones.
        k: neighbours.
        include_self: whether an item is its own nearest neighbour.
        graph: whether there is any; ``False`` keeps the transformation alone.
    """

    index: Tensor
    weight: Tensor
    kept: Tensor
    here: Tensor

    def __init__(self, content: Content, dim: int, *, k: int, include_self: bool, graph: bool = True) -> None:
        super().__init__()
        self.content, self.include_self = content, include_self
        self.register_buffer("here", content.present.nonzero().flatten(), persistent=False)  # items with the modality
        self.k = max(1, min(k, len(self.here) - (not include_self)))
        self.project = Projection(content.width, dim)
        nn.init.xavier_uniform_(self.project.weight)
        index, weight = torch.empty(0, self.k, dtype=torch.long), torch.empty(0, self.k)
        if graph:
            index, cosine = self.nearest(content().detach().float())
            weight = normalised(index, cosine.clamp(min=0))
        self.register_buffer("index", index, persistent=False)  # [n, k], of the raw vectors
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("kept", index[:0], persistent=False)  # of the transformed ones, once known in an epoch

    def transformed(self, items: Tensor | None = None) -> Tensor:
        """Eq. 4 for ``items`` [...], or for all: [..., d]."""
        return self.project(self.content(items))

    def nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 1-2 without gradient: neighbours and their cosines, [n, k] each."""
        n, here = len(x), self.here
        if len(here) == n > 1:
            return nearest.top_k(x.detach(), self.k, include_self=self.include_self)
        index = torch.arange(n, device=x.device).unsqueeze(1).repeat(1, self.k)
        cosine = torch.zeros(n, self.k, device=x.device)
        if len(here) > (not self.include_self):
            found, alike = nearest.top_k(x.detach()[here], self.k, include_self=self.include_self)
            index[here], cosine[here] = here[found], alike.to(cosine.dtype)
        return index, cosine

    def learnt(self, *, anew: bool) -> tuple[Tensor, Tensor]:
        """Eq. 1-2 of the transformed vectors: neighbours, and their similarities with gradient, [n, k] each.

        Args:
            anew: search the neighbours anew, or take those that were found first in this epoch.
        """
        x = nearest.unit(self.transformed())
        if anew:
            index = self.nearest(x)[0]
        else:
            index = self.kept = self.kept if len(self.kept) else self.nearest(x)[0]
        cosine = torch.bmm(F.embedding(index, x), x.unsqueeze(2)).squeeze(2)
        if len(self.here) < len(x) or len(x) == 1:  # who has no neighbours names itself
            cosine = cosine * self.has_neighbours(len(x)).to(cosine.dtype).unsqueeze(1)
        return index, cosine.clamp(min=0).to(x.dtype)

    def has_neighbours(self, n: int) -> Tensor:
        """[n] bool."""
        known = torch.zeros(n, dtype=torch.bool, device=self.here.device)
        if len(self.here) > (not self.include_self):
            known[self.here] = True
        return known


def normalised(index: Tensor, similarity: Tensor, degrees: Tensor | None = None) -> Tensor:
    """Eq. 3, D^-1/2 S D^-1/2, where D_ii is the sum of row i on both sides: [n, k].

    Args:
        degrees: [n] to take in place of the sums of the rows.
    """
    sums = similarity.sum(1) if degrees is None else degrees
    root = sums.masked_fill(sums == 0, torch.inf).rsqrt()
    return root.unsqueeze(1) * similarity * root[index]


class PlugIn(Learner):
    """A collaborative method whose items are enhanced: x_i + h_i / ||h_i||, h from learnt item graphs.

    Sets every option as an attribute. A subclass gives ``adjacency`` and ``item_vectors``.

    Args:
        options: of the subclass, by name; see there.
        more: of the backbone.
        content: modality -> :class:`Content`.
    """

    backbone: str
    dim: int
    item_layers: int
    skip: float
    l2: float
    l2_on: str
    graph_gradient: str

    def __init__(self, data: Dataset, content: nn.ModuleDict, options: dict[str, Any], more: dict[str, Any]) -> None:
        super().__init__(data)
        one_of("backbone", options["backbone"], BACKBONES)
        one_of("l2_on", options["l2_on"], ("final", "parameters"))
        one_of("graph_gradient", options["graph_gradient"], ("first", "every"))
        if options["k"] < 1 or not 0 <= options["skip"] <= 1 or options["item_layers"] < 0:
            given = ", ".join(f"{name}={options[name]}" for name in ("k", "skip", "item_layers"))
            raise InputError(f"{given}: need at least 1, 0 to 1, and at least 0.")
        for name, value in options.items():
            if name != "start":
                setattr(self, name, value)
        self.network = backbone(data, options, more)
        self.draws_by_item = getattr(self.network, "draws_by_item", False)
        dim, k, include_self = options["dim"], options["k"], options["include_self"]
        graph = options["item_layers"] > 0
        self.modal = nn.ModuleDict(
            {
                name: LatentGraph(one, dim, k=k, include_self=include_self, graph=graph)
                for name, one in content.items()
                if isinstance(one, Content)
            }
        )
        self.fixed: dict[str, Graph] = {}

    def adjacency(self, *, anew: bool) -> dict[str, Neighbours]:
        """The item graphs of the weights in force; ``anew``: with neighbours searched anew."""
        raise NotImplementedError

    def item_vectors(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        """h of ``items`` [...], or of all: [..., d]."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        return self.network.describe() | super().describe()

    def start_epoch(self, epoch: int) -> None:
        """The epoch's first batch searches the neighbours anew."""
        self.fixed = {}
        for one in self.latent().values():
            one.kept = one.kept[:0]

    def latent(self) -> dict[str, LatentGraph]:
        """Modality -> its graphs."""
        return {name: one for name, one in self.modal.items() if isinstance(one, LatentGraph)}

    def graphs(self) -> dict[str, Any]:
        """The item graphs of a batch: learnt in the first of an epoch (or in every one), then fixed."""
        if self.fixed:
            return self.fixed
        learnt = self.adjacency(anew=False)
        if self.graph_gradient == "first":
            self.fixed = {name: one.frozen() for name, one in learnt.items()}
        return learnt

    def embed(self) -> Embeddings:
        users, items = self.network.propagated().split([self.data.n_users, self.data.n_items])
        h = self.item_vectors(self.adjacency(anew=True))
        return Embeddings(users, items + nearest.unit(h), self.describe())

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
        user, positive, negative = final[0], *(final[1:] + nearest.unit(h.flatten(0, 1)).view_as(h))
        held = (user, positive, negative) if self.l2_on == "final" else tuple(ego)
        terms = {"bpr": bpr(user, positive, negative), "l2": length(self.l2, *held)}
        if idle:
            terms["bpr"] = terms["bpr"] + 0 * torch.stack([one.sum() for one in self.graph_parameters()]).sum()
        return terms

    def graph_parameters(self) -> list[nn.Parameter]:
        """Those that the item graphs alone depend on."""
        return list(self.modal.parameters())


def backbone(data: Dataset, options: dict[str, Any], more: dict[str, Any]) -> BPR:
    """The collaborative method that is plugged into; NGCF with the mean of its layers, d wide like h."""
    common = {name: options[name] for name in ("dim", "start", "start_scale", "start_centre")} | {"l2": options["l2"]}
    if options["backbone"] == "mf":
        return BPR(data, **common, **more)
    common |= {"layers": options["layers"], "normalisation": options["normalisation"]}
    if options["backbone"] == "ngcf":
        if more.get("pool", "mean") != "mean":
            raise InputError("NGCF under item graphs needs pool='mean': h is as wide as one layer.")
        loops = {"self_messages": "matrix"} if options["self_loops"] else {}
        return NGCF(data, **(common | {"pool": "mean"} | loops | more))
    network = LightGCN(data, **common, **more)
    if options["self_loops"]:
        network.graph = bipartite(data, normalisation=options["normalisation"], self_loops=True)
    return network


def attention(dim: int) -> nn.Sequential:
    """q tanh(W h + b) of MICRO's eq. 7: [..., d] -> [..., 1]."""
    first, last = nn.Linear(dim, dim), nn.Linear(dim, 1, bias=False)
    nn.init.xavier_uniform_(first.weight)
    nn.init.xavier_uniform_(last.weight)
    return nn.Sequential(first, nn.Tanh(), last)
