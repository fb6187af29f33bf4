"""Interactions that occur more than once, and the moments that tell which was first."""

import numpy as np
import pandas as pd

from ..core.dataset import PARTS
from .parts import PART_NAMES


def first_rows(table: pd.DataFrame, *, parts: bool = True) -> np.ndarray:
    """One row of each pair of user and item: the earliest, and the first row among equals.

    Args:
        table: columns ``user``, ``item``, ``part``, and ``time`` where known; rows without a time are the latest.
        parts: a row in an earlier part (train, valid, test, none) comes before one with an earlier time.

    Returns:
        [n] bool.
    """
    code = table["user"].to_numpy(dtype=np.int64) * (int(table["item"].max()) + 1 if len(table) else 1)
    code = code + table["item"].to_numpy(dtype=np.int64)
    again = pd.Series(code).duplicated(keep=False).to_numpy()
    some, rows = table[again], ~again
    keys: list[np.ndarray] = []
    if "time" in table:
        keys.append(times_of(some))
    if parts:
        named = some["part"].astype(str).str.strip().str.lower().map(PART_NAMES)
        keys.append(named.map({name: place for place, name in enumerate(PARTS)}).fillna(len(PARTS)).to_numpy())
    order = np.lexsort([np.arange(len(some)), *keys])  # the last key counts most
    places = np.flatnonzero(again)[order]
    rows[places[~pd.Series(code[places]).duplicated().to_numpy()]] = True
    return rows


def times_of(table: pd.DataFrame) -> np.ndarray:
    """Seconds since 1970, NaN where there is none; whole numbers stay whole, so that no two moments become one."""
    time = table["time"]
    if time.dtype.kind in "iu" and not time.isna().any():
        return time.to_numpy(dtype=np.int64)
    return time.to_numpy(dtype=np.float64, na_value=np.nan)
