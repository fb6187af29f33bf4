"""Long searches for neighbours, and what they find: made once, kept, and given to every model that reads them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..kernels import co_occurrence
from ..kernels import neighbours as by_cosine
from .dataset import Dataset
from .errors import InputError, one_of
from .files import digest, read_tensors, write_tensors


@dataclass(frozen=True, repr=False)
class NeighbourLists:
    """For each of n nodes others that are most like it, best first.

    Args:
        row: [e] int64, ascending: the node.
        col: [e] int64: its neighbour.
        likeness: [e] float32, descending within a row: a cosine, or how many interactions the two share.
        n: nodes; some may have no neighbours.
    """

    row: Tensor
    col: Tensor
    likeness: Tensor
    n: int

    @cached_property
    def key(self) -> str:
        """A short hash of all lists."""
        return digest(*(part.cpu().numpy() for part in (self.row, self.col, self.likeness)), self.n)

    def table(self, k: int) -> tuple[Tensor, Tensor]:
        """The first k of each list side by side: ids and likeness [n, k]; its own id and 0 where a list is shorter."""
        counts = torch.bincount(self.row, minlength=self.n)
        place = torch.arange(len(self.row), device=self.row.device) - (counts.cumsum(0) - counts)[self.row]
        index = torch.arange(self.n, device=self.row.device).unsqueeze(1).repeat(1, k)
        likeness = self.likeness.new_zeros(self.n, k)
        first = place < k
        index[self.row[first], place[first]] = self.col[first]
        likeness[self.row[first], place[first]] = self.likeness[first]
        return index, likeness

    def save(self, folder: str | Path) -> None:
        """Write ``neighbours.safetensors``, whole or not at all."""
        parts = {"row": self.row, "col": self.col, "likeness": self.likeness, "n": torch.tensor(self.n)}
        write_tensors(Path(folder) / "neighbours.safetensors", parts)

    @classmethod
    def load(cls, folder: str | Path) -> "NeighbourLists":
        """Read what ``save`` wrote. Raises InputError when the file is missing or damaged."""
        parts = read_tensors(Path(folder) / "neighbours.safetensors")
        return cls(parts["row"], parts["col"], parts["likeness"], int(parts["n"]))

    def __repr__(self) -> str:
        return f"NeighbourLists({len(self.row)} neighbours of {self.n} nodes)"


@dataclass(frozen=True)
class Search:
    """A search that has not been made yet.

    Args:
        name: its kind.
        inputs: the tensors and plain values that decide what it finds.
        run: makes it.
    """

    name: str
    inputs: Mapping[str, Any]
    run: Callable[[], NeighbourLists]


def nearest(vectors: Tensor, k: int, *, include_self: bool = False, present: Tensor | None = None) -> Search:
    """For each row of ``vectors`` [n, d] the k nearest others by cosine.

    Args:
        include_self: whether a row is among its own neighbours.
        present: [n] bool; the other rows have no neighbours and are nobody's.
    """
    if k < 1:
        raise InputError(f"neighbours = {k}: a node needs at least one.")
    n = len(vectors)
    here = torch.arange(n, device=vectors.device) if present is None else present.nonzero().flatten()
    x = vectors.detach().float()
    x = x if len(here) == n else x[here]

    def run() -> NeighbourLists:
        if len(here) <= (not include_self):
            return NeighbourLists(here[:0], here[:0], x.new_empty(0), n)
        index, cosine = by_cosine.top_k(x, k, include_self=include_self)
        row, found = here.repeat_interleave(index.shape[1]), index.flatten() >= 0
        return NeighbourLists(row[found], here[index.flatten()[found]], cosine.flatten()[found], n)

    return Search("nearest", {"x": x, "here": here, "n": n, "k": k, "include_self": include_self}, run)


def co_interactions(data: Dataset, side: str, k: int | None = None, *, minimum: int = 1) -> Search:
    """For each user those with most training items in common, or for each item those with most users.

    Args:
        side: ``"users"`` or ``"items"``.
        k: the strongest of each; ``None``: all.
        minimum: least number of common interactions.
    """
    one_of("side", side, ("users", "items"))
    matrix = data.matrix("train") if side == "users" else data.matrix("train").T.tocsr()
    matrix.sort_indices()
    n, n_cols = matrix.shape
    indptr, indices = torch.from_numpy(matrix.indptr).long(), torch.from_numpy(matrix.indices).long()
    inputs = {"indptr": indptr, "indices": indices, "n_cols": n_cols, "k": k or None, "minimum": minimum}

    def run() -> NeighbourLists:
        row, col, count = co_occurrence.top_k(indptr, indices, n_cols, k or None, minimum=minimum)
        return NeighbourLists(row, col, count.float(), n)

    return Search("co-interaction", inputs, run)
