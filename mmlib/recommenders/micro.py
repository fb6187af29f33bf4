"""MICRO: item graphs mined from content, one a modality, fused by attention under a contrastive loss."""

from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError
from ..kernels.contrast import exp_sums
from ..kernels.neighbours import unit
from ..training import Batch, Dataset, Features
from .plug_in import LearntGraph, PlugIn, normalised


class MICRO(PlugIn):
    r"""MICRO from `"Latent Structure Mining with Contrastive Modality Fusion for Multimedia Recommendation"
    <https://arxiv.org/abs/2111.00678>`_.

    Each modality m has the graph A^m of raw and transformed vectors (eq. 1-5; see :class:`LATTICE`). Item vectors
    travel along it, attention fuses them, and they are added to those of the backbone:

    .. math::
        H^m_{(l)} = A^m H^m_{(l-1)}, \ H^m_{(0)} = X \ (6), \quad
        \alpha^m_i = \mathrm{softmax}_m\, q^\top \tanh(W h^m_i + b) \ (7, 8), \quad
        h_i = \sum_m \alpha^m_i h^m_i \ (9), \quad
        \hat x_i = \tilde x_i + h_i / \|h_i\| \ (12)

    The loss is L_BPR + beta L_C (eq. 15) and an L2 term; L_C (eq. 10) is the mean over items and modalities of
    -(I(h^m_i, h_i) + I(h_i, h^m_i)) / 2:

    .. math::
        I(a_i, b_i) = \log \frac{e^{\cos(a_i, b_i) / \tau}}{e^{\cos(a_i, b_i) / \tau}
            + \sum_{j \neq i} (e^{\cos(a_i, b_j) / \tau} + e^{\cos(a_i, a_j) / \tau})} \quad (11)

    For the official code give ``normalisation="row", self_loops=True, skip=0.9, l2=1e-5, contrast="one-way",
    learn_features=True``, and ``fit`` the schedule "decay".

    Args:
        data: a split dataset.
        features: vectors of items.
        inputs: H_(0), the item ``"ids"`` or the transformed ``"features"``.
        contrast_weight: beta; 0 leaves L_C out.
        contrast: ``"mutual"`` (eq. 10), or ``"one-way"``: only I(h^m_i, h_i), summed over modalities (official code).
        contrast_items: i and j of eq. 10-11: ``"all"`` (paper; on a CPU a second a step), or those of a ``"batch"``.
        temperature: tau.
        item_layers: L of eq. 6; 0 has no item graphs, h^m is then the transformed vector (eq. 4) itself.
        skip, l2: see :class:`PlugIn`; lambda, 0.9 in the official code, and the weight of the L2 term.
        shared: ``backbone``, ``dim``, ``neighbours``, ``start``, ``modalities`` and others, see :class:`PlugIn`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        inputs: Literal["ids", "features"] = "ids",
        contrast_weight: float = 0.03,
        contrast: Literal["mutual", "one-way"] = "mutual",
        contrast_items: Literal["all", "batch"] = "all",
        temperature: float = 0.5,
        item_layers: int = 1,
        skip: float = 0.7,
        l2: float = 1e-4,
        **shared: Any,
    ) -> None:
        if temperature < 0.02 or (item_layers == 0 and inputs == "ids"):
            raise InputError(f"temperature={temperature} must be at least 0.02; item_layers=0 needs inputs='features'.")
        super().__init__(data, features, item_layers=item_layers, skip=skip, l2=l2, **shared)
        self.inputs, self.contrast_weight, self.temperature = inputs, contrast_weight, temperature
        self.contrast, self.contrast_items = contrast, contrast_items
        self.attention: nn.Sequential | None = None
        if len(self.modal) > 1:
            first, last = nn.Linear(self.dim, self.dim), nn.Linear(self.dim, 1, bias=False)  # W and b, q
            self.attention = nn.Sequential(first, nn.Tanh(), last)
            for layer in (first, last):
                nn.init.xavier_uniform_(layer.weight)

    @staticmethod
    def variants() -> dict[str, dict[str, Any]]:
        """The rows of table 3 (section 3.3). How CF+feats fuses is not said: by the attention, here."""
        return {
            "CF+feats": {"inputs": "features", "item_layers": 0, "contrast_weight": 0.0},
            "MICRO/feats": {"inputs": "features"},
            "MICRO w/o contrast": {"contrast_weight": 0.0},
            "MICRO": {},
        }

    def adjacency(self, *, anew: bool) -> dict[str, LearntGraph]:
        """Eq. 5: raw and learnt graph side by side, 2 k neighbours an item: modality -> [n, n]."""
        found = {}
        for name, one in self.modal.items() if self.item_layers else ():
            index, similarity = one.learnt(anew=anew)
            weight = [self.skip * one.weight, (1 - self.skip) * normalised(index, similarity)]
            found[name] = LearntGraph(torch.cat([one.index, index], 1), torch.cat(weight, 1))
        return found

    def views(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        """Eq. 6, h^m of ``items`` [b], or of all: [M, b, d]."""
        found, asked = [], None if self.item_layers else items  # without graphs no other item is needed
        for name, one in self.modal.items():
            h = one.transformed(asked) if self.inputs == "features" else self.split(self.network.table)[1]
            for _ in range(self.item_layers):
                h = graphs[name] @ h
            found.append(h if items is None or asked is not None else F.embedding(items, h))
        return torch.stack(found)

    def fused(self, views: Tensor) -> Tensor:
        """Eq. 7-9: [M, b, d] -> [b, d]."""
        return views[0] if self.attention is None else (self.attention(views).softmax(0) * views).sum(0)

    def item_vectors(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        return self.fused(self.views(graphs, items))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        graphs, place, once = self.graphs(), batch.items, None  # place [2, b]
        if self.contrast_items == "batch" or not self.contrast_weight:
            once, place = place.unique(return_inverse=True)
        views = self.views(graphs, once)  # [M, items, d]
        fused = self.fused(views)
        terms = self.terms(batch, F.embedding(place, fused))
        if self.contrast_weight:
            terms["contrast"] = self.contrast_weight * self.disagreement(views, fused, once)
        return terms

    def disagreement(self, views: Tensor, fused: Tensor, items: Tensor | None = None) -> Tensor:
        """L_C, eq. 10-11, of views [M, b, d] and their fusion [b, d]; all e are divided by exp(1 / tau).

        A modality's terms are averaged over the items that have it.

        Args:
            items: [b], whose views they are; ``None``: all.
        """
        b, parts, sums = unit(fused), [], partial(exp_sums, scale=1 / self.temperature)
        among_b, _ = sums(b, b, own=False)  # over j != i, as in eq. 11
        for one, a in zip(self.modal.values(), map(unit, views)):
            right = ((a * b).sum(1) - 1) / self.temperature  # [b]
            of_a, of_b = sums(a, b)
            found = (of_a + sums(a, a, own=False)[0]).log() - right
            if self.contrast == "mutual":
                found = (found + (of_b + among_b).log() - right) / 2
            present = one.content.present if items is None else one.content.present[items]
            parts.append(found[present].sum() / present.sum().clamp(min=1))
        loss = torch.stack(parts)
        return loss.mean() if self.contrast == "mutual" else loss.sum()
