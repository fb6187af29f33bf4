"""Starts that need no training: what the encoders say, as it is."""

import torch
from torch import Tensor

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError
from ..core.features import Features
from ..training.learner import xavier


def content_mean(
    data: Dataset, features: Features, *, dim: int = 64, users: str = "purchases", missing: str = "mean"
) -> Embeddings:
    """The baseline "CLIP" of MMCPR (appendix B): an item starts as the mean of its text and image vectors.

    Args:
        features: text and image vectors, [n_items, d] each.
        dim: the vectors are reduced to so many dimensions by principal components; the paper does not say how.
        users: ``"purchases"``: a user starts as the mean of the items bought in the training part; ``"random"``:
            Xavier's values (the paper speaks of items only).
        missing: see ``Features.filled``.
    """
    parts = [features.filled(name, missing) for name in ("text", "image") if name in features.item]
    if not parts:
        raise InputError(f"A content start needs text or image vectors; the features hold {list(features.item)}.")
    items = _principal(torch.stack(parts).mean(0), dim)
    if users == "purchases":
        pairs = torch.from_numpy(data.train)
        bought = torch.zeros(data.n_users, dim).index_add_(0, pairs[:, 0], items[pairs[:, 1]])
        vectors = bought / torch.bincount(pairs[:, 0], minlength=data.n_users).clamp(min=1).unsqueeze(1)
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
