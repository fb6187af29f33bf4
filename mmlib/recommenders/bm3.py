"""BM3: a user and an item find each other, and the item's content, without negatives."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.graph import bipartite
from ..training import Batch, Dataset, Embeddings, Features
from .losses import Reading, length
from .modalities import ContentRecommender, projections


class BM3(ContentRecommender):
    r"""BM3 from `"Bootstrap Latent Representations for Multi-modal Recommendation"
    <https://arxiv.org/abs/2207.05969>`_, sections 3.1 to 3.3.

    Content is projected, IDs are LightGCN's, and items keep their layer-0 vectors beside them:

    .. math::
        h_m = W_m e_m + b_m \quad (1), \qquad h_u = \mathrm{mean}_l\, H_u^{(l)}, \quad
        h_i = \mathrm{mean}_l\, H_i^{(l)} + H_i^{(0)} \quad (3)

    One predictor looks ahead from every vector, and a target view drops elements of it without a gradient:

    .. math::
        \tilde h = W_p h + b_p, \qquad \dot h = \mathrm{sg}(h \odot \mathrm{Bernoulli}(p)), \qquad
        C(a, b) = -\cos(a, b)

    The loss reconstructs purchases, aligns each modality with the item, and each modality with itself:

    .. math::
        L = C(\tilde h_u, \dot h_i) + C(\tilde h_i, \dot h_u)
            + \sum_m \left[ C(\tilde h_m, \dot h_i) + C(\tilde h_m, \dot h_m) \right]
            + \lambda (\|h_u\|^2 + \|h_i\|^2)

    and predictions score: score(u, i) = <~h_u, ~h_i>. Sampled negatives are not looked at. The official code
    adds 1 to each C, which changes no gradient.

    Args:
        data: a split dataset.
        features: vectors of items.
        dim: d, the width of all vectors.
        layers: L of LightGCN, without self-loops as in the official code.
        dropout: share of a target's elements dropped, drawn for each purchase of a batch by itself; the official
            code draws once for each item of the catalogue.
        align_weight: of the terms of the modalities; the paper adds them up as they are, the official code takes 2.
        l2: lambda, which the paper takes from a grid up to 0.1 with the official code's reading below; as squares of a
            batch 0.1 leaves nothing of the vectors, whose lengths no other term holds.
        l2_on: the users and items of the ``"batch"``, divided by its size; or ``"all"`` of them, divided by the
            number of items (official code).
        l2_reading: ``"squared"`` (halved), or ``"norm"`` as the official code has it, see ``losses.length``.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ContentRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        layers: int = 1,
        dropout: float = 0.5,
        align_weight: float = 1.0,
        l2: float = 1e-3,
        l2_on: Literal["batch", "all"] = "batch",
        l2_reading: Reading = "squared",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.layers, self.dropout, self.align_weight = layers, dropout, align_weight
        self.l2, self.l2_on, self.l2_reading = l2, l2_on, l2_reading
        self.graph = bipartite(data)
        self.table = self.id_vectors()  # H^(0)
        self.project = projections(self.content, self.dim)
        self.predictor = nn.Linear(self.dim, self.dim)
        for name, weight in self.named_parameters():
            if name.endswith("weight"):  # W_m and W_p
                nn.init.xavier_normal_(weight)

    def embed(self) -> Embeddings:
        users, items = self.online()
        return Embeddings(self.predictor(users), self.predictor(items))

    def online(self) -> tuple[Tensor, Tensor]:
        """h_u [n_users, d] and h_i [n_items, d] of all."""
        users, items = self.split(self.graph.mean_of_layers(self.table, self.layers))
        return users, items + self.table[self.data.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        rows = torch.stack([batch.users, batch.positives + self.data.n_users])
        (user, item), (_, item_ego) = self.graph.mean_of_layers_at(self.table, self.layers, rows)
        item = item + item_ego  # [b, d]
        item_view = self.view(item)
        reconstruction = apart(self.predictor(user), item_view) + apart(self.predictor(item), self.view(user))
        once, place = batch.positives.unique(return_inverse=True)
        between, within = [], []
        for name, one in self.content.items():
            content = F.embedding(place, self.project[name](one(once)))  # h_m, [b, d]
            ahead = self.predictor(content)
            between.append(apart(ahead, item_view))
            within.append(apart(ahead, self.view(content)))
        held = (user, item) if self.l2_on == "batch" else self.online()[::-1]  # items first: their number divides
        return {
            "reconstruction": reconstruction,
            "between_modalities": self.align_weight * torch.stack(between).sum(),
            "within_modalities": self.align_weight * torch.stack(within).sum(),
            "l2": length(self.l2, *held, reading=self.l2_reading),
        }

    def view(self, x: Tensor) -> Tensor:
        """The target view of x [b, d], without a gradient."""
        if not self.training:
            return x.detach()
        return x.detach() * (torch.rand_like(x) >= self.dropout)


def apart(a: Tensor, b: Tensor) -> Tensor:
    """C: the negative cosine of the rows of a and b [b, d], averaged."""
    return -F.cosine_similarity(a, b, dim=-1).mean()
