"""Items that are one item: the same picture, the same or nearly the same text, the same outside id."""

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from . import pictures as audit_pictures
from .findings import SHOWN, Example, Finding, NotMade
from .given import Given

MANY = 5  # items with one picture or text from which it is called a placeholder
NEAR = 0.7  # share of common runs of words from which two texts are nearly the same: one word in twenty changed
RUN = 3  # words in a run
WORDS = 8  # shorter texts are compared as wholes only
BANDS, ROWS = 32, 3  # a pair is looked at if one of 32 groups of 3 minima agrees: from 0.7 on all but 2 in a million
BUCKET = 30  # texts with the same group of minima of which each is compared with each
OUTSIDE = re.compile(r"(id|asin|isbn|ean|upc|gtin|sku|url)$", re.IGNORECASE)
MERGE = "Merge the copies before the split (map their ids to one), or keep all copies of an item in one part."


def same_picture(given: Given) -> Iterator[Finding]:
    """Items whose pictures have the same bytes; more than ``MANY`` with one picture are placeholders, not copies."""
    groups = [group for group in audit_pictures.same(_pictures(given)) if len(group) < MANY]
    yield from _copies(given, "same picture", groups, "show the same picture, byte for byte")


def near_picture(given: Given) -> Iterator[Finding]:
    """Items whose pictures look the same and are different files; see ``audit_pictures.near``."""
    groups = joined(audit_pictures.near(_pictures(given)))
    yield from _copies(given, "near-same picture", groups, "show pictures that look the same and are different files")


def same_title(given: Given) -> Iterator[Finding]:
    """Items with the same title, spelled alike but for case, punctuation and space."""
    yield from _copies(given, "same title", _equal(given.data.items["title"]), "have the same title")


def same_text(given: Given) -> Iterator[Finding]:
    """Items with the same description, alike but for case, punctuation and space."""
    groups = [group for group in _equal(given.data.items["text"]) if len(group) < MANY]
    yield from _copies(given, "same text", groups, "have the same description")


def near_text(given: Given) -> Iterator[Finding]:
    """Items whose descriptions share ``NEAR`` of their runs of three words (Jaccard), and are not the same.

    Candidates come from MinHash (Broder 1997) by bands; each is then compared exactly.
    """
    groups = joined(near_texts(given.data.items["text"]))
    yield from _copies(
        given, "near-same text", groups, f"have descriptions that share {NEAR:.0%} of their runs of words"
    )


def same_outside_id(given: Given) -> Iterator[Finding]:
    """Items that share the id by which others know them: a column called ``...id``, ``asin``, ``isbn``, ``...url`` ...

    Columns in which one value in ten or more is a repeat hold something else, such as a brand's id, and are left out.
    """
    table = given.data.items
    names = [str(name) for name in table.columns if OUTSIDE.search(str(name)) and name != "id"]
    names = [name for name in names if _is_key(table[name].astype(str).str.strip())]
    if not names:
        raise NotMade("the items have no column with an outside id")
    for name in names:
        cells = table[name].astype(str).str.strip()
        yield from _copies(given, f"same {name}", _grouped(cells), f"share their {name} with another item")


def _is_key(cells: pd.Series) -> bool:
    said = cells[~cells.isin(["", "nan", "None"])]
    return len(said) > 1 and said.nunique() > 0.9 * len(said)


