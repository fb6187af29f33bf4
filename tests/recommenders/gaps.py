"""A ten-node world with gaps: a user without purchases, an item without buyers, an item without a picture."""

import math

import numpy as np
import torch

from mmlib.core.dataset import Dataset
from mmlib.core.features import Features
from mmlib.training.learner import Batch

from ..conftest import make_dataset

PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (2, 1)]  # nobody buys item 5, user 3 buys nothing
BOUGHT = {u: [i for v, i in PAIRS if v == u] for u in range(4)}
BUYERS = {i: [u for u, j in PAIRS if j == i] for i in range(6)}


def gaps() -> Dataset:
    return make_dataset(np.array([*PAIRS, (1, 0), (3, 3)]), ["train"] * len(PAIRS) + ["valid", "test"], 4, 6)


def content_with_gap() -> Features:
    generator = torch.Generator().manual_seed(0)
    item = {name: torch.randn(6, width, generator=generator) for name, width in (("text", 3), ("image", 5))}
    present = {name: torch.ones(6, dtype=torch.bool) for name in item}
    present["image"][4] = False
    return Features(item, present)


def batch_of() -> Batch:
    return Batch(torch.tensor([0, 1, 2, 0]), torch.tensor([1, 3, 4, 2]), torch.tensor([[4], [0], [5], [4]]))


def triples() -> list[tuple[int, int, int]]:
    batch = batch_of()
    return list(zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist()))


def mean_bpr(users: torch.Tensor, items: torch.Tensor) -> float:
    margins = [float(users[u] @ (items[i] - items[j])) for u, i, j in triples()]
    return sum(math.log1p(math.exp(-margin)) for margin in margins) / len(margins)


def detached(terms: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(term.detach()) for name, term in terms.items()}


def squares(*vectors: torch.Tensor) -> float:
    return sum(float(x.detach().pow(2).sum()) for x in vectors)
