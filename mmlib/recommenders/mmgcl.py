"""MMGCL: two disturbed views of every modality's graph, contrasted with negatives that are hard to tell apart."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import InputError
from ..core.graph import Graph
from ..kernels.contrast import info_nce
from ..kernels.neighbours import unit
from ..training import Batch, Dataset, Features, xavier
from .losses import bpr, once
from .modalities import numbers_of
from .modality_gcn import ModalityGCN


class MMGCL(ModalityGCN):
    r"""MMGCL from `"Multi-modal Graph Contrastive Learning for Micro-video Recommendation"
    <https://doi.org/10.1145/3477495.3532027>`_, on the encoder of :class:`ModalityGCN`, which is the official code's.

    Two views of the users and items, as its text was understood (the official code masks by dropping the nodes of
    one modality's graph): modality masking replaces what goes into one modality's graph, drawn with
    probability p_m, by random vectors; modality edge dropout takes a share rho of the edges from every modality's
    graph. BPR is trained together with a contrast on each side,

    .. math::
        L = L_{BPR} + \lambda (L^{user} + L^{item}), \qquad
        L^{user} = -\frac{1}{B} \sum_i \ln \frac{h(s_1^i, s_2^i)}{h(s_1^i, s_2^i) + \sum_{j \neq i} h(s_1^i, y^j)},
        \qquad h(x, y) = \exp(\cos(x, y) / \tau)

    where s_1 is the masked and s_2 the dropped view. The challenging negative y^j is s_2^j with one modality taken
    from another user (or item) d(j), so that no modality can be left out when telling i from j.

    Args:
        data: a split dataset.
        features: vectors of items.
        contrast: ``"views"`` (the paper), or ``"official"``, what the official code computes: users find their
            items within the dropped view, counted twice. Its masked view is never compared (the second pair of
            logits repeats the first) and its challenging negatives are left out of the sum.
        challenging: y^j as above, or s_2^j itself.
        ssl_weight, temperature: lambda and tau.
        edge_dropout: rho.
        edges: drop them from ``"each"`` modality's graph anew, or from all alike (``"shared"``, official code).
        odds: p_m in the modalities' order, such as ``"0.4+0.6"``; ``None``: all alike.
        repeats: count a user or an item in a contrast as often as a batch has it, which makes its copies
            negatives of each other; ``contrast="official"`` always does.
        shared: ``dim``, ``layers``, ``l2``, ``start``, ``modalities`` and others, see :class:`ModalityGCN`.
    """

    noise: Tensor
    reverse: Tensor

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        contrast: Literal["views", "official"] = "views",
        challenging: bool = True,
        ssl_weight: float = 0.4,
        temperature: float = 0.2,
        edge_dropout: float = 0.05,
        edges: Literal["each", "shared"] = "each",
        odds: str | None = None,
        repeats: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.contrast, self.challenging, self.repeats = contrast, challenging, repeats
        self.ssl_weight, self.temperature = ssl_weight, temperature
        self.edge_dropout, self.edges = edge_dropout, edges
        chances = numbers_of("odds", odds, self.content) if odds is not None else dict.fromkeys(self.content, 1.0)
        if min(chances.values()) < 0 or sum(chances.values()) <= 0:
            raise InputError(f"odds = {odds!r} must not be negative, nor all of them 0.")
        self.chances = list(chances.values())
        bought = self.graph.col[: len(self.graph.weight) // 2]  # users' edges come first, then the same ones of items
        self.register_buffer("reverse", bought.argsort(stable=True), persistent=False)
        self.register_buffer("noise", torch.empty(0), persistent=False)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """New random vectors for what is masked, already propagated: [n, d]."""
        drawn = torch.cat([xavier(self.data.n_users, self.dim), xavier(self.data.n_items, self.dim)])
        self.noise = self.graph.mean_of_layers(drawn.to(self.table.device), self.layers)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        inputs, rows = self.inputs(), self.rows(batch)
        states = self.states(inputs, rows)  # [3, b, K, d]
        terms = {"bpr": bpr(self.users(states[0]), self.items(states[1]), self.items(states[2]))}
        if self.contrast == "official":
            users, items = self.dropped(inputs, rows[:2])
            found = info_nce(self.users(users), self.items(items), temperature=self.temperature, symmetric=False)
            return terms | {"contrast": self.ssl_weight * 2 * found} | self.squares()
        kept = [once(ids, repeats=self.repeats) for ids in rows[:2]]
        who, what = (ids[some] for ids, some in zip(rows, kept))
        hidden = 1 + int(torch.multinomial(torch.tensor(self.chances), 1))
        masked = [self.masked(one[some], ids, hidden) for one, some, ids in zip(states, kept, (who, what))]
        dropped = self.dropped(inputs, torch.cat([who, what])).split([len(who), len(what)])
        for name, read, first, second in zip(("users", "items"), (self.users, self.items), masked, dropped):
            other = self.disturbed(second) if self.challenging else second
            terms[name] = self.ssl_weight * self.found(read(first), read(second), read(other))
        return terms | self.squares()

    def masked(self, states: Tensor, rows: Tensor, part: int) -> Tensor:
        """s_1 before it is read: ``states`` [r, K, d] of ``rows`` [r]; a mask leaves the other parts as they are."""
        return torch.cat([states[:, :part], F.embedding(rows, self.noise).unsqueeze(1), states[:, part + 1 :]], 1)

    def dropped(self, inputs: Tensor, rows: Tensor) -> Tensor:
        """s_2 before it is read, at ``rows`` [..., r]: [..., r, K, d]."""
        if self.edges == "shared":
            return self.states(inputs, rows, self.thinned())
        return torch.cat([self.states(one, rows, self.thinned()) for one in inputs.split(1, dim=1)], -2)

    def thinned(self) -> Graph:
        """The purchase graph without a random share of its purchases, normalised again; whole when evaluating."""
        if not self.training or not self.edge_dropout:
            return self.graph
        kept = torch.rand(len(self.reverse), device=self.reverse.device) >= self.edge_dropout
        weight = torch.cat([kept, kept[self.reverse]]).float()
        whole = Graph(self.graph.edges, weight, self.graph.n_rows, self.graph.n_cols, self.graph.about)
        return whole.normalised(self.normalisation)

    def disturbed(self, states: Tensor) -> Tensor:
        """Each y^j: one modality of ``states`` [r, K, d] taken from a random other row d(j)."""
        part, order = int(torch.randint(1, self.parts, ())), torch.randperm(len(states)).to(states.device)
        return torch.cat([states[:, :part], states[order, part : part + 1], states[:, part + 1 :]], 1)

    def found(self, anchor: Tensor, positive: Tensor, others: Tensor) -> Tensor:
        """How hard it is to find one's ``positive`` among the ``others`` [r, d]."""
        anchor, positive, others = (unit(x) for x in (anchor, positive, others))
        z = (anchor @ others.T).to(anchor.dtype)  # [r, r], also under autocast
        z = torch.diagonal_scatter(z, (anchor * positive).sum(1)) / self.temperature
        return F.cross_entropy(z, torch.arange(len(z), device=z.device))
