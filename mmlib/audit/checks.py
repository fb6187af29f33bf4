"""Can this dataset, with this split, carry a result? All checks, and one report of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from . import duplicates, interactions, item_content, leaks
from .report import Audit, Finding, NotMade, worst_first
from .subject import Subject

Checks = dict[str, Callable[[Subject], list[Finding]]]

OF_GIVEN: Checks = {  # what depends on graphs, features, texts or the encoder; all others look at the dataset alone
    "held-out interactions in graphs": leaks.graphs,
    "features made from this dataset and its training reviews": leaks.provenance,
    "held-out interactions in item vectors": leaks.vectors,
    "held-out reviews in users' texts": leaks.texts,
    "texts cut by the encoder": item_content.cut_texts,
}
OF_IMAGES: Checks = {
    "items with the same image": duplicates.same_image,
    "items with nearly the same image": duplicates.near_image,
    "placeholder images": item_content.placeholder_images,
    "unreadable images": item_content.unreadable_images,
}
CHECKS: Checks = {
    **OF_GIVEN,
    "future interactions in train": interactions.future,
    "pairs in several parts": interactions.several_parts,
    "users and items unseen in train": interactions.unseen,
    "items with the same outside id": duplicates.same_outside_id,
    "items with the same title": duplicates.same_title,
    "items with the same text": duplicates.same_text,
    "items with nearly the same text": duplicates.near_text,
    **OF_IMAGES,
    "warnings when the catalogue was read": item_content.warned,
    "flaws that the catalogue names itself": item_content.flagged,
    "missing images": item_content.missing_images,
    "missing texts": item_content.empty_texts,
    "one text on many items": item_content.boilerplate,
    "what the test part can resolve": interactions.resolution,
    "long tail": interactions.long_tail,
    "short histories": interactions.short_histories,
    "repeated interactions": interactions.repeated,
}


def audit(
    data: Dataset,
    *,
    graphs: Mapping[str, Any] | Sequence[Any] = (),
    features: Any = None,
    user_texts: Sequence[Any] | None = None,
    context: int | None = None,
    tokens: Callable[[str], int] | None = None,
    images: bool = True,
    only: Collection[str] | None = None,
) -> Audit:
    """Look for what voids or bends results, and say of each flaw how bad it is, how often it occurs, and what to do.

    Every check says in its own docstring what it finds and what it cannot find. Everything is compared in blocks or
    by hashes: nothing of size items x items or users x users is held. Each image is read once.

    Args:
        data: split.
        graphs: what models will read: name -> graph, or graphs (named by ``about["graph"]``). A graph is anything with
            ``row``, ``col`` [e], ``n_rows``, ``n_cols``, and maybe ``weight`` [e] and ``about``. Graphs of users and
            items put items after users.
        features: what models will read: anything like ``core.features.Features``.
        user_texts: [n_users], the text, or the list of texts, that stands for each user.
        context: tokens of a text that the encoder reads, such as 77 for CLIP.
        tokens: text -> number of tokens, start and end included; default: words and marks, which is a lower bound.
        images: ``False`` leaves out the checks that must read every image.
        only: names of the checks to make, of ``CHECKS``; the others are not spoken of. Default: all.

    Raises:
        InputError: when ``data`` is not split, or a graph, features or texts belong to another dataset.
    """
    data.part("train")  # refuses a dataset without a split, before any work
    if context is not None and context < 1:
        raise InputError(f"context = {context} must be at least 1: the tokens of a text that the encoder reads.")
    subject = Subject(data, _named(graphs), features, user_texts, context, tokens)
    chosen = CHECKS if only is None else {name: CHECKS[one_of("only", name, CHECKS)] for name in only}
    made: dict[str, list[Finding]] = {}
    not_made = {}
    for name, check in chosen.items():
        try:
            if name in OF_IMAGES and not images:
                raise NotMade("images were not to be read")
            made[name] = check(subject)
        except NotMade as why:
            not_made[name] = str(why)
    findings = worst_first(one for some in made.values() for one in some)
    clean = tuple(name for name, some in made.items() if not some)
    passport = asdict(data.split) if data.split else {}
    return Audit(data.name, passport, findings, tuple(made), clean, not_made, subject.facts, data.notes)


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
