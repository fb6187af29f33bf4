"""MMCPR: reviews, text, images and co-interactions fused into one vector per user and item.

Letters: b = rows asked for, d = width of the vectors, d_m = width of modality m, M = modalities of a side, N = items of
an alignment step.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.graph import co_interaction
from ..core.neighbours import NeighbourLists, Search, co_interactions
from ..kernels.contrast import info_nce, pairwise_bce
from ..training import Batch, Dataset, Embeddings, Features, Recommender, xavier
from .fusion import Reviews, Side, item_content

NAMES = {"R": "reviews", "T": "text", "V": "image", "G": "graph"}


class MMCPR(Recommender):
    r"""MMCPR from `"Multi-Modal Contrastive Pre-training for Recommendation"
    <https://doi.org/10.1145/3512527.3531378>`_ (ICMR 2022), section 3; there is no public code.

    Users have reviews R and a graph G of users with common interactions; items have text T, an image V and a graph G
    of items with common users. A graph's vector is LightGCN's mean over L layers above trainable layer-0
    vectors (eq. 1-2). Every modality is projected to d dimensions (eq. 6, 12) and attention adds them up
    (eq. 7-8, 13-14):

    .. math::
        e = \sum_m \alpha^m e'^m, \qquad \alpha^m \propto \exp(\mathrm{ReLU}(a^\top e'^m)), \qquad
        e'^m = W_m^\top e^m + b^m

    The loss (eq. 16) is lambda L1 + (1 - lambda) L2: L1 (eq. 11, CIMA) aligns an item's text and image, L2 (eq. 15)
    is the binary cross-entropy of interactions and sampled zeros. Both are means, so that lambda means the same at
    every batch size. Eq. 15 takes the logarithm of a bare inner product, which may be negative; here
    R = sigmoid(<e_u, e_i>), as in GCN-P's code, which the paper follows.

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
        contrast: how L1 is computed. ``"softmax"``: what section 3.4 says in words, "predict which of the N x N
            pairings actually occurred": the symmetric cross-entropy over rows and columns of CLIP. ``"sigmoid"``: a
            cross-entropy on each pair with a learnt temperature and bias, as SigLIP (Zhai et al. 2023), averaged over
            texts. ``"printed"``: eq. 11 as it stands, on the sigmoid of cos / tau, averaged over the N x N pairs; one
            real pair weighs as much as each of the N - 1 others, so that it pushes text and image *apart*.
        temperature: tau; of ``"sigmoid"``, where it starts.
        cima_items: which items a step aligns: as many as the batch has interactions, drawn from the
            ``"catalogue"``, those without interactions among them; or the items that the ``"batch"`` interacted with.
        aligned: what eq. 11 compares. ``"projected"``: the projected vectors; the printed e^1, e^2 are the
            encoders' outputs, which are frozen here, so that L1 could teach nothing. ``"adapted"``: the encoders'
            outputs after a trainable matrix that stands in for fine-tuning them. It starts as the identity; where
            text and image differ in width, the wider one's starts as a random projection to the narrower width.
        aggregation: of a user's reviews (eq. 4): ``"mean"`` (the paper), ``"max"`` or ``"attention"``.
        neighbours: strongest co-interaction neighbours kept; ``None`` keeps all (the paper).
        edge_weight, normalisation: see ``graphs.co_interaction``; ``"one-sided"`` is eq. 1 as printed.
        missing: what stands for a missing text, image or review: the ``"mean"`` of the present ones, ``"zero"``,
            or ``"mask"``: no attention; a user or item with nothing present falls back to the mean.
        negatives: sampled zeros per interaction.
        neighbour_lists: results of :meth:`searches`; searched here when not given.

    Raises:
        InputError: for an unknown word, a lambda outside [0, 1], and modalities that the features do not hold.
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
        contrast: Literal["softmax", "sigmoid", "printed"] = "softmax",
        temperature: float = 0.1,
        cima_items: Literal["catalogue", "batch"] = "catalogue",
        aligned: Literal["projected", "adapted"] = "projected",
        aggregation: Literal["mean", "max", "attention"] = "mean",
        neighbours: int | None = None,
        edge_weight: Literal["binary", "count"] = "binary",
        normalisation: str = "one-sided",
        missing: Literal["mean", "zero", "mask"] = "mean",
        negatives: int = 1,
        neighbour_lists: Mapping[str, NeighbourLists] | None = None,
    ) -> None:
        super().__init__(data, negatives=negatives)
        _check(modalities, features, cima_weight)
        self.modalities, self.cima_weight, self.temperature = modalities, cima_weight, temperature
        self.contrast, self.cima_items, self.aligned = contrast, cima_items, aligned
        graph = partial(co_interaction, data, neighbours=neighbours, weight=edge_weight, normalisation=normalisation)
        lists, sides = neighbour_lists or {}, ("users", "items")
        with_graph = "G" in modalities
        self.user_graph, self.item_graph = (graph(one, lists=lists.get(one)) if with_graph else None for one in sides)
        reviewed = "R" in modalities and "review" in features.user
        reviews = {"reviews": Reviews(features, aggregation, missing)} if reviewed else {}
        names = [NAMES[letter] for letter in "TV" if letter in modalities]
        content = item_content(features, names, missing, adapted=aligned == "adapted")
        tables = [xavier(n, graph_dim) for n in (data.n_users, data.n_items)]  # layer 0 of eq. 2
        side = partial(Side, dim=dim, layers=layers, with_graph=with_graph, mask=missing == "mask")
        self.user_side, self.item_side = side(reviews, tables[0]), side(content, tables[1])
        if contrast == "sigmoid" and cima_weight > 0:
            self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
            self.bias = nn.Parameter(torch.tensor(-10.0))  # where SigLIP starts

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        given = cls.in_force(**options)
        if "G" not in given["modalities"]:
            return {}
        return {side: co_interactions(data, side, given["neighbours"]) for side in ("users", "items")}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 16: lambda L1 and (1 - lambda) L2, as ``cima`` and ``bce``."""
        terms = {}
        if self.cima_weight > 0:
            terms["cima"] = self.cima_weight * self.cima(self._to_align(batch))
        if self.cima_weight < 1:
            terms["bce"] = (1 - self.cima_weight) * self.bce(batch)
        return terms

    def cima(self, items: Tensor) -> Tensor:
        """L1, eq. 11, of ``items`` [N] that have both a text and an image: a mean, see ``contrast``."""
        if len(items) < 2:
            return self.item_side.table.sum() * 0
        text, image = self.text_and_image(items)
        if self.contrast == "softmax":
            return info_nce(text, image, temperature=self.temperature)
        if self.contrast == "printed":
            return pairwise_bce(text, image, temperature=self.temperature)
        heat = (-self.log_scale).exp()
        return pairwise_bce(text, image, temperature=heat, bias=self.bias, reduction="sum") / len(items)

    def bce(self, batch: Batch) -> Tensor:
        """L2, eq. 15: interactions are ones, sampled items zeros; the mean over interactions, their zeros summed."""
        users, _ = self.users(batch.users)  # [b, d]
        rows = torch.cat([batch.positives.unsqueeze(1), batch.negatives], 1)  # [b, 1 + negatives]
        items, _ = self.items(rows.flatten())
        score = torch.bmm(items.view(*rows.shape, -1), users.unsqueeze(2)).squeeze(2)  # [b, 1 + negatives]
        return F.softplus(-score[:, 0]).mean() + F.softplus(score[:, 1:]).sum(1).mean()

    def users(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """e_u (eq. 7) and the attention of eq. 8, of the users in ``rows`` [b] or of all: [b, d] and [b, M]."""
        return self.user_side(self.user_graph, rows)

    def items(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """e_i (eq. 13) and the attention of eq. 14, of the items in ``rows`` [b] or of all: [b, d] and [b, M]."""
        return self.item_side(self.item_graph, rows)

    def _to_align(self, batch: Batch) -> Tensor:
        """The items that a step aligns; drawn on the CPU from the generator that ``fit`` seeds and keeps."""
        both = self.item_side.present("text") & self.item_side.present("image")  # [n_items]
        if self.cima_items == "batch":
            items = batch.positives.unique()
            return items[both[items]]
        items = both.nonzero().squeeze(1)
        return items[torch.randperm(len(items))[: len(batch.positives)].to(items.device)]

    def text_and_image(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What eq. 11 compares, see ``aligned``, of the items in ``rows`` [N] or of all: [N, d] each.

        Raises:
            InputError: when ``modalities`` leaves one of them out.
        """
        if not {"text", "image"} <= set(self.item_side.content):
            raise InputError(f"modalities = {self.modalities!r}: comparing text with image needs T and V.")
        text, image = (self.item_side.content[name](rows) for name in ("text", "image"))
        if self.aligned == "adapted":
            return text, image
        return self.item_side.project["text"](text), self.item_side.project["image"](image)

    def embed(self) -> Embeddings:
        return Embeddings(self.users()[0], self.items()[0], self.describe())

    @torch.no_grad()
    def attention(self) -> dict[str, dict[str, Tensor]]:
        """How much each modality counts: ``{"users": {"reviews": [n_users], ...}, "items": {...}}``, adding up to 1."""
        return {
            "users": dict(zip(self.user_side.project, self.users()[1].T)),
            "items": dict(zip(self.item_side.project, self.items()[1].T)),
        }

    @torch.no_grad()
    def content_and_ids(self) -> tuple[Tensor, Tensor]:
        """Two views of the same items in the common space: content (mean of projected text and image) and graph.

        Both are [n_items, d]; their cosine is what the alignment page draws.
        """
        parts = self.item_side.projected(self.item_graph)
        if "graph" not in parts or len(parts) < 2:
            raise InputError(f"modalities = {self.modalities!r}: comparing content with ids needs G and T or V.")
        return torch.stack([parts[name] for name in self.item_side.content]).mean(0), parts["graph"]


def _check(modalities: str, features: Features, cima_weight: float) -> None:
    if not modalities or set(modalities) - set(NAMES) or len(set(modalities)) < len(modalities):
        raise InputError(f"modalities = {modalities!r}: give a subset of the letters R, T, V, G, each once.")
    for letter in "TV":
        if letter in modalities and NAMES[letter] not in features.item:
            raise InputError(
                f"modalities = {modalities!r} asks for {NAMES[letter]}, but the features hold {list(features.item)}. "
                f"Leave {letter} out, or extract it."
            )
    if cima_weight > 0 and not {"T", "V"} <= set(modalities):
        raise InputError(
            f"Aligning text and image needs both T and V in modalities = {modalities!r}; or cima_weight=0."
        )
