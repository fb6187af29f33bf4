"""DualGNN: how a user weighs the modalities, and what its co-purchasers make of them."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.utils import softmax

from ..core.graph import Graph, bipartite
from ..core.neighbours import Search, co_interactions
from ..training import Batch, Dataset, Embeddings, Features, xavier
from .losses import Reading, bpr, length
from .modalities import ContentRecommender, Projection


class DualGNN(ContentRecommender):
    r"""DualGNN from `"DualGNN: Dual Graph Neural Network for Multimedia Recommendation"
    <https://doi.org/10.1109/TMM.2021.3138298>`_, section III.

    Each modality has the purchase graph to itself, with a preference u_m of each user and the mapped content i_m of
    each item at its nodes, which travel as in LightGCN and are summed over layers,

    .. math::
        u_m^{(l+1)} = \sum_{i \in N_u} \frac{i_m^{(l)}}{\sqrt{|N_u|} \sqrt{|N_i|}}, \qquad
        u_m = \sum_{l=0}^{L} u_m^{(l)}, \qquad i_m = \sum_{l=0}^{L} i_m^{(l)}

    A user weighs its modalities, and hears the K users who bought most of the same, by the softmax of the number n of
    shared purchases; an item sums its modalities:

    .. math::
        u_{mul} = \sum_m \alpha_{u,m} u_m, \qquad
        u = u_{mul} + \sum_{v \in N^c_u} \mathrm{softmax}_v(n_{uv})\, v_{mul}, \qquad i = \sum_m i_m

    trained with BPR and an L2 term. The official code takes logarithms to base 2, which is as if l2 were 0.69 of it,
    and fills up short lists of co-purchasers with random repeats; here they stay short.

    Args:
        data: a split dataset.
        features: vectors of items.
        dim: d, the width of all vectors.
        hidden: width of the layer between content and i_m, with a LeakyReLU (official code); 0: one linear map.
        layers: L on the purchase graph.
        neighbours: K.
        user_layers: how often the users hear each other; each adds to what the last one gave.
        user_weight: ``"softmax"`` as above, or ``"mean"``: the same for all K.
        construction: of u_mul: ``"sum"`` as above, the ``"max"`` of the weighted u_m, or ``"concat"``: a linear map
            of the weighted u_m side by side.
        attention: alpha is a ``"softmax"`` over modalities; or ``"free"``: only where it starts (official code).
        unit_inputs: scale u_m^(0) and i_m^(0) to length 1 (official code).
        l2: lambda, of the batch's preferences and what alpha is made of.
        l2_reading: see ``losses.length``; the official code has ``"mean"``.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ContentRecommender`. Each modality's
            preferences start from the start's users; items have no ID vectors here.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        hidden: int = 256,
        layers: int = 2,
        neighbours: int = 40,
        user_layers: int = 1,
        user_weight: Literal["softmax", "mean"] = "softmax",
        construction: Literal["sum", "max", "concat"] = "sum",
        attention: Literal["softmax", "free"] = "softmax",
        unit_inputs: bool = False,
        l2: float = 1e-4,
        l2_reading: Reading = "squared",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.layers, self.user_layers, self.construction = layers, user_layers, construction
        self.attention, self.unit_inputs, self.l2, self.l2_reading = attention, unit_inputs, l2, l2_reading
        self.graph, dim = bipartite(data), self.dim
        near = self.lists_of({"users": co_interactions(data, "users", neighbours)})["users"]
        score = near.likeness if user_weight == "softmax" else torch.zeros(len(near.row))
        share, about = softmax(score, near.row, num_nodes=near.n), {"graph": "users by shared interactions"}
        self.users_graph = Graph.from_edges(near.row, near.col, share, near.n, near.n, about | {"weights": user_weight})
        self.preference = nn.ParameterDict(
            {name: self.split(self.id_vectors().data)[0].clone() for name in self.content}
        )
        self.project = nn.ModuleDict()
        for name, one in self.content.items():
            first = Projection(one().shape[1], hidden or dim)
            self.project[name] = nn.Sequential(first, nn.LeakyReLU(), nn.Linear(hidden, dim)) if hidden else first
        weigh = xavier(data.n_users, len(self.content))
        self.weigh = nn.Parameter(weigh.softmax(1) if attention == "free" else weigh)
        self.construct = nn.Linear(len(self.content) * dim, dim) if construction == "concat" else None

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        return {"users": co_interactions(data, "users", cls.in_force(**options)["neighbours"])}

    def embed(self) -> Embeddings:
        return Embeddings(*self.final())

    def final(self) -> tuple[Tensor, Tensor]:
        """What scores: [n_users, d] and [n_items, d]."""
        users, items = zip(*(self.split(self.propagated(name)) for name in self.content))
        user = self.constructed(torch.stack(users, 1))
        for _ in range(self.user_layers):
            user = user + self.users_graph @ user
        return user, torch.stack(items).sum(0)

    def propagated(self, name: str) -> Tensor:
        """u_m and i_m, users before items: [n_users + n_items, d]."""
        x = torch.cat([self.preference[name], self.project[name](self.content[name]())])
        if self.unit_inputs:
            x = F.normalize(x)
        return self.graph.mean_of_layers(x, self.layers) * (self.layers + 1)

    def constructed(self, users: Tensor) -> Tensor:
        """u_mul of u_m [n_users, |M|, d]: [n_users, d]."""
        alpha = self.weigh.softmax(1) if self.attention == "softmax" else self.weigh
        weighted = alpha.unsqueeze(2) * users
        if self.construct is not None:
            return self.construct(weighted.flatten(1))
        return weighted.amax(1) if self.construction == "max" else weighted.sum(1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        users, items = self.final()
        held = [F.embedding(batch.users, table) for table in (*self.preference.values(), self.weigh)]
        l2 = length(self.l2, *held, reading=self.l2_reading)
        return {"bpr": bpr(F.embedding(batch.users, users), *F.embedding(batch.items, items)), "l2": l2}
