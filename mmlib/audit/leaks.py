"""Held-out interactions where a model may see them: in graphs, features and users' texts."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ..core.errors import InputError
from . import vectors as audit_vectors
from .findings import SHOWN, Example, Finding, NotMade
from .given import Given, array

BLOCK = 256  # rows of a graph whose shared purchases are counted at once
OWN = 0.9  # share of edges that are purchases from which a graph of users and items is called one of purchases
FITTED = (
    "Find out which interactions the vectors were fitted on; fit them again on data.train, or use vectors that come "
    "from pictures and words only."
)
TRAIN_ONLY = "Build the graph from data.train only, and repeat everything that used it."


def graphs(given: Given) -> Iterator[Finding]:
    """Edges, and counts on edges, that only held-out interactions explain.

    A graph of users and items is searched for held-out pairs. A graph of users, or of items, is one of shared
    purchases if ``about["graph"]`` says so, or if every edge has a shared purchase; then edges without a shared
    *training* purchase are leaks, and so are whole-numbered weights that are counts over all parts. A graph of
    nearest neighbours by content connects pairs that nobody bought together, and is left alone. Not found:
    held-out interactions that only chose which edges are kept, or that only changed normalised weights.
    """
    if not given.graphs:
        raise NotMade("no graph was given")
    for name, graph in given.graphs.items():
        yield from _graph(given, name, graph)


def _graph(given: Given, name: str, graph: Any) -> Iterator[Finding]:
    row, col = array(graph.row).astype(np.int64), array(graph.col).astype(np.int64)
    users, items = given.data.n_users, given.data.n_items
    about = str((getattr(graph, "about", None) or {}).get("graph", ""))
    shape = (int(graph.n_rows), int(graph.n_cols))
    if shape == (users + items, users + items):
        crossing = (row < users) != (col < users)
        user, item = np.minimum(row, col)[crossing], np.maximum(row, col)[crossing] - users
        yield from _purchases(given, name, user, item)
    elif shape == (users, items) and users != items:
        yield from _purchases(given, name, row, col)
    elif shape == (items, users) and users != items:
        yield from _purchases(given, name, col, row)
    elif shape == (users, users) and (users != items or about.startswith("users by")):
        yield from _shared(given, name, graph, row, col, about, "users")
    elif shape == (items, items):
        yield from _shared(given, name, graph, row, col, about, "items")
    else:
        raise InputError(
            f"The graph {name} is {shape[0]} x {shape[1]}, which fits neither the {users} users nor the {items} items "
            f"of {given.data.name}. Audit it with the dataset that it was made from."
        )


def _purchases(given: Given, name: str, user: np.ndarray, item: np.ndarray) -> Iterator[Finding]:
    pair = np.unique(user * given.data.n_items + item)
    user, item = pair // given.data.n_items, pair % given.data.n_items
    leaked = _at(given.held_out, user, item) > 0
    if not leaked.any():
        return
    own = float((_at(given.full, user, item) > 0).mean())
    found = np.stack([user, item], axis=1)[leaked]
    yield Finding(
        f"held-out pairs in {name}",
        "leak" if own >= OWN else "warning",
        len(found),
        f"The graph {name} has {len(found):,} edges that are held-out interactions, "
        f"{len(found) / given.held_out.nnz:.1%} of all of them; {own:.0%} of its edges are interactions.",
        TRAIN_ONLY,
        given.pairs(found, "a held-out interaction is an edge"),
    )


def _shared(
    given: Given, name: str, graph: Any, row: np.ndarray, col: np.ndarray, about: str, side: str
) -> Iterator[Finding]:
    other = np.flatnonzero(row != col)
    row, col = row[other], col[other]
    train, full = (matrix if side == "users" else matrix.T.tocsr() for matrix in (given.train, given.full))
    weight = array(getattr(graph, "weight", np.ones(0)))
    weight = weight[other] if len(weight) > 0 else np.ones(len(row))
    in_train = counts(train, row, col)
    in_full = in_train.copy()
    asked = (in_train == 0) | (weight > in_train)  # of other edges the held-out part can tell nothing
    in_full[asked] = counts(full, row[asked], col[asked])
    if "shared purchases" not in about and not (len(row) and (in_full > 0).all()):
        return  # made of something else
    pairs = np.unique(np.sort(np.stack([row, col], 1)[(in_train == 0) & (in_full > 0)], axis=1), axis=0)
    if len(pairs):
        yield Finding(
            f"held-out edges in {name}",
            "leak",
            len(pairs),
            f"The graph {name} connects {len(pairs):,} pairs of {side} that share held-out purchases only.",
            TRAIN_ONLY,
            _connected(given, pairs, side, "no training purchase is shared"),
        )
    whole = bool(len(weight)) and float(weight.max()) > 1 and bool((weight == np.round(weight)).all())
    more = (weight > in_train) & (weight <= in_full) & (in_train > 0)
    if whole and more.any():
        pairs = np.unique(np.sort(np.stack([row, col], 1)[more], axis=1), axis=0)
        yield Finding(
            f"held-out counts in {name}",
            "leak",
            len(pairs),
            f"The graph {name} counts more shared purchases than the training part has on {len(pairs):,} edges.",
            TRAIN_ONLY,
            _connected(given, pairs, side, "the count needs held-out purchases"),
        )


def counts(matrix: csr_matrix, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """For each pair of rows, the columns that both have: [e]; products of a block of rows at a time."""
    found, transposed = np.zeros(len(row)), matrix.T.tocsr()
    order = np.argsort(row, kind="stable")
    rows, starts = np.unique(row[order], return_index=True)
    ends = np.append(starts, len(row))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        edges = order[ends[start] : ends[start + len(block)]]
        shared = (matrix[block] @ transposed).tocsr()  # [block, n], sparse
        found[edges] = np.asarray(shared[np.searchsorted(block, row[edges]), col[edges]]).ravel()
    return found


def _at(matrix: csr_matrix, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[row, col]).ravel() if len(row) else np.zeros(0)


def _connected(given: Given, pairs: np.ndarray, side: str, text: str) -> tuple[Example, ...]:
    ids = given.user_ids if side == "users" else given.item_ids
    key = "users" if side == "users" else "items"
    return tuple(Example(text, **{key: ids(pair)}) for pair in pairs[:SHOWN])


def provenance(given: Given) -> Iterator[Finding]:
    """Features made from another dataset or split, or with more reviews of a user than the training part has."""
    if given.features is None:
        raise NotMade("no features were given")
    about, data = given.features.about, given.data
    if "dataset" not in about and getattr(given.features, "review_users", None) is None:
        raise NotMade("the features do not say from which dataset they were made")
    yield from _review_vectors(given)
    if "dataset" in about and about["dataset"] != data.key:
        reviews = getattr(given.features, "reviews", None) is not None
        yield Finding(
            "features of another dataset",
            "warning" if reviews else "note",
            1,
            f"The features were made from a dataset or split with another hash ({about['dataset']}, not {data.key})"
            + ("; the reviews in them may be held out here." if reviews else "; items may have changed."),
            "Extract the features again from this dataset with this split.",
        )


def _review_vectors(given: Given) -> Iterator[Finding]:
    writers = getattr(given.features, "review_users", None)
    if writers is None:
        return
    n = given.data.n_users
    made = np.bincount(array(writers), minlength=n)
    allowed = np.bincount(given.data.reviews["user"].to_numpy(dtype=np.int64), minlength=n)
    more = np.flatnonzero(made[:n] > allowed)
    if len(more):
        yield Finding(
            "held-out reviews in features",
            "leak",
            len(more),
            f"{len(more):,} users have more review vectors than training reviews: "
            f"{int((made[:n] - allowed)[more].sum()):,} held-out reviews are in the features.",
            "Extract the features again from data.reviews, which gives training reviews only.",
            tuple(
                Example(f"{made[user]} review vectors, {allowed[user]} training reviews", users=given.user_ids([user]))
                for user in more[:SHOWN]
            ),
        )


def texts(given: Given) -> Iterator[Finding]:
    """Held-out reviews inside the text that stands for their writer.

    White space and case are ignored. A held-out text that also occurs in a training review of the same user is
    allowed: it is known from there.
    """
    if given.user_texts is None:
        raise NotMade("no texts of the users were given")
    if "review" not in given.data.interactions:
        raise NotMade(f"{given.data.name} has no reviews")
    if len(given.user_texts) != given.data.n_users:
        raise InputError(
            f"user_texts has {len(given.user_texts)} entries for {given.data.n_users} users; give one for each user."
        )
    table = given.data.interactions
    table = table[table["review"].str.strip() != ""]
    held = table[table["part"].isin(("valid", "test"))]
    known: dict[int, list[str]] = {}
    for user, review in table.loc[table["part"] == "train", ["user", "review"]].itertuples(index=False):
        known.setdefault(user, []).append(_plain(review))
    used = [_plain("\n".join([text] if isinstance(text, str) else text)) for text in given.user_texts]
    found = [
        (user, item)
        for user, item, review in held[["user", "item", "review"]].itertuples(index=False)
        if _plain(review) in used[user] and not any(_plain(review) in text for text in known.get(user, ()))
    ]
    if found:
        yield Finding(
            "held-out reviews in users' texts",
            "leak",
            len(found),
            f"The texts of {len({user for user, _ in found}):,} users contain {len(found):,} of their held-out "
            "reviews.",
            "Make a user's text from data.reviews, which gives training reviews only.",
            given.pairs(found, "the held-out review is in the user's text"),
        )


def vectors(given: Given) -> Iterator[Finding]:
    """Item vectors that know more of held-out purchases than taste can tell.

    Two tests, with their power and limits in ``audit_vectors.ceiling`` (all splits; validation and test together, and
    test alone) and ``audit_vectors.preference`` (random splits). Both raise a suspicion, never a proof.
    """
    if given.features is None:
        raise NotMade("no features were given")
    reasons, made = [], 0
    for name, values in given.features.item.items():
        present = array(given.features.present.get(name, np.ones(len(values)))).astype(bool)
        if len(values) != given.data.n_items:
            raise InputError(
                f"There are {len(values)} {name} vectors for the {given.data.n_items} items of {given.data.name}. "
                "Audit features with the dataset that they were made from."
            )
        try:
            matched = audit_vectors.match(array(values), present, given.train)
        except NotMade as why:
            reasons.append(str(why))
            continue
        for test in (_preference, _ceiling):
            try:
                yield from test(given, name, matched)
                made += 1
            except NotMade as why:
                reasons.append(str(why))
    if not made:
        raise NotMade(reasons[0] if reasons else "the features have no item vectors")


def _preference(given: Given, name: str, matched: audit_vectors.Matched) -> Iterator[Finding]:
    if not (given.data.split and "random" in given.data.split.protocol):
        raise NotMade("the split is not random")
    t, users = audit_vectors.preference(matched, given.data.matrix("test"), given.data.matrix("valid"))
    given.facts[f"{name} vectors, test nearer than validation (t)"] = round(t, 2)
    if abs(t) > audit_vectors.SURER:
        part = "test" if t > 0 else "validation"
        said = (
            f"The {name} vectors place {users:,} users' {part} purchases nearer to them than those of the other "
            f"held-out part (t = {abs(t):.1f}), which a random split does not explain: they were probably fitted "
            f"on the {part} part."
        )
        yield Finding(f"{name} vectors know the {part} part", "warning", users, said, FITTED)


def _ceiling(given: Given, name: str, matched: audit_vectors.Matched) -> Iterator[Finding]:
    parts = (given.held_out, given.data.matrix("test"))
    found = max((audit_vectors.ceiling(matched, given.train, part) for part in parts), key=lambda one: one.score)
    given.facts[f"{name} vectors, share of the noise ceiling"] = round(found.ratio, 3) if found.ceiling > 0 else None
    if found.suspicious:
        said = (
            f"The {name} vectors of {found.items:,} items tell {found.ratio:.2f} times as much of their held-out "
            f"buyers as taste can explain ({found.score:.1f} standard errors above the ceiling): they were probably "
            "fitted on held-out purchases."
        )
        yield Finding(f"{name} vectors know held-out purchases", "warning", found.items, said, FITTED)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()
