"""DualGNN: how a user weighs the modalities, and what its co-purchasers make of them."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.utils import softmax

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import one_of
from ..core.features import Features
from ..core.graph import Graph, bipartite
from ..kernels import co_occurrence as cooccur
from ..training.learner import Batch, Learner, xavier
from .content import Projection, contents
from .losses import LENGTHS, bpr, length
from .start import start_table


class DualGNN(Learner):
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
        modalities, missing, learn_features, precision: see ``recommenders.content.contents``.
        start, start_scale, start_centre: each modality's preferences start from its users, see
            ``recommenders.start.start_table``; items have no ID vectors here.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        dim: int = 64,
        hidden: int = 256,
        layers: int = 2,
        neighbours: int = 40,
        user_layers: int = 1,
        user_weight: str = "softmax",
        construction: str = "sum",
        attention: str = "softmax",
        unit_inputs: bool = False,
        l2: float = 1e-4,
        l2_reading: str = "squared",
        modalities: str | None = None,
        missing: str = "mean",
        learn_features: bool = False,
        precision: str = "float32",
        start: Embeddings | None = None,
        start_scale: str = "keep",
        start_centre: bool = False,
    ) -> None:
        one_of("construction", construction, ("sum", "max", "concat"))
        one_of("attention", attention, ("softmax", "free"))
        one_of("l2_reading", l2_reading, LENGTHS)
        super().__init__(data)
        self.dim, self.hidden, self.layers, self.neighbours = dim, hidden, layers, neighbours
        self.user_layers, self.user_weight, self.construction = user_layers, user_weight, construction
        self.attention, self.unit_inputs, self.l2, self.l2_reading = attention, unit_inputs, l2, l2_reading
        self.modalities, self.missing = modalities, missing
        self.learn_features, self.precision = learn_features, precision
        self.start_scale, self.start_centre = start_scale, start_centre
        self.content = contents(
            "DualGNN", features, modalities, missing=missing, learn=learn_features, precision=precision
        )
        self.graph, self.users_graph = bipartite(data), co_purchasers(data, neighbours, user_weight)
        self.preference = nn.ParameterDict(
            {
                name: start_table(data, dim, start, scale=start_scale, centre=start_centre)[: data.n_users].clone()
                for name in self.content
            }
        )
        self.project = nn.ModuleDict({name: mapping(one().shape[1], hidden, dim) for name, one in self.content.items()})
        weigh = xavier(data.n_users, len(self.content))
        self.weigh = nn.Parameter(weigh.softmax(1) if attention == "free" else weigh)
        self.construct = nn.Linear(len(self.content) * dim, dim) if construction == "concat" else None

    propagates_content = True  # also before training

    @staticmethod
    def paper() -> dict[str, dict[str, Any]]:
        """The defaults of the official code, which is set up for TikTok; it gives TikTok's content no MLP and 128
        dimensions, MovieLens' the one here."""
        common = {"dim": 64, "layers": 2, "neighbours": 40, "construction": "sum", "user_weight": "softmax"}
        return {"TikTok": common | {"l2": 0.1, "l2_reading": "mean", "lr": 1e-4, "batch_size": 8192}}

    def embed(self) -> Embeddings:
        return Embeddings(*self.final(), self.describe())

    def final(self) -> tuple[Tensor, Tensor]:
        """What scores: [n_users, d] and [n_items, d]."""
        sizes = [self.data.n_users, self.data.n_items]
        users, items = zip(*(self.propagated(name).split(sizes) for name in self.content))
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
        both = F.embedding(torch.cat([batch.positives, batch.negatives[:, 0]]), items)
        held = [F.embedding(batch.users, table) for table in (*self.preference.values(), self.weigh)]
        l2 = length(self.l2, *held, reading=self.l2_reading)
        return {"bpr": bpr(F.embedding(batch.users, users), *both.chunk(2)), "l2": l2}


def mapping(width: int, hidden: int, dim: int) -> nn.Module:
    """Content [n, width] -> [n, dim]."""
    if not hidden:
        return Projection(width, dim)
    return nn.Sequential(Projection(width, hidden), nn.LeakyReLU(), nn.Linear(hidden, dim))


def co_purchasers(data: Dataset, k: int, weight: str) -> Graph:
    """To each user from the k who share most purchases with it, weights summing to 1: directed, [n_users, n_users]."""
    one_of("user_weight", weight, ("softmax", "mean"))
    matrix = data.matrix("train")
    indptr, indices = torch.from_numpy(matrix.indptr).long(), torch.from_numpy(matrix.indices).long()
    row, col, count = cooccur.top_k(indptr, indices, data.n_items, k)
    score = count.float() if weight == "softmax" else torch.zeros(len(count))
    about = {"graph": "users by shared purchases", "kept": f"{k} strongest", "weights": weight}
    return Graph.from_edges(row, col, softmax(score, row, num_nodes=data.n_users), data.n_users, data.n_users, about)
