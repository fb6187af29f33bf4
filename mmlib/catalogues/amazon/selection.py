"""Which of Amazon's reviews are kept (rated well enough, the earliest of each pair, inside the core), as a table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...core.errors import InputError
from ...core.progress import progress
from ..clean import core_name, k_core
from ..clean_items import plain
from ..reading import case_twins
from .reviews import TEXTS, Reviews

SHARES, LEAST = 4, 1 << 20  # the texts are fetched in so many goes, of at least so many reviews each
SLICE = 1 << 17  # reviews put in order at a time
WHITE = " \t\r\n"


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
    """As ``reading.case_twins``, after a quick look whether there are any among millions."""
    low = pc.utf8_lower(ids)
    if pc.count_distinct(low).as_py() == len(ids):
        return ()
    counted = low.value_counts()
    several = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    return case_twins(sorted(ids.filter(pc.is_in(low, several)).to_pylist()), what)


def table_of_reviews(raw: Reviews, kept: Kept, notes: list[str]) -> pd.DataFrame:
    """Columns ``user``, ``item``, ``part`` (``""``), ``time``, ``rating``, ``review``; one row a pair, in its order.

    Of the reviews of one pair at the same time the first by rating, summary and text is taken. The texts are fetched
    for a quarter of the rows at a time, so that they are never held twice.
    """
    new = (np.diff(kept.user, prepend=-1) != 0) | (np.diff(kept.item, prepend=-1) != 0)
    start = np.append(np.flatnonzero(new), len(new))  # of each pair's rows in ``kept``
    step = max(LEAST, -(-(len(start) - 1) // SHARES))
    chosen, made, html = [], [], 0
    for first in range(0, len(start) - 1, step):
        some = start[first : first + step + 1]
        texts, place = kept_texts(raw, kept.row[some[0] : some[-1]])
        rows = _first_by_content(some, raw.rating[kept.row[some[0] : some[-1]]], texts, place)
        chosen.append(rows)
        for low in range(0, len(rows), SLICE):
            words, changed = _joined(texts.take(pa.array(place[rows[low : low + SLICE] - some[0]])))
            made.append(words)
            html += changed
        del texts
        pa.default_memory_pool().release_unused()
    if html:
        notes.append(f"Reviews that had HTML taken out: {html:,}.")
    row = np.concatenate(chosen)
    columns = {"user": kept.user[row], "item": kept.item[row], "part": ""}
    row = kept.row[row]
    table = pd.DataFrame(columns | {"time": raw.time[row], "rating": raw.rating[row]})
    return table.assign(review=pa.chunked_array(made).to_pandas())


def kept_texts(reviews: Reviews, rows: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """The columns ``summary`` and ``text`` of some reviews, in the file's order, and where each of ``rows`` is there.

    Args:
        rows: each once; [m].
    """
    order = np.argsort(rows)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    wanted, found, start = rows[order], [], 0
    with pa.OSFile(str(reviews.texts)) as source, pa.ipc.open_file(source) as reader:
        for number in progress(range(reader.num_record_batches), "Fetching the kept reviews", unit="batches"):
            batch = reader.get_batch(number)
            low, high = np.searchsorted(wanted, [start, start + len(batch)])
            found.append(batch.take(pa.array(wanted[low:high] - start)))
            start += len(batch)
    columns = {}
    for name in TEXTS.names:
        columns[name] = pa.concat_arrays([batch[name].cast(pa.large_string()) for batch in found])
    return pa.table(columns), place


def _first_by_content(start: np.ndarray, rating: np.ndarray, texts: pa.Table, place: np.ndarray) -> np.ndarray:
    """One row a pair, as places in ``Kept``; ``start`` is where each pair's rows begin there, then where they end."""
    chosen = start[:-1].copy()
    for pair in np.flatnonzero(np.diff(start) > 1):
        rows = np.arange(start[pair], start[pair + 1])
        words = texts.take(pa.array(place[rows - start[0]])).to_pylist()
        content = [(rating[row - start[0]], one["summary"], one["text"], row) for row, one in zip(rows, words)]
        chosen[pair] = min(content)[-1]
    return chosen


def _joined(texts: pa.Table) -> tuple[pa.Array, int]:
    """Summary and text of each row as one plain text, and how many had HTML in them."""
    both = pc.binary_join_element_wise(texts["summary"], texts["text"], pa.scalar(" ", pa.large_string()))
    both = pc.utf8_trim(both, WHITE).combine_chunks()
    odd = pc.match_substring_regex(both, "[&<]")
    old = both.filter(odd).to_pylist()
    new = [plain(one) for one in old]
    made = pc.replace_with_mask(both, odd, pa.array(new, pa.large_string())) if old else both
    return made, sum(one != other for one, other in zip(old, new))
