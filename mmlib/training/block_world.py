"""A made-up world with one right answer: two blocks of users and items, for tests of models."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.dataset import Dataset
from ..core.features import Features

USERS, ITEMS = 24, 20


def made_up(pairs: np.ndarray, parts: Iterable[str], n_users: int, n_items: int, **columns: Any) -> Dataset:
    """A dataset from (user, item) pairs [n, 2] and the part of each; ``columns`` are more interaction columns."""
    items = pd.DataFrame({"id": [f"i{i}" for i in range(n_items)], "title": [f"Item {i}" for i in range(n_items)]})
    items = items.assign(text="", image="", category=[f"c{i % 2}" for i in range(n_items)])
    users = pd.DataFrame({"id": [f"u{u}" for u in range(n_users)]})
    table = pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1], "part": "", **columns})
    return Dataset("made-up", users, items, table).with_parts(list(parts), "made up", None)


def block_world() -> Dataset:
    """Two blocks of 12 users and 10 items: everyone has 7 of the block's items in train, one in valid, one in test.

    The one right answer: a user's missing items of the own block come before all items of the other block.
    """
    rng = np.random.default_rng(0)
    pairs = [(user, item + 10 * (user // 12)) for user in range(USERS) for item in rng.permutation(10)[:9]]
    parts = (["train"] * 7 + ["valid", "test"]) * USERS
    return made_up(np.array(pairs), parts, USERS, ITEMS, review=[f"review {n}" for n in range(len(pairs))])


def block_features() -> Features:
    """Text and image vectors that tell the blocks apart, one of each missing; reviews for all users but the last."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.randn(2, 6, generator=generator)
    side = torch.arange(ITEMS) // 10
    item = {name: centre[side] + 0.3 * torch.randn(ITEMS, 6, generator=generator) for name in ("text", "image")}
    present = {name: torch.ones(ITEMS, dtype=torch.bool) for name in item}
    present["text"][3] = present["image"][15] = False
    writers = torch.arange(USERS - 1).repeat_interleave(2)
    reviews = centre[writers // 12] + 0.3 * torch.randn(len(writers), 6, generator=generator)
    return Features(item, present, reviews, writers, USERS, {"encoder": "made up"})
