"""NGCF: propagation over purchases with learnt transformations and products of neighbours."""

from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.graph import Graph, bipartite
from ..training import Batch, Dataset, Features
from .bpr import BPR
from .losses import bpr, length


class NGCF(BPR):
    r"""NGCF from `"Neural Graph Collaborative Filtering" <https://arxiv.org/abs/1905.08108>`_.

    .. math::
        E^{(l)} = \mathrm{LeakyReLU}\left( (\mathcal{L} + I) E^{(l-1)} W_1^{(l)}
            + \mathcal{L} E^{(l-1)} \odot E^{(l-1)} W_2^{(l)} \right) \quad (7), \qquad
        \mathcal{L} = D^{-1/2} A D^{-1/2} \quad (8), \qquad
        E = E^{(0)} \| \dots \| E^{(L)} \quad (9)

    trained with BPR and an L2 term on the layer-0 vectors and all W (eq. 11). Dropout (section 2.4.2) acts in
    training only. For the official code give ``normalisation="row", self_messages="matrix", activation="separate",
    bias=True, unit_outputs=True, dropout_of="elements", l2_on="final"``; for LATTICE's and MICRO's NGCF the same
    with ``pool="mean", slope=0.01``; for MixGCF's ``self_messages="none", bias=True, unit_outputs=True``.

    Args:
        data: a split dataset.
        features: not used.
        layers: L, each d wide; scoring vectors are (L + 1) d wide.
        l2: lambda; the squares of a batch's rows and of all W are halved, summed and divided by its size.
        message_dropout: share of the messages between neighbours dropped (eq. 6), anew in each layer; a node's
            message to itself is kept, and what is left is scaled up to the same expectation.
        node_dropout: share of the nodes whose messages to others are all dropped, anew in each layer.
        dropout_of: ``"messages"``: as above; ``"elements"``: ``message_dropout`` of the elements of each layer's
            output and ``node_dropout`` of the entries of the matrix, once a batch (official code).
        activation: ``"joint"``: of the sum (eq. 7); ``"separate"``: of either part before the sum (official code).
        slope: of LeakyReLU below zero; the paper names none, the official code takes 0.2.
        self_messages: ``"message"``: W_1 e_u, the I of eq. 7; ``"matrix"``: A + I is normalised in place of A, so
            that self-loops enter both parts (official code); ``"none"`` (MixGCF's code).
        normalisation: of the matrix, see ``graphs.Graph.normalised``; eq. 8 is ``"symmetric"``.
        bias: add a vector to either part.
        unit_outputs: score with layers of length 1; the next layer still reads them as they are.
        pool: ``"concat"`` (eq. 9), or the ``"mean"`` of all layers, d wide.
        l2_on: ``"parameters"`` (eq. 11), or a batch's ``"final"`` scoring vectors (official code).
        shared: ``dim``, ``l2_reading``, ``start`` and others, see :class:`BPR`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        layers: int = 3,
        l2: float = 1e-5,
        message_dropout: float = 0.1,
        node_dropout: float = 0.0,
        dropout_of: Literal["messages", "elements"] = "messages",
        activation: Literal["joint", "separate"] = "joint",
        slope: float = 0.2,
        self_messages: Literal["message", "matrix", "none"] = "message",
        normalisation: str = "symmetric",
        bias: bool = False,
        unit_outputs: bool = False,
        pool: Literal["concat", "mean"] = "concat",
        l2_on: Literal["parameters", "final"] = "parameters",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, l2=l2, **shared)
        self.layers, self.activation, self.slope, self.self_messages = layers, activation, slope, self_messages
        self.message_dropout, self.node_dropout, self.dropout_of = message_dropout, node_dropout, dropout_of
        self.unit_outputs, self.pool, self.l2_on, dim = unit_outputs, pool, l2_on, self.dim
        self.graph = bipartite(data, normalisation=normalisation, self_loops=self_messages == "matrix")
        self.w1, self.w2 = (nn.ModuleList(nn.Linear(dim, dim, bias) for _ in range(layers)) for _ in range(2))
        for linear in [*self.w1, *self.w2]:
            nn.init.xavier_uniform_(linear.weight)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        final, ego = self.gathered(self.rows(batch))  # [3, b, (L+1) d], [3, b, d]
        weights = [linear.weight for linear in [*self.w1, *self.w2]]
        held = [*final] if self.l2_on == "final" else [*ego, *weights]
        return {"bpr": bpr(*final), "l2": length(self.l2, *held, reading=self.l2_reading)}

    def propagated(self) -> Tensor:
        return self.pooled(self.hops(drop=False))  # [n_users + n_items, (L+1) d]

    def gathered(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        once, place = rows.unique(return_inverse=True)
        hops = self.hops(rows=once)
        return F.embedding(place, self.pooled(hops)), F.embedding(place, hops[0])

    def pooled(self, hops: list[Tensor]) -> Tensor:
        """Eq. 9: L + 1 tensors [..., d] -> [..., (L+1) d], or [..., d] for the mean."""
        return torch.cat(hops, -1) if self.pool == "concat" else torch.stack(hops).mean(0)

    def hops(self, *, rows: Tensor | None = None, drop: bool | None = None) -> list[Tensor]:
        """E^(0), ..., E^(L) as they score: (L+1) x [n_users + n_items, d].

        Args:
            rows: [m] of them: (L+1) x [m, d]; layer L is then computed for no others.
            drop: whether with dropout; ``None``: in training.
        """
        drop = self.training if drop is None else drop
        graph, at_rows = self.graph, _at(rows, self.table)
        x: Tensor = self.table
        if drop and self.dropout_of == "elements":
            graph = thinned(graph, self.node_dropout)
        hops = [at_rows]
        for number, (w1, w2) in enumerate(zip(self.w1, self.w2), start=1):
            received, last = self.received(x, graph, drop), number == self.layers
            if last:
                x, received = at_rows, _at(rows, received)
            x = self.layer(x, received, w1, w2)
            if drop and self.dropout_of == "elements":
                x = F.dropout(x, self.message_dropout)
            at_rows = x if last else _at(rows, x)
            hops.append(F.normalize(at_rows) if self.unit_outputs else at_rows)
        return hops

    def received(self, x: Tensor, graph: Graph, drop: bool) -> Tensor:
        """L E: the neighbours' vectors that arrive, added up: [n, d]."""
        if not drop or self.dropout_of == "elements":
            return graph @ x
        if self.node_dropout:
            x = x * F.dropout(x.new_ones(len(x), 1), self.node_dropout)
        return thinned(graph, self.message_dropout) @ x

    def layer(self, x: Tensor, received: Tensor, w1: nn.Module, w2: nn.Module) -> Tensor:
        """Eq. 7, when L E is known: [n, d]."""
        sums = w1(received + x if self.self_messages == "message" else received)
        products = w2(received * x)
        if self.activation == "joint":
            return F.leaky_relu(sums + products, self.slope)
        return F.leaky_relu(sums, self.slope) + F.leaky_relu(products, self.slope)


def thinned(graph: Graph, share: float) -> Graph:
    """The graph without a random ``share`` of its edges; the others weigh 1 / (1 - share) of what they did."""
    return replace(graph, weight=F.dropout(graph.weight, share)) if share else graph


def _at(rows: Tensor | None, table: Tensor) -> Tensor:
    return table if rows is None else F.embedding(rows, table)
