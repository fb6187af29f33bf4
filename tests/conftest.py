"""Small worlds with known answers, shared by all tests."""

import os

os.environ.setdefault("MMLIB_PROGRESS", "off")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers that each use all cores hold each other up
    os.environ.setdefault(
        "OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])))
    )

import numpy as np
import pandas as pd
import pytest
import torch

from mmlib.core.dataset import Dataset
from mmlib.core.features import Features


def make_dataset(pairs: np.ndarray, parts: list[str], n_users: int, n_items: int, **columns: list[str]) -> Dataset:
    """A dataset from (user, item) pairs [n, 2] and the part of each; ``columns`` are more interaction columns."""
    items = pd.DataFrame({"id": [f"i{i}" for i in range(n_items)], "title": [f"Item {i}" for i in range(n_items)]})
    items = items.assign(text="", image="", category=[f"c{i % 2}" for i in range(n_items)])
    users = pd.DataFrame({"id": [f"u{u}" for u in range(n_users)]})
    table = pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1], "part": "", **columns})
    return Dataset("made-up", users, items, table).with_parts(parts, "made up", None)


@pytest.fixture
def blocks() -> Dataset:
    """Two blocks of 12 users and 10 items: everyone buys 7 of the block's items; one more is valid, one test.

    The one right answer: a user's missing items of the own block come before all items of the other block.
    """
    rng = np.random.default_rng(0)
    pairs, parts = [], []
    for user in range(24):
        bought = rng.permutation(10)[:9] + 10 * (user // 12)
        pairs += [(user, item) for item in bought]
        parts += ["train"] * 7 + ["valid", "test"]
    reviews = [f"review {n}" for n in range(len(pairs))]
    return make_dataset(np.array(pairs), parts, 24, 20, review=reviews)


@pytest.fixture
def features(blocks: Dataset) -> Features:
    """Text and image vectors that tell the blocks apart, one of each missing; reviews for all users but the last."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.randn(2, 6, generator=generator)
    side = torch.arange(20) // 10
    item = {name: centre[side] + 0.3 * torch.randn(20, 6, generator=generator) for name in ("text", "image")}
    present = {name: torch.ones(20, dtype=torch.bool) for name in item}
    present["text"][3] = present["image"][15] = False
    writers = torch.arange(23).repeat_interleave(2)
    reviews = centre[writers // 12] + 0.3 * torch.randn(46, 6, generator=generator)
    return Features(item, present, reviews, writers, 24, {"encoder": "made up"})


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Runs the same test body on the CPU and, where there is one, on a GPU."""
    return request.param
