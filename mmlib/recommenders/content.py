"""What recommenders that read pictures and words share: content vectors, their projection, their neighbours.

Letters: n = items, b = items of a batch, m = a modality, d_m = its width, d = width of the vectors that score.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.graph import Graph, nearest_neighbours
from ..kernels import matmul as dense
from ..kernels.neighbours import unit

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
        return dense.linear(x, self.weight.to(x.dtype), bias).float()


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


def similar_items(content: nn.ModuleDict, k: int, **options: object) -> dict[str, Graph]:
    """The frozen item graphs of FREEDOM, MGCN and AlignRec: modality -> [n, n].

    The nearest neighbours of each item, itself among the k, normalised ``by_row_sums``. An item without the modality
    has itself alone: filled vectors are all alike, and would be each other's neighbours in the order of their ids.
    """
    graphs, options = {}, options | {"include_self": True, "normalisation": "none"}
    for name, one in content.items():
        assert isinstance(one, Content)
        n, here, alone = len(one.present), one.present.nonzero().flatten(), (~one.present).nonzero().flatten()
        if len(here) < 2:
            here, alone = here[:0], torch.arange(n)
        row, col, weight = alone, alone, torch.ones(len(alone))
        if len(here):
            vectors = one(here if len(alone) else None).detach().float()
            found = nearest_neighbours(vectors, k, **options)  # type: ignore[arg-type]
            row, col = torch.cat([here[found.row], row]), torch.cat([here[found.col], col])
            weight = torch.cat([found.weight, weight])
        about = {"graph": f"{k} nearest neighbours by {name}"}
        graphs[name] = by_row_sums(Graph.from_edges(row, col, weight, n, n, about))
    return graphs


def projections(content: nn.ModuleDict, dim: int) -> nn.ModuleDict:
    """W x + b of every modality: modality -> :class:`Projection` from d_m to ``dim``."""
    widths = {name: one.width for name, one in content.items() if isinstance(one, Content)}
    return nn.ModuleDict({name: Projection(width, dim) for name, width in widths.items()})


def by_row_sums(graph: Graph) -> Graph:
    """D^-1/2 S D^-1/2 with D_ii = sum_j S_ij on both sides, as LATTICE, MICRO (eq. 3), FREEDOM and MGCN write it.

    ``Graph.normalised("symmetric")`` divides columns by their own sums, which for a directed graph are others. A node
    whose row is empty gives nothing to any other.
    """
    total = torch.zeros(graph.n_rows, device=graph.weight.device).index_add_(0, graph.row, graph.weight.abs())
    scale = total.pow(-0.5).masked_fill_(total == 0, 0)
    weight = graph.weight * scale[graph.row] * scale[graph.col]
    return replace(graph, weight=weight, about=graph.about | {"normalisation": "by row sums"})


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
    content = [
        one for one in contents(model, features, modalities, missing=missing).values() if isinstance(one, Content)
    ]
    parts, present = [one() for one in content], torch.stack([one.present for one in content])
    if len(parts) > 1:
        parts = [unit(x) for x in parts]
    if combine == "mean" and len({x.shape[1] for x in parts}) > 1:
        widths = " and ".join(str(x.shape[1]) for x in parts)
        raise InputError(f"Vectors of {widths} numbers have no mean; take combine='concatenation'.")
    x = torch.cat(parts, 1) if combine == "concatenation" else torch.stack(parts).mean(0)
    return Features({"fused": x}, {"fused": present.any(0)})
