"""Frozen graphs of similar items beside the purchase graph: what FREEDOM, MGCN and AlignRec share.

Letters: n = items, d = width of vectors.
"""

from dataclasses import replace
from typing import Any, Literal

import torch

from ..core.graph import Graph, bipartite, purchases
from ..core.neighbours import NeighbourLists
from ..training import Dataset, Features
from .modalities import ContentRecommender, nearest_items


class ItemGraphRecommender(ContentRecommender):
    """ID vectors in ``table`` for the purchase ``graph``, and content for a frozen graph of items in each modality.

    Args:
        data: a split dataset.
        features: vectors of items.
        layers: on the purchase graph.
        item_layers: on the graphs of similar items.
        neighbours: of an item in each modality, the item itself among them.
        edge_weight: of a similar item, ``"cosine"`` (negative ones become 0) or ``"binary"``.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ContentRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        layers: int = 2,
        item_layers: int = 1,
        neighbours: int = 10,
        edge_weight: Literal["cosine", "binary"] = "cosine",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.layers, self.item_layers, self.neighbours = layers, item_layers, neighbours
        self.graph, self.purchases = bipartite(data), purchases(data, normalisation="symmetric")
        searches = nearest_items(self.content, neighbours) if item_layers else {}
        self.item_graphs = similar_items(self.lists_of(searches), edge_weight)
        self.table = self.id_vectors()


def similar_items(lists: dict[str, NeighbourLists], weight: str = "cosine") -> dict[str, Graph]:
    """The frozen item graphs of FREEDOM, MGCN and AlignRec: modality -> [n, n], normalised ``by_row_sums``.

    An item without neighbours, such as one without the modality, has itself alone.

    Args:
        lists: each item's nearest, itself among them.
        weight: ``"cosine"`` (negative ones become 0) or ``"binary"``.
    """
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
