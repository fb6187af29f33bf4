"""Popularity: the same list for everyone."""

import torch
from torch import Tensor

from ..core.errors import InputError
from ..training import Batch, Dataset, Embeddings, Features, Recommender


class Popularity(Recommender):
    """Ranks items by how often they were bought in the training part; the least that a recommender must beat.

    Args:
        data: a split dataset.
        features: not used.
    """

    def __init__(self, data: Dataset, features: Features | None = None) -> None:
        super().__init__(data)
        self.register_buffer("counts", torch.from_numpy(data.purchases()).float(), persistent=False)

    def embed(self) -> Embeddings:
        """A single dimension: 1 for users, the count for items."""
        counts: Tensor = self.counts  # type: ignore[assignment]
        return Embeddings(torch.ones(self.data.n_users, 1, device=counts.device), counts.unsqueeze(1))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        raise InputError("Popularity is not trained; evaluate it as it is.")
