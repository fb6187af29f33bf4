"""MGCN: content purified by behaviour, carried over its own graphs, fused by what a user prefers."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..kernels.contrast import info_nce
from ..training import Batch, Dataset, Embeddings, Features
from .item_graphs import ItemGraphRecommender
from .losses import bpr, length
from .modalities import projections


class MGCN(ItemGraphRecommender):
    r"""MGCN from `"Multi-View Graph Convolutional Network for Multimedia Recommendation"
    <https://arxiv.org/abs/2308.03588>`_, section 3.

    Behaviour-guided purifier: of a modality, what the items' ID vectors let through (eq. 1-2),

    .. math:: \ddot E_m = E_{id} \odot \sigma(W_2 (W_1 X_m + b_1) + b_2)

    Two views: ID vectors over the purchase graph, as LightGCN (eq. 3-5); purified ones over each modality's graph
    S of the k most similar items, weighted by cosine (eq. 6-9), and on to the users who bought them (eq. 10),

    .. math::
        \bar E_{id} = \mathrm{mean}_l\, A^l E_{id}, \qquad \bar E_{i,m} = \tilde S_m \ddot E_m, \qquad
        \bar E_{u,m} = \sum_{i \in N_u} \bar e_{i,m} / \sqrt{|N_u| |N_i|}

    Behaviour-aware fuser: what the modalities share by attention, and of the rest what behaviour asks for
    (eq. 11-15),

    .. math::
        E_s = \sum_m \alpha_m \bar E_m, \quad \alpha_m \propto \exp(q^\top \tanh(W_3 \bar E_m + b_3)), \qquad
        E_{mul} = E_s + \frac{1}{|M|} \sum_m \sigma(W_4^m \bar E_{id} + b_4^m) \odot (\bar E_m - E_s)

    What scores is the sum of both views, e = e_id + e_mul (eq. 17-18), trained (eq. 19) with BPR, an L2 term, and
    an InfoNCE that lets each user's and each item's e_mul find its own e_id among those of the batch (eq. 16).

    Args:
        data: a split dataset.
        features: vectors of items.
        dim: d, the width of all vectors.
        layers: on the purchase graph.
        item_layers: on the graphs of similar items.
        neighbours: k, the item itself among them.
        fusion: ``"mean"`` of what is specific to modalities, added to what they share (eq. 15); ``"average"``: the
            sum of all of it divided by |M| + 1 (official code).
        contrast_weight: lambda of the InfoNCE.
        temperature: of the InfoNCE.
        repeats: count a user or an item in the InfoNCE as often as a batch has it, which makes its copies
            negatives of each other (official code); otherwise once, as the sums of eq. 16 do.
        l2: lambda of the L2 term, half the squares of a batch's rows, summed and divided by its size.
        l2_on: the ``"final"`` vectors e (official code; the paper writes ||E|| alone), or the layer-0 ``"ids"``.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ItemGraphRecommender`; the graphs stay as
            they were built when features are learnt.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        fusion: Literal["mean", "average"] = "mean",
        contrast_weight: float = 0.01,
        temperature: float = 0.2,
        repeats: bool = False,
        l2: float = 1e-4,
        l2_on: Literal["final", "ids"] = "final",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.fusion, self.contrast_weight = fusion, contrast_weight
        self.temperature, self.repeats = temperature, repeats
        self.l2, self.l2_on, dim = l2, l2_on, self.dim
        self.project = projections(self.content, dim)  # W_1
        self.gate = nn.ModuleDict({name: nn.Linear(dim, dim) for name in self.content})  # W_2
        self.query = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 1, bias=False))  # W_3, q
        self.prefer = nn.ModuleDict({name: nn.Linear(dim, dim) for name in self.content})  # W_4

    def embed(self) -> Embeddings:
        sizes = [self.data.n_users, self.data.n_items]
        everyone, everything = (torch.arange(n, device=self.table.device) for n in sizes)
        behaviour, content = self.views(everyone, everything)
        return Embeddings(*self.split(behaviour + content))

    def views(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """e_id and e_mul of users [u] and items [i], users before items: [u + i, d] each."""
        rows = torch.cat([users, items + self.data.n_users])
        behaviour = self.graph.mean_of_layers_at(self.table, self.layers, rows)[0]
        parts = []
        for pure, name in zip(self.purified(), self.content):
            for _ in range(self.item_layers):
                pure = self.item_graphs[name] @ pure
            parts.append(torch.cat([F.embedding(users, self.purchases @ pure), F.embedding(items, pure)]))
        return behaviour, self.fused(behaviour, torch.stack(parts, 1))

    def purified(self) -> list[Tensor]:
        """Eq. 1-2 of each modality: [n_items, d]."""
        _, ids = self.split(self.table)  # E_id
        return [ids * self.gate[name](self.project[name](one())).sigmoid() for name, one in self.content.items()]

    def fused(self, behaviour: Tensor, parts: Tensor) -> Tensor:
        """Eq. 11-15: e_id [r, d] and the modalities' vectors [r, M, d] -> e_mul [r, d]."""
        share = self.query(parts).softmax(1)  # alpha, [r, M, 1]
        common = (share * parts).sum(1)  # [r, d]
        wish = torch.stack([layer(behaviour) for layer in self.prefer.values()], 1).sigmoid()  # [r, M, d]
        special = (wish * (parts - common.unsqueeze(1))).sum(1)
        if self.fusion == "mean":
            return common + special / len(self.content)
        return (common + special) / (len(self.content) + 1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        users, who = batch.users.unique(return_inverse=True)
        items, which = batch.items.unique(return_inverse=True)
        which = which + len(users)  # rows of the views, [2, b]
        behaviour, content = self.views(users, items)
        final = behaviour + content
        held = [F.embedding(who, final), *F.embedding(which, final)]  # user, positive, negative: [b, d] each
        terms = {"bpr": bpr(*held)}
        if self.l2_on == "ids":
            held = [*F.embedding(self.rows(batch), self.table)]
        terms["l2"] = length(self.l2, *held)
        if self.contrast_weight:
            sides = [who, which[0]] if self.repeats else [who.unique(), which[0].unique()]
            views = [(F.embedding(rows, content), F.embedding(rows, behaviour)) for rows in sides]
            found = [info_nce(*pair, temperature=self.temperature, symmetric=False) for pair in views]  # eq. 16
            terms["contrast"] = self.contrast_weight * torch.stack(found).sum()
        return terms
