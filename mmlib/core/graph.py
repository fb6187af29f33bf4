"""Relations as sparse matrices: who bought what, who resembles whom, and how vectors travel along them.

Letters: n = rows, m = columns, e = edges, d = width of a vector.
"""

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

with warnings.catch_warnings():  # PyG still uses torch.jit.script
    warnings.simplefilter("ignore", FutureWarning)
    from torch_geometric import EdgeIndex

from ..kernels import co_occurrence as cooccur
from ..kernels import neighbours as nearest
from .dataset import Dataset
from .errors import InputError, one_of
from .files import digest

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
        return _Propagate.apply(x, self, 1, False)

    def mean_of_layers(self, x: Tensor, layers: int) -> Tensor:
        """LightGCN's read-out (He et al. 2020, eq. 4 and 8): mean of x, Ax, ..., A^L x: [n, d] -> [n, d].

        One pass in Horner form, x + A(x + A(x + ...)), and the same pass over the transpose going back, so
        that no layer is kept for the backward pass. The graph must be square.
        """
        return _Propagate.apply(x, self, layers, True)

    def mean_of_layers_at(self, x: Tensor, layers: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """``mean_of_layers(x, layers)[rows]`` and ``x[rows]``, which is all that a batch's loss looks at.

        The gradients of both come back in one table, so that a step makes no other of the size of ``x``.

        Args:
            rows: [..., b] int64, repeats allowed.

        Returns:
            Two tensors [..., b, d].
        """
        return _PropagateAt.apply(x, self, layers, rows)

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
        return Graph(self.edges, weight, self.n_rows, self.n_cols, self.about | {"normalisation": how})

    def to(self, device: torch.device | str) -> "Graph":
        if self.weight.device == torch.device(device):
            return self
        pairs = self.edges.as_tensor().to(device)
        edges = EdgeIndex(pairs, sparse_size=(self.n_rows, self.n_cols), sort_order="row").fill_cache_()
        return Graph(edges, self.weight.to(device), self.n_rows, self.n_cols, self.about)

    @cached_property
    def csr(self) -> Tensor:
        """The matrix in PyTorch's CSR form: [n, m]."""
        (indptr, col), _ = self.edges.get_csr()
        return _sparse(indptr, col, self.weight, self.n_rows, self.n_cols)

    @cached_property
    def csr_transposed(self) -> Tensor:
        """The transpose in CSR form: [m, n]; ``csr`` itself when the matrix is symmetric."""
        (indptr, row), order = self.edges.get_csc()
        weight = self.weight[order]
        if self.n_rows == self.n_cols:
            (own_indptr, own_col), _ = self.edges.get_csr()
            if torch.equal(indptr, own_indptr) and torch.equal(row, own_col) and torch.allclose(weight, self.weight):
                return self.csr
        return _sparse(indptr, row, weight, self.n_cols, self.n_rows)

    @cached_property
    def key(self) -> str:
        """A short hash of all edges, weights and sizes."""
        return digest(
            self.row.cpu().numpy(), self.col.cpu().numpy(), self.weight.cpu().numpy(), self.n_rows, self.n_cols
        )

    def summary(self) -> dict[str, Any]:
        """Size and degrees, in reading order."""
        degrees = self.degrees()
        return self.about | {
            "rows": self.n_rows,
            "columns": self.n_cols,
            "edges": len(self.weight),
            "neighbours, median": int(degrees.median()) if len(degrees) else 0,
            "neighbours, most": int(degrees.max()) if len(degrees) else 0,
            "without any": int((degrees == 0).sum()),
        }

    def __repr__(self) -> str:
        return f"Graph({self.n_rows} x {self.n_cols}, {len(self.weight)} edges, {self.about.get('graph', 'made up')})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in self.summary().items())
        return f"<table>{rows}</table>"


def _sparse(indptr: Tensor, col: Tensor, weight: Tensor, n_rows: int, n_cols: int) -> Tensor:
    """A CSR matrix with 32-bit indices where they suffice: with 64 bits, MKL's are copied from them in each product."""
    if len(col) < 2**31:
        indptr, col = indptr.int(), col.int()
    return torch.sparse_csr_tensor(indptr, col, weight, (n_rows, n_cols), check_invariants=False)


class _Propagate(torch.autograd.Function):
    """y = Ax, or the mean of x, Ax, ..., A^L x; the gradient is the same sum over the transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: Graph, layers: int, mean: bool) -> Tensor:
        ctx.graph, ctx.layers, ctx.mean = graph, layers, mean
        return _horner(graph.csr, x, layers, mean)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _horner(ctx.graph.csr_transposed, gradient, ctx.layers, ctx.mean), None, None, None


class _PropagateAt(torch.autograd.Function):
    """(y[rows], x[rows]) with y the mean of layers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: Graph, layers: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        ctx.graph, ctx.layers = graph, layers
        ctx.save_for_backward(rows)
        return F.embedding(rows, _horner(graph.csr, x, layers, True)), F.embedding(rows, x)

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, of_x: Tensor) -> tuple[Tensor, None, None, None]:
        rows = ctx.saved_tensors[0].flatten()
        n, d = ctx.graph.n_rows, of_x.shape[-1]
        scattered = of_mean.new_zeros(n, d).index_add_(0, rows, of_mean.reshape(-1, d))
        gradient = _horner(ctx.graph.csr_transposed, scattered, ctx.layers, True)
        return gradient.index_add_(0, rows, of_x.reshape(-1, d).to(gradient.dtype)), None, None, None


