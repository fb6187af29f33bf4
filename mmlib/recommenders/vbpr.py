"""VBPR: matrix factorisation with a second set of factors that reads the items' content."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..training import Batch, Dataset, Embeddings, Features, xavier
from .losses import Reading, bpr, length
from .modalities import ContentRecommender, Projection


class VBPR(ContentRecommender):
    r"""VBPR from `"VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback"
    <https://arxiv.org/abs/1510.01784>`_.

    .. math::
        x_{ui} = \alpha + \beta_u + \beta_i + \gamma_u^\top \gamma_i + \theta_u^\top (E f_i) + \beta'^\top f_i
        \quad (4)

    trained with BPR and L2 terms. alpha and beta_u are the same for all items of a user: they change neither a
    ranking nor a difference of two scores, and are left out. The item's biases stand in one more column, against
    a 1 in each user's vector, so that score(u, i) = <u, i>:

    .. math:: u = \gamma_u \| \theta_u \| 1, \qquad i = \gamma_i \| E f_i \| \beta_i + \beta'^\top f_i

    The paper reads pictures alone (``modalities="image"``). Several modalities are read as one long vector, as
    LATTICE, MICRO and the usual toolbox do: E f is then the sum of each modality's own projection.

    Args:
        data: a split dataset.
        features: vectors of items.
        dim: width of gamma.
        content_dim: width of theta; scoring vectors are dim + content_dim (+ 1) wide. The paper splits a given
            width evenly between the two; the usual toolbox, like the default, adds as much again.
        l2: lambda of gamma, theta and beta_i; half the squares of a batch's rows, summed and divided by its size.
        l2_content: lambda of E and beta' (0 in the paper): half their squares, once a batch, since each purchase
            of a batch would count them.
        biases: have beta_i and beta'; the usual toolbox has neither. Its projection's own bias adds the same to
            all items of a user and is not needed for that.
        l2_on: ``"parameters"`` (the paper) or the ``"final"`` vectors of a batch, E f_i among them (the usual
            toolbox).
        l2_reading: ``"squared"``, or ``"norm"`` as the usual toolbox has it, see ``losses.length``.
        shared: ``dim``, ``start``, ``modalities`` and others, see :class:`ContentRecommender`.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        content_dim: int = 64,
        l2: float = 1e-4,
        l2_content: float = 0.0,
        biases: bool = True,
        l2_on: Literal["parameters", "final"] = "parameters",
        l2_reading: Reading = "squared",
        **shared: Any,
    ) -> None:
        super().__init__(data, features, **shared)
        self.biases = biases
        self.l2, self.l2_content, self.l2_on, self.l2_reading = l2, l2_content, l2_on, l2_reading
        self.table = self.id_vectors()  # gamma
        self.theta = nn.Parameter(xavier(data.n_users, content_dim))
        self.item_bias = nn.Parameter(torch.zeros(data.n_items, 1)) if biases else None
        self.project = nn.ModuleDict(  # E; with biases, beta' is its last row
            {name: Projection(one().shape[1], content_dim + biases, bias=False) for name, one in self.content.items()}
        )
        for weight in self.project.parameters():
            nn.init.xavier_uniform_(weight)

    def embed(self) -> Embeddings:
        gamma_user, gamma_item = self.split(self.table)
        users = self.users(gamma_user, self.theta)
        return Embeddings(users, self.items(gamma_item, self.projected(), self.item_bias))

    def users(self, gamma: Tensor, theta: Tensor) -> Tensor:
        """gamma_u [b, K], theta_u [b, D] -> [b, K + D (+ 1)]."""
        return torch.cat([gamma, theta, *([theta.new_ones(len(theta), 1)] if self.biases else [])], 1)

    def items(self, gamma: Tensor, projected: Tensor, bias: Tensor | None) -> Tensor:
        """gamma_i [b, K], (E f_i || beta'^T f_i) [b, D (+ 1)], beta_i [b, 1] -> [b, K + D (+ 1)]."""
        if bias is not None:
            projected = torch.cat([projected[:, :-1], projected[:, -1:] + bias], 1)
        return torch.cat([gamma, projected], 1)

    def projected(self, items: Tensor | None = None) -> Tensor:
        """E f_i and, with biases, beta'^T f_i of ``items`` [m], or of all: [m, D (+ 1)]."""
        return torch.stack([self.project[name](one(items)) for name, one in self.content.items()]).sum(0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        items = batch.items.flatten()  # [2b]
        once, place = items.unique(return_inverse=True)
        content = F.embedding(place, self.projected(once))  # [2b, D (+ 1)]
        gamma_user = F.embedding(batch.users, self.table)  # [b, K]
        gamma_item = F.embedding(items + self.data.n_users, self.table)  # [2b, K]
        theta = F.embedding(batch.users, self.theta)  # [b, D]
        bias = None if self.item_bias is None else F.embedding(items, self.item_bias)  # [2b, 1]
        user = self.users(gamma_user, theta)
        positive, negative = self.items(gamma_item, content, bias).chunk(2)
        held = [gamma_user, theta, *gamma_item.chunk(2), *([] if bias is None else bias.chunk(2))]
        if self.l2_on == "final":
            held = [user, positive, negative]
        terms = {"bpr": bpr(user, positive, negative), "l2": length(self.l2, *held, reading=self.l2_reading)}
        if self.l2_content:
            squares = torch.stack([weight.pow(2).sum() for weight in self.project.parameters()])
            terms["l2_content"] = self.l2_content * 0.5 * squares.sum()
        return terms
