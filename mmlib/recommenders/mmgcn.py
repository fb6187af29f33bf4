"""MMGCN: a graph convolution of its own for each modality, tied together by the ID vectors."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.utils import scatter

from ..core.errors import InputError
from ..core.graph import bipartite
from ..training import Batch, Dataset, Embeddings, Features, xavier
from .losses import Reading, bpr, length
from .modalities import ContentRecommender, Projection


class MMGCN(ContentRecommender):
    r"""MMGCN from `"MMGCN: Multi-modal Graph Convolution Network for Personalized Recommendation of Micro-video"
    <https://doi.org/10.1145/3343031.3351034>`_, section 2.

    Each modality has the purchase graph to itself, with a preference u_m of each user and the content i_m of each
    item. A layer gathers a node's neighbours (eq. 1-3) and combines them with itself and its ID vector (eq. 4-7):

    .. math::
        h_m = \sigma\Big(\frac{1}{|N_u|} \sum_{j \in N_u} W_{1,m}\, j_m\Big), \qquad
        \hat u_m = \sigma(W_{2,m} u_m) + u_{id}, \qquad
        u_m \leftarrow \sigma(W_{3,m} h_m + \hat u_m)

    sigma = LeakyReLU; items alike. The last layer scores, summed over modalities (eq. 9), with BPR and L2 (eq. 10).

    Args:
        data: a split dataset.
        features: vectors of items.
        dim: d, the width of ID vectors and of every layer's output.
        content_dim: of u_m and i_m, a linear map of content; 0: the content itself. Officially 256 (image), else 0.
        layers: L, 2 in the official commands; all public code runs three whatever it is told.
        aggregation: ``"mean"`` (eq. 2) or ``"max"`` (eq. 3) over the neighbours.
        combination: ``"sum"`` (eq. 7, above), or ``"concat"``: sigma(W_3 [h || u^]) (eq. 6; always, in public code).
        fusion: ``"sum"`` of the modalities (eq. 9), or their ``"mean"`` (official code).
        bias, unit_inputs: add one after W_2 and W_3; scale u_m and i_m to length 1 at first (both: official code).
        frozen_ids: leave ID vectors and preferences as drawn; all public code hides them from the optimiser.
        square: W_1 as wide as what it reads, as in all public code; otherwise d.
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
        aggregation: Literal["mean", "max"] = "mean",
        combination: Literal["sum", "concat"] = "sum",
        fusion: Literal["sum", "mean"] = "sum",
        bias: bool = False,
        unit_inputs: bool = False,
        frozen_ids: bool = False,
        square: bool = False,
        l2: float = 1e-4,
        l2_reading: Reading = "squared",
        **shared: Any,
    ) -> None:
        if layers < 1:
            raise InputError(f"layers = {layers}; MMGCN needs at least one.")
        super().__init__(data, features, **shared)
        self.aggregation, self.fusion = aggregation, fusion
        self.unit_inputs, self.frozen_ids, dim = unit_inputs, frozen_ids, self.dim
        self.l2, self.l2_reading = l2, l2_reading
        self.graph = bipartite(data, normalisation="row")
        self.table = self.id_vectors()
        self.project, self.hops = nn.ModuleDict(), nn.ModuleDict()
        for name, one in self.content.items():
            width = content_dim or one().shape[1]
            self.register_parameter(f"preference_{name}", nn.Parameter(xavier(data.n_users, width)))  # u_m
            self.project[name] = Projection(one().shape[1], content_dim) if content_dim else nn.Identity()
            inputs = [width] + [dim] * (layers - 1)
            self.hops[name] = nn.ModuleList(Hop(size, dim, combination == "concat", bias, square) for size in inputs)
        for name, values in list(self.named_parameters(recurse=False)) if frozen_ids else []:  # saved, not learnt
            delattr(self, name)
            self.register_buffer(name, values.detach())

    def embed(self) -> Embeddings:
        return Embeddings(*self.split(self.final()))

    def final(self, rows: Tensor | None = None) -> Tensor:
        """Eq. 9 for ``rows`` [r] or all, users before items: [r, d] or [n_users + n_items, d]."""
        total = torch.stack([self.last_layer(name, rows) for name in self.content]).sum(0)
        return total / len(self.content) if self.fusion == "mean" else total

    def last_layer(self, name: str, rows: Tensor | None = None) -> Tensor:
        """u_m and i_m after L layers, of ``rows`` or all: [r, d]."""
        items = self.project[name](self.content[name]()).float()  # [n_items, c]
        x = torch.cat([getattr(self, f"preference_{name}"), items])  # [n, c]
        x = F.normalize(x) if self.unit_inputs else x
        *hops, last = self.hops[name].children()
        for hop in hops:
            x = hop(x, self.table, self.gathered)
        return last(x, self.table, self.gathered, rows)

    def gathered(self, x: Tensor) -> Tensor:
        """The mean or maximum over each node's neighbours, 0 without any: [n, d] -> [n, d]."""
        if self.aggregation == "mean":
            return self.graph @ x
        return scatter(F.embedding(self.graph.col, x), self.graph.row, dim_size=self.graph.n_rows, reduce="max")

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        rows = self.rows(batch)  # [3, b]
        once, place = rows.unique(return_inverse=True)
        terms = {"bpr": bpr(*F.embedding(place, self.final(once)))}
        if not self.frozen_ids:
            held = [*F.embedding(rows, self.table)]  # [b, d] each
            held += [F.embedding(batch.users, getattr(self, f"preference_{name}")) for name in self.content]
            terms["l2"] = length(self.l2, *held, reading=self.l2_reading)
        return terms


class Hop(nn.Module):
    """One layer of one modality (eq. 1-7): [n, width] -> [n, d]."""

    def __init__(self, width: int, dim: int, concat: bool, bias: bool, square: bool) -> None:
        super().__init__()
        self.concat = concat
        near = width if square else dim
        self.gather = nn.Linear(width, near, bias=False)  # W_1
        self.keep = nn.Linear(width, dim, bias=bias)  # W_2
        self.combine = nn.Linear(near + dim if concat else near, dim, bias=bias)  # W_3
        for layer in (self.gather, self.keep, self.combine):
            nn.init.xavier_uniform_(layer.weight)

    def forward(
        self, x: Tensor, ids: Tensor, gathered: Callable[[Tensor], Tensor], rows: Tensor | None = None
    ) -> Tensor:
        near = F.leaky_relu(gathered(self.gather(x)))  # h
        if rows is not None:
            near, x, ids = (F.embedding(rows, one) for one in (near, x, ids))
        own = F.leaky_relu(self.keep(x)) + ids  # u^
        both = self.combine(torch.cat([near, own], 1)) if self.concat else self.combine(near) + own
        return F.leaky_relu(both)
