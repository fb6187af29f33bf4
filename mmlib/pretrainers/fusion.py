"""What MMCPR fuses, and how: content of items, reviews of users, and attention over modalities."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.utils import softmax

from ..core.errors import InputError
from ..core.graph import Graph
from ..training import Features, xavier


class Side(nn.Module):
    """Users, or items: their modalities, projected to a common space and added up by attention (MMCPR, eq. 1-8, 12-14).

    Args:
        content: modality -> module that gives its vectors [n, d_m] and says which are ``present`` [n].
        table: [n, d_g], layer 0 of the graph modality, trained; without ``with_graph`` it is used as it is, and only
            where there is no content.
        dim: d.
        layers: of the graph.
        mask: an absent modality gets no attention, unless all of a row are absent. The graph is always present.
    """

    def __init__(
        self,
        content: Mapping[str, "Content | Reviews"],
        table: Tensor,
        *,
        dim: int,
        layers: int,
        with_graph: bool,
        mask: bool,
    ) -> None:
        super().__init__()
        self.content, self.table = nn.ModuleDict(dict(content)), nn.Parameter(table)
        self.layers, self.mask = layers, mask
        widths = {name: part.width for name, part in content.items()}
        widths |= {"graph": table.shape[1]} if with_graph or not content else {}
        self.project = nn.ModuleDict({name: nn.Linear(width, dim) for name, width in widths.items()})
        self.query = nn.Parameter(xavier(1, dim).squeeze(0))  # a, [d]

    def present(self, name: str) -> Tensor:
        """Who has the modality: [n] bool."""
        return self.content[name].get_buffer("present")

    def modalities(self, graph: Graph | None, rows: Tensor | None = None) -> dict[str, Tensor]:
        """e^m before projection, of ``rows`` [b] or of all: modality -> [b, d_m]."""
        found = {name: part(rows) for name, part in self.content.items()}
        if "graph" in self.project:
            vectors = self.table if graph is None else graph.mean_of_layers(self.table, self.layers)  # eq. 1-2
            found["graph"] = vectors if rows is None else F.embedding(rows, vectors)
        return found

    def projected(self, graph: Graph | None, rows: Tensor | None = None) -> dict[str, Tensor]:
        """e'^m = W_m e^m + b_m (eq. 6, 12): modality -> [b, d]."""
        return {name: self.project[name](values) for name, values in self.modalities(graph, rows).items()}

    def forward(self, graph: Graph | None, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """e (eq. 7, 13) [b, d] and the attention alpha (eq. 8, 14) [b, M]."""
        parts = torch.stack(list(self.projected(graph, rows).values()), 1)  # [b, M, d]
        score = F.relu(parts @ self.query)  # [b, M]
        if self.mask:
            has = {name: self.present(name) for name in self.content}
            always = torch.ones_like(score[:, 0], dtype=torch.bool)
            here = [has[name] if rows is None else has[name][rows] for name in has]
            found = torch.stack([*here, always][: score.shape[1]], 1)
            score = score.masked_fill(~found & found.any(1, keepdim=True), -torch.inf)
        share = score.softmax(1)
        return (share.unsqueeze(2) * parts).sum(1), share


class Content(nn.Module):
    """One modality of the items: what the encoder gave, after a trainable ``adapter`` where there is one.

    Args:
        features: with ``item[name]`` [n_items, d_m].
        missing: see ``MMCPR``.
        adapted: width after the adapter; ``None`` for no adapter.
    """

    vectors: Tensor  # [n_items, d_m]

    def __init__(self, features: Features, name: str, missing: str, adapted: int | None) -> None:
        super().__init__()
        self.register_buffer("vectors", features.filled(name, "zero" if missing == "zero" else "mean"), False)
        self.register_buffer("present", features.present[name], False)
        width = self.vectors.shape[1]
        self.width, self.adapter = adapted or width, None
        if adapted:
            start = torch.eye(width) if adapted == width else nn.init.orthogonal_(torch.empty(width, adapted))
            self.adapter = nn.Parameter(start)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """[b, width] of the items in ``rows`` [b], or of all."""
        values = self.vectors if rows is None else self.vectors[rows]
        return values if self.adapter is None else values @ self.adapter


def item_content(features: Features, names: Sequence[str], missing: str, *, adapted: bool) -> dict[str, Content]:
    """``Content`` by modality; adapters bring modalities of different widths to the narrowest."""
    common = min((features.item[name].shape[1] for name in names), default=0)
    return {name: Content(features, name, missing, common if adapted else None) for name in names}


class Reviews(nn.Module):
    """One vector per user from the user's reviews (MMCPR, eq. 3-4).

    Args:
        features: with the reviews' means, or, for the other two, ``reviews`` [n_reviews, d_r] and ``review_users``.
        aggregation: ``"mean"``, ``"max"``, or ``"attention"`` (softmax of a trainable query over a user's reviews).
        missing: of users without a review: ``"zero"``, otherwise the mean over users who have one.
    """

    present: Tensor  # [n_users] bool
    vectors: Tensor  # [n_reviews, d_r]
    writers: Tensor  # [n_reviews]
    fixed: Tensor  # [n_users, d_r]

    def __init__(self, features: Features, aggregation: str, missing: str) -> None:
        super().__init__()
        if aggregation != "mean" and features.reviews is None:
            raise InputError(
                f"aggregation = {aggregation!r} weighs a user's reviews one by one, but these features hold their "
                "means alone. Extract them with mm.extract(..., reviews='each')."
            )
        self.aggregation, self.missing, self.width = aggregation, missing, features.user["review"].shape[1]
        self.register_buffer("present", features.user_present["review"], persistent=False)
        if aggregation == "attention":
            self.register_buffer("vectors", features.reviews, persistent=False)
            self.register_buffer("writers", features.review_users, persistent=False)
            self.query = nn.Parameter(torch.zeros(self.width))
        else:
            fixed = features.user["review"] if aggregation == "mean" else _segment_max(features)
            self.register_buffer("fixed", self._filled(fixed), persistent=False)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """[b, d_r] of the users in ``rows`` [b], or of all."""
        if self.aggregation != "attention":
            return self.fixed if rows is None else self.fixed[rows]
        share = softmax(self.vectors @ self.query, self.writers, num_nodes=len(self.present))  # [n_reviews]
        empty = self.vectors.new_zeros(len(self.present), self.width)
        values = self._filled(empty.index_add(0, self.writers, share.unsqueeze(1) * self.vectors))
        return values if rows is None else values[rows]

    def _filled(self, values: Tensor) -> Tensor:
        fill = torch.zeros_like(values[0]) if self.missing == "zero" else values[self.present].mean(0)
        return torch.where(self.present.unsqueeze(1), values, fill)


def _segment_max(features: Features) -> Tensor:
    assert features.reviews is not None
    assert features.review_users is not None
    index = features.review_users.unsqueeze(1).expand_as(features.reviews)
    empty = features.reviews.new_zeros(features.n_users, features.reviews.shape[1])
    return empty.scatter_reduce(0, index, features.reviews, "amax", include_self=False)
