"""Matrix factorisation under Bayesian personalised ranking."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..training import Batch, Dataset, Embeddings, Features
from .ids import IDRecommender
from .losses import Reading, bpr, length


class BPR(IDRecommender):
    r"""BPR-MF from `"BPR: Bayesian Personalized Ranking from Implicit Feedback" <https://arxiv.org/abs/1205.2618>`_.

    .. math::
        L = -\frac{1}{B} \sum_{(u,i,j)} \ln \sigma(\langle e_u, e_i \rangle - \langle e_u, e_j \rangle)
            + \frac{\lambda}{2B} \sum (\|e_u\|^2 + \|e_i\|^2 + \|e_j\|^2)

    Item biases are left out, as in LightGCN's comparison: every model here scores with an inner product.

    Args:
        data: a split dataset.
        features: not used.
        l2: lambda; the squares are summed over a batch's rows and divided by its size.
        l2_reading: ``"squared"`` as above, or ``"norm"`` as the usual toolbox has it, see ``losses.length``.
        ids: ``dim``, ``start``, ``start_scale``, ``start_centre``, see :class:`IDRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        l2: float = 1e-4,
        l2_reading: Reading = "squared",
        **ids: Any,
    ) -> None:
        super().__init__(data, **ids)
        self.l2, self.l2_reading = l2, l2_reading
        self.table = self.id_vectors()

    def embed(self) -> Embeddings:
        return Embeddings(*self.split(self.propagated()))

    def propagated(self) -> Tensor:
        """The vectors that score, users before items: [n_users + n_items, d]; here the layer-0 vectors themselves."""
        return self.table

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        final, ego = self.gathered(self.rows(batch))  # [3, b, d] each
        user, positive, negative = final
        return {"bpr": bpr(user, positive, negative), "l2": length(self.l2, *ego, reading=self.l2_reading)}

    def gathered(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors that score and the layer-0 vectors at ``rows`` [3, b]: [3, b, d] each."""
        ego = F.embedding(rows, self.table)
        return ego, ego
