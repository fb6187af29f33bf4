"""Held-out interactions where a model may see them: in graphs, features and users' texts."""

import re
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ..core.errors import InputError
from . import noise_ceiling
from .report import Finding, NotMade, found
from .subject import Subject, array

BLOCK = 1024  # edges whose shared interactions are counted at once
OWN = 0.9  # share of edges that are interactions from which a graph of users and items is called one of interactions
SURER = 4.0  # standard errors between test and validation from which a preference is reported


def graphs(subject: Subject) -> list[Finding]:
    """Edges, and counts on edges, that only held-out interactions explain.

    A graph of users and items is searched for held-out pairs. A graph of users, or of items, is one of shared
    interactions if ``about["graph"]`` says so, or if every edge has a shared interaction; then edges without a shared
    *training* interaction are leaks, and so are whole-numbered weights that are counts over all parts. A graph of
    nearest neighbours by content connects pairs that no user has both of, and is left alone. Not found:
    held-out interactions that only chose which edges are kept, or that only changed normalised weights.
    """
    if not subject.graphs:
        raise NotMade("no graph was given")
    return [one for name, graph in subject.graphs.items() for one in _graph(subject, name, graph)]


def _graph(subject: Subject, name: str, graph: Any) -> list[Finding]:
    row, col = array(graph.row).astype(np.int64), array(graph.col).astype(np.int64)
    users, items = subject.data.n_users, subject.data.n_items
    about = str((getattr(graph, "about", None) or {}).get("graph", ""))
    shape = (int(graph.n_rows), int(graph.n_cols))
    if shape == (users + items, users + items):
        across = (row < users) != (col < users)
        return _bipartite(subject, name, np.minimum(row, col)[across], np.maximum(row, col)[across] - users)
    if users != items and shape in ((users, items), (items, users)):
        return _bipartite(subject, name, *((row, col) if shape == (users, items) else (col, row)))
    if shape in ((users, users), (items, items)):
        of_users = shape == (users, users) and (users != items or about.startswith("users by"))
        return _one_sided(subject, name, graph, row, col, about, "users" if of_users else "items")
    raise InputError(
        f"The graph {name} is {shape[0]} x {shape[1]}, which fits neither the {users} users nor the {items} items "
        f"of {subject.data.name}. Audit it with the dataset that it was made from."
    )


def _bipartite(subject: Subject, name: str, user: np.ndarray, item: np.ndarray) -> list[Finding]:
    """Held-out pairs among the edges of a graph of users and items."""
    pairs = np.unique(np.stack([user, item], 1), axis=0)
    leaked = pairs[_at(subject.held_out, pairs) > 0]
    own = float((_at(subject.full, pairs) > 0).mean()) if len(pairs) else 0.0
    examples = subject.pairs(leaked, "a held-out interaction is an edge")
    said = {"graph": name, "share": len(leaked) / max(1, subject.held_out.nnz), "own": own}
    return found("held-out pairs in {graph}", len(leaked), examples, severity="" if own >= OWN else "warning", **said)


def _at(matrix: csr_matrix, pairs: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[pairs[:, 0], pairs[:, 1]]).ravel() if len(pairs) else np.zeros(0)


def _one_sided(
    subject: Subject, name: str, graph: Any, row: np.ndarray, col: np.ndarray, about: str, side: str
) -> list[Finding]:
    """Edges and counts that need held-out interactions, in a graph of users or of items."""
    other = np.flatnonzero(row != col)
    row, col = row[other], col[other]
    train, full = (matrix if side == "users" else matrix.T.tocsr() for matrix in (subject.train, subject.full))
    weight = array(getattr(graph, "weight", np.ones(0)))
    weight = weight[other] if len(weight) else np.ones(len(row))
    in_train = shared(train, row, col)
    in_full = in_train.copy()
    asked = (in_train == 0) | (weight > in_train)  # of other edges the held-out part can tell nothing
    in_full[asked] = shared(full, row[asked], col[asked])
    if "by shared" not in about and not (len(row) and (in_full > 0).all()):
        return []  # made of something else
    counted = bool(len(weight)) and float(weight.max()) > 1 and bool((weight == np.round(weight)).all())
    more = (weight > in_train) & (weight <= in_full) & (in_train > 0) & counted
    findings = []
    for kind, which, text in (
        ("held-out edges in {graph}", (in_train == 0) & (in_full > 0), "no training interaction is shared"),
        ("held-out counts in {graph}", more, "the count needs held-out interactions"),
    ):
        pairs = np.unique(np.sort(np.stack([row, col], 1)[which], axis=1), axis=0)
        examples = (subject.example(text, **{side: pair}) for pair in pairs)
        findings += found(kind, len(pairs), examples, graph=name, side=side)
    return findings


