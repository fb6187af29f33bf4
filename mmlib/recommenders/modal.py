"""LightGCN once per modality: the encoder that SLMRec and MMGCL share.

Letters: n = users and items, b = rows asked for, K = 1 + modalities (the ID vectors come first), d = width.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.features import Features
from ..core.graph import Graph, bipartite
from ..kernels.neighbours import unit
from ..training.learner import Batch, Learner
from .content import contents, projections
from .start import start_table

SHARED = ["dim", "layers", "normalisation", "unit_features", "l2", "modalities", "missing", "learn_features"]
SHARED += ["precision", "start_scale", "start_centre"]


class ModalGCN(Learner):
    r"""Users and items through the purchase graph, once with ID vectors and once with each modality's features.

    .. math::
        H_k = \frac{1}{L+1} \sum_{l=0}^{L} \hat A^l \begin{pmatrix} U \\ E_k \end{pmatrix}, \qquad
        E_m = F_m W_m + b_m, \qquad z = W (h_1 \| \dots \| h_K) + c

    All of them start from the same users U; W and c are the users' or the items'. score(u, i) = <z_u, z_i>.

    Args:
        data: a split dataset.
        features: vectors of items.
        options: by name, ``dim``, ``layers``, ``normalisation`` (of the graph, see ``graphs.Graph.normalised``),
            ``unit_features`` (feature vectors at unit length), ``l2`` (half the squares of all parameters, once a
            batch), those of ``content.contents``, and ``start``, ``start_scale``, ``start_centre`` (of the ID vectors).
            There may be others.
    """

    dim: int
    layers: int
    l2: float
    normalisation: str
    propagates_content = True  # an untrained one ranks better than chance

    def __init__(self, data: Dataset, features: Features | None, options: dict[str, Any]) -> None:
        super().__init__(data)
        for name in SHARED:
            setattr(self, name, options[name])
        if options["unit_features"] and features is not None:
            features = replace(features, item={name: unit(values) for name, values in features.item.items()})
        read = {"missing": options["missing"], "learn": options["learn_features"], "precision": options["precision"]}
        self.content = contents(type(self).__name__, features, options["modalities"], **read)
        dim, scale, centre = self.dim, options["start_scale"], options["start_centre"]
        self.table = nn.Parameter(start_table(data, dim, options["start"], scale=scale, centre=centre))
        self.project = projections(self.content, dim)  # W_m
        self.parts = 1 + len(self.content)  # K
        self.read_user, self.read_item = (nn.Linear(self.parts * dim, dim) for _ in range(2))  # W, c
        for name, weight in self.named_parameters():
            if name.endswith(".weight"):
                nn.init.xavier_uniform_(weight)
        self.graph = bipartite(data, normalisation=options["normalisation"])

    def embed(self) -> Embeddings:
        states = self.graph.mean_of_layers(self.inputs().flatten(1), self.layers)  # [n, K d]
        users, items = states.split([self.data.n_users, self.data.n_items])
        return Embeddings(self.read_user(users), self.read_item(items), self.describe())

    def inputs(self) -> Tensor:
        """What is propagated, U above each E_k: [n, K, d]."""
        users, _ = self.table.split([self.data.n_users, self.data.n_items])
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

    def rows(self, batch: Batch) -> Tensor:
        """Rows of ``inputs`` for users, positives and the first negatives: [3, b]."""
        items = torch.stack([batch.positives, batch.negatives[:, 0]]) + self.data.n_users
        return torch.cat([batch.users.unsqueeze(0), items])

    def squares(self) -> dict[str, Tensor]:
        """The L2 term, where there is one."""
        if not self.l2:
            return {}
        return {"l2": self.l2 * 0.5 * torch.stack([x.pow(2).sum() for x in self.parameters()]).sum()}
