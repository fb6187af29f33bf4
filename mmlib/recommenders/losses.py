"""Loss terms that many recommenders share. Letters: b = purchases of a batch, d = width."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import one_of

LENGTHS = ("squared", "norm")


def bpr(user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al. 2009): mean of -log sigma(<u, i> - <u, j>).

    Args:
        user, positive, negative: [b, d].
    """
    return F.softplus((user * (negative - positive)).sum(-1)).mean()


def length(weight: float, *vectors: Tensor, reading: str = "squared") -> Tensor:
    """The L2 term of a batch.

    Args:
        weight: lambda.
        vectors: [b, d] each.
        reading: ``"squared"``: half the squares, summed and divided by b (LightGCN eq. 15 per batch); ``"norm"``: the
            root of each tensor's sum of squares, divided by b, as the usual toolbox has it. The weights of the two
            cannot be compared.
    """
    one_of("l2_reading", reading, LENGTHS)
    if reading == "squared":
        total = torch.stack([0.5 * x.pow(2).sum() for x in vectors]).sum()
    else:
        total = torch.stack([torch.linalg.vector_norm(x) for x in vectors]).sum()
    return weight * total / len(vectors[0])
