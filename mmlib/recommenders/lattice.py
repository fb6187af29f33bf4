"""LATTICE: item graphs mined from content, plugged into a collaborative method."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError
from ..training import Dataset, Features
from .plug_in import LearntGraph, PlugIn, normalised


class LATTICE(PlugIn):
    r"""LATTICE from `"Mining Latent Structures for Multimedia Recommendation" <https://arxiv.org/abs/2104.09036>`_.

    For each modality m a graph S of each item's k nearest by cosine, negative ones set to zero (eq. 1-2), is
    normalised by its row sums; so is that of the transformed vectors, which is learnt, and the two are mixed:

    .. math::
        \tilde S^m = D^{-1/2} \hat S^m D^{-1/2} \ (3), \quad
        \tilde e^m_i = W_m e^m_i + b_m \ (4), \quad
        A^m = \lambda \tilde S^m + (1 - \lambda) \tilde A^m \ (5), \quad
        A = \sum_m \alpha_m A^m \ (6)

    with a softmax over the free alpha. Item vectors travel along A, and are added to those of the backbone:

    .. math::
        H^{(l)} = A H^{(l-1)}, \ H^{(0)} = X \ (7), \qquad
        \hat x_i = \tilde x_i + h_i / \|h_i\| \ (8), \qquad \hat y_{ui} = \tilde x_u^\top \hat x_i \ (9)

    trained with BPR (eq. 10) and an L2 term. Neighbours are found exactly without items x items in memory; the
    gradient reaches W through the similarities that are kept, as it does through the paper's sparse matrix.
    For the official code give ``normalisation="row", self_loops=True, normalise="sum", learn_features=True``, and
    ``fit`` the schedule "decay"; it also draws users uniformly, with one purchase each, which is not offered here.

    Args:
        data: a split dataset.
        features: vectors of items.
        normalise: each learnt graph before eq. 5 (``"each"``, the paper), or their weighted ``"sum"`` (official code).
        item_layers: L of eq. 7, at least 1.
        skip, l2: see :class:`PlugIn`; lambda of eq. 5, weight of the L2 term.
        shared: ``backbone``, ``dim``, ``neighbours``, ``start``, ``modalities`` and others, see :class:`PlugIn`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        normalise: Literal["each", "sum"] = "each",
        item_layers: int = 1,
        skip: float = 0.9,
        l2: float = 1e-5,
        **shared: Any,
    ) -> None:
        if item_layers < 1:
            raise InputError(f"item_layers={item_layers}: LATTICE needs at least one; without any it is its backbone.")
        super().__init__(data, features, item_layers=item_layers, skip=skip, l2=l2, **shared)
        self.normalise = normalise
        self.importance = nn.Parameter(torch.full((len(self.modal),), 0.5)) if len(self.modal) > 1 else None  # alpha

    def adjacency(self, *, anew: bool) -> dict[str, LearntGraph]:
        """Eq. 5-6: the two graphs of all modalities side by side, 2 k M neighbours an item."""
        modal = list(self.modal.values())
        learnt = [one.learnt(anew=anew) for one in modal]
        share = torch.ones(1, device=modal[0].weight.device) if self.importance is None else self.importance.softmax(0)
        degrees = None
        if self.normalise == "sum":
            degrees = torch.stack([a * similarity.sum(1) for a, (_, similarity) in zip(share, learnt)]).sum(0)
        index = [one.index for one in modal] + [index for index, _ in learnt]
        weight = [a * self.skip * one.weight for a, one in zip(share, modal)]
        weight += [a * (1 - self.skip) * normalised(near, alike, degrees) for a, (near, alike) in zip(share, learnt)]
        return {"items": LearntGraph(torch.cat(index, 1), torch.cat(weight, 1))}

    def item_vectors(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        """Eq. 7."""
        _, h = self.split(self.network.table)
        for _ in range(self.item_layers):
            h = graphs["items"] @ h
        return h if items is None else F.embedding(items, h)

    def graph_parameters(self) -> list[nn.Parameter]:
        return super().graph_parameters() + ([] if self.importance is None else [self.importance])
