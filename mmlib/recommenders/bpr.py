"""Matrix factorisation under Bayesian personalised ranking."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.features import Features
from ..training.learner import Batch, Learner
from .losses import bpr, length
from .start import start_table


class BPR(Learner):
    r"""BPR-MF from `"BPR: Bayesian Personalized Ranking from Implicit Feedback" <https://arxiv.org/abs/1205.2618>`_.

    .. math::
        L = -\frac{1}{B} \sum_{(u,i,j)} \ln \sigma(\langle e_u, e_i \rangle - \langle e_u, e_j \rangle)
            + \frac{\lambda}{2B} \sum (\|e_u\|^2 + \|e_i\|^2 + \|e_j\|^2)

    Item biases are left out, as in LightGCN's comparison: every model here scores with an inner product.

    Args:
        data: a split dataset.
        features: not used.
        dim: width of the vectors.
        l2: lambda; the squares are summed over a batch's rows and divided by its size.
        start: vectors to start from; ``None``: Xavier's uniform distribution.
        start_scale, start_centre: see ``recommenders.start.start_table``.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        dim: int = 64,
        l2: float = 1e-4,
        start: Embeddings | None = None,
        start_scale: str = "keep",
        start_centre: bool = False,
    ) -> None:
        super().__init__(data)
        self.dim, self.l2, self.start_scale, self.start_centre = dim, l2, start_scale, start_centre
        self.table = nn.Parameter(start_table(data, dim, start, scale=start_scale, centre=start_centre))

    def embed(self) -> Embeddings:
        users, items = self.propagated().split([self.data.n_users, self.data.n_items])
        return Embeddings(users, items, self.describe())

    def propagated(self) -> Tensor:
        """The vectors that score, users before items: [n_users + n_items, d]; here the layer-0 vectors themselves."""
        return self.table

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        final, ego = self.gathered(self.rows(batch))  # [3, b, d] each
        user, positive, negative = final
        return {"bpr": bpr(user, positive, negative), "l2": length(self.l2, *ego)}

    def gathered(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors that score and the layer-0 vectors at ``rows`` [3, b]: [3, b, d] each."""
        ego = F.embedding(rows, self.table)
        return ego, ego

    def rows(self, batch: Batch) -> Tensor:
        """Rows of the table for users, positives and the first negatives: [3, b]."""
        items = torch.stack([batch.positives, batch.negatives[:, 0]]) + self.data.n_users
        return torch.cat([batch.users.unsqueeze(0), items])