def shared(matrix: csr_matrix, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """For each pair of rows of a binary matrix, the columns that both have: [e]."""
    found = np.zeros(len(row))
    for start in range(0, len(row), BLOCK):
        block = slice(start, start + BLOCK)
        found[block] = np.asarray(matrix[row[block]].multiply(matrix[col[block]]).sum(1)).ravel()
    return found


def provenance(subject: Subject) -> list[Finding]:
    """Features made from another dataset or split, or with more reviews of a user than the training part has."""
    features, data = subject.features, subject.data
    if features is None:
        raise NotMade("no features were given")
    theirs, counts = features.about.get("dataset"), getattr(features, "reviews_by_user", None)
    if theirs is None and counts is None:
        raise NotMade("the features do not say from which dataset they were made")
    findings = []
    if counts is not None:
        made = np.zeros(data.n_users, dtype=np.int64)
        made[: len(counts)] = array(counts)[: data.n_users]
        allowed = np.bincount(data.reviews["user"].to_numpy(dtype=np.int64), minlength=data.n_users)
        more = np.flatnonzero(made > allowed)
        examples = (
            subject.example(f"{made[user]} review vectors, {allowed[user]} training reviews", users=[user])
            for user in more.tolist()
        )
        findings += found("held-out reviews in features", len(more), examples, more=int((made - allowed)[more].sum()))
    if theirs not in (None, data.key):
        reviews = counts is not None
        so = "the reviews in them may be held out here" if reviews else "items may have changed"
        said = {"theirs": theirs, "ours": data.key, "so": so}
        findings += found("features of another dataset", 1, severity="warning" if reviews else "", **said)
    return findings


def texts(subject: Subject) -> list[Finding]:
    """Held-out reviews inside the text that stands for their writer.

    White space and case are ignored. A held-out text that also occurs in a training review of the same user is
    allowed: it is known from there.
    """
    data = subject.data
    if subject.user_texts is None:
        raise NotMade("no texts of the users were given")
    if "review" not in data.interactions:
        raise NotMade(f"{data.name} has no reviews")
    if len(subject.user_texts) != data.n_users:
        raise InputError(
            f"user_texts has {len(subject.user_texts)} entries for {data.n_users} users; give one for each user."
        )
    table = data.interactions[["user", "item", "part"]].assign(review=data.interactions["review"].map(_plain))
    table = table[table["review"] != ""]
    known = table[table["part"] == "train"].groupby("user")["review"].agg(list).to_dict()
    used = [_plain("\n".join([text] if isinstance(text, str) else text)) for text in subject.user_texts]
    held = table[table["part"].isin(("valid", "test"))]
    leaked = [
        (user, item)
        for user, item, review in zip(*(held[name].tolist() for name in ("user", "item", "review")))
        if review in used[user] and not any(review in text for text in known.get(user, ()))
    ]
    examples = subject.pairs(leaked, "the held-out review is in the user's text")
    return found("held-out reviews in users' texts", len(leaked), examples, users=len({user for user, _ in leaked}))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


def vectors(subject: Subject) -> list[Finding]:
    """Item vectors that know more of held-out interactions than taste can tell.

    Two tests, with their power and limits in ``noise_ceiling.ceiling`` (all splits; validation and test together, and
    test alone) and ``noise_ceiling.preference`` (random splits). Both raise a suspicion, never a proof.
    """
    if subject.features is None:
        raise NotMade("no features were given")
    findings, reasons, made = [], [], False
    for name, values in subject.features.item.items():
        present = array(subject.features.present.get(name, np.ones(len(values)))).astype(bool)
        if len(values) != subject.data.n_items:
            raise InputError(
                f"There are {len(values)} {name} vectors for the {subject.data.n_items} items of {subject.data.name}. "
                "Audit features with the dataset that they were made from."
            )
        try:
            matched = noise_ceiling.match(array(values), present, subject.train)
        except NotMade as why:
            reasons.append(str(why))
            continue
        for test in (_preference, _ceiling):
            try:
                findings += test(subject, name, matched)
                made = True
            except NotMade as why:
                reasons.append(str(why))
    if not made:
        raise NotMade(reasons[0] if reasons else "the features have no item vectors")
    return findings


def _preference(subject: Subject, name: str, matched: noise_ceiling.Matched) -> list[Finding]:
    if "random" not in subject.protocol:
        raise NotMade("the split is not random")
    t, users = noise_ceiling.preference(matched, subject.data.matrix("test"), subject.data.matrix("valid"))
    subject.facts[f"{name} vectors, test nearer than validation (t)"] = round(t, 2)
    part = "test" if t > 0 else "validation"
    return found("{name} vectors know the {part} part", users * (abs(t) > SURER), name=name, part=part, t=abs(t))


def _ceiling(subject: Subject, name: str, matched: noise_ceiling.Matched) -> list[Finding]:
    parts = (subject.held_out, subject.data.matrix("test"))
    most = max((noise_ceiling.ceiling(matched, subject.train, part) for part in parts), key=lambda one: one.score)
    subject.facts[f"{name} vectors, share of the noise ceiling"] = round(most.ratio, 3) if most.ceiling > 0 else None
    count = most.items * most.suspicious
    said: dict[str, Any] = {"name": name, "ratio": most.ratio if count else 0, "score": most.score}
    return found("{name} vectors know held-out interactions", count, **said)
