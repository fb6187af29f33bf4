"""What recommenders with ID vectors share: their width, where they start, and rows of the table of users and items."""

from typing import Any

import torch
from torch import Tensor, nn

from ..training import Batch, Dataset, Embeddings, Recommender
from ..training.start import Scale, start_table


class IDRecommender(Recommender):
    """A recommender whose users and items have ID vectors: one table, users above items.

    Args:
        data: a split dataset.
        dim: d, the width of ID vectors.
        start: vectors that they start from; ``None``: Xavier's uniform distribution.
        start_scale, start_centre: see ``training.start.start_table``.
    """

    def __init__(
        self,
        data: Dataset,
        *,
        dim: int = 64,
        start: Embeddings | None = None,
        start_scale: Scale = "keep",
        start_centre: bool = False,
        negatives: int = 1,
    ) -> None:
        super().__init__(data, negatives=negatives)
        self.dim = dim
        self.started: dict[str, Any] = {"start": start, "start_scale": start_scale, "start_centre": start_centre}

    def id_vectors(self) -> nn.Parameter:
        """A new table, as the options ask for it: [n_users + n_items, d]."""
        start, scale, centre = self.started.values()
        return start_table(self.data, self.dim, start, scale=scale, centre=centre)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Users' and items' rows of a table of both: [n_users + n_items, ...] -> [n_users, ...], [n_items, ...]."""
        users, items = x.split([self.data.n_users, self.data.n_items])
        return users, items

    def rows(self, batch: Batch) -> Tensor:
        """Rows of such a table for a batch's users, positives and first negatives: [3, b]."""
        items = torch.stack([batch.positives, batch.negatives[:, 0]]) + self.data.n_users
        return torch.cat([batch.users.unsqueeze(0), items])
