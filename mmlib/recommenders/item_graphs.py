"""Graphs of similar items: frozen ones of FREEDOM, MGCN and AlignRec, learnt ones of LATTICE and MICRO.

Letters: n = items, k = neighbours, m = a modality, d_m = its width, d = width of vectors.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import one_of
from ..core.features import Features
from ..core.graph import Graph
from ..core.neighbours import NeighbourLists, Search, nearest
from ..kernels.neighbours import unit
from .modalities import Modality, Projection, contents


def item_searches(content: nn.ModuleDict, k: int, *, include_self: bool = True) -> dict[str, Search]:
    """The k nearest items of each item in each modality: modality -> search.

    An item without the modality has none and is nobody's: filled vectors are all alike, and would be each other's.
    """
    return {
        name: nearest(one(), k, include_self=include_self, present=one.present)
        for name, one in content.items()
        if isinstance(one, Modality)
    }


def searches_of(
    model: str, features: Features | None, k: int, include_self: bool = True, **options: Any
) -> dict[str, Search]:
    """``item_searches`` of a model that is not there yet.

    Args:
        model: its name, for the messages.
        options: ``modalities``, ``missing`` and ``precision``; others are not read.
    """
    read = {name: options[name] for name in ("missing", "precision")}
    return item_searches(contents(model, features, options["modalities"], **read), k, include_self=include_self)


def similar_items(lists: dict[str, NeighbourLists], weight: str = "cosine") -> dict[str, Graph]:
    """The frozen item graphs of FREEDOM, MGCN and AlignRec: modality -> [n, n], normalised ``by_row_sums``.

    An item without neighbours, such as one without the modality, has itself alone.

    Args:
        lists: each item's nearest, itself among them.
        weight: ``"cosine"`` (negative ones become 0) or ``"binary"``.
    """
    one_of("weight", weight, ("cosine", "binary"))
    graphs = {}
    for name, one in lists.items():
        alone = (torch.bincount(one.row, minlength=one.n) == 0).nonzero().flatten()
        value = one.likeness.clamp(min=0) if weight == "cosine" else torch.ones_like(one.likeness)
        row, col = torch.cat([one.row, alone]), torch.cat([one.col, alone])
        about = {"graph": f"nearest neighbours by {name}", "weights": weight}
        whole = Graph.from_edges(row, col, torch.cat([value, torch.ones(len(alone))]), one.n, one.n, about)
        graphs[name] = by_row_sums(whole)
    return graphs


def by_row_sums(graph: Graph) -> Graph:
    """D^-1/2 S D^-1/2 with D_ii = sum_j S_ij on both sides, as LATTICE, MICRO (eq. 3), FREEDOM and MGCN write it.

    ``Graph.normalised("symmetric")`` divides columns by their own sums, which for a directed graph are others. A node
    whose row is empty gives nothing to any other.
    """
    total = torch.zeros(graph.n_rows, device=graph.weight.device).index_add_(0, graph.row, graph.weight.abs())
    scale = total.pow(-0.5).masked_fill_(total == 0, 0)
    weight = graph.weight * scale[graph.row] * scale[graph.col]
    return replace(graph, weight=weight, about=graph.about | {"normalisation": "by row sums"})


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
        n, here, least = len(content.present), int(content.present.sum()), int(not include_self)
        self.content, self.include_self, self.k = content, include_self, max(1, min(k, here - least))
        self.project = Projection(content.width, dim)
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
        self.all_known = here == n > 1

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
            present = None if self.all_known else self.content.present
            index, _ = nearest(x, self.k, include_self=self.include_self, present=present).run().table(self.k)
        if not anew:
            self.kept = index
        cosine = torch.bmm(F.embedding(index, x), x.unsqueeze(2)).squeeze(2)
        if not self.all_known:  # who has no neighbours names itself
            cosine = cosine * self.known.to(cosine.dtype)
        return index, cosine.clamp(min=0).to(x.dtype)


def normalised(index: Tensor, similarity: Tensor, degrees: Tensor | None = None) -> Tensor:
    """Eq. 3, D^-1/2 S D^-1/2, where D_ii is the sum of row i on both sides: [n, k].

    Args:
        degrees: [n] to take in place of the sums of the rows.
    """
    sums = similarity.sum(1) if degrees is None else degrees
    root = sums.masked_fill(sums == 0, torch.inf).rsqrt()
    return root.unsqueeze(1) * similarity * root[index]