def _copies(given: Given, kind: str, groups: Sequence[Sequence[int]], how: str) -> Iterator[Finding]:
    """A finding for groups of items that seem to be one; a warning when they cross the parts for some user."""
    if not groups:
        return
    across = crossing(given, groups)
    items = sum(map(len, groups))
    pairs = sum(len(group) * (len(group) - 1) // 2 for group in groups)
    bought = set(across[:, 1].tolist())
    groups = sorted(groups, key=lambda group: not bought.intersection(group))  # those that cross the parts first
    yield Finding(
        kind,
        "warning" if len(across) else "note",
        items,
        f"{items:,} items ({pairs:,} pair{'s' if pairs > 1 else ''}) {how}; {len(across):,} test interactions are of "
        "an item of which the same user has a copy in train.",
        MERGE,
        tuple(Example(_titles(given, group), given.item_ids(group)) for group in groups[:SHOWN]),
    )


def crossing(given: Given, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Test pairs [n, 2] whose user has another item of the same group in train."""
    group = np.full(given.data.n_items, -1)
    for number, items in enumerate(groups):
        group[np.asarray(items)] = number
    train, test = (part[group[part[:, 1]] >= 0] for part in (given.data.train, given.data.test))
    bought = train[:, 0] * len(groups) + group[train[:, 1]]
    return test[np.isin(test[:, 0] * len(groups) + group[test[:, 1]], bought)]


def joined(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of items that pairs connect, ascending."""
    ends = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    if not len(ends):
        return []
    items, place = np.unique(ends, return_inverse=True)
    place = place.reshape(-1, 2)
    links = csr_matrix((np.ones(len(ends)), (place[:, 0], place[:, 1])), shape=(len(items), len(items)))
    _, label = connected_components(links, directed=False)
    found: dict[int, list[int]] = {}
    for item, one in zip(items.tolist(), label.tolist()):
        found.setdefault(one, []).append(item)
    return sorted(found.values())


def near_texts(texts: Iterable[str]) -> list[tuple[int, int]]:
    """Pairs of texts that share at least ``NEAR`` of their runs of words and are not the same, ascending."""
    runs: dict[str, frozenset[int]] = {}
    first: dict[str, int] = {}
    for item, text in enumerate(texts):
        plain = normal(text)
        if plain not in first and len(words := plain.split()) >= WORDS:
            first[plain] = item
            runs[plain] = frozenset(
                zlib.crc32(" ".join(words[k : k + RUN]).encode()) for k in range(len(words) - RUN + 1)
            )
    items, sets = list(first.values()), list(runs.values())
    found = [
        (items[a], items[b]) for a, b in _candidates(sets) if len(sets[a] & sets[b]) >= NEAR * len(sets[a] | sets[b])
    ]
    return sorted((min(pair), max(pair)) for pair in found)


def _candidates(sets: Sequence[frozenset[int]]) -> Iterator[tuple[int, int]]:
    """Places of sets that agree in all minima of one band, and in half of all minima.

    Of a bucket with more than ``BUCKET`` sets each is paired with the next ``BUCKET`` only.
    """
    if len(sets) < 2:
        return
    sketch = _sketch(sets)
    found = np.zeros(0, dtype=np.int64)
    for band in range(BANDS):
        keys = sketch[:, band * ROWS : (band + 1) * ROWS]
        order = np.lexsort(keys.T)
        for step in range(1, min(BUCKET, len(sets) - 1) + 1):
            agree = (keys[order[step:]] == keys[order[:-step]]).all(axis=1)
            if not agree.any():
                break
            ends = np.sort(np.stack([order[step:][agree], order[:-step][agree]]), axis=0)
            found = np.union1d(found, ends[0] * len(sets) + ends[1])
    for start in range(0, len(found), 100_000):
        a, b = np.divmod(found[start : start + 100_000], len(sets))
        likely = (sketch[a] == sketch[b]).mean(axis=1) >= 0.5
        yield from zip(a[likely].tolist(), b[likely].tolist())


def _sketch(sets: Sequence[frozenset[int]]) -> np.ndarray:
    """The least of each set under ``BANDS * ROWS`` hash functions: [n, BANDS * ROWS] uint32."""
    flat = np.concatenate([np.fromiter(one, np.uint64, len(one)) for one in sets])
    starts = np.cumsum([0, *map(len, sets[:-1])])
    odd = np.random.PCG64(0).random_raw(3 * BANDS * ROWS).astype(np.uint64).reshape(-1, 3) | np.uint64(1)
    sketch = np.empty((len(sets), BANDS * ROWS), dtype=np.uint32)
    for place, (add, first, second) in enumerate(odd):
        mixed = (flat + add) * first  # modulo 2^64; the high bits are well mixed
        mixed = ((mixed ^ (mixed >> np.uint64(29))) * second) >> np.uint64(32)
        sketch[:, place] = np.minimum.reduceat(mixed, starts)
    return sketch


def normal(text: str) -> str:
    """Lower case, letters and digits only, single spaces."""
    return " ".join(re.findall(r"\w+", str(text).casefold()))


def _equal(texts: pd.Series) -> list[list[int]]:
    return _grouped(texts.map(normal))


def _grouped(cells: pd.Series) -> list[list[int]]:
    """Places with the same value, where it is not empty; groups of two or more, ascending."""
    groups: dict[str, list[int]] = {}
    for place, cell in enumerate(cells):
        if cell and cell not in ("nan", "None"):
            groups.setdefault(cell, []).append(place)
    return sorted(group for group in groups.values() if len(group) > 1)


def _pictures(given: Given) -> dict[int, audit_pictures.Seen]:
    if not given.pictures:
        raise NotMade("the items have no pictures")
    return given.pictures


def _titles(given: Given, group: Sequence[int]) -> str:
    names = [str(given.data.items["title"].iat[item]) for item in group]
    return " | ".join(dict.fromkeys(names))[:160]
