"""MixGCF: harder negatives, mixed from many candidates and all hops."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.dataset import Dataset
from ..learner import Batch
from ..vectors import Embeddings, Features
from .lightgcn import LightGCN


class MixGCF(LightGCN):
    r"""MixGCF on LightGCN from `"MixGCF: An Improved Training Method for Graph Neural Network-based
    Recommender Systems" <https://doi.org/10.1145/3447548.3467408>`_.

    Positive mixing (eq. 5) moves each candidate's vector towards the positive, hop by hop, by a random share:

    .. math:: e'^{(l)}_m = \alpha^{(l)} e^{(l)}_i + (1 - \alpha^{(l)}) e^{(l)}_m, \quad \alpha^{(l)} \sim U(0, 1)

    Hop mixing (eq. 6-8) then takes, for each hop, the candidate that scores highest with the user, and pools the
    chosen ones into one synthetic negative, which BPR ranks below the positive. Because a hop's share is the
    same for all candidates, its best candidate does not depend on the share or on the positive: it is the one
    with the highest <e_u, e_m^{(l)}>, found without building any mixed vector.

    Args:
        data: a split dataset.
        features: not used.
        candidates: M, negatives drawn per purchase.
        mix_positive, mix_hops: switch the two parts off; without hop mixing the first candidate is used.
        mix_through: let gradients reach the positive through the mixed negative, as the official code does.
        dim, layers, l2, normalisation, start, start_scale, start_centre: as in :class:`LightGCN`; the L2 term
            counts the mixed negative at hop 0, as the official code does.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        candidates: int = 16,
        mix_positive: bool = True,
        mix_hops: bool = True,
        mix_through: bool = True,
        dim: int = 64,
        layers: int = 3,
        l2: float = 1e-4,
        normalisation: str = "symmetric",
        start: Embeddings | None = None,
        start_scale: str = "keep",
        start_centre: bool = False,
    ) -> None:
        super().__init__(
            data,
            features,
            dim=dim,
            layers=layers,
            l2=l2,
            normalisation=normalisation,
            start=start,
            start_scale=start_scale,
            start_centre=start_centre,
        )
        if candidates < 1:
            raise ValueError(f"candidates = {candidates}; draw at least one negative per purchase.")
        self.candidates = self.negatives = candidates
        self.mix_positive, self.mix_hops, self.mix_through = mix_positive, mix_hops, mix_through

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        hops = self.hops()  # (L+1) x [n_users + n_items, d]
        positives, candidates = batch.positives + self.data.n_users, batch.negatives + self.data.n_users
        user = torch.stack([F.embedding(batch.users, hop) for hop in hops])  # [L+1, b, d]
        positive = torch.stack([F.embedding(positives, hop) for hop in hops])
        pooled_user = user.mean(0)  # [b, d]
        hardest = self.hardest(hops, pooled_user, candidates)  # [L+1, b]
        negative = self.mixed(positive, torch.stack([F.embedding(row, hop) for row, hop in zip(hardest, hops)]))
        margin = (pooled_user * (positive.mean(0) - negative.mean(0))).sum(1)  # [b]
        length = user[0].pow(2).sum() + positive[0].pow(2).sum() + negative[0].pow(2).sum()
        return {"bpr": F.softplus(-margin).mean(), "l2": self.l2 * 0.5 * length / len(batch.users)}

    def hops(self) -> list[Tensor]:
        """The table after 0, 1, ..., L propagations: (L+1) x [n_users + n_items, d]."""
        hops: list[Tensor] = [self.table]
        for _ in range(self.layers):
            hops.append(self.graph @ hops[-1])
        return hops

    @torch.no_grad()
    def hardest(self, hops: list[Tensor], user: Tensor, candidates: Tensor) -> Tensor:
        """For each hop the candidate that the pooled user [b, d] likes best: rows of the table, [L+1, b]."""
        if not self.mix_hops:
            return candidates[:, 0].expand(len(hops), -1)
        best = [torch.bmm(F.embedding(candidates, hop), user.unsqueeze(2)).argmax(1) for hop in hops]  # [b, 1] each
        return torch.stack([candidates.gather(1, index).squeeze(1) for index in best])

    def mixed(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Eq. 5: [L+1, b, d] each; one share per hop and purchase."""
        if not self.mix_positive:
            return negative
        share = torch.rand(*positive.shape[:2], 1, device=positive.device)
        return share * (positive if self.mix_through else positive.detach()) + (1 - share) * negative
