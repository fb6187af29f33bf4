"""SLMRec: an encoder per modality, taught by contrasts between modalities or between disturbed views."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import one_of
from ..kernels.contrast import info_nce
from ..training import Batch, Dataset, Features
from .losses import bpr, once
from .modality_gcn import ModalityGCN

TASKS = ("FAC", "FD", "FM")


class SLMRec(ModalityGCN):
    r"""SLMRec from `"Self-supervised Learning for Multimedia Recommendation"
    <https://doi.org/10.1109/TMM.2022.3187556>`_, on the encoder of :class:`ModalityGCN`.

    The main loss lets each user of a batch find the item bought, among the items of the batch:

    .. math:: L_{main} = -\frac{1}{B} \sum_{(u,i)} \ln \frac{\exp(\cos(z_u, z_i) / \tau)}
        {\sum_{j} \exp(\cos(z_u, z_j) / \tau)}

    and a contrast of the same form, between two views of an item and of all items of the batch, is added with
    weight alpha. FAC (fine and coarse spaces) maps the ID part of an item into a space shared with the first
    modality, from there into one shared with the second, and so on, text (coarse) last and half as wide:

    .. math:: x_1 = g_1 h_{id}, \quad x_m = g_m x_{m-1}, \qquad L = \sum_m L_{NCE}(x_m, g'_m h_m)

    FD (feature dropout) and FM (feature masking, which takes another part K from each of the two views) disturb what
    goes into the graph, and contrast the two z that come out. The abstract and the official code are what this
    file was written from; what only the code says is an option below.

    Args:
        data: a split dataset.
        features: vectors of items.
        main: ``"infonce"``, or ``"bpr"`` of inner products with one sampled item.
        temperature: tau of the main loss.
        tasks: ``"FAC"``, ``"FD"``, ``"FM"``, several joined by ``+``, or ``"none"``. FD+FM disturb the same two views.
        ssl_weight, ssl_temperature: alpha and tau of the contrasts.
        fac_cosine: compare directions in FAC's spaces; the official code takes inner products.
        dropout: share of numbers that FD drops.
        dropout_of: ``"features"``, the items' content (abstract), or the ``"layers"`` after each propagation
            (official code).
        sides: whose views FD and FM contrast: ``"items"`` (abstract) or ``"both"`` (official code).
        repeats: count an item in a contrast as often as a batch has it, which makes its copies negatives of each
            other (official code). The main loss always does.
        shared: ``dim``, ``layers``, ``l2``, ``start``, ``modalities`` and others, see :class:`ModalityGCN`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        main: Literal["infonce", "bpr"] = "infonce",
        temperature: float = 0.2,
        tasks: str = "FAC",
        ssl_weight: float = 0.1,
        ssl_temperature: float = 0.2,
        fac_cosine: bool = True,
        dropout: float = 0.3,
        dropout_of: Literal["features", "layers"] = "features",
        sides: Literal["items", "both"] = "items",
        repeats: bool = False,
        **shared: Any,
    ) -> None:
        chosen = [] if tasks == "none" else tasks.split("+")
        for task in chosen:
            one_of("task", task, TASKS)
        super().__init__(data, features, **shared)
        self.main, self.temperature, self.chosen = main, temperature, chosen
        self.ssl_weight, self.ssl_temperature, self.fac_cosine = ssl_weight, ssl_temperature, fac_cosine
        self.dropout, self.dropout_of, self.sides, self.repeats = dropout, dropout_of, sides, repeats
        if "FAC" in chosen:
            self.order = sorted(self.content, key=lambda name: name == "text")  # fine ones first
            half = max(1, self.dim // 2) if len(self.order) > 1 else self.dim
            widths = [self.dim] * (len(self.order) - 1) + [half]
            self.common = nn.ModuleList(nn.Linear(self.dim, width) for width in widths)  # g
            self.own = nn.ModuleDict(
                {name: nn.Linear(self.dim, width) for name, width in zip(self.order, widths)}
            )  # g'
            for layer in (*self.common, *self.own.values()):
                nn.init.xavier_uniform_(layer.weight)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        inputs, rows = self.inputs(), self.rows(batch)
        states = self.states(inputs, rows if self.main == "bpr" else rows[:2])  # [2 or 3, b, K, d]
        user, positive = self.users(states[0]), self.items(states[1])
        if self.main == "bpr":
            terms = {"bpr": bpr(user, positive, self.items(states[2]))}
        else:
            terms = {"infonce": info_nce(user, positive, temperature=self.temperature, symmetric=False)}
        kept = once(batch.positives, repeats=self.repeats)
        if "FAC" in self.chosen:
            terms["fac"] = self.ssl_weight * self.fine_and_coarse(states[1][kept])
        if "FD" in self.chosen or "FM" in self.chosen:
            who = once(batch.users, repeats=self.repeats)
            terms["views"] = self.ssl_weight * self.disturbed(inputs, rows[0][who], rows[1][kept])
        return terms | self.squares()

    def contrast(self, a: Tensor, b: Tensor, cosine: bool = True) -> Tensor:
        return info_nce(a, b, temperature=self.ssl_temperature, symmetric=False, normalise=cosine)

    def fine_and_coarse(self, states: Tensor) -> Tensor:
        """FAC over the items' parts [b, K, d]."""
        parts = dict(zip(["", *self.content], states.unbind(1)))
        shared, found = parts[""], []
        for step, name in zip(self.common, self.order):
            shared = step(shared)
            found.append(self.contrast(shared, self.own[name](parts[name]), self.fac_cosine))
        return torch.stack(found).sum()

    def disturbed(self, inputs: Tensor, users: Tensor, items: Tensor) -> Tensor:
        """FD and FM: two views of the ``items`` [i] and, if both sides are asked for, the ``users`` [u]."""
        hidden = torch.randperm(self.parts)[:2].tolist()  # another part for each view
        rows = torch.cat([users, items]) if self.sides == "both" else items
        one, other = (self.view(inputs, rows, part) for part in hidden)  # [u + i, K, d] each
        found = self.contrast(self.items(one[-len(items) :]), self.items(other[-len(items) :]))
        if self.sides == "both":
            found = found + self.contrast(self.users(one[: len(users)]), self.users(other[: len(users)]))
        return found

    def view(self, inputs: Tensor, rows: Tensor, hidden: int) -> Tensor:
        """H_k at ``rows`` [r] when part ``hidden`` of the items is masked and features are dropped: [r, K, d]."""
        users, items = self.split(inputs)
        if "FM" in self.chosen:
            shown = torch.ones(self.parts, 1, device=inputs.device).index_fill_(0, inputs.new_tensor(hidden).long(), 0)
            items = items * shown
        if "FD" in self.chosen and self.dropout_of == "features":
            items = torch.cat([items[:, :1], F.dropout(items[:, 1:], self.dropout, self.training)], 1)
        inputs = torch.cat([users, items])
        if "FD" not in self.chosen or self.dropout_of == "features":
            return self.states(inputs, rows)
        hops = [inputs.flatten(1)]
        for _ in range(self.layers):
            hops.append(F.dropout(self.graph @ hops[-1], self.dropout, self.training))
        return F.embedding(rows, torch.stack(hops).mean(0)).unflatten(-1, (-1, self.dim))
