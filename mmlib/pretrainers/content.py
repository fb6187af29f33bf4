"""Starts that need no training: what the encoders say, as it is."""

import math
from typing import Literal

import torch
from torch import Tensor

from ..core.errors import InputError, number, one_of
from ..training import Dataset, Embeddings, Features, xavier


def content_mean(
    data: Dataset,
    features: Features,
    *,
    dim: int = 64,
    users: Literal["interactions", "random"] = "interactions",
    missing: str = "mean",
) -> Embeddings:
    """The baseline "CLIP" of MMCPR (appendix B): an item starts as the mean of its text and image vectors.

    Vectors of different widths have no mean: they are brought to a mean square length of 1 and put side by side,
    which makes the inner product of two items the mean over their modalities.

    Args:
        features: text and image vectors, [n_items, d_m] each.
        dim: the vectors are reduced to so many dimensions by principal components; the paper does not say how.
        users: ``"interactions"``: a user starts as the mean of the items of the training part; ``"random"``: Xavier's
            values (the paper speaks of items only).
        missing: see ``Features.filled``.

    Raises:
        InputError: for features without text and image, and for an unknown choice of users.
    """
    one_of("users", users, ("interactions", "random"))
    number("dim", dim, whole=True, least=1)
    parts = [features.filled(name, missing) for name in ("text", "image") if name in features.item]
    if not parts:
        raise InputError(f"A content start needs text or image vectors; the features hold {list(features.item)}.")
    if len({part.shape[1] for part in parts}) == 1:
        content = torch.stack(parts).mean(0)
    else:
        content = torch.cat([part / part.pow(2).sum(1).mean().sqrt().clamp(min=1e-12) for part in parts], 1)
        content = content / math.sqrt(len(parts))
    items = _principal(content, dim)
    if users == "interactions":
        pairs = torch.from_numpy(data.train)
        total = torch.zeros(data.n_users, dim).index_add_(0, pairs[:, 0], items[pairs[:, 1]])
        vectors = total / torch.bincount(pairs[:, 0], minlength=data.n_users).clamp(min=1).unsqueeze(1)
    else:
        vectors = xavier(data.n_users, dim)
    return Embeddings(vectors, items, {"model": "content mean", "users": users, "missing": missing})


def _principal(x: Tensor, dim: int) -> Tensor:
    """The first ``dim`` principal components' scores, [n, dim]; padded with zeros when there are fewer."""
    x = x - x.mean(0)
    _, _, axes = torch.linalg.svd(x, full_matrices=False)
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # the same signs on every machine
    scores = x @ axes[:dim].T
    return torch.nn.functional.pad(scores, (0, dim - scores.shape[1]))
