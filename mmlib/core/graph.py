"""Relations as sparse matrices: who interacted with what, who resembles whom, and how vectors travel along them.

Letters: n = rows, m = columns, e = edges, d = width of a vector.
"""

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

with warnings.catch_warnings():  # PyG still uses torch.jit.script
    warnings.simplefilter("ignore", FutureWarning)
    from torch_geometric import EdgeIndex

from ..kernels import propagate
from .dataset import Dataset
from .errors import InputError, number, one_of
from .files import digest
from .neighbours import NeighbourLists, co_interactions, nearest

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")  # what is used here is tested here

NORMALISATIONS = ("symmetric", "row", "one-sided", "none")


@dataclass(frozen=True, repr=False)
class Graph:
    """A weighted directed graph from columns to rows: ``graph @ x`` sums, for each row, its neighbours' vectors.

    Build one with ``from_edges`` or one of this module's functions.

    Args:
        edges: PyG ``EdgeIndex`` [2, e], sorted by row, its caches filled.
        weight: [e] float32.
        n_rows: n.
        n_cols: m.
        about: how it was built; plain values.
    """

    edges: EdgeIndex
    weight: Tensor
    n_rows: int
    n_cols: int
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_edges(
        cls, row: Tensor, col: Tensor, weight: Tensor, n_rows: int, n_cols: int, about: dict[str, Any] | None = None
    ) -> "Graph":
        """Build a graph from unsorted edges (row [e], col [e], weight [e])."""
        order = torch.argsort(row * n_cols + col)
        pairs = torch.stack([row[order], col[order]])
        edges = EdgeIndex(pairs, sparse_size=(n_rows, n_cols), sort_order="row").fill_cache_()
        return cls(edges, weight[order].float(), n_rows, n_cols, about or {})

    def transposed(self) -> tuple["Graph", Tensor]:
        """The transpose, and for each of its edges the place of the same edge in this graph: [e]."""
        order = torch.argsort(self.col * self.n_rows + self.row)
        return Graph.from_edges(self.col, self.row, self.weight, self.n_cols, self.n_rows, self.about), order

    @property
    def row(self) -> Tensor:
        """[e] int64, ascending."""
        return self.edges.as_tensor()[0]

    @property
    def col(self) -> Tensor:
        """[e] int64."""
        return self.edges.as_tensor()[1]

    def degrees(self) -> Tensor:
        """Number of neighbours of each row: [n] int64."""
        return torch.bincount(self.row, minlength=self.n_rows)

    def __matmul__(self, x: Tensor) -> Tensor:
        """Weighted sum over neighbours: x [m, d] -> [n, d]; differentiable in ``x``."""
        return propagate.along(self._matrices(x), x)

    def mean_of_layers(self, x: Tensor, layers: int) -> Tensor:
        """LightGCN's read-out (He et al. 2020, eq. 4 and 8): mean of x, Ax, ..., A^L x: [n, d] -> [n, d].

        The graph must be square.
        """
        return propagate.mean_of_layers(self._matrices(x), x, layers)

    def mean_of_layers_at(self, x: Tensor, layers: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """``mean_of_layers(x, layers)[rows]`` and ``x[rows]``, which is all that a batch's loss looks at.

        Args:
            rows: [..., b] int64, repeats allowed.

        Returns:
            Two tensors [..., b, d].
        """
        return propagate.mean_of_layers_at(self._matrices(x), x, layers, rows)

    def _matrices(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The matrix, and its transpose where a gradient will ask for it."""
        return self.csr, self.csr_transposed if x.requires_grad else None

    def normalised(self, how: str = "symmetric") -> "Graph":
        """The same edges, weighted by degree (sums of absolute weights; a node without edges stays without).

        Args:
            how: ``"symmetric"`` D_r^-1/2 A D_c^-1/2; ``"row"`` D_r^-1 A; ``"one-sided"`` D_r^-1/2 A, which is
                what MMCPR prints as eq. 1; ``"none"``.
        """
        one_of("normalisation", how, NORMALISATIONS)
        rows = torch.zeros(self.n_rows, device=self.weight.device).index_add_(0, self.row, self.weight.abs())
        cols = torch.zeros(self.n_cols, device=self.weight.device).index_add_(0, self.col, self.weight.abs())
        left = {"row": -1.0, "symmetric": -0.5, "one-sided": -0.5, "none": 0.0}[how]
        weight = self.weight * rows.clamp(min=1e-12).pow(left)[self.row]
        if how == "symmetric":
            weight = weight * cols.clamp(min=1e-12).pow(-0.5)[self.col]
        return replace(self, weight=weight, about=self.about | {"normalisation": how})

    def to(self, device: torch.device | str) -> "Graph":
        if self.weight.device == torch.device(device):
            return self
        pairs = self.edges.as_tensor().to(device)
        edges = EdgeIndex(pairs, sparse_size=(self.n_rows, self.n_cols), sort_order="row").fill_cache_()
        return replace(self, edges=edges, weight=self.weight.to(device))

    @cached_property
    def csr(self) -> Tensor:
        """The matrix in PyTorch's CSR form: [n, m]."""
        (indptr, col), _ = self.edges.get_csr()
        return propagate.csr(indptr, col, self.weight, self.n_rows, self.n_cols)

    @cached_property
    def csr_transposed(self) -> Tensor:
        """The transpose in CSR form: [m, n]; ``csr`` itself when the matrix is symmetric."""
        (indptr, row), order = self.edges.get_csc()
        weight = self.weight[order]
        if self.n_rows == self.n_cols:
            (own_indptr, own_col), _ = self.edges.get_csr()
            if torch.equal(indptr, own_indptr) and torch.equal(row, own_col) and torch.allclose(weight, self.weight):
                return self.csr
        return propagate.csr(indptr, row, weight, self.n_cols, self.n_rows)

    @cached_property
    def key(self) -> str:
        """A short hash of all edges, weights and sizes."""
        parts = (part.cpu().numpy() for part in (self.row, self.col, self.weight))
        return digest(*parts, self.n_rows, self.n_cols)

    def summary(self) -> dict[str, Any]:
        """Size and degrees, in reading order."""
        degrees = self.degrees()
        median, most = (int(degrees.median()), int(degrees.max())) if len(degrees) else (0, 0)
        facts = {"rows": self.n_rows, "columns": self.n_cols, "edges": len(self.weight)}
        facts |= {"neighbours, median": median, "neighbours, most": most, "without any": int((degrees == 0).sum())}
        return self.about | facts

    def __repr__(self) -> str:
        return f"Graph({self.n_rows} x {self.n_cols}, {len(self.weight)} edges, {self.about.get('graph', 'made up')})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in self.summary().items())
        return f"<table>{rows}</table>"


def bipartite(data: Dataset, *, normalisation: str = "symmetric", self_loops: bool = False) -> Graph:
    """Users and items in one graph with an edge per training purchase: (n_users + n_items) square.

    Items come after users. Symmetric, without self-loops (He et al. 2020, eq. 7). ``self_loops`` adds the identity
    before normalising: with ``normalisation="row"`` that is D^-1 (A + I), where D counts the loop too.
    """
    users, items = torch.from_numpy(data.train).T
    items = items + data.n_users
    n = data.n_users + data.n_items
    row, col = torch.cat([users, items]), torch.cat([items, users])
    if self_loops:
        row, col = torch.cat([row, torch.arange(n)]), torch.cat([col, torch.arange(n)])
    about = {"graph": "users and items", "self-loops": self_loops}
    return Graph.from_edges(row, col, torch.ones(len(row)), n, n, about).normalised(normalisation)


def purchases(data: Dataset, *, normalisation: str = "row") -> Graph:
    """Training purchases from items to users: [n_users, n_items]; ``"row"`` gives each user the mean of its items."""
    row, col = torch.from_numpy(data.train).T
    about = {"graph": "purchases"}
    return Graph.from_edges(row, col, torch.ones(len(row)), data.n_users, data.n_items, about).normalised(normalisation)


def co_interaction(
    data: Dataset,
    side: str,
    *,
    neighbours: int | None = None,
    minimum: int = 1,
    weight: str = "binary",
    normalisation: str = "one-sided",
    lists: NeighbourLists | None = None,
) -> Graph:
    """Users with common items, or items with common users (MMCPR section 3.3), of the training part only.

    Args:
        side: ``"users"`` or ``"items"``.
        neighbours: strongest neighbours kept per node, by shared interactions; an edge kept by either end is kept
            by both. ``None`` keeps all, which is the paper's graph; on a dense catalogue nearly everyone is then
            everyone's neighbour.
        minimum: least number of shared interactions for an edge.
        weight: ``"binary"`` (the paper) or ``"count"`` (number of shared interactions).
        normalisation: see ``Graph.normalised``; eq. 1 of the paper is ``"one-sided"``.
        lists: what ``neighbours.co_interactions`` has found; it is searched here when not given.
    """
    one_of("weight", weight, ("binary", "count"))
    found = lists or co_interactions(data, side, neighbours, minimum=minimum).run()
    row, col, count = _either_way(found.row, found.col, found.likeness, found.n)
    value = torch.ones_like(count) if weight == "binary" else count
    kept = "all" if not neighbours else f"{neighbours} strongest"
    about = {"graph": f"{side} by shared interactions", "kept": kept, "weights": weight}
    return Graph.from_edges(row, col, value, found.n, found.n, about).normalised(normalisation)


def nearest_neighbours(
    vectors: Tensor,
    k: int = 10,
    *,
    include_self: bool = False,
    weight: str = "cosine",
    normalisation: str = "symmetric",
) -> Graph:
    """Each row's k nearest others by cosine (MICRO eq. 2-4; LATTICE): directed, [n, n].

    Args:
        vectors: [n, d].
        k: neighbours per row.
        weight: ``"cosine"`` (negative ones become 0) or ``"binary"``.
    """
    one_of("weight", weight, ("cosine", "binary"))
    if len(vectors) < 2:
        raise InputError(f"A neighbour graph needs at least two vectors, not {len(vectors)}.")
    number("neighbours", k, whole=True, least=1)
    found = nearest(vectors, k, include_self=include_self).run()
    value = found.likeness.clamp(min=0) if weight == "cosine" else torch.ones_like(found.likeness)
    about = {"graph": f"{k} nearest neighbours", "weights": weight}
    return Graph.from_edges(found.row, found.col, value, found.n, found.n, about).normalised(normalisation)


def _either_way(row: Tensor, col: Tensor, value: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Edges with their reverses, each once. The two directions of an edge carry the same value."""
    both = torch.cat([row * n + col, col * n + row])
    found, first = np.unique(both.numpy(), return_index=True)
    key = torch.from_numpy(found)
    return key // n, key % n, torch.cat([value, value])[torch.from_numpy(first)]
