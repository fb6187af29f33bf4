"""MixGCF: harder negatives, mixed from many candidates and all hops."""

import inspect
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import one_of
from ..training import Batch, Dataset, Embeddings, Features, Recommender
from .lightgcn import LightGCN
from .losses import length
from .ngcf import NGCF

BACKBONES: dict[str, type[LightGCN] | type[NGCF]] = {"lightgcn": LightGCN, "ngcf": NGCF}


class MixGCF(Recommender):
    r"""MixGCF from `"MixGCF: An Improved Training Method for Graph Neural Network-based Recommender Systems"
    <https://doi.org/10.1145/3447548.3467408>`_: negatives for any graph model that scores with its layers.

    Positive mixing (eq. 5) moves each candidate's vector towards the positive, hop by hop, by a random share:

    .. math:: e'^{(l)}_m = \alpha^{(l)} e^{(l)}_i + (1 - \alpha^{(l)}) e^{(l)}_m, \quad \alpha^{(l)} \sim U(0, 1)

    Hop mixing (eq. 6-8) then takes, for each hop, the candidate that scores highest with the user, and pools the
    chosen ones into one synthetic negative, which BPR ranks below the positive. "With the user" is with the pooled
    user where layers are averaged (LightGCN), and with the user at the same hop where they are concatenated (NGCF).
    Because a hop's share is the same for all candidates, its best candidate does not depend on the share or on the
    positive: it is the one with the highest <e_u, e_m^{(l)}>, found without building any mixed vector.

    Args:
        data: a split dataset.
        features: not used.
        backbone: ``"lightgcn"`` or ``"ngcf"``.
        candidates: M, negatives drawn per purchase.
        mix_positive, mix_hops: switch the two parts off; without hop mixing the first candidate is used.
        mix_through: let gradients reach the positive through the mixed negative, as the official code does.
        l2: as in :class:`BPR`, of the layer-0 vectors only; counts the mixed negative at hop 0, as the official
            code does. NGCF's W are free, as there.
        options: of the backbone: ``dim``, ``layers``, ``l2_reading``, ``start`` and others, see :class:`LightGCN` and
            :class:`NGCF`, whose ``message_dropout`` the official code does not have.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        backbone: Literal["lightgcn", "ngcf"] = "lightgcn",
        candidates: int = 16,
        mix_positive: bool = True,
        mix_hops: bool = True,
        mix_through: bool = True,
        l2: float = 1e-4,
        **options: Any,
    ) -> None:
        super().__init__(data, negatives=candidates)
        self.network, self.l2 = BACKBONES[backbone](data, features, l2=l2, **options), l2
        self.mix_positive, self.mix_hops, self.mix_through = mix_positive, mix_hops, mix_through

    @classmethod
    def options(cls, **chosen: Any) -> dict[str, inspect.Parameter]:
        backbone = one_of("backbone", chosen.get("backbone", "lightgcn"), BACKBONES)
        return BACKBONES[backbone].options() | super().options(**chosen)

    def embed(self) -> Embeddings:
        return self.network.embed()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        hops = self.network.hops()  # (L+1) x [n_users + n_items, d]
        positives, candidates = batch.positives + self.data.n_users, batch.negatives + self.data.n_users
        user = torch.stack([F.embedding(batch.users, hop) for hop in hops])  # [L+1, b, d]
        positive = torch.stack([F.embedding(positives, hop) for hop in hops])
        hardest = self.hardest(hops, user, candidates)  # [L+1, b]
        negative = self.mixed(positive, torch.stack([F.embedding(row, hop) for row, hop in zip(hardest, hops)]))
        margin = (self.pooled(user) * (self.pooled(positive) - self.pooled(negative))).sum(1)  # [b]
        l2 = length(self.l2, user[0], positive[0], negative[0], reading=self.network.l2_reading)
        return {"bpr": F.softplus(-margin).mean(), "l2": l2}

    def pooled(self, hops: Tensor) -> Tensor:
        """What scores: [L+1, b, d] -> [b, d], or [b, (L+1) d] where the backbone concatenates."""
        return hops.mean(0) if self.network.pool == "mean" else hops.transpose(0, 1).flatten(1)

    @torch.no_grad()
    def hardest(self, hops: list[Tensor], user: Tensor, candidates: Tensor) -> Tensor:
        """For each hop the candidate that the user [L+1, b, d] likes best: rows of the table, [L+1, b]."""
        if not self.mix_hops:
            return candidates[:, 0].expand(len(hops), -1)
        asking = user.mean(0, keepdim=True).expand_as(user) if self.network.pool == "mean" else user
        score = (torch.bmm(F.embedding(candidates, hop), u.unsqueeze(2)) for hop, u in zip(hops, asking))
        return torch.stack([candidates.gather(1, one.argmax(1)).squeeze(1) for one in score])

    def mixed(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Eq. 5: [L+1, b, d] each; one share per hop and purchase."""
        if not self.mix_positive:
            return negative
        share = torch.rand(*positive.shape[:2], 1, device=positive.device)
        return share * (positive if self.mix_through else positive.detach()) + (1 - share) * negative
