"""What recommenders that read pictures and words share: content vectors, their projection, their neighbours.

Letters: n = items, b = items of a batch, m = a modality, d_m = its width, d = width of the vectors that score.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError, one_of
from ..graphs import Graph, nearest_neighbours
from ..vectors import Features

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Content(nn.Module):
    """One modality's vectors as a model reads them: frozen unless ``learn``.

    Args:
        features: of the catalogue.
        modality: a key of ``features.item``.
        missing: what an item without the modality gets, see ``Features.filled``.
        learn: make the vectors parameters, as most public code does without saying so.
        precision: ``"float32"``, or ``"bfloat16"``: half the memory and much faster products where the processor
            has them; projections then come out in float32 again.
    """

    vectors: Tensor
    present: Tensor

    def __init__(
        self,
        features: Features,
        modality: str,
        *,
        missing: str = "mean",
        learn: bool = False,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        one_of("precision", precision, PRECISIONS)
        vectors = features.filled(modality, missing).to(PRECISIONS[precision])
        if learn:
            self.vectors = nn.Parameter(vectors.float().clone())
        else:
            self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("present", features.present[modality], persistent=False)

    @property
    def width(self) -> int:
        """d_m."""
        return self.vectors.shape[1]

    def forward(self, items: Tensor | None = None) -> Tensor:
        """The vectors of ``items`` [...], or of all: [..., d_m] or [n, d_m]."""
        return self.vectors if items is None else F.embedding(items, self.vectors)


class Projection(nn.Linear):
    """W x + b, computed in the precision of x and returned in float32: [..., d_m] -> [..., d]."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias).float()


def contents(
    model: str,
    features: Features | None,
    modalities: str | None = None,
    *,
    missing: str = "mean",
    learn: bool = False,
    precision: str = "float32",
) -> nn.ModuleDict:
    """The modalities that a model reads: modality -> :class:`Content`.

    Args:
        model: its name, for the messages.
        modalities: names joined by ``+``, such as ``"text+image"``; ``None`` takes all that ``features`` has, but
            ``"fused"`` only when it is alone, since it holds the others.

    Raises:
        InputError: without features, or for a modality that they do not have.
    """
    if features is None or not features.item:
        raise InputError(f"{model} reads pictures and words: give it features, such as mm.extract(data, encoder).")
    names = [name for name in features.item if name != "fused"] or list(features.item)
    if modalities is not None:
        names = [name.strip() for name in modalities.split("+")]
    for name in names:
        one_of(f"{model}: modality", name, features.item)
    made = {name: Content(features, name, missing=missing, learn=learn, precision=precision) for name in names}
    return nn.ModuleDict(made)


def neighbours(content: nn.ModuleDict, k: int, **options: object) -> dict[str, Graph]:
    """The nearest-neighbour graph of every modality, see ``graphs.nearest_neighbours``: modality -> [n, n]."""
    return {
        name: nearest_neighbours(one().detach().float(), k, **options)  # type: ignore[arg-type]
        for name, one in content.items()
    }