def _horner(matrix: Tensor, x: Tensor, layers: int, mean: bool) -> Tensor:
    """In float32, also under autocast: sparse products have no lower precision on the CPU."""
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().float().contiguous()
        if not mean:
            return _product(matrix, x)
        share = 1 / (layers + 1)
        total = x if layers else x.clone()
        for layer in range(layers):  # x + A total, the last one divided by L + 1
            scale = share if layer == layers - 1 else 1.0
            total = _product(matrix, total, scale).add_(x, alpha=scale)
        return total


def _product(matrix: Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
    """scale * matrix @ x. On the CPU as weighted bags of rows, which takes half the time of MKL's product."""
    if x.is_cuda or not matrix.values().numel():
        return torch.mm(matrix, x).mul_(scale)
    weight = matrix.values() if scale == 1 else matrix.values() * scale
    bags, members = matrix.crow_indices(), matrix.col_indices()
    return F.embedding_bag(members, x, bags, mode="sum", per_sample_weights=weight, include_last_offset=True)


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
) -> Graph:
    """Users who bought the same items, or items that the same users bought (MMCPR section 3.3), training part only.

    Args:
        side: ``"users"`` or ``"items"``.
        neighbours: strongest neighbours kept per node, by shared purchases; an edge kept by either end is kept
            by both. ``None`` keeps all, which is the paper's graph; on a dense catalogue nearly everyone is then
            everyone's neighbour.
        minimum: least number of shared purchases for an edge.
        weight: ``"binary"`` (the paper) or ``"count"`` (number of shared purchases).
        normalisation: see ``Graph.normalised``; eq. 1 of the paper is ``"one-sided"``.
    """
    one_of("side", side, ("users", "items"))
    one_of("weight", weight, ("binary", "count"))
    matrix = data.matrix("train") if side == "users" else data.matrix("train").T.tocsr()
    matrix.sort_indices()
    n, n_cols = matrix.shape
    indptr, indices = torch.from_numpy(matrix.indptr).long(), torch.from_numpy(matrix.indices).long()
    row, col, count = cooccur.top_k(indptr, indices, n_cols, neighbours or None, minimum=minimum)
    row, col, count = _either_way(row, col, count.float(), n)
    value = torch.ones_like(count) if weight == "binary" else count
    kept = "all" if not neighbours else f"{neighbours} strongest"
    about = {"graph": f"{side} by shared purchases", "kept": kept, "weights": weight}
    return Graph.from_edges(row, col, value, n, n, about).normalised(normalisation)


def nearest_neighbours(
    vectors: Tensor,
    k: int = 10,
    *,
    include_self: bool = False,
    weight: str = "cosine",
    normalisation: str = "symmetric",
    block: int = 1024,
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
    index, cosine = nearest.top_k(vectors, k, block=block, include_self=include_self)  # [n, k], [n, k]
    row = torch.arange(len(vectors), device=vectors.device).repeat_interleave(index.shape[1])
    kept = index.flatten() >= 0
    value = cosine.flatten()[kept].clamp(min=0) if weight == "cosine" else torch.ones(int(kept.sum()))
    about = {"graph": f"{k} nearest neighbours", "weights": weight}
    return Graph.from_edges(row[kept], index.flatten()[kept], value, len(vectors), len(vectors), about).normalised(
        normalisation
    )


def _either_way(row: Tensor, col: Tensor, value: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Edges with their reverses, each once. The two directions of an edge carry the same value."""
    both = torch.cat([row * n + col, col * n + row])
    found, first = np.unique(both.numpy(), return_index=True)
    key = torch.from_numpy(found)
    return key // n, key % n, torch.cat([value, value])[torch.from_numpy(first)]
