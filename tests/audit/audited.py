"""Small shops for the tests of the audit: tastes are known, and flaws are planted one at a time."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mmlib import splits
from mmlib.audit.report import Finding
from mmlib.audit.subject import Subject
from mmlib.core.dataset import Dataset


def shop(
    pairs: list[tuple[int, int, str]],
    n_items: int = 8,
    protocol: str = "made up",
    items: dict[str, list[str]] | None = None,
    **columns: Any,
) -> Dataset:
    """A dataset from (user, item, part) rows; ``items`` and ``columns`` are more columns of the tables."""
    table = pd.DataFrame(pairs, columns=["user", "item", "part"]).assign(**columns)
    names = [f"i{i}" for i in range(n_items)]
    catalogue = pd.DataFrame({"id": names, "title": [f"Thing number {i}" for i in range(n_items)]})
    catalogue = catalogue.assign(text="", image="", category="").assign(**(items or {}))
    people = pd.DataFrame({"id": [f"u{u}" for u in range(table["user"].max() + 1)]})
    data = Dataset("tiny", people, catalogue, table.drop(columns="part").assign(part=""))
    return data.with_parts(table["part"], protocol, None)


ROWS = [
    *[(0, 0, "train"), (0, 1, "train"), (0, 2, "valid"), (0, 3, "test")],
    *[(1, 1, "train"), (1, 2, "train"), (1, 0, "valid"), (1, 4, "test")],
    *[(2, 3, "train"), (2, 4, "train"), (2, 5, "valid"), (2, 0, "test")],
]


def tastes(n_users: int = 500, n_items: int = 300, bought: int = 20, seed: int = 0) -> tuple[Dataset, np.ndarray]:
    """Purchases drawn from tastes in four dimensions, split at random; and the items' true vectors [n_items, 4]."""
    rng = np.random.Generator(np.random.PCG64(seed))
    items, users = rng.normal(size=(n_items, 4)), rng.normal(size=(n_users, 4))
    liking = users @ items.T + 1.5 * rng.gumbel(size=(n_users, n_items))
    chosen = np.argsort(-liking, axis=1)[:, :bought]
    rows = [(user, int(item), "train") for user in range(n_users) for item in chosen[user]]
    rows[0], rows[1] = (0, rows[0][1], "valid"), (0, rows[1][1], "test")  # so that no part is empty before the split
    data = shop(rows, n_items)
    return splits.random_by_user(replace(data, split=None), "8:1:1"), items


def graph(row: Any, col: Any, n_rows: int, n_cols: int, weight: Any = None, name: str = "") -> SimpleNamespace:
    row, col = np.asarray(row), np.asarray(col)
    weight = np.ones(len(row)) if weight is None else np.asarray(weight)
    return SimpleNamespace(row=row, col=col, n_rows=n_rows, n_cols=n_cols, weight=weight, about={"graph": name})


def drawn(folder: Path, seed: int, *, size: int = 64, name: str | None = None) -> str:
    """Write a picture of random soft blobs; its file name."""
    rng = np.random.Generator(np.random.PCG64(seed))
    coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
    name = name or f"{seed}.png"
    coarse.resize((size, size), Image.Resampling.BICUBIC).save(folder / name)
    return name


def with_pictures(folder: Path, names: list[str], rows: list[tuple[int, int, str]] = ROWS) -> Dataset:
    return replace(shop(rows, len(names), items={"image": names}), images=folder)


def found(check: Any, data: Dataset, **given: Any) -> dict[str, Finding]:
    """Kind -> finding of one check."""
    return {one.kind: one for one in check(Subject(data, **given))}


def ids(finding: Finding) -> list[tuple[str, ...]]:
    return [example.items for example in finding.examples]
