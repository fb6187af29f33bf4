"""What recommenders that read image and text share: the modalities' vectors and their projections.

Letters: n = items, b = items of a batch, m = a modality, d_m = its width, d = width of the vectors that score.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError, one_of
from ..core.neighbours import NeighbourLists, Search, nearest
from ..kernels import matmul as dense
from ..kernels.neighbours import unit
from ..training import Dataset, Features
from .ids import IDRecommender

Precision = Literal["float32", "bfloat16"]
Missing = Literal["mean", "zero", "error"]


class Modality(nn.Module):
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
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.modality, self.missing, self.precision = modality, missing, precision
        vectors = self.filled(features)
        if learn:
            self.vectors = nn.Parameter(vectors.float().clone())
        else:
            self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("present", features.present[modality], persistent=False)

    def filled(self, features: Features) -> Tensor:
        """The modality's vectors in these features as the model reads them, with their gradients: [n, d_m]."""
        vectors = features.filled(self.modality, self.missing)
        return vectors.bfloat16() if self.precision == "bfloat16" else vectors

    def forward(self, items: Tensor | None = None) -> Tensor:
        """The vectors of ``items`` [...], or of all: [..., d_m] or [n, d_m]."""
        return self.vectors if items is None else F.embedding(items, self.vectors)


class Projection(nn.Linear):
    """W x + b, computed in the precision of x and returned in that of W (float32): [..., d_m] -> [..., d]."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return dense.linear(x, self.weight.to(x.dtype), bias).to(self.weight.dtype)


class ContentRecommender(IDRecommender):
    """A recommender that reads the items' modalities beside their ID vectors.

    Args:
        data: a split dataset.
        features: vectors of items.
        modalities: names joined by ``+``, such as ``"text+image"``; ``None``: see :func:`contents`.
        missing: what an item without a modality gets, see ``Features.filled``.
        learn_features: make the vectors parameters, as most public code does without saying so.
        precision: ``"float32"`` or ``"bfloat16"``, see :class:`Modality`.
        neighbour_lists: results of :meth:`searches`, by their names; those that are not given are searched here.
        ids: ``dim``, ``start``, ``start_scale``, ``start_centre``, see :class:`IDRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        modalities: str | None = None,
        missing: Missing = "mean",
        learn_features: bool = False,
        precision: Precision = "float32",
        neighbour_lists: Mapping[str, NeighbourLists] | None = None,
        **ids: Any,
    ) -> None:
        super().__init__(data, **ids)
        reading: dict[str, Any] = {"missing": missing, "learn": learn_features, "precision": precision}
        self.content = contents(type(self).__name__, features, modalities, **reading)
        self.neighbour_lists = dict(neighbour_lists or {})

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        """Each item's ``neighbours`` nearest in each modality, of a model with ``item_layers`` on such graphs."""
        given = cls.in_force(**options)
        if not given.get("item_layers"):
            return {}
        reading = {name: given[name] for name in ("modalities", "missing", "precision")}
        content = contents(cls.__name__, features, **reading)
        return nearest_items(content, given["neighbours"], include_self=given.get("include_self", True))

    def taken(self, features: Features) -> Features:
        """What the model reads of the features that it is given, such as all modalities as one; with gradients."""
        return features

    def read(self, features: Features) -> None:
        """Read other vectors of the same items from here on, with their gradients.

        Graphs that were built of the vectors given first stay as they are.
        """
        taken = self.taken(features)
        for one in self.modules():
            if isinstance(one, Modality):
                one.vectors = one.filled(taken)

    def lists_of(self, searches: Mapping[str, Search]) -> dict[str, NeighbourLists]:
        """The lists that were given, and those of the other searches, which are made now."""
        return {name: self.neighbour_lists.get(name) or one.run() for name, one in searches.items()}


def nearest_items(content: nn.ModuleDict, k: int, *, include_self: bool = True) -> dict[str, Search]:
    """The k nearest items of each item in each modality: modality -> search.

    An item without the modality has none and is nobody's: filled vectors are all alike, and would be each other's.
    """
    return {
        name: nearest(one(), k, include_self=include_self, present=one.get_buffer("present"))
        for name, one in content.items()
    }


def contents(
    model: str,
    features: Features | None,
    modalities: str | None = None,
    *,
    missing: str = "mean",
    learn: bool = False,
    precision: Precision = "float32",
) -> nn.ModuleDict:
    """The modalities that a model reads: modality -> :class:`Modality`.

    Args:
        model: its name, for the messages.
        modalities: names joined by ``+``, such as ``"text+image"``; ``None`` takes all that ``features`` has, but
            ``"fused"`` only when it is alone, since it holds the others.

    Raises:
        InputError: without features, or for a modality that they do not have.
    """
    if features is None or not features.item:
        raise InputError(f"{model} reads image and text: give it features, such as mm.extract(data, encoder).")
    names = [name for name in features.item if name != "fused"] or list(features.item)
    if modalities is not None:
        names = [name.strip() for name in modalities.split("+")]
    for name in names:
        one_of(f"{model}: modality", name, features.item)
    made = {name: Modality(features, name, missing=missing, learn=learn, precision=precision) for name in names}
    return nn.ModuleDict(made)


def numbers_of(option: str, given: str, names: Iterable[str]) -> dict[str, float]:
    """Numbers joined by ``+``, such as ``"0.9+0.1"``, one for each modality: modality -> number.

    Raises:
        InputError: where they are not numbers, or not as many.
    """
    try:
        return dict(zip(names, map(float, given.split("+")), strict=True))
    except ValueError:
        raise InputError(
            f"{option} = {given!r}: give a number for each of {', '.join(names)}, joined by '+'."
        ) from None


def projections(content: nn.ModuleDict, dim: int) -> nn.ModuleDict:
    """W x + b of every modality: modality -> :class:`Projection` from d_m to ``dim``."""
    return nn.ModuleDict({name: Projection(one().shape[1], dim) for name, one in content.items()})


def unified(
    model: str, features: Features | None, modalities: str | None, combine: str, *, missing: str = "mean"
) -> Features:
    """What there is of each item as one vector, under the name ``"fused"``; missing only where there is nothing.

    Args:
        model: its name, for the messages.
        modalities: as in ``contents``, but ``None`` takes ``"fused"`` where there is such, whatever else there is.
        combine: ``"concatenation"`` or ``"mean"`` of several modalities, each at unit length; one stays as it is.

    Raises:
        InputError: as ``contents``, or for a mean of different widths.
    """
    one_of("combine", combine, ("concatenation", "mean"))
    if modalities is None and features is not None and "fused" in features.item:
        modalities = "fused"
    content = contents(model, features, modalities, missing=missing).values()
    parts, present = [one() for one in content], torch.stack([one.get_buffer("present") for one in content])
    if len(parts) > 1:
        parts = [unit(x) for x in parts]
    if combine == "mean" and len({x.shape[1] for x in parts}) > 1:
        widths = " and ".join(str(x.shape[1]) for x in parts)
        raise InputError(f"Vectors of {widths} numbers have no mean; take combine='concatenation'.")
    x = torch.cat(parts, 1) if combine == "concatenation" else torch.stack(parts).mean(0)
    return Features({"fused": x}, {"fused": present.any(0)})
