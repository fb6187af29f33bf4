"""Loss terms that many recommenders share. Letters: b = purchases of a batch, d = width."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Reading = Literal["squared", "norm", "mean"]


def bpr(user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al. 2009): mean of -log sigma(<u, i> - <u, j>).

    Args:
        user, positive, negative: [b, d].
    """
    return F.softplus((user * (negative - positive)).sum(-1)).mean()


def length(weight: float, *vectors: Tensor, reading: Reading = "squared") -> Tensor:
    """The L2 term of a batch.

    Args:
        weight: lambda.
        vectors: [b, d] each.
        reading: ``"squared"``: half the squares, summed and divided by b (LightGCN eq. 15 per batch); ``"norm"``: the
            root of each tensor's sum of squares, divided by b, as the usual toolbox has it; ``"mean"``: each tensor's
            mean square, over its d columns too, as the authors of MMGCN, GRCN and DualGNN have it. Their weights cannot
            be compared.
    """
    if reading == "mean":
        return weight * torch.stack([x.pow(2).mean() for x in vectors]).sum()
    if reading == "squared":
        total = torch.stack([0.5 * x.pow(2).sum() for x in vectors]).sum()
    else:
        total = torch.stack([torch.linalg.vector_norm(x) for x in vectors]).sum()
    return weight * total / len(vectors[0])


def once(ids: Tensor, *, repeats: bool = False) -> Tensor:
    """Where each different id stands, one place for each: [b] -> [distinct], in the ids' order.

    For contrasts within a batch, where an item bought twice would otherwise be its own negative.

    Args:
        repeats: give every place instead: 0, ..., b - 1.
    """
    if repeats:
        return torch.arange(len(ids), device=ids.device)
    found, place = ids.unique(return_inverse=True)
    return place.new_empty(len(found)).scatter_(0, place, torch.arange(len(ids), device=ids.device))
