"""Vectors of users and items whose inner product is the score."""

import json
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import safe_open
from torch import Tensor

from .errors import InputError
from .files import digest, read_tensors, write_tensors


def check_vectors(name: str, values: Tensor, remedy: str) -> None:
    """Refuse what is no table of vectors, [n, d] of finite floating-point numbers.

    Args:
        name: of what the vectors are, such as ``"item"``.
        remedy: against NaN and infinity.

    Raises:
        InputError: with what was given instead, or the rows that are not finite.
    """
    if not isinstance(values, Tensor) or values.ndim != 2 or not values.shape[1] or not values.is_floating_point():
        given = f"{values.dtype} {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise InputError(f"The {name} vectors must be a tensor [n, d] of floating-point numbers, not {given}.")
    bad = ~torch.isfinite(values).all(dim=1)
    if bad.any():
        rows = bad.nonzero().flatten()[:5].tolist()
        raise InputError(
            f"{int(bad.sum())} of {len(values)} {name} vectors hold NaN or infinity (rows {rows} ...). {remedy}"
        )


@dataclass(frozen=True, repr=False)
class Embeddings:
    """Vectors of users and items; score(u, i) = <u, i>.

    Args:
        users: [n_users, d] float32.
        items: [n_items, d] float32.
        about: where they come from; plain values.
    """

    users: Tensor
    items: Tensor
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in (("user", self.users), ("item", self.items)):
            check_vectors(name, values, "Lower the learning rate of what made them.")
        if self.users.shape[1] != self.items.shape[1]:
            raise InputError(
                f"Users have {self.users.shape[1]} dimensions, items {self.items.shape[1]}; they must agree."
            )

    @property
    def dim(self) -> int:
        return self.users.shape[1]

    def to(self, device: torch.device | str) -> "Embeddings":
        return replace(self, users=self.users.to(device), items=self.items.to(device))

    @property
    def key(self) -> str:
        """A short hash of the vectors."""
        return digest(self.users.cpu().numpy(), self.items.cpu().numpy())

    def save(self, folder: str | Path) -> None:
        """Write ``embeddings.safetensors``; ``about`` goes into its metadata."""
        tensors, about = {"users": self.users, "items": self.items}, {"about": json.dumps(self.about)}
        write_tensors(Path(folder) / "embeddings.safetensors", tensors, about)

    @classmethod
    def load(cls, folder: str | Path) -> "Embeddings":
        """Read what ``save`` wrote. Raises InputError when the file is missing."""
        path = Path(folder) / "embeddings.safetensors"
        tensors = read_tensors(path)
        if set(tensors) != {"users", "items"}:
            raise InputError(
                f"{path} holds {', '.join(tensors)}, but embeddings are users and items. Name their folder."
            )
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
        return cls(**tensors, about=about)

    def __repr__(self) -> str:
        return f"Embeddings({len(self.users)} users, {len(self.items)} items, {self.dim}-d)"

    def _repr_html_(self) -> str:
        rows = [(f"{len(one):,}", self.dim, f"{one.norm(dim=1).mean():.3f}") for one in (self.users, self.items)]
        table = pd.DataFrame(rows, ["users", "items"], ["vectors", "width", "mean length"]).to_html(border=0)
        return f"<h4>Embeddings from {escape(str(self.about.get('model', 'unknown')))}</h4>{table}"
