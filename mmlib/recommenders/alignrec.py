"""AlignRec's second stage: one content vector per item, aligned with its ID vector and with those who bought it."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.neighbours import Search
from ..kernels import matmul as dense
from ..kernels.contrast import info_nce
from ..kernels.neighbours import unit
from ..training import Batch, Dataset, Embeddings, Features
from .item_graphs import ItemGraphRecommender
from .losses import bpr, length, once
from .modalities import projections, unified


class AlignRec(ItemGraphRecommender):
    r"""AlignRec from `"AlignRec: Aligning and Training in Multimodal Recommendations"
    <https://arxiv.org/abs/2403.12384>`_, section 4 without its pre-training (eq. 2 and 9), whose h_enc are features.

    Aggregator: ID vectors over the purchase graph as LightGCN (eq. 4); content lets ID vectors through, is summed
    over the K' most similar items, and handed on to users (eq. 5-6):

    .. math::
        h_{con}^i = e_{id}^i \odot \sigma(\mathrm{MLP}(h_{enc}^i)), \quad
        h_{mm}^i = \sum_j S_{ij} h_{con}^j, \quad h_{mm}^u = \sum_j \hat R_{uj} h_{mm}^j

    Fuser (eq. 8): h = h_mm + h_id; score(u, i) = <h^u, h^i>. Trained (eq. 14) with

    .. math:: L_{BPR} + \alpha L_{CCA} + \beta L_{UIA} + \lambda L_{REG},
        \qquad L_{REG} = \| C(h_{mm}^i, h_{mm}^j) - sg(C(h_{enc}^i, h_{enc}^j)) \|_2

    For the released code give ``cca="cosine", gram="inner", reg_reading="norm per item", repeats=True, l2=1e-4,
    learn_features=True``, and ``fit``
    the schedule "decay" (table 7's LambdaLR).

    CCA (eq. 10) lets each item's and each user's h_mm find its own h_id in the batch, with inner products / tau as
    logits; UIA (eq. 12) is 1 - cos(h^u, h^i); REG (eq. 11) keeps the cosines of the h_mm near those of the h_enc.

    Args:
        data: a split dataset.
        features: vectors of items.
        dim, layers, item_layers: d, layers on the purchase graph, layers on S.
        neighbours: K'. As in the released code, where the paper is silent, an item is among its own, S is weighted
            by cosine, and S and R are scaled symmetrically.
        activation: within the MLP: ``"none"`` (released code; the paper is silent) or ``"relu"``.
        fuser: ``"sum"``, or ``"attention"`` between h_mm and h_id, which section 4.2.3 offers; the released code
            has its parameters, and those of a gate, without using them.
        cca_weight, uia_weight, reg_weight, temperature: alpha, beta (0 in the released code, 0.1 in its scripts),
            lambda, tau.
        cca: logits from ``"inner"`` products (eq. 10 as printed) or ``"cosine"`` (released code).
        gram: of the h_mm in REG: ``"cosine"`` (eq. 11) or ``"inner"`` products (released code).
        reg_reading: ``"norm"`` over the pairs of a batch (eq. 11 as printed), that divided by the number of items
            (``"norm per item"``, released code: the root of the mean square), or the mean square (``"squared"``).
        repeats: count users and items in CCA and REG as often as a batch has them (released code).
        l2: of the final vectors, see ``losses.length``; none in eq. 14, 1e-4 in the released code.
        combine, modalities: what h_enc is made of, see ``content.unified``: of ``"fused"`` alone where there is such.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ItemGraphRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        activation: Literal["none", "relu"] = "none",
        fuser: Literal["sum", "attention"] = "sum",
        cca_weight: float = 0.01,
        uia_weight: float = 0.1,
        reg_weight: float = 0.1,
        temperature: float = 0.2,
        cca: Literal["inner", "cosine"] = "inner",
        gram: Literal["cosine", "inner"] = "cosine",
        reg_reading: Literal["norm", "norm per item", "squared"] = "norm",
        repeats: bool = False,
        l2: float = 0.0,
        combine: Literal["concatenation", "mean"] = "concatenation",
        modalities: str | None = None,
        **shared: Any,
    ) -> None:
        given = unified("AlignRec", features, modalities, combine, missing=shared.get("missing", "mean"))
        super().__init__(data, given, **shared)
        self.united = modalities, combine, shared.get("missing", "mean")
        self.fuser, self.repeats, self.l2, dim = fuser, repeats, l2, self.dim
        self.cca_weight, self.uia_weight, self.reg_weight = cca_weight, uia_weight, reg_weight
        self.temperature, self.cca, self.gram, self.reg_reading = temperature, cca, gram, reg_reading
        between = nn.ReLU() if activation == "relu" else nn.Identity()
        self.gate = nn.Sequential(projections(self.content, dim)["fused"], between, nn.Linear(dim, dim))  # MLP
        if fuser == "attention":
            self.query = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 1, bias=False))

    def taken(self, features: Features) -> Features:
        return unified("AlignRec", features, self.united[0], self.united[1], missing=self.united[2])

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        given = cls.in_force(**options)
        read = unified("AlignRec", features, given["modalities"], given["combine"], missing=given["missing"])
        return super().searches(data, read, **options | {"modalities": None})

    def embed(self) -> Embeddings:
        content = self.content_items()
        both = torch.cat([self.purchases @ content, content])
        final = self.fused(both, self.graph.mean_of_layers(self.table, self.layers))
        return Embeddings(*self.split(final))

    def content_items(self) -> Tensor:
        """h_mm of all items (eq. 5): [n_items, d]."""
        _, ids = self.split(self.table)  # e_id
        h = ids * self.gate(self.content["fused"]()).sigmoid()  # h_con
        for _ in range(self.item_layers):
            h = self.item_graphs["fused"] @ h  # S h
        return h

    def fused(self, content: Tensor, ids: Tensor) -> Tensor:
        """Eq. 7: h_mm, h_id [..., d] -> h [..., d]."""
        if self.fuser == "sum":
            return content + ids
        both = torch.stack([content, ids], -2)  # [..., 2, d]
        return (self.query(both).softmax(-2) * both).sum(-2)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        h = self.content_items()
        content = torch.cat([F.embedding(batch.users, self.purchases @ h).unsqueeze(0), F.embedding(batch.items, h)])
        behaviour, _ = self.graph.mean_of_layers_at(self.table, self.layers, self.rows(batch))  # [3, b, d] like content
        user, positive, negative = self.fused(content, behaviour)
        terms = {"bpr": bpr(user, positive, negative)}
        kept = [once(ids, repeats=self.repeats) for ids in (batch.users, batch.positives)]
        if self.cca_weight:
            found = [
                info_nce(a[one], b[one], temperature=self.temperature, symmetric=False, normalise=self.cca == "cosine")
                for a, b, one in zip(content, behaviour, kept)  # users, then items
            ]
            terms["cca"] = self.cca_weight * torch.stack(found).sum()
        if self.uia_weight:
            terms["uia"] = self.uia_weight * (1 - (unit(user) * unit(positive)).sum(1)).mean()
        if self.reg_weight:
            terms["reg"] = self.reg_weight * self.kept_similar(content[1][kept[1]], batch.positives[kept[1]])
        if self.l2:
            terms["l2"] = length(self.l2, user, positive, negative)
        return terms

    def kept_similar(self, h: Tensor, items: Tensor) -> Tensor:
        """Eq. 11 over the pairs of ``items`` [r] with their h_mm [r, d]."""
        with torch.no_grad():
            target = dense.gram(self.content["fused"](items)).float()  # [r, r]
            size = target.diagonal().sqrt().clamp(min=1e-12)
            target /= torch.outer(size, size)
        h = unit(h) if self.gram == "cosine" else h
        apart = h @ h.T - target
        if self.reg_reading == "squared":
            return apart.pow(2).mean()
        return torch.linalg.vector_norm(apart) / (len(items) if self.reg_reading == "norm per item" else 1)
