"""LATTICE: item graphs mined from content, plugged into a collaborative method."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..core.features import Features
from .content import contents
from .latent import NOT_OPTIONS, Neighbours, PlugIn, normalised


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
        backbone: ``"lightgcn"``, ``"ngcf"`` (mean of layers) or ``"mf"``; gives the x with a tilde.
        dim: d, of ID vectors and transformed ones.
        layers: of the backbone.
        item_layers: L of eq. 7, at least 1.
        k: neighbours.
        skip: lambda.
        include_self: an item is its own nearest neighbour, as eq. 2 reads and the official code has it.
        l2: of a batch's rows, halved, summed and divided by its size.
        l2_on: their ``"final"`` vectors (official code; the paper does not say) or layer-0 ``"parameters"``.
        normalisation, self_loops: of users and items; LightGCN's D^-1/2 A D^-1/2. The official code has D^-1 (A + I).
        normalise: each learnt graph before eq. 5 (``"each"``, the paper), or their weighted ``"sum"`` (official code).
        graph_gradient: W and alpha learn in the ``"first"`` batch of an epoch, and the graph then stays as it is (the
            official code; the paper says "dynamically"), or in ``"every"`` one, which projects all items each time.
            Either way neighbours are searched once an epoch, and once for ``embed()``.
        modalities, missing, learn_features, precision: see ``recommenders.content.contents``; the official code
            learns the features.
        start, start_scale, start_centre: of X, see ``recommenders.start.start_table``.
        options: more options of the backbone, such as NGCF's ``message_dropout``.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        backbone: str = "lightgcn",
        dim: int = 64,
        layers: int = 2,
        item_layers: int = 1,
        k: int = 10,
        skip: float = 0.9,
        include_self: bool = True,
        l2: float = 1e-5,
        l2_on: str = "final",
        normalisation: str = "symmetric",
        self_loops: bool = False,
        normalise: str = "each",
        graph_gradient: str = "first",
        modalities: str | None = None,
        missing: str = "mean",
        learn_features: bool = False,
        precision: str = "float32",
        start: Embeddings | None = None,
        start_scale: str = "keep",
        start_centre: bool = False,
        **options: Any,
    ) -> None:
        chosen = {name: value for name, value in locals().items() if name not in NOT_OPTIONS}
        one_of("normalise", normalise, ("each", "sum"))
        if item_layers < 1:
            raise InputError(f"item_layers={item_layers}: LATTICE needs at least one; without any it is its backbone.")
        content = contents("LATTICE", features, modalities, missing=missing, learn=learn_features, precision=precision)
        super().__init__(data, content, chosen, options)
        self.normalise = normalise
        self.importance = nn.Parameter(torch.full((len(content),), 0.5)) if len(content) > 1 else None  # alpha

    @staticmethod
    def paper() -> dict[str, dict[str, Any]]:
        """The settings of the official code, which are the same for the three datasets of the paper."""
        common = {"dim": 64, "layers": 2, "item_layers": 1, "k": 10, "skip": 0.9, "l2": 1e-5}
        return {name: common | {"lr": 5e-4, "batch_size": 1024} for name in ("Clothing", "Sports", "Baby")}

    def adjacency(self, *, anew: bool) -> dict[str, Neighbours]:
        """Eq. 5-6: the two graphs of all modalities side by side, 2 k M neighbours an item."""
        modal = list(self.latent().values())
        learnt = [one.learnt(anew=anew) for one in modal]
        share = torch.ones(1, device=modal[0].weight.device) if self.importance is None else self.importance.softmax(0)
        degrees = None
        if self.normalise == "sum":
            degrees = torch.stack([a * similarity.sum(1) for a, (_, similarity) in zip(share, learnt)]).sum(0)
        index = [one.index for one in modal] + [index for index, _ in learnt]
        weight = [a * self.skip * one.weight for a, one in zip(share, modal)]
        weight += [a * (1 - self.skip) * normalised(near, alike, degrees) for a, (near, alike) in zip(share, learnt)]
        return {"items": Neighbours(torch.cat(index, 1), torch.cat(weight, 1))}

    def item_vectors(self, graphs: dict[str, Any], items: Tensor | None = None) -> Tensor:
        """Eq. 7."""
        h: Tensor = self.network.table[self.data.n_users :]
        for _ in range(self.item_layers):
            h = graphs["items"] @ h
        return h if items is None else F.embedding(items, h)

    def graph_parameters(self) -> list[nn.Parameter]:
        return super().graph_parameters() + ([] if self.importance is None else [self.importance])
