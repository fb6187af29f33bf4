"""Which of Amazon's reviews are kept: rated well enough, the earliest of each pair, inside the core."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...core.errors import InputError
from ..clean import core_name, k_core
from ..ids import case_twins
from .reviews import Reviews


@dataclass(frozen=True)
class Kept:
    """The reviews that may be kept, ordered by user, item and row; m of them.

    Where one user wrote several reviews of one item at the same earliest time, all of these are here.

    Args:
        users, items: original ids in order.
        user, item: [m] int64, places in ``users`` and ``items``.
        row: [m] int64, each review's place in the file's ``Reviews``.
    """

    users: pa.Array
    items: pa.Array
    user: np.ndarray
    item: np.ndarray
    row: np.ndarray


def keep(raw: Reviews, least_rating: float | None, core: int | tuple[int, int] | None, notes: list[str]) -> Kept:
    """Choose reviews, and number users and items in the order of their ids. Each step appends a sentence to ``notes``.

    Raises:
        InputError: when nothing is left.
    """
    for ids, what in ((raw.users, "users"), (raw.items, "items")):
        notes.extend(_case_twins(ids, what))
    row = np.arange(len(raw))
    if least_rating is not None:
        row = np.flatnonzero(raw.rating >= least_rating)
        notes.append(f"Reviews rated lower than {least_rating:g} left out: {len(raw) - len(row):,}.")
    row, pair = _earliest(raw, row, notes)
    row = row[_in_core(raw, row, pair, core, notes)[pair]]
    if len(row) == 0:
        raise InputError(
            f"No interaction is left. {' '.join(notes)} Ask for less with core=... or least_rating=..., or bring more "
            "data."
        )
    user, users = _renumbered(raw.user[row], raw.users)
    item, items = _renumbered(raw.item[row], raw.items)
    order = np.lexsort((row, item, user))
    return Kept(users, items, user[order], item[order], row[order])


def _earliest(raw: Reviews, row: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The rows at their pair's earliest time, several where these are equal, and each one's pair (0, 1, ...)."""
    code, time = raw.user[row] * np.int64(len(raw.items)) + raw.item[row], raw.time[row]
    order = np.lexsort((time, code))
    row, code, time = row[order], code[order], time[order]
    first = np.diff(code, prepend=-1) != 0
    pair = np.cumsum(first) - 1
    if again := len(row) - int(first.sum()):
        notes.append(f"Repeated reviews of the same user and item: {again:,}; the earliest is kept.")
    early = time == time[first][pair]
    return row[early], pair[early]


def _in_core(
    raw: Reviews, row: np.ndarray, pair: np.ndarray, core: int | tuple[int, int] | None, notes: list[str]
) -> np.ndarray:
    """Whether each pair is inside the core: [n_pairs] bool."""
    first = row[np.diff(pair, prepend=-1) != 0]
    user, item = raw.user[first], raw.item[first]
    inside = k_core(user, item, core or 0)
    if core:
        counts = [
            f"{name} {len(before):,} -> {len(after):,}"
            for name, before, after in (
                ("interactions", first, first[inside]),
                ("users", np.unique(user), np.unique(user[inside])),
                ("items", np.unique(item), np.unique(item[inside])),
            )
        ]
        notes.append(f"The {core_name(core)}, iterated: {', '.join(counts)}.")
    return inside


def _renumbered(code: np.ndarray, ids: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Each code's place among the ids that occur, in their order, and these ids."""
    used = np.unique(code)
    names = ids.take(pa.array(used))
    order = pc.array_sort_indices(names)  # by bytes, which is by code points
    place = np.empty(len(ids), dtype=np.int64)
    place[used[order.to_numpy()]] = np.arange(len(used))
    return place[code], names.take(order)


def _case_twins(ids: pa.Array, what: str) -> tuple[str, ...]:
    """As ``ids.case_twins``, after a quick look whether there are any among millions."""
    low = pc.utf8_lower(ids)
    if pc.count_distinct(low).as_py() == len(ids):
        return ()
    counted = low.value_counts()
    several = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    return case_twins(sorted(ids.filter(pc.is_in(low, several)).to_pylist()), what)
