"""Methods that score without vectors of users and items: nothing is trained, so there is no ``embed``."""

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from ..core.errors import InputError
from ..training import Batch, Dataset, Embeddings, Recommender


class ItemSimilarity(Recommender):
    """score(u, i) = sum of S_ji over the items j that u bought; a subclass gives S.

    Args:
        data: a split dataset; only its training part is read.
    """

    def __init__(self, data: Dataset) -> None:
        super().__init__(data)
        self.bought = data.matrix("train")  # [n_users, n_items]

    def scores(self, users: Tensor) -> Tensor:
        """Scores of all items: users [b] -> [b, n_items], on the device of ``users``."""
        return torch.from_numpy(self.products(self.bought[users.cpu().numpy()])).to(users.device)

    def products(self, bought: csr_matrix) -> np.ndarray:
        """``bought`` [b, n_items] times S: [b, n_items] float32."""
        raise NotImplementedError

    def embed(self) -> Embeddings:
        raise InputError(
            f"{type(self).__name__} has no vectors of users and items: it scores directly. It can be evaluated; maps, "
            "probes and starts need a model that embeds, such as LightGCN."
        )

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        raise InputError(f"{type(self).__name__} is not trained; evaluate it as it is.")
