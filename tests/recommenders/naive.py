"""A ten-node graph, and its matrices written out by loops: the slow, obvious twins of what models compute."""

import math

import numpy as np
import torch
from torch import Tensor

from mmlib.core.dataset import Dataset
from mmlib.core.features import Features
from mmlib.training.learner import Batch

from ..conftest import make_dataset

PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (3, 5), (3, 2)]
USERS, ITEMS = 4, 6
BATCH = [(0, 1, 4), (1, 3, 0), (3, 5, 4), (0, 2, 4), (2, 0, 1)]  # user, positive, negative; user 0 twice


def ten_nodes() -> Dataset:
    return make_dataset(np.array([*PAIRS, (1, 0), (2, 3)]), ["train"] * len(PAIRS) + ["valid", "test"], USERS, ITEMS)


def content_of_ten() -> Features:
    generator = torch.Generator().manual_seed(0)
    item = {name: torch.randn(ITEMS, width, generator=generator) for name, width in (("text", 3), ("image", 5))}
    present = {name: torch.ones(ITEMS, dtype=torch.bool) for name in item}
    present["image"][4] = False
    return Features(item, present)


def batch_of_ten() -> Batch:
    users, positives, negatives = torch.tensor(BATCH).T
    return Batch(users, positives, negatives.unsqueeze(1))


def purchase_matrix(pairs: list[tuple[int, int]] = PAIRS) -> Tensor:
    """D^-1/2 A D^-1/2 of the purchases: [10, 10], items after users."""
    matrix = torch.zeros(USERS + ITEMS, USERS + ITEMS)
    for u, i in pairs:
        weight = 1 / math.sqrt(sum(v == u for v, _ in pairs) * sum(j == i for _, j in pairs))
        matrix[u, USERS + i] = matrix[USERS + i, u] = weight
    return matrix


def mean_of_layers(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    hops = [x]
    for _ in range(layers):
        hops.append(matrix @ hops[-1])
    return torch.stack(hops).mean(0)


def item_matrix(name: str, k: int, weight: str) -> Tensor:
    """D^-1/2 S D^-1/2 of the k most similar items, each among its own: [6, 6]; D holds the sums of rows.

    An item without the modality has itself alone.
    """
    features = content_of_ten()
    x, present = features.item[name], features.present[name]
    similar = torch.zeros(ITEMS, ITEMS)
    for i in range(ITEMS):
        cosine = {j: float(x[i] @ x[j] / (x[i].norm() * x[j].norm())) for j in range(ITEMS) if present[j]}
        if not present[i]:
            cosine = {i: 1.0}
        for j in sorted(cosine, key=lambda j: -cosine[j])[:k]:
            similar[i, j] = max(cosine[j], 0.0) if weight == "cosine" else 1.0
    degree = similar.sum(1)
    out = torch.zeros(ITEMS, ITEMS)
    for i in range(ITEMS):
        for j in range(ITEMS):
            out[i, j] = similar[i, j] / math.sqrt(degree[i] * degree[j])
    return out


def minus_log_sigmoid(x: float | Tensor) -> float:
    return math.log1p(math.exp(-float(x)))


def redrawn(model: torch.nn.Module) -> None:
    """Every parameter anew, biases among them, far from zero."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.data.normal_()
