"""The kept reviews of Amazon's form as the table of interactions, with their texts fetched back from disk."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...core.progress import progress
from ..clean_items import plain
from .reviews import TEXTS, Reviews
from .selection import Kept

SHARES, LEAST = 4, 1 << 20  # the texts are fetched in so many goes, of at least so many reviews each
SLICE = 1 << 17  # reviews put in order at a time
WHITE = " \t\r\n"


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
