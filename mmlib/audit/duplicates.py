"""Items that are one item: the same or nearly the same image or text, the same outside id."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from . import images
from .report import Finding, NotMade, found
from .subject import Subject

MANY = 5  # items with one image or text from which it is called a placeholder
NEAR = 0.7  # share of common runs of words from which two texts are nearly the same: one word in twenty changed
RUN = 3  # words in a run
WORDS = 8  # shorter texts are compared as wholes only
BLOCK = 256  # texts that are compared with all others at once
MOST = 100  # others that share rare runs, with which a text is compared
OUTSIDE = re.compile(r"(id|asin|isbn|ean|upc|gtin|sku|url)$", re.IGNORECASE)
NOTHING = ("", "nan", "None")


def same_image(subject: Subject) -> list[Finding]:
    """Items whose images have the same bytes; more than ``MANY`` with one image are placeholders, not copies."""
    groups = [group for group in same_images(subject) if len(group) < MANY]
    return _copies(subject, "same {what}", groups, "show the same image, byte for byte", what="image")


def near_image(subject: Subject) -> list[Finding]:
    """Items whose images look the same and are different files; see ``images.near``."""
    groups = joined(images.near(subject.images))
    return _copies(
        subject, "near-same {what}", groups, "show images that look the same and are different files", what="image"
    )


def same_title(subject: Subject) -> list[Finding]:
    """Items with the same title, spelled alike but for case, punctuation and space."""
    groups = grouped(subject.data.items["title"].map(normal))
    return _copies(subject, "same {what}", groups, "have the same title", what="title")


def same_text(subject: Subject) -> list[Finding]:
    """Items with the same description, alike but for case, punctuation and space."""
    groups = [group for group in grouped(subject.data.items["text"].map(normal)) if len(group) < MANY]
    return _copies(subject, "same {what}", groups, "have the same description", what="text")


def near_text(subject: Subject) -> list[Finding]:
    """Items whose descriptions share ``NEAR`` of their runs of three words (Jaccard), and are not the same."""
    groups = joined(near_texts(subject.data.items["text"]))
    how = f"have descriptions that share {NEAR:.0%} of their runs of words"
    return _copies(subject, "near-same {what}", groups, how, what="text")


def same_outside_id(subject: Subject) -> list[Finding]:
    """Items that share the id by which others know them: a column called ``...id``, ``asin``, ``isbn``, ``...url`` ...

    Columns in which one value in ten or more is a repeat hold something else, such as a brand's id, and are left out.
    """
    table, findings, made = subject.data.items, [], False
    for name in (str(name) for name in table.columns if OUTSIDE.search(str(name)) and name != "id"):
        cells = table[name].astype(str).str.strip()
        said = cells[~cells.isin(NOTHING)]
        if len(said) > 1 and said.nunique() > 0.9 * len(said):
            made = True
            how = f"share their {name} with another item"
            findings += _copies(subject, "same {what}", grouped(cells), how, what=name)
    if not made:
        raise NotMade("the items have no column with an outside id")
    return findings


def _copies(subject: Subject, kind: str, groups: list[list[int]], how: str, what: str) -> list[Finding]:
    """A finding for groups of items that seem to be one; a warning when they cross the parts for some user."""
    across = crossing(subject, groups)
    twins = sum(len(group) * (len(group) - 1) // 2 for group in groups)
    touched = set(across[:, 1].tolist())
    groups = sorted(groups, key=lambda group: not touched.intersection(group))  # those that cross the parts first
    titles = subject.data.items["title"]
    return found(
        kind,
        sum(map(len, groups)),
        (subject.example(" | ".join(dict.fromkeys(titles.iloc[one].astype(str)))[:160], one) for one in groups),
        severity="warning" if len(across) else "",
        pairs=f"{twins:,} pair{'s' if twins > 1 else ''}",
        how=how,
        crossing=len(across),
        what=what,
    )


def crossing(subject: Subject, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Test pairs [n, 2] whose user has another item of the same group in train."""
    group = np.full(subject.data.n_items, -1)
    for number, items in enumerate(groups):
        group[np.asarray(items)] = number
    train, test = (part[group[part[:, 1]] >= 0] for part in (subject.data.train, subject.data.test))
    known = train[:, 0] * len(groups) + group[train[:, 1]]
    return test[np.isin(test[:, 0] * len(groups) + group[test[:, 1]], known)]


