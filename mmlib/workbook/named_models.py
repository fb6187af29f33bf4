"""Recommenders by their names, with the options that pages give to many of them and those of one alone."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .. import recommenders
from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, closest, one_of
from ..core.features import Features
from ..core.kept import keeping
from .searches import cached_search

RECOMMENDERS: dict[str, Callable[..., Any]] = {one.lower(): getattr(recommenders, one) for one in recommenders.__all__}
READ_IF_ASKED = ("itemknn",)  # on="content" is one of their options
TUNED = ("bpr", "lightgcn", "mixgcf", "ngcf")  # their papers leave these open, so the pages' values hold for them
LEFT_OPEN = ("layers", "candidates", "l2")


def reads_content(name: str, model_options: Mapping[str, Any] | None = None) -> bool:
    """Whether a recommender with these options needs features whatever it starts from."""
    one_of("recommender", name, RECOMMENDERS)
    if name in READ_IF_ASKED:
        return (model_options or {}).get("on") == "content"
    return "modalities" in inspect.signature(RECOMMENDERS[name]).parameters


def recommender(
    name: str,
    data: Dataset,
    features: Features | None = None,
    *,
    start: Embeddings | None = None,
    model_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """A recommender by its name, see ``RECOMMENDERS``.

    Args:
        start: vectors to start from; ``None``: random.
        model_options: options of this model alone, each of which it must have.
        options: what many models share, taken by those that have it; ``layers``, ``candidates`` and ``l2`` only by
            those whose papers leave them open, since the others' values are part of the method.

    Raises:
        InputError: for an unknown name or option, and for a start that the model cannot take.
    """
    one_of("recommender", name, RECOMMENDERS)
    known = inspect.signature(RECOMMENDERS[name]).parameters
    own = dict(model_options or {})
    if start is not None and "start" not in known:
        raise InputError(f"{name} does not learn from vectors that it could start from; set start = 'random'.")
    names = _options(known, own)
    for option in own:
        if option not in names:
            raise InputError(
                f"model_options: {name} has no option {option!r}.{closest(option, names)} It has: {', '.join(names)}."
            )
    shared = {key: value for key, value in options.items() if key in known and (name in TUNED or key not in LEFT_OPEN)}
    given = {"start": start} if start is not None else {}
    with keeping(cached_search):
        return RECOMMENDERS[name](data, features, **(shared | given | own))


def _options(known: Mapping[str, inspect.Parameter], own: Mapping[str, Any]) -> list[str]:
    """Names of all options: the model's own and, where it hands the rest on to a backbone, those of that."""
    names = [one for one in known if one not in ("data", "features", "start")]
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        named = str(own.get("backbone", known["backbone"].default))
        within = RECOMMENDERS.get("bpr" if named == "mf" else named, RECOMMENDERS["lightgcn"])
        more = inspect.signature(within).parameters
        names += [one for one in more if one not in (*names, "data", "features", "start")]
    return [one for one in names if known.get(one) is None or known[one].kind is not inspect.Parameter.VAR_KEYWORD]
