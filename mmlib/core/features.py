"""What encoders say of a catalogue's images and texts: one vector an item and modality, and which are missing."""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from .embeddings import check_vectors
from .errors import InputError, one_of
from .files import digest, read_json, read_tensors, write_json, write_tensors


@dataclass(frozen=True, repr=False)
class Features:
    """What encoders say of a catalogue's images and texts.

    Args:
        item: modality (``"text"``, ``"image"``, ``"fused"``) -> [n_items, d] float32.
        present: modality -> [n_items] bool; ``False`` where the image or text is missing or broken. Such a row may be
            NaN or infinite, and is then zeros from here on.
        reviews: [n_reviews, d] float32, one row a training review, or ``None`` when there are none.
        review_users: [n_reviews] int64, the review's writer.
        n_users: needed to average reviews by user.
        review_means: [n_users, d] float32, in their place each user's mean, zero for users without.
        review_counts: [n_users] int64, reviews that were averaged.
        about: encoder, revision, preprocessing, dataset key, problems met; plain values.
    """

    item: dict[str, Tensor]
    present: dict[str, Tensor]
    reviews: Tensor | None = None
    review_users: Tensor | None = None
    n_users: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    review_means: Tensor | None = None
    review_counts: Tensor | None = None

    def __post_init__(self) -> None:
        item = {name: _without_gaps(values, self.present.get(name)) for name, values in self.item.items()}
        object.__setattr__(self, "item", item)
        written = self.review_means if self.reviews is None else self.reviews
        tables = self.item if written is None else {**self.item, "review": written}
        for name, values in tables.items():
            check_vectors(name, values, "Extract the features again, or mark those rows as missing in `present`.")
        if not self.item or not set(self.item) <= set(self.present):
            raise InputError(
                f"Features need a modality, and `present` for each: item has {', '.join(self.item) or 'none'}, present "
                f"{', '.join(self.present) or 'none'}."
            )
        n = len(next(iter(self.item.values())))
        for name, values in self.item.items():
            here = self.present[name]
            if len(values) != n:
                raise InputError(f"item[{name!r}] has {len(values)} rows, others {n}; every modality has one an item.")
            if not isinstance(here, Tensor) or here.dtype != torch.bool or here.shape != (n,):
                given = f"{here.dtype} {list(here.shape)}" if isinstance(here, Tensor) else type(here).__name__
                raise InputError(f"present[{name!r}] must hold a bool for each of the {n} rows of item, not {given}.")

    def filled(self, modality: str, missing: str = "mean") -> Tensor:
        """The modality's vectors with the missing rows answered: [n_items, d].

        Args:
            missing: ``"mean"`` of the present vectors, ``"zero"``, or ``"error"``.

        Raises:
            InputError: for a modality that is not there, or a missing row under ``"error"``.
        """
        one_of("modality", modality, self.item)
        one_of("missing", missing, ("mean", "zero", "error"))
        values, present = self.item[modality], self.present[modality]
        if present.all():
            return values
        if missing == "error":
            rows = (~present).nonzero().flatten()[:5].tolist()
            raise InputError(
                f"There are {int((~present).sum())} items without {modality} (rows {rows} ...); choose missing='mean' "
                "or 'zero'."
            )
        fill = values[present].mean(0) if missing == "mean" and present.any() else torch.zeros_like(values[0])
        return torch.where(present.unsqueeze(1), values, fill)

    @property
    def user(self) -> dict[str, Tensor]:
        """``"review"`` -> [n_users, d], the mean of each user's review vectors (zero rows where there are none)."""
        if self.review_means is not None:
            return {"review": self.review_means}
        counts = self.reviews_by_user
        if self.reviews is None or self.review_users is None or counts is None:
            return {}
        total = torch.zeros(self.n_users, self.reviews.shape[1]).index_add_(0, self.review_users, self.reviews)
        return {"review": total / counts.clamp(min=1).unsqueeze(1)}

    @property
    def user_present(self) -> dict[str, Tensor]:
        """``"review"`` -> [n_users] bool: users who wrote at least one training review."""
        counts = self.reviews_by_user
        return {} if counts is None else {"review": counts > 0}

    @property
    def reviews_by_user(self) -> Tensor | None:
        """How many reviews of each user the vectors hold: [n_users] int64; ``None`` without reviews."""
        if self.review_counts is not None or self.review_users is None:
            return self.review_counts
        return torch.bincount(self.review_users, minlength=self.n_users)

    @property
    def shares_space(self) -> bool:
        """Whether image and text vectors can be compared: the encoder was trained for that, and has one width."""
        widths = {self.item[name].shape[1] for name in ("image", "text") if name in self.item}
        return bool(self.about.get("shares_space", True)) and len(widths) < 2

    @property
    def space(self) -> str:
        """Whether image and text vectors can be compared, in a sentence."""
        named = self.about.get("encoder", "unknown")
        if not {"image", "text"} <= set(self.item):
            return f"The encoder {named} gives no image and text vectors that could be compared with each other."
        return f"Image and text vectors of the encoder {named} " + (
            "share a space: their cosines say how well they agree."
            if self.shares_space
            else "do not share a space: they are not compared with each other, only through a model that maps both."
        )

    @property
    def key(self) -> str:
        """A short hash of every vector."""
        return digest(*[part for name, values in self._tensors().items() for part in (name, values.numpy())])

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"item.{name}": values for name, values in self.item.items()}
        tensors |= {f"present.{name}": values for name, values in self.present.items()}
        if self.reviews is not None and self.review_users is not None:
            tensors |= {"reviews": self.reviews, "review_users": self.review_users}
        if self.review_means is not None and self.review_counts is not None:
            tensors |= {"review_means": self.review_means, "review_counts": self.review_counts}
        return dict(sorted(tensors.items()))

    def save(self, folder: str | Path) -> None:
        """Write ``features.safetensors`` and ``features.json``, each whole or not at all."""
        write_tensors(Path(folder) / "features.safetensors", self._tensors())
        write_json(Path(folder) / "features.json", {"n_users": self.n_users, "about": self.about})

    @classmethod
    def load(cls, folder: str | Path) -> "Features":
        """Read what ``save`` wrote. Raises InputError when a file is missing."""
        about = read_json(Path(folder) / "features.json")
        tensors = read_tensors(Path(folder) / "features.safetensors")
        item = {name.removeprefix("item."): values for name, values in tensors.items() if name.startswith("item.")}
        if lacking := [name for name in item if f"present.{name}" not in tensors]:
            raise InputError(f"{folder}: the features lack present.{lacking[0]}; extract them again.")
        present = {name: tensors[f"present.{name}"] for name in item}
        written = ("reviews", "review_users", "review_means", "review_counts")
        return cls(item, present, **about | {name: tensors.get(name) for name in written})

    def summary(self) -> list[dict[str, Any]]:
        """One row a modality: rows, width, how many are missing (of reviews: users without)."""
        tables = [(name, len(values), values, self.present[name]) for name, values in self.item.items()]
        if (counts := self.reviews_by_user) is not None:
            tables.append(("review", int(counts.sum()), self.user["review"], counts > 0))
        return [
            {"modality": name, "rows": rows, "width": values.shape[1], "missing": int((~present).sum())}
            for name, rows, values, present in tables
        ]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{row['modality']} {row['rows']} x {row['width']}" for row in self.summary())
        return f"Features({shapes}; from {self.about.get('encoder', 'unknown')})"

    def _repr_html_(self) -> str:
        names = {"rows": "vectors", "missing": "missing (reviews: users without)"}
        table = pd.DataFrame(self.summary()).rename(columns=names).to_html(index=False, border=0)
        return f"<h4>Features from {escape(str(self.about.get('encoder', 'unknown')))}</h4>{table}"


def _without_gaps(values: Any, present: Any) -> Any:
    """``values`` with zeros in the rows that are marked as missing and hold NaN or infinity."""
    if not isinstance(values, Tensor) or not isinstance(present, Tensor) or present.dtype != torch.bool:
        return values  # which is refused
    if values.ndim != 2 or present.shape != values.shape[:1] or present.all():
        return values
    gaps = ~present & ~torch.isfinite(values).all(1)
    return values.masked_fill(gaps.unsqueeze(1), 0) if gaps.any() else values
