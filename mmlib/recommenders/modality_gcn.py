"""LightGCN once per modality: the encoder that SLMRec and MMGCL share.

Letters: n = users and items, b = rows asked for, K = 1 + modalities (the ID vectors come first), d = width.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.graph import Graph, bipartite
from ..kernels.neighbours import unit
from ..training import Dataset, Embeddings, Features
from .modalities import ContentRecommender, projections


class ModalityGCN(ContentRecommender):
    r"""Users and items through the purchase graph, once with ID vectors and once with each modality's features.

    .. math::
        H_k = \frac{1}{L+1} \sum_{l=0}^{L} \hat A^l \begin{pmatrix} U \\ E_k \end{pmatrix}, \qquad
        E_m = F_m W_m + b_m, \qquad z = W (h_1 \| \dots \| h_K) + c

    All of them start from the same users U; W and c are the users' or the items'. score(u, i) = <z_u, z_i>.

    Args:
        data: a split dataset.
        features: vectors of items.
        layers: L.
        normalisation: of the graph, see ``Graph.normalised``.
        unit_features: feature vectors at unit length.
        l2: half the squares of all parameters, once a batch, as Adam's weight decay of the official code.
        shared: ``dim``, ``start`` (of the ID vectors), ``modalities`` and others, see :class:`ContentRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        layers: int = 3,
        normalisation: str = "symmetric",
        unit_features: bool = True,
        l2: float = 1e-4,
        **shared: Any,
    ) -> None:
        self.unit_features = unit_features
        super().__init__(data, features and self.taken(features), **shared)
        self.layers, self.l2, self.normalisation, dim = layers, l2, normalisation, self.dim
        self.table = self.id_vectors()
        self.project = projections(self.content, dim)  # W_m
        self.parts = 1 + len(self.content)  # K
        self.read_user, self.read_item = (nn.Linear(self.parts * dim, dim) for _ in range(2))  # W, c
        for name, weight in self.named_parameters():
            if name.endswith(".weight"):
                nn.init.xavier_uniform_(weight)
        self.graph = bipartite(data, normalisation=normalisation)

    def taken(self, features: Features) -> Features:
        if not self.unit_features:
            return features
        return replace(features, item={name: unit(values) for name, values in features.item.items()})

    def embed(self) -> Embeddings:
        states = self.graph.mean_of_layers(self.inputs().flatten(1), self.layers)  # [n, K d]
        users, items = self.split(states)
        return Embeddings(self.read_user(users), self.read_item(items))

    def inputs(self) -> Tensor:
        """What is propagated, U above each E_k: [n, K, d]."""
        users, _ = self.split(self.table)
        content = [torch.cat([users, self.project[name](one())]) for name, one in self.content.items()]
        return torch.stack([self.table, *content], 1)

    def states(self, inputs: Tensor, rows: Tensor, graph: Graph | None = None) -> Tensor:
        """H_k at ``rows`` [..., b] of ``inputs`` [n, K, d], or of some of the parts: [..., b, K, d]."""
        found, _ = (graph or self.graph).mean_of_layers_at(inputs.flatten(1), self.layers, rows)
        return found.unflatten(-1, (-1, self.dim))

    def users(self, states: Tensor) -> Tensor:
        """z_u: [b, K, d] -> [b, d]."""
        return self.read_user(states.flatten(-2))

    def items(self, states: Tensor) -> Tensor:
        """z_i: [b, K, d] -> [b, d]."""
        return self.read_item(states.flatten(-2))

    def squares(self) -> dict[str, Tensor]:
        """The L2 term, where there is one."""
        if not self.l2:
            return {}
        return {"l2": self.l2 * 0.5 * torch.stack([x.pow(2).sum() for x in self.parameters()]).sum()}
