"""Who buys what in the generated shop: facts that can be seen or read, a style that cannot, and popularity."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .images import COLOURS, PATTERNS, SHAPES
from .text import WORDS

WEIGHTS = {"category": 0.34, "colour": 0.22, "pattern": 0.16, "material": 0.14, "use": 0.14}  # shares of variance
STYLES = 3  # dimensions of the hidden style
YEAR = (1_704_067_200, 366 * 86_400)  # 2024: its first second and its length
BLOCK = 1_000_000  # user-item scores held at once


def attributes(rng: np.random.Generator, items: int, categories: int) -> pd.DataFrame:
    """The items' facts: columns ``category``, ``colour``, ``pattern``, ``material``, ``use``.

    Every category occurs; a category is made of two materials more often than of the others.
    """
    kinds = tuple(SHAPES)[:categories]
    category = np.arange(items) % categories
    category = category[np.argsort(rng.random(items), kind="stable")]
    usual = rng.integers(len(WORDS["material"]), size=(categories, 2))
    material = np.where(
        rng.random(items) < 0.6,
        usual[category, rng.integers(2, size=items)],
        rng.integers(len(WORDS["material"]), size=items),
    )
    columns = {
        "category": np.array(kinds)[category],
        "colour": _any(rng, tuple(COLOURS), items),
        "pattern": _any(rng, tuple(PATTERNS), items),
        "material": np.array(tuple(WORDS["material"]))[material],
        "use": _any(rng, tuple(WORDS["use"]), items),
    }
    return pd.DataFrame({name: values.astype(object) for name, values in columns.items()})


def tastes(rng: np.random.Generator, items: pd.DataFrame, users: int, hidden: float) -> dict[str, tuple[Any, Any]]:
    """What users like: for each fact, and for ``"style"``, (users' side [users, k], items' side).

    The items' side is the code [items] of the fact's value, or the style vectors [items, STYLES]. A user's liking of
    a fact is drawn with the variance (1 - hidden) * WEIGHTS[fact]; that of the whole style has variance ``hidden``.
    """
    sides: dict[str, tuple[Any, Any]] = {}
    for fact, weight in WEIGHTS.items():
        values, codes = np.unique(items[fact].to_numpy().astype(str), return_inverse=True)
        liking = normal(rng, (users, len(values)))
        sides[fact] = (liking * ((1 - hidden) * weight) ** 0.5, codes)
    strength = (hidden / STYLES) ** 0.5
    sides["style"] = (normal(rng, (users, STYLES)) * strength, normal(rng, (len(items), STYLES)))
    return sides


def liking(sides: Mapping[str, tuple[Any, Any]], fact: str, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """How much each of ``users`` [n] likes the ``fact`` of each of ``items`` [n]: [n]."""
    of_users, of_items = sides[fact]
    if fact == "style":
        return (of_users[users] * of_items[items]).sum(axis=1)
    return of_users[users, of_items[items]]


def purchases(
    rng: np.random.Generator,
    sides: Mapping[str, tuple[Any, Any]],
    counts: np.ndarray,
    *,
    items: int,
    taste_noise: float,
    popularity: float,
    new_items: float,
) -> pd.DataFrame:
    """Draw each user's purchases without repetition: columns ``user``, ``item``, ``time`` (seconds, ascending by user).

    P(next purchase of u is i) is proportional to w_i * exp(liking(u, i) / taste_noise) over the items not bought yet,
    with w_i = rank_i ** -popularity * (share of the year in which i was for sale). Drawn by the Gumbel top-k trick.
    """
    rank = np.argsort(np.argsort(rng.random(items), kind="stable"), kind="stable") + 1
    start = np.where(rng.random(items) < new_items, 0.75 + 0.2 * rng.random(items), 0.0)
    weight = -popularity * np.log(rank) + np.log(1 - start)
    bought = []
    step = max(1, BLOCK // items)
    for first in range(0, len(counts), step):
        users = np.arange(first, min(first + step, len(counts)))
        score = _liking_block(sides, users, items) / taste_noise + weight  # [block, items]
        score = np.round(score, 6) - np.log(-np.log(rng.random(score.shape) + 1e-12))
        best = np.argsort(-score, axis=1, kind="stable")
        keep = np.arange(items) < counts[users][:, None]
        bought.append(np.stack([np.repeat(users, counts[users]), best[keep]], axis=1))
    pairs = np.concatenate(bought)
    moment = start[pairs[:, 1]] + (1 - start[pairs[:, 1]]) * rng.random(len(pairs))
    table = pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1]})
    table["time"] = YEAR[0] + np.floor(moment * YEAR[1]).astype(np.int64)
    return table.sort_values(["user", "time", "item"], kind="stable").reset_index(drop=True)


def history_lengths(rng: np.random.Generator, users: int, total: int, least: int, most: int) -> np.ndarray:
    """How many purchases each user makes: [users], long-tailed, at least ``least``, at most ``most``, in sum ``total``
    unless ``most`` cuts it."""
    weight = 1 / (rng.random(users) + 0.08)
    steps = np.floor(np.cumsum(weight) / weight.sum() * (total - least * users) + 0.5).astype(np.int64)
    return np.minimum(least + np.diff(steps, prepend=0), most)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Nearly normal numbers, mean 0 and variance 1: twelve uniform ones summed, the same on every machine."""
    total = np.zeros(shape)
    for _ in range(12):
        total += rng.random(shape)
    return total - 6


def _liking_block(sides: Mapping[str, tuple[Any, Any]], users: np.ndarray, items: int) -> np.ndarray:
    total = np.zeros((len(users), items))
    for fact in WEIGHTS:
        of_users, of_items = sides[fact]
        total += of_users[users][:, of_items]
    of_users, of_items = sides["style"]
    for column in range(STYLES):
        total += of_users[users, column][:, None] * of_items[:, column]
    return total


def _any(rng: np.random.Generator, values: tuple[str, ...], n: int) -> np.ndarray:
    return np.array(values)[rng.integers(len(values), size=n)]
