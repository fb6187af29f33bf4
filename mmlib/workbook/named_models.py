"""Recommenders by name: those of ``mmlib.recommenders`` in small letters, and anybody's own as ``"my_models:Mine"``."""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .. import recommenders
from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, closest, one_of
from ..core.features import Features
from ..training import Recommender, arguments
from .fit import cached_searches
from .paths import project

RECOMMENDERS: dict[str, Any] = {name.lower(): getattr(recommenders, name) for name in recommenders.__all__}
GIVEN = ("data", "features", "start", "negatives", "neighbour_lists")  # what a constructor takes beside options


def model_class(name: str, models: Sequence[Path] = ()) -> Any:
    """The recommender of a name; ``"module:Class"`` is imported from the project's folder, those of ``models`` and of
    the variable ``MMLIB_MODELS``, the current one, or Python's path.

    Raises:
        InputError: for an unknown name, and where there is no such module or class, or it is no recommender.
    """
    if ":" not in str(name):
        return RECOMMENDERS[one_of("recommender", name, RECOMMENDERS)]
    module, _, wanted = name.partition(":")
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", module) or not wanted.isidentifier():
        raise InputError(f'recommender = "{name}": write module:Class, such as my_models:Mine.')
    named = os.environ.get("MMLIB_MODELS", "").split(os.pathsep)
    folders = [*dict.fromkeys(str(one) for one in (project(), *models, *named, Path.cwd()) if one)]
    sys.path += [folder for folder in folders if folder not in sys.path]
    try:
        found = getattr(importlib.import_module(module), wanted, None)
    except Exception as error:
        said = f"{module} cannot be imported: {type(error).__name__}: {error}"
        if isinstance(error, ImportError):
            said = f"{module} cannot be imported: {error}."
            if error.name == module.split(".")[0]:
                said = f"there is no module {module} in {', '.join(folders)} or on Python's path."
        raise InputError(f'recommender = "{name}": {said}') from error
    if found is None:
        inside = vars(sys.modules[module])
        classes = [key for key, one in inside.items() if inspect.isclass(one) and issubclass(one, Recommender)]
        raise InputError(
            f'recommender = "{name}": {module} has no {wanted}.{closest(wanted, classes)} '
            f"Its recommenders: {', '.join(classes) or 'none'}."
        )
    if not inspect.isclass(found) or not issubclass(found, Recommender):
        raise InputError(f'recommender = "{name}": {wanted} is no class made of mm.Recommender.')
    return found


def options_of(name: str, given: Mapping[str, Any] | None = None) -> dict[str, inspect.Parameter]:
    """Every option of a recommender, those of the backbone in ``given`` among them."""
    return {key: value for key, value in model_class(name).options(**given or {}).items() if key not in GIVEN}


def takes_start(name: str) -> bool:
    """Whether a recommender has ID vectors that may start from given ones."""
    return "start" in model_class(name).options()


def reads_content(name: str, options: Mapping[str, Any] | None = None) -> bool:
    """Whether a recommender with these options needs features whatever it starts from."""
    if name == "itemknn":
        return (options or {}).get("on") == "content"
    if ":" in name:
        return "features" in inspect.signature(model_class(name)).parameters
    return "modalities" in model_class(name).options()


def check_options(name: str, given: Mapping[str, Any], *, kinds: bool = False) -> None:
    """That a recommender has these options.

    Args:
        kinds: also that the values are of the kinds that its annotations say.

    Raises:
        InputError: for an unknown option, with the closest name and all that it has, and for a value of another kind.
    """
    known = options_of(name, given)
    for option, value in given.items():
        if option not in known:
            raise InputError(f"{name} has no option {option!r}.{closest(option, known)} It has: {', '.join(known)}.")
        kind = known[option].annotation
        if kinds and kind is not inspect.Parameter.empty:
            try:
                TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)
            except ValidationError:
                kind = kind if isinstance(kind, str) else inspect.formatannotation(kind)
                raise InputError(f"{option} of {name} must be {kind}, not {value!r}.") from None
            except Exception:  # an annotation of somebody's own that says nothing about values
                continue


def recommender(
    name: str,
    data: Dataset,
    /,
    features: Features | None = None,
    *,
    start: Embeddings | None = None,
    **options: Any,
) -> Any:
    """A recommender by its name, such as ``"lightgcn"`` or ``"my_models:Mine"``.

    Args:
        start: vectors to start from; ``None``: random.
        options: of its constructor.

    Raises:
        InputError: for an unknown name or option, and for a start that the model cannot take.
    """
    made = model_class(name)
    check_options(name, options)
    if start is not None and not takes_start(name):
        raise InputError(f"{name} does not learn from vectors that it could start from; set start = 'random'.")
    given: dict[str, Any] = {"features": features} if "features" in inspect.signature(made).parameters else {}
    given |= {"start": start} if start is not None else {}
    arguments.check_values(options, made.options(**options))
    arguments.check_rows(data, features)
    return made(data, **given, **cached_searches(made, data, features, **options), **options)
