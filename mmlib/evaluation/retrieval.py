"""Do an item's text and image find each other? Cosines of own and other pairs, and retrieval by rank."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import InputError
from ..core.features import Features
from .intervals import Estimate, mean_of_shares

BINS = 40  # of the histograms of cosines, over [-1, 1]


class Aligned(Protocol):
    """A model with text and image vectors in one space, such as ``MMCPR``; InputError where it has none."""

    def text_and_image(self, rows: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True, repr=False)
class Retrieval:
    """How well each of n queries finds its own target among all n targets.

    Args:
        own: [n] cosine of each query with its own target.
        rank: [n] int64, place of the own target, 1 is first; an equally similar target counts as ahead.
        other: mean cosine over the n (n - 1) pairs that do not belong together; NaN for n = 1.
        others: [BINS] int64, histogram of those pairs' cosines over [-1, 1].
    """

    own: Tensor
    rank: Tensor
    other: float
    others: Tensor

    def recall(self, k: int) -> float:
        """Share of queries whose own target is among the first ``k``."""
        return float((self.rank <= k).double().mean())

    def interval(self, k: int, *, level: float = 0.95) -> Estimate:
        """``recall(k)`` with its interval over items."""
        return mean_of_shares((self.rank <= k).double().numpy(), level=level)

    def chance(self, k: int) -> float:
        """``recall(k)`` of a random order: k / n, at most 1."""
        return min(1.0, k / len(self.rank))

    def summary(self, k: Sequence[int] = (1, 10)) -> dict[str, Any]:
        """The figures of a table, in reading order: plain numbers."""
        facts: dict[str, Any] = {"items": len(self.rank)}
        facts |= {"own pairs": float(self.own.mean()), "other pairs": self.other}
        for n in k:
            facts |= {f"R@{n}": self.recall(n), f"R@{n} by chance": self.chance(n)}
        return facts

    def __repr__(self) -> str:
        return f"Retrieval({', '.join(f'{name} {value:.4g}' for name, value in self.summary().items())})"


def own_ranks(queries: Tensor, targets: Tensor, *, block: int = 1024) -> Tensor:
    """Place of each query's own target by inner product, 1 is first: [n] int64.

    A target that is as similar up to 1e-6 counts as ahead, so that a collapsed encoder finds nothing.

    Args:
        queries, targets: [n, d] of length 1; row i of both belong together.
        block: queries compared at once; nothing of size n x n is held.
    """
    own = (queries * targets).sum(1, keepdim=True)
    parts = zip(queries.split(block), own.split(block))
    return torch.cat([(part @ targets.T >= mine - 1e-6).sum(1).clamp(min=1) for part, mine in parts])


@torch.no_grad()
def retrieval(queries: Tensor, targets: Tensor, *, block: int = 1024) -> Retrieval:
    """Rank all targets for each query by cosine. O(n^2 d) time, O(block n) memory.

    Args:
        queries, targets: [n, d]; row i of both belong together. A row of zeros has cosine 0 with all.

    Raises:
        InputError: when the shapes differ or there is no row.
    """
    if queries.shape != targets.shape or not len(queries):
        raise InputError(
            f"Queries are {list(queries.shape)}, targets {list(targets.shape)}; cosines need two [n, d] of one shape."
        )
    queries, targets = F.normalize(queries.float(), dim=1), F.normalize(targets.float(), dim=1)
    n, own = len(queries), (queries * targets).sum(1)
    block = max(1, min(block, 2**24 // n))  # a histogram counts in float32
    others = -_histogram(own)
    for part in queries.split(block):
        others += _histogram(part @ targets.T)
    cross = float(queries.double().sum(0) @ targets.double().sum(0)) - float(own.double().sum())
    other = cross / (n * (n - 1)) if n > 1 else float("nan")
    return Retrieval(own, own_ranks(queries, targets, block=block), other, others)


def text_to_image(
    features: Features, models: Mapping[str, Aligned] | None = None, *, most: int = 10_000
) -> dict[str, Retrieval]:
    """Does a text find the image of its own item? By the raw encoder, and by each of the ``models``.

    Over the items that have both. What has nothing to compare is left out: the raw encoder where its text and image
    vectors do not share a space, a model without text or image, and all of them where fewer than two items have both.

    Args:
        models: label -> model.
        most: of a larger catalogue, so many items evenly spaced; time grows with the square of their number.

    Returns:
        ``"raw encoder"`` and the models' labels -> ``Retrieval``.
    """
    if not {"text", "image"} <= set(features.item):
        return {}
    rows = (features.present["text"] & features.present["image"]).nonzero().squeeze(1)
    if len(rows) < 2:
        return {}
    rows = rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).round().long()]
    found = {}
    if features.shares_space:
        found["raw encoder"] = retrieval(features.item["text"][rows], features.item["image"][rows])
    for label, model in (models or {}).items():
        with suppress(InputError):
            found[label] = retrieval(*model.text_and_image(rows))
    return found


def _histogram(cosines: Tensor) -> Tensor:
    return torch.histc(cosines.clamp(-1, 1), BINS, -1, 1).long()
