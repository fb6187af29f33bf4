"""GRCN: content says which purchases to trust, and ID vectors travel along those."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.utils import softmax

from ..core.graph import purchases
from ..kernels.propagate import along_weighted, edge_products
from ..training import Batch, Dataset, Embeddings, Features, xavier
from .losses import Reading, bpr, length
from .modalities import ContentRecommender, projections


class GRCN(ContentRecommender):
    r"""GRCN from `"Graph-Refined Convolutional Network for Multimedia Recommendation with Implicit Feedback"
    <https://arxiv.org/abs/2111.02036>`_, section 3.

    In each modality, T rounds of routing draw a user's preference towards the items that agree with it,

    .. math:: \bar i_m = \sigma(W_m i_m + b_m), \qquad p_{ui} = \mathrm{softmax}_{i \in N_u} u_m^\top \bar i_m, \qquad
        u_m \leftarrow u_m + \sum_{i \in N_u} p_{ui}\, \bar i_m

    A node gives to another by affinity times its own confidence c in the modality; the strongest modality decides,

    .. math:: s_{i \to u} = \max_m c_i^m p_{ui}, \qquad
        s_{u \to i} = \max_m c_u^m\, \mathrm{softmax}_{u \in N_i} u_m^\top \bar i_m

    ID vectors travel along these. Their summed layers score, beside each modality's vectors (items alike), and are
    trained with BPR and an L2 term:

    .. math::
        u_{id}^{(l+1)} = \sum_{i \in N_u} s_{i \to u}\, i_{id}^{(l)}, \qquad
        u = \sum_l u_{id}^{(l)} \Big\Vert_m \Big(u_m + \sum_{i \in N_u} p_{ui}\, \bar i_m\Big)

    Args:
        data: a split dataset.
        features: vectors of items.
        dim, content_dim: d of ID vectors and c of u_m; scoring vectors are d + |M| c wide.
        layers: of ID vectors.
        iterations: T. Public code routes towards the items and throws that away, which amounts to 0.
        weighting: ``"confidence"``, or the ``"max"`` or ``"mean"`` over modalities without c.
        pruning: ``"soft"`` keeps every weight (paper, official commands), ``"hard"`` only those above 0 (the toolbox).
        unit_vectors: scale ID vectors, content and, at every round, preferences to length 1 (public code).
        l2: lambda, of the batch's ID vectors and preferences.
        l2_reading: see ``losses.length``; public code has ``"mean"``.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ContentRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        content_dim: int = 64,
        layers: int = 2,
        iterations: int = 3,
        weighting: Literal["confidence", "max", "mean"] = "confidence",
        pruning: Literal["soft", "hard"] = "soft",
        unit_vectors: bool = False,
        l2: float = 1e-4,
        l2_reading: Reading = "squared",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.layers, self.iterations = layers, iterations
        self.weighting, self.pruning, self.unit_vectors = weighting, pruning, unit_vectors
        self.l2, self.l2_reading = l2, l2_reading
        self.bought = purchases(data, normalisation="none")  # e edges by user
        self.buyers, order = self.bought.transposed()  # the same by item
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", order.argsort(), persistent=False)
        self.table = self.id_vectors()
        self.preference = nn.ParameterDict({name: xavier(data.n_users, content_dim) for name in self.content})
        self.project = projections(self.content, content_dim)
        confidence = nn.Parameter(xavier(len(self.table), len(self.content)))  # c
        self.confidence = confidence if weighting == "confidence" else None

    order: Tensor
    back: Tensor

    def embed(self) -> Embeddings:
        return Embeddings(*self.final())

    def final(self) -> tuple[Tensor, Tensor]:
        """What scores: [n_users, d + |M| c], [n_items, d + |M| c]."""
        user_parts, item_parts, taken, given = [], [], [], []
        for name in self.content:
            user, item = self.prototypes(name)
            likeness = self.likeness(user, item)  # [e] by user
            taken.append(softmax(likeness, self.bought.row, num_nodes=self.data.n_users))  # p
            given.append(softmax(likeness.index_select(0, self.order), self.buyers.row, num_nodes=self.data.n_items))
            user_parts.append(user + self.to_users(taken[-1], item))
            item_parts.append(item + self.to_items(given[-1], user))
        ids = self.refined(torch.stack(taken, 1), torch.stack(given, 1))
        return torch.cat([ids[0], *user_parts], 1), torch.cat([ids[1], *item_parts], 1)

    def prototypes(self, name: str) -> tuple[Tensor, Tensor]:
        """u_m after T rounds [n_users, c] and the items' content [n_items, c]."""
        item = self.unit(F.leaky_relu(self.project[name](self.content[name]())))
        user = self.unit(self.preference[name])
        for _ in range(self.iterations):
            share = softmax(self.likeness(user, item), self.bought.row, num_nodes=self.data.n_users)
            user = self.unit(user + self.to_users(share, item))
        return user, item

    def refined(self, to_users: Tensor, to_items: Tensor) -> tuple[Tensor, Tensor]:
        """The summed layers of ID vectors, [n_users, d] and [n_items, d], from affinities [e, |M|] each way."""
        if self.confidence is not None:
            of_users, of_items = self.split(self.confidence)
            to_users = to_users * F.embedding(self.bought.col, of_items)
            to_items = to_items * F.embedding(self.buyers.col, of_users)
        weights = [x.mean(1) if self.weighting == "mean" else x.amax(1) for x in (to_users, to_items)]
        weights = [x.relu() for x in weights] if self.pruning == "hard" else weights
        users, items = user, item = self.split(self.unit(self.table))
        for _ in range(self.layers):
            user, item = self.to_users(weights[0], item), self.to_items(weights[1], user)
            users, items = users + user, items + item
        return users, items

    def unit(self, x: Tensor) -> Tensor:
        return F.normalize(x) if self.unit_vectors else x

    def likeness(self, users: Tensor, items: Tensor) -> Tensor:
        """u_m^T i_m of every interaction: [n_users, c], [n_items, c] -> [e] by user."""
        return edge_products(users, items, (self.bought.csr, self.buyers.csr), self.order)

    def to_users(self, weight: Tensor, items: Tensor) -> Tensor:
        """Weighted sums over each user's items: weight [e] by user, items [n_items, d] -> [n_users, d]."""
        return along_weighted(weight, items, (self.bought.csr, self.buyers.csr), self.order)

    def to_items(self, weight: Tensor, users: Tensor) -> Tensor:
        """Weighted sums over each item's buyers: weight [e] by item, users [n_users, d] -> [n_items, d]."""
        return along_weighted(weight, users, (self.buyers.csr, self.bought.csr), self.back)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        users, items = self.final()
        terms = {"bpr": bpr(F.embedding(batch.users, users), *F.embedding(batch.items, items))}
        held = [F.embedding(batch.users, table) for table in (self.table, *self.preference.values())]
        held.append(F.embedding(batch.items.flatten() + self.data.n_users, self.table))
        return terms | {"l2": length(self.l2, *held, reading=self.l2_reading)}
