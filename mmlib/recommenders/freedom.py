"""FREEDOM: a frozen graph of similar items, and purchases with popular edges pruned away."""

from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.graph import Graph
from ..training import Batch, Dataset, Embeddings, Features
from .item_graphs import ItemGraphRecommender
from .losses import bpr
from .modalities import numbers_of, projections


class FREEDOM(ItemGraphRecommender):
    r"""FREEDOM from `"A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal Recommendation"
    <https://arxiv.org/abs/2211.06924>`_, section 3.

    The item graph is built once from content and frozen (section 3.1): in each modality an edge of weight 1 to
    the k most similar items, the item itself among them,

    .. math::
        \hat S^m_{ij} = [\cos(x_i^m, x_j^m) \in \mathrm{top\text{-}}k_j], \qquad
        \tilde S^m = (D^m)^{-1/2} \hat S^m (D^m)^{-1/2}, \qquad S = \sum_m \alpha_m \tilde S^m

    The purchase graph is thinned out before each epoch (section 3.2): a share 1 - rho of its edges is drawn
    without replacement with probabilities p, normalised anew, and trained with; inference takes all edges.

    .. math:: p_{ui} \propto 1 / \sqrt{d_u d_i}

    The two graphs carry the ID vectors E^(0) to what scores (section 3.3), and content enters the loss alone:

    .. math::
        h_u = \hat h_u, \quad h_i = \hat h_i + \tilde h_i, \qquad
        \hat h = \mathrm{mean}_{l \le L} \hat A_\rho^{\,l} E^{(0)}, \quad \tilde h = S^{L'} E_i^{(0)}

    .. math::
        L = \sum_{(u,i,j)} -\ln \sigma(h_u^\top (h_i - h_j))
            - \lambda \sum_m \ln \sigma(h_u^\top (h_i^m - h_j^m)), \qquad h_i^m = W_m x_i^m + b_m

    The paper and the official code have no L2 term.

    Args:
        data: a split dataset.
        features: vectors of items.
        dim: d, the width of all vectors.
        layers: L on the purchase graph.
        item_layers: L' on the item graph; the last one alone is read.
        neighbours: k.
        weights: alpha, numbers joined by ``+`` in the order of ``modalities``, such as ``"0.9+0.1"``; ``None``: 0.1
            for image and 0.9 for text (the paper), equal ones for any other set of modalities.
        edge_weight: ``"binary"`` (the paper), or ``"cosine"`` as LATTICE's graph has it.
        pruning: rho, the share of purchases left out in each epoch; 0 trains on all.
        content_weight: lambda; 0 leaves the projections out.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ItemGraphRecommender`; the graph stays as it
            was built when features are learnt.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        weights: str | None = None,
        edge_weight: Literal["binary", "cosine"] = "binary",
        pruning: float = 0.8,
        content_weight: float = 1e-3,
        **shared: Any,
    ) -> None:
        if not content_weight:
            shared["learn_features"] = False
        super().__init__(data, features, edge_weight=edge_weight, **shared)
        self.pruning, self.content_weight, self.pruned = pruning, content_weight, self.graph
        share = shares(list(self.content), shared.get("modalities"), weights)
        for name, graph in self.item_graphs.items():
            self.item_graphs[name] = replace(graph, weight=share[name] * graph.weight)
        self.project = projections(self.content, self.dim) if content_weight else nn.ModuleDict()

    @torch.no_grad()
    def start_epoch(self, epoch: int) -> None:
        """Draw the purchases of this epoch: the first to arrive of exponential clocks that tick at rate p."""
        if not self.pruning:
            return
        rate = self.purchases.weight  # p, [e]
        n, kept = self.graph.n_rows, max(1, int(len(rate) * (1 - self.pruning)))
        drawn = (torch.empty_like(rate).exponential_() / rate).topk(kept, largest=False).indices
        users, items = self.purchases.row[drawn], self.purchases.col[drawn] + self.data.n_users
        row, col, about = torch.cat([users, items]), torch.cat([items, users]), {"graph": "pruned purchases"}
        self.pruned = Graph.from_edges(row, col, rate.new_ones(2 * kept), n, n, about).normalised("symmetric")

    def similar(self) -> Tensor:
        """The items' vectors carried over the item graph, ~h: [n_items, d]."""
        _, x = self.split(self.table)
        for _ in range(self.item_layers):
            x = torch.stack([graph @ x for graph in self.item_graphs.values()]).sum(0)
        return x

    def embed(self) -> Embeddings:
        users, items = self.split(self.graph.mean_of_layers(self.table, self.layers))
        return Embeddings(users, items + self.similar())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        graph = self.pruned if self.training else self.graph
        user, positive, negative = graph.mean_of_layers_at(self.table, self.layers, self.rows(batch))[0]  # [b, d] each
        like_positive, like_negative = F.embedding(batch.items, self.similar())
        terms = {"bpr": bpr(user, positive + like_positive, negative + like_negative)}
        if self.content_weight:
            once, place = batch.items.unique(return_inverse=True)
            content = [F.embedding(place, self.project[name](one(once))) for name, one in self.content.items()]
            terms["content"] = self.content_weight * torch.stack([bpr(user, *pair) for pair in content]).sum()
        return terms


def shares(names: list[str], modalities: str | None, weights: str | None) -> dict[str, float]:
    """alpha of each modality."""
    if weights is None:
        paper = {"image": 0.1, "text": 0.9}
        return paper if set(names) == set(paper) else {name: 1 / len(names) for name in names}
    if modalities is None:
        raise InputError('weights: name the modalities too, such as modalities="image+text", weights="0.1+0.9".')
    return numbers_of("weights", weights, names)
