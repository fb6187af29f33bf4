"""MMCPR: reviews, words, pictures and co-purchases fused into one vector per user and item.

Letters: b = rows asked for, d = width of the vectors, d_m = width of modality m, M = modalities of a side.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.utils import softmax

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.graph import Graph, co_interaction
from ..kernels.contrast import info_nce, pairwise_bce
from ..training.learner import Batch, Learner, xavier

NAMES = {"R": "reviews", "T": "text", "V": "image", "G": "graph"}


class MMCPR(Learner):
    r"""MMCPR from `"Multi-Modal Contrastive Pre-training for Recommendation"
    <https://doi.org/10.1145/3512527.3531378>`_ (ICMR 2022), section 3; there is no public code.

    Users have reviews R and a graph G of users with common purchases; items have text T, image V and a graph G
    of items with common buyers. A graph's vector is LightGCN's mean over L layers above trainable layer-0
    vectors (eq. 1-2). Every modality is projected to d dimensions (eq. 6, 12) and attention adds them up
    (eq. 7-8, 13-14):

    .. math::
        e = \sum_m \alpha^m e'^m, \qquad \alpha^m \propto \exp(\mathrm{ReLU}(a^\top e'^m)), \qquad
        e'^m = W_m^\top e^m + b^m

    The loss (eq. 16) is lambda L1 + (1 - lambda) L2: L1 (eq. 11) aligns an item's text and image, L2 (eq. 15) is
    the binary cross-entropy of <e_u, e_i> on purchases and sampled zeros.

    Args:
        data: a split dataset; graphs and reviews come from its training part.
        features: text and image vectors of items, vectors of reviews. Without reviews (the paper's Sharee set)
            users have their graph alone.
        dim: d.
        graph_dim: width of the layer-0 vectors.
        layers: L.
        modalities: any subset of ``"RTVG"`` (the paper's fig. 3). A side that loses all of its modalities gets
            free trainable vectors in their place.
        cima_weight: lambda; 0 is the ablation "w/o CIMA", 1 is "w/o BCE".
        contrast: ``"elementwise"``: eq. 11 as printed, a cross-entropy on each of the N x N pairs, summed over
            the pairs of a text and averaged over texts (the printed score cos/tau is no probability, so a sigmoid
            makes it one); ``"softmax"``: the symmetric cross-entropy over rows and columns that CLIP uses and
            that the text of the paper describes.
        temperature: tau.
        aligned: what eq. 11 compares. ``"projected"``: the projected vectors; the printed e^1, e^2 are the
            encoders' outputs, which are frozen here, so that L1 could teach nothing. ``"adapted"``: the encoders'
            outputs after a trainable square matrix that starts as the identity and stands in for fine-tuning them.
        aggregation: of a user's reviews (eq. 4): ``"mean"`` (the paper), ``"max"`` or ``"attention"``.
        neighbours: strongest co-interaction neighbours kept; ``None`` keeps all (the paper).
        edge_weight, normalisation: see ``graphs.co_interaction``; ``"one-sided"`` is eq. 1 as printed.
        missing: what stands for a missing text, image or review: the ``"mean"`` of the present ones, ``"zero"``,
            or ``"mask"``: the mean too, but without attention where another modality is present.
        negatives: sampled zeros per purchase.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features,
        *,
        dim: int = 64,
        graph_dim: int = 64,
        layers: int = 2,
        modalities: str = "RTVG",
        cima_weight: float = 0.2,
        contrast: str = "elementwise",
        temperature: float = 0.1,
        aligned: str = "projected",
        aggregation: str = "mean",
        neighbours: int | None = None,
        edge_weight: str = "binary",
        normalisation: str = "one-sided",
        missing: str = "mean",
        negatives: int = 1,
    ) -> None:
        super().__init__(data, negatives=negatives)
        one_of("contrast", contrast, ("elementwise", "softmax"))
        one_of("aligned", aligned, ("projected", "adapted"))
        one_of("missing", missing, ("mean", "zero", "mask"))
        _check(modalities, features, cima_weight, temperature)
        self.dim, self.graph_dim, self.layers, self.modalities = dim, graph_dim, layers, modalities
        self.cima_weight, self.contrast, self.temperature = cima_weight, contrast, temperature
        self.aligned, self.aggregation, self.missing = aligned, aggregation, missing
        self.neighbours, self.edge_weight, self.normalisation = neighbours, edge_weight, normalisation
        self.user_graph, self.item_graph = (
            self._graph(side) if "G" in modalities else None for side in ("users", "items")
        )
        self.reviews = (
            Reviews(features, aggregation, missing) if "R" in modalities and features.reviews is not None else None
        )
        fill = "mean" if missing == "mask" else missing
        for name in self._content_names():
            self.register_buffer(f"{name}_features", features.filled(name, fill), persistent=False)
            self.register_buffer(f"{name}_present", features.present[name], persistent=False)
        self._make_parameters()

    def _graph(self, side: str) -> Graph:
        kept, weight, how = self.neighbours, self.edge_weight, self.normalisation
        return co_interaction(self.data, side, neighbours=kept, weight=weight, normalisation=how)

    def _make_parameters(self) -> None:
        self.user_table = nn.Parameter(xavier(self.data.n_users, self.graph_dim))  # layer 0 of eq. 2
        self.item_table = nn.Parameter(xavier(self.data.n_items, self.graph_dim))
        widths = {name: getattr(self, f"{name}_features").shape[1] for name in self._content_names()}
        user_widths = {"reviews": self.reviews.width} if self.reviews else {}
        if self.user_graph or not user_widths:
            user_widths["graph"] = self.graph_dim
        if self.item_graph or not widths:
            widths["graph"] = self.graph_dim
        self.user_fusion, self.item_fusion = Fusion(user_widths, self.dim), Fusion(widths, self.dim)
        self.adapters = nn.ModuleDict()
        if self.aligned == "adapted":
            self.adapters.update({name: _identity(widths[name]) for name in self._content_names()})

    def _content_names(self) -> list[str]:
        return [NAMES[letter] for letter in "TV" if letter in self.modalities]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        terms = {}
        if self.cima_weight > 0:
            terms["cima"] = self.cima_weight * self.cima(batch.positives.unique())
        if self.cima_weight < 1:
            terms["bce"] = (1 - self.cima_weight) * self.bce(batch)
        return terms

    def bce(self, batch: Batch) -> Tensor:
        """L2, eq. 15: purchases are ones, sampled items zeros; summed over a purchase's zeros, averaged over them."""
        users, _ = self.user_fusion(self.user_modalities(batch.users))  # [b, d]
        rows = torch.cat([batch.positives.unsqueeze(1), batch.negatives], 1)  # [b, 1 + negatives]
        items, _ = self.item_fusion(self.item_modalities(rows.flatten()), self._item_mask(rows.flatten()))
        score = torch.bmm(items.view(*rows.shape, -1), users.unsqueeze(2)).squeeze(2)  # [b, 1 + negatives]
        return F.softplus(-score[:, 0]).mean() + F.softplus(score[:, 1:]).sum(1).mean()

    def cima(self, items: Tensor) -> Tensor:
        """L1, eq. 11, over those of the ``items`` [b] that have both a text and an image."""
        both = items[self._present("text")[items] & self._present("image")[items]]
        if len(both) < 2:
            return self.item_table.sum() * 0
        text, image = (self._aligned(name, both) for name in ("text", "image"))  # [N, d] each
        if self.contrast == "softmax":
            return info_nce(text, image, temperature=self.temperature)
        return pairwise_bce(text, image, temperature=self.temperature, reduction="sum") / len(both)

    def _present(self, name: str) -> Tensor:
        return getattr(self, f"{name}_present")  # [n_items] bool

    def _aligned(self, name: str, rows: Tensor) -> Tensor:
        values = self._content(name, rows)
        return self.item_fusion.project[name](values) if self.aligned == "projected" else values

    def _content(self, name: str, rows: Tensor | None) -> Tensor:
        values = getattr(self, f"{name}_features")
        values = values if rows is None else values[rows]
        return self.adapters[name](values) if name in self.adapters else values

    def user_modalities(self, rows: Tensor | None = None) -> dict[str, Tensor]:
        """e_u^m before projection, for the users in ``rows`` [b] or for all: modality -> [b, d_m]."""
        found = {}
        if self.reviews:
            found["reviews"] = self.reviews() if rows is None else self.reviews()[rows]
        if "graph" in self.user_fusion.project:
            found["graph"] = self._graph_vectors(self.user_graph, self.user_table, rows)
        return found

    def item_modalities(self, rows: Tensor | None = None) -> dict[str, Tensor]:
        """e_i^m before projection, for the items in ``rows`` [b] or for all: modality -> [b, d_m]."""
        found = {name: self._content(name, rows) for name in self._content_names()}
        if "graph" in self.item_fusion.project:
            found["graph"] = self._graph_vectors(self.item_graph, self.item_table, rows)
        return found

    def _graph_vectors(self, graph: Any, table: Tensor, rows: Tensor | None) -> Tensor:
        vectors = graph.mean_of_layers(table, self.layers) if graph is not None else table  # eq. 1-2
        return vectors if rows is None else F.embedding(rows, vectors)

    def _item_mask(self, rows: Tensor | None = None) -> dict[str, Tensor] | None:
        if self.missing != "mask":
            return None
        present = {name: self._present(name) for name in self._content_names()}
        return {name: values if rows is None else values[rows] for name, values in present.items()}

    def embed(self) -> Embeddings:
        users, _ = self.user_fusion(self.user_modalities())
        items, _ = self.item_fusion(self.item_modalities(), self._item_mask())
        return Embeddings(users, items, self.describe())

    @torch.no_grad()
    def attention(self) -> dict[str, dict[str, Tensor]]:
        """How much each modality counts: ``{"users": {"reviews": [n_users], ...}, "items": {...}}``, adding up to 1."""
        users = self.user_fusion(self.user_modalities())[1]  # [n_users, M]
        items = self.item_fusion(self.item_modalities(), self._item_mask())[1]
        return {
            "users": dict(zip(self.user_fusion.project, users.T)),
            "items": dict(zip(self.item_fusion.project, items.T)),
        }

    @torch.no_grad()
    def content_and_ids(self) -> tuple[Tensor, Tensor]:
        """Two views of the same items in the common space: content (mean of projected text and image) and graph.

        Both are [n_items, d]; their cosine is what the alignment page draws.
        """
        parts = self.item_fusion.projected(self.item_modalities())
        if "graph" not in parts or len(parts) < 2:
            raise InputError(f"modalities = {self.modalities!r}: comparing content with ids needs G and T or V.")
        return torch.stack([parts[name] for name in self._content_names()]).mean(0), parts["graph"]


class Fusion(nn.Module):
    """Projection to a common space and attention over modalities (eq. 6-8 for users, 12-14 for items).

    Args:
        widths: modality -> d_m.
        dim: d.
    """

    def __init__(self, widths: dict[str, int], dim: int) -> None:
        super().__init__()
        self.project = nn.ModuleDict({name: nn.Linear(width, dim) for name, width in widths.items()})
        self.query = nn.Parameter(xavier(1, dim).squeeze(0))  # a, [d]

    def projected(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """e'^m: modality -> [b, d]."""
        return {name: layer(values[name]) for name, layer in self.project.items()}

    def forward(self, values: dict[str, Tensor], present: dict[str, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The fused vectors [b, d] and the attention [b, M]; absent modalities get none where another is present."""
        parts = torch.stack(list(self.projected(values).values()), 1)  # [b, M, d]
        score = F.relu(parts @ self.query)  # [b, M]
        if present:
            here = torch.stack(
                [present.get(name, torch.ones_like(score[:, 0], dtype=torch.bool)) for name in self.project], 1
            )
            score = score.masked_fill(~here & here.any(1, keepdim=True), -torch.inf)
        share = score.softmax(1)
        return (share.unsqueeze(2) * parts).sum(1), share


class Reviews(nn.Module):
    """One vector per user from the user's reviews (eq. 3-4).

    Args:
        features: with ``reviews`` [n_reviews, d_r] and ``review_users`` [n_reviews].
        aggregation: ``"mean"``, ``"max"``, or ``"attention"`` (softmax of a trainable query over a user's reviews).
        missing: of users without a review: ``"zero"``, otherwise the mean over users who have one.
    """

    present: Tensor  # [n_users] bool
    vectors: Tensor  # [n_reviews, d_r]
    writers: Tensor  # [n_reviews]
    fixed: Tensor  # [n_users, d_r]

    def __init__(self, features: Features, aggregation: str, missing: str) -> None:
        super().__init__()
        one_of("aggregation", aggregation, ("mean", "max", "attention"))
        assert features.reviews is not None
        self.aggregation, self.missing, self.width = aggregation, missing, features.reviews.shape[1]
        self.register_buffer("present", features.user_present["review"], persistent=False)
        if aggregation == "attention":
            self.register_buffer("vectors", features.reviews, persistent=False)
            self.register_buffer("writers", features.review_users, persistent=False)
            self.query = nn.Parameter(torch.zeros(self.width))
        else:
            fixed = features.user["review"] if aggregation == "mean" else _segment_max(features)
            self.register_buffer("fixed", self._filled(fixed), persistent=False)

    def forward(self) -> Tensor:
        """[n_users, d_r]."""
        if self.aggregation != "attention":
            return self.fixed
        share = softmax(self.vectors @ self.query, self.writers, num_nodes=len(self.present))  # [n_reviews]
        empty = self.vectors.new_zeros(len(self.present), self.width)
        return self._filled(empty.index_add(0, self.writers, share.unsqueeze(1) * self.vectors))

    def _filled(self, values: Tensor) -> Tensor:
        fill = torch.zeros_like(values[0]) if self.missing == "zero" else values[self.present].mean(0)
        return torch.where(self.present.unsqueeze(1), values, fill)


def _segment_max(features: Features) -> Tensor:
    assert features.reviews is not None
    assert features.review_users is not None
    index = features.review_users.unsqueeze(1).expand_as(features.reviews)
    empty = features.reviews.new_zeros(features.n_users, features.reviews.shape[1])
    return empty.scatter_reduce(0, index, features.reviews, "amax", include_self=False)


def _identity(width: int) -> nn.Linear:
    layer = nn.Linear(width, width, bias=False)
    nn.init.eye_(layer.weight)
    return layer


def _check(modalities: str, features: Features, cima_weight: float, temperature: float) -> None:
    if not modalities or set(modalities) - set(NAMES) or len(set(modalities)) < len(modalities):
        raise InputError(f"modalities = {modalities!r}: give a subset of the letters R, T, V, G, each once.")
    for letter in "TV":
        if letter in modalities and NAMES[letter] not in features.item:
            raise InputError(
                f"modalities = {modalities!r} asks for {NAMES[letter]}, but the features hold {list(features.item)}. "
                f"Leave {letter} out, or extract it."
            )
    if not 0 <= cima_weight <= 1:
        raise InputError(f"cima_weight = {cima_weight}: lambda of eq. 16 lies between 0 and 1.")
    if cima_weight > 0 and not {"T", "V"} <= set(modalities):
        raise InputError(
            f"Aligning text and image needs both T and V in modalities = {modalities!r}; or cima_weight=0."
        )
    if temperature <= 0:
        raise InputError(f"temperature = {temperature}: tau must be positive.")
