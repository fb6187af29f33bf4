"""Each query has one target: at which place is it found among the candidates?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from ..core.errors import one_of
from ..kernels.neighbours import unit
from .intervals import Estimate, mean_of_shares
from .item_vectors import ItemVectors

SIMILARITIES = ("cosine", "inner product")
TIE = 1e-6  # similarities that differ by less, relative to the target's, are equal


@dataclass(frozen=True, repr=False)
class Recalled:
    """At which place each of n queries found its one target.

    Args:
        rank: [n] int64, or [S, n], a row a draw; 1 is first. A candidate that is as similar counts as ahead, so that
            vectors that say nothing find nothing.
        who: [n] int64, the users or items that ask.
        of: ``"users"`` or ``"items"``.
        candidates: how many items a target is sought among; the mean, where it differs.
        left_out: users or items that have no target, or no history.
    """

    rank: Tensor
    who: Tensor
    of: str
    candidates: float
    left_out: int = 0

    def hits(self, k: int) -> np.ndarray:
        """Whether the target is among the first ``k``, 0.0 or 1.0: of the shape of ``rank``."""
        return (self.rank <= k).double().numpy()

    def recall(self, k: int, *, level: float = 0.95) -> Estimate:
        """Share of the queries whose target is among the first ``k``, with its interval over users or items."""
        return mean_of_shares(self.hits(k), level=level)

    def chance(self, k: int) -> float:
        """``recall(k)`` of a random order."""
        return min(1.0, k / self.candidates)

    def summary(self, k: int = 20) -> dict[str, Any]:
        """Plain numbers."""
        found = self.recall(k)
        facts = {f"recall@{k}": found.value, "low": float(found.low), "high": float(found.high)} | {
            "chance": self.chance(k)
        }
        return facts | {self.of: len(self.who), "left out": self.left_out}

    def __repr__(self) -> str:
        found = f"recall@20 {self.hits(20).mean():.4f}"
        return f"Recalled({len(self.who)} {self.of}, {self.candidates:.0f} candidates, {found})"


@torch.no_grad()
def places(
    queries: Tensor,
    targets: Tensor,
    items: ItemVectors,
    *,
    hidden: csr_matrix | None = None,
    similarity: str = "cosine",
    block: int = 1024,
) -> Tensor:
    """Where each query finds its target among all items that have content: [n] int64, 1 is first.

    O(n m d) time and O(block m) memory for m items. A target without content is found last.

    Args:
        queries: [n, d].
        targets: [n] int64.
        hidden: [n, m] sparse; what is not 0 is no candidate of that query.
        similarity: ``"cosine"`` or ``"inner product"``.
        block: queries at once.
    """
    one_of("similarity", similarity, SIMILARITIES)
    x = items.x
    if similarity == "cosine":
        queries, x = unit(queries), unit(x)
    found = []
    for start in range(0, len(queries), block):
        goal = targets[start : start + block]
        scores = queries[start : start + block] @ x.T  # [b, m]
        own = scores.gather(1, goal.unsqueeze(1))
        scores[:, ~items.present] = -torch.inf
        if hidden is not None:
            rows, columns = hidden[start : start + block].nonzero()
            scores[torch.from_numpy(rows).long(), torch.from_numpy(columns).long()] = -torch.inf
        scores.scatter_(1, goal.unsqueeze(1), -torch.inf)
        ahead = (scores >= own - TIE * own.abs().clamp(min=1)).sum(1)
        found.append(torch.where(items.present[goal], 1 + ahead, len(x)))
    return torch.cat(found) if found else torch.empty(0, dtype=torch.int64)