def joined(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of items that pairs connect, ascending."""
    ends = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    items, place = np.unique(ends, return_inverse=True)
    row, col = place.reshape(-1, 2).T
    links = coo_matrix((np.ones(len(row)), (row, col)), shape=(len(items), len(items)))
    labels = connected_components(links, directed=False)[1] if len(items) else items
    return sorted(items[labels == label].tolist() for label in np.unique(labels))


def near_texts(texts: Iterable[str]) -> list[tuple[int, int]]:
    """Pairs of texts that share at least ``NEAR`` of their runs of words and are not the same, ascending.

    Texts with Jaccard similarity s share at least s |x| runs, so of the |x| - s |x| + 1 rarest runs of each at least
    one (the prefix filter of Bayardo, Ma and Srikant 2007). Pairs that share one are compared exactly; of a text that
    shares one with more than ``MOST`` others, those with which it shares the most.
    """
    first: dict[str, int] = {}
    for item, text in enumerate(texts):
        plain = normal(text)
        if len(plain.split()) >= WORDS:
            first.setdefault(plain, item)
    if len(first) < 2:
        return []
    from sklearn.feature_extraction.text import HashingVectorizer

    words = {"token_pattern": r"\S+", "ngram_range": (RUN, RUN), "lowercase": False}
    hashed = HashingVectorizer(n_features=2**31 - 1, binary=True, norm=None, alternate_sign=False, **words)
    runs = hashed.transform(first)
    columns, runs.indices = np.unique(runs.indices, return_inverse=True)
    runs = csr_matrix((runs.data, runs.indices, runs.indptr), shape=(runs.shape[0], len(columns)))
    size, often = np.diff(runs.indptr), np.bincount(runs.indices)
    row = np.repeat(np.arange(len(size)), size)
    order = np.lexsort((runs.indices, often[runs.indices], row))  # of each text, the rarest first
    rare = np.arange(len(row)) - np.repeat(runs.indptr[:-1], size) <= (size - np.ceil(NEAR * size))[row]
    row, col = row[rare], runs.indices[order][rare]
    prefix = csr_matrix((np.ones(len(row), np.float32), (row, col)), shape=runs.shape)
    near = [_near(runs, size, prefix, start) for start in range(0, len(size), BLOCK)]
    items = np.array(list(first.values()))
    return sorted((min(pair), max(pair)) for pair in items[np.concatenate(near)].tolist())


def _near(runs: csr_matrix, size: np.ndarray, prefix: csr_matrix, start: int) -> np.ndarray:
    """Pairs [n, 2] of texts, the first of them in the block that begins at ``start``."""
    shared = (prefix[start : start + BLOCK] @ prefix.T).tocoo()
    a, b, order = start + shared.row, shared.col, np.lexsort((-shared.data, shared.row))
    order = order[(a < b)[order] & (np.minimum(size[a], size[b]) >= NEAR * np.maximum(size[a], size[b]))[order]]
    a, b = a[order], b[order]
    some = np.arange(len(a)) - np.searchsorted(a, a) < MOST
    a, b = a[some], b[some]
    common = np.concatenate(
        [
            np.asarray(runs[a[at : at + 10_000]].multiply(runs[b[at : at + 10_000]]).sum(1)).ravel()
            for at in range(0, max(1, len(a)), 10_000)
        ]
    )
    return np.stack([a, b], 1)[common >= NEAR * (size[a] + size[b] - common)]


def normal(text: str) -> str:
    """Lower case, letters and digits only, single spaces."""
    return " ".join(re.findall(r"\w+", str(text).casefold()))


def grouped(cells: pd.Series) -> list[list[int]]:
    """Places with the same value, where it is not empty; groups of two or more, ascending."""
    cells = pd.Series(cells.to_numpy())
    cells = cells[~cells.isin(NOTHING) & cells.duplicated(keep=False)]
    return sorted(group.tolist() for group in cells.groupby(cells).groups.values())


def same_images(subject: Subject) -> list[list[int]]:
    """Groups of items whose images have the same bytes, each group and all of them in ascending order."""
    content = {item: one.content for item, one in subject.images.items()}
    items = np.array(list(content))
    return [items[group].tolist() for group in grouped(pd.Series(content))]
