"""Can this dataset, with this split, carry a result? All checks, and one report of them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from . import content, copies, leaks, split
from .findings import Audit, Finding, NotMade, worst_first
from .given import Given

CHECKS: dict[str, Callable[[Given], Iterator[Finding]]] = {
    "held-out interactions in graphs": leaks.graphs,
    "features made from this dataset and its training reviews": leaks.provenance,
    "held-out purchases in item vectors": leaks.vectors,
    "held-out reviews in users' texts": leaks.texts,
    "future interactions in train": split.future,
    "pairs in several parts": split.several_parts,
    "users and items unseen in train": split.unseen,
    "items with the same outside id": copies.same_outside_id,
    "items with the same picture": copies.same_picture,
    "items with nearly the same picture": copies.near_picture,
    "items with the same title": copies.same_title,
    "items with the same text": copies.same_text,
    "items with nearly the same text": copies.near_text,
    "flaws that the catalogue names itself": content.flagged,
    "placeholder pictures": content.placeholder_pictures,
    "unreadable pictures": content.unreadable_pictures,
    "missing pictures": content.missing_pictures,
    "texts cut by the encoder": content.cut_texts,
    "one text on many items": content.boilerplate,
    "missing texts": content.empty_texts,
    "what the test part can resolve": split.resolution,
    "long tail": split.long_tail,
    "short histories": split.short_histories,
    "repeated interactions": split.repeated,
}
PICTURES = {"items with the same picture", "items with nearly the same picture", "placeholder pictures"}
PICTURES |= {"unreadable pictures"}
OF_GIVEN = (  # what depends on graphs, features, texts or the encoder; all other checks look at the dataset alone
    "held-out interactions in graphs",
    "features made from this dataset and its training reviews",
    "held-out purchases in item vectors",
    "held-out reviews in users' texts",
    "texts cut by the encoder",
)


def audit(
    data: Dataset,
    *,
    graphs: Mapping[str, Any] | Sequence[Any] = (),
    features: Any = None,
    user_texts: Sequence[Any] | None = None,
    context: int | None = None,
    tokens: Callable[[str], int] | None = None,
    pictures: bool = True,
    only: Collection[str] | None = None,
) -> Audit:
    """Look for what voids or bends results, and say of each flaw how bad it is, how often it occurs, and what to do.

    Every check says in its own docstring what it finds and what it cannot find. Everything is compared in blocks or
    by hashes: nothing of size items x items or users x users is held. Each picture is read once.

    Args:
        data: split.
        graphs: what models will read: name -> graph, or graphs (named by ``about["graph"]``). A graph is anything with
            ``row``, ``col`` [e], ``n_rows``, ``n_cols``, and maybe ``weight`` [e] and ``about``. Graphs of users and
            items put items after users.
        features: what models will read: anything like ``vectors.Features``.
        user_texts: [n_users], the text, or the list of texts, that stands for each user.
        context: tokens of a text that the encoder reads, such as 77 for CLIP.
        tokens: text -> number of tokens, start and end included; default: words and marks, which is a lower bound.
        pictures: ``False`` leaves out the checks that must read every picture.
        only: names of the checks to make, of ``CHECKS``; the others are not spoken of. Default: all.

    Raises:
        InputError: when ``data`` is not split, or a graph, features or texts belong to another dataset.
    """
    data.part("train")  # refuses a dataset without a split, before any work
    if context is not None and context < 1:
        raise InputError(f"context = {context} must be at least 1: the tokens of a text that the encoder reads.")
    given = Given(data, _named(graphs), features, user_texts, context, tokens)
    findings: list[Finding] = []
    clean, not_made = [], {}
    chosen = CHECKS if only is None else {name: CHECKS[one_of("only", name, CHECKS)] for name in only}
    for name, check in chosen.items():
        if name in PICTURES and not pictures:
            not_made[name] = "pictures were not to be read"
            continue
        try:
            found = list(check(given))
        except NotMade as why:
            not_made[name] = str(why)
            continue
        findings += found
        clean += [] if found else [name]
    checked = tuple(name for name in chosen if name not in not_made)
    passport = asdict(data.split) if data.split else {}
    report = worst_first(findings), checked, tuple(clean), not_made, given.facts, data.notes
    return Audit(data.name, passport, *report)


def _named(graphs: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Graphs by name.

    Raises:
        InputError: for what is no graph.
    """
    if isinstance(graphs, Mapping):
        named = {str(name): graph for name, graph in graphs.items()}
    else:
        named = {}
        for number, graph in enumerate(graphs, 1):
            name = str((getattr(graph, "about", None) or {}).get("graph", f"graph {number}"))
            named[f"{name} ({number})" if name in named else name] = graph
    for name, graph in named.items():
        lacking = [part for part in ("row", "col", "n_rows", "n_cols") if not hasattr(graph, part)]
        if lacking:
            raise InputError(f"{name} is not a graph: it has no {', '.join(lacking)}. Give mmlib graphs, or the like.")
    return named
