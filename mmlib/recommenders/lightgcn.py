"""LightGCN: propagation over purchases, and nothing else."""

from typing import Any

from torch import Tensor

from ..core.graph import bipartite
from ..training import Dataset, Features
from .bpr import BPR


class LightGCN(BPR):
    r"""LightGCN from `"LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation"
    <https://arxiv.org/abs/2002.02126>`_.

    .. math::
        E^{(l+1)} = D^{-1/2} A D^{-1/2} E^{(l)} \quad (7), \qquad
        E = \frac{1}{L+1} \sum_{l=0}^{L} E^{(l)} \quad (4, 8)

    trained with BPR and an L2 term on the layer-0 vectors only (eq. 15). Official code and paper agree here;
    the common toolboxes differ in the L2 term (on propagated vectors, or unsquared norms).

    Args:
        data: a split dataset.
        features: not used.
        layers: L.
        normalisation: of the user-item graph, see ``graphs.Graph.normalised``; ``"row"`` is the one that
            LATTICE and MICRO call LightGCN.
        shared: ``dim``, ``l2``, ``l2_reading``, ``start`` and others, see :class:`BPR`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        layers: int = 3,
        normalisation: str = "symmetric",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.layers, self.graph = layers, bipartite(data, normalisation=normalisation)

    pool = "mean"  # of the layers

    def hops(self) -> list[Tensor]:
        """E^(0), ..., E^(L), for methods that need each layer by itself: (L+1) x [n_users + n_items, d]."""
        hops: list[Tensor] = [self.table]
        for _ in range(self.layers):
            hops.append(self.graph @ hops[-1])
        return hops

    def propagated(self) -> Tensor:
        return self.graph.mean_of_layers(self.table, self.layers)  # [n_users + n_items, d]

    def gathered(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.graph.mean_of_layers_at(self.table, self.layers, rows)
