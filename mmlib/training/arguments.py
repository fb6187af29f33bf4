"""What a constructor was given: every argument is recorded, checked against its choices and known by its content."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import InputError, closest, number, one_of
from ..core.files import digest

BOUNDS: dict[str, dict[str, int]] = {  # of numbers, by an option's name or its last word
    name: bounds
    for names, bounds in (
        ("dim", {"least": 1, "most": 2**20}),
        ("batch_size candidates chunk k negatives", {"least": 1}),
        ("content_dim epochs evaluate_every layers l2 neighbours patience shrink weight weight_decay", {"least": 0}),
        ("cima_weight", {"least": 0, "most": 1}),
        ("dropout pruning", {"least": 0, "below": 1}),
        ("lr ridge temperature", {"above": 0}),
        ("seed", {"least": -(2**63), "most": 2**64 - 1}),
    )
    for name in names.split()
}


class Arguments(dict[str, Any]):
    """The arguments of a constructor by name."""

    @functools.cached_property
    def _contents(self) -> dict[str, Any]:
        found = {}
        for name, value in self.items():
            with contextlib.suppress(TypeError):
                found[name] = content(value)
        return found

    def unknown(self) -> list[str]:
        """Names of arguments that cannot be known by their content."""
        return [name for name in self if name not in self._contents]

    def described(self) -> dict[str, Any]:
        """Plain values as they are, others by what identifies their content, the unknown ones by their type."""
        return {name: f"a {type(self[name]).__name__}, not known by its content" for name in self} | self._contents


def recorded(init: Callable[..., None], owner: str) -> Callable[..., None]:
    """``init`` with a record of its arguments, defaults among them, in ``self._arguments``.

    What a subclass passes on to the constructor that it inherits is recorded too; as ``owner.name`` where it
    differs from what the subclass was itself given by that name. Values that a ``Literal`` does not list are refused,
    and so are those of another kind than a plain annotation says, and numbers outside ``BOUNDS``.

    Raises:
        InputError: from the constructor, for a name that it does not have or a value that its option cannot have.
    """
    signature = inspect.signature(init)
    rest = [one.name for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD]

    @functools.wraps(init)
    def recording(self: Any, *args: Any, **options: Any) -> None:
        try:
            bound = signature.bind(self, *args, **options)
        except TypeError as error:
            raise _unknown(type(self), options, error) from None
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])  # without self
        for name in rest:
            given |= given.pop(name)
        check_values(given, signature.parameters)
        check_rows(given.get("data"), given.get("features"))
        noted = self.__dict__.setdefault("_arguments", Arguments())
        for name, value in given.items():
            noted.setdefault(name if _same(noted.get(name, value), value) else f"{owner}.{name}", value)
        init(self, *args, **options)

    return recording


def options_of(cls: type) -> dict[str, inspect.Parameter]:
    """Every option of a constructor, those that ``**`` hands on to inherited ones among them."""
    found: dict[str, inspect.Parameter] = {}
    for owner in (owner for owner in cls.__mro__ if "__init__" in vars(owner) and owner is not nn.Module):
        named = inspect.signature(owner.__init__).parameters  # type: ignore[misc]
        found |= {name: one for name, one in named.items() if one.kind is one.KEYWORD_ONLY and name not in found}
        if not any(one.kind is one.VAR_KEYWORD for one in named.values()):
            break
    return found


def content(value: Any) -> Any:
    """A plain value as it is, anything else by what identifies its content.

    Raises:
        TypeError: for what cannot be known by its content, such as a function.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(getattr(value, "key", None), str):  # Dataset, Features, Graph, Embeddings
        return value.key
    if isinstance(value, Mapping):
        return {str(name): content(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [content(one) for one in value]
    if isinstance(value, Tensor):
        return digest(
            str(value.dtype), (value.float() if value.dtype == torch.bfloat16 else value).detach().cpu().numpy()
        )
    if isinstance(value, np.ndarray | np.generic | PurePath):
        return digest(value) if isinstance(value, np.ndarray) else str(value)
    if isinstance(value, nn.Module):
        return repr(value)
    raise TypeError(f"{type(value).__name__} cannot be known by its content")


def _check(name: str, value: Any, annotation: Any) -> None:
    """Refuse what the option cannot have, where its annotation is a ``Literal``, a type or a union of types."""
    if get_origin(annotation) is Literal:
        one_of(name, value, get_args(annotation))
        return
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if any(not isinstance(kind, type) or get_origin(kind) or kind is inspect.Parameter.empty for kind in kinds):
        return
    if type(value) in set(kinds) - {int, float}:
        return
    if {int, float} & set(kinds):
        bounds = BOUNDS.get(name, BOUNDS.get(name.rpartition("_")[2], {}))
        number(name, value, whole=float not in kinds, **bounds)
    elif not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise InputError(f"{name} must be {wanted}, not {value!r} ({type(value).__name__}).")


def check_values(given: Mapping[str, Any], known: Mapping[str, inspect.Parameter]) -> None:
    """Refuse what a function or constructor with these parameters will refuse; see ``recorded``."""
    for name in (name for name in given if name in known):
        _check(name, given[name], known[name].annotation)


def check_rows(data: Any, features: Any) -> None:
    """Refuse features of another catalogue."""
    for modality, vectors in getattr(features, "item", {}).items():
        if len(vectors) != data.n_items:
            raise InputError(
                f"features have {modality} vectors of {len(vectors):,} items, but {data.name} has {data.n_items:,}: "
                "they were made for another catalogue. Extract them from this one."
            )


def _same(one: Any, other: Any) -> bool:
    plain = str | int | float | bool | None
    return one is other or (isinstance(one, plain) and isinstance(other, plain) and one == other)


def _unknown(cls: type, options: Mapping[str, Any], error: TypeError) -> Exception:
    known = options_of(cls)
    wrong = [name for name in options if f"'{name}'" in str(error)]
    if "unexpected keyword" not in str(error) or not wrong:
        return TypeError(f"{cls.__name__}: {error}")
    message = f"{cls.__name__} has no option {wrong[0]!r}.{closest(wrong[0], known)} It has: {', '.join(known)}."
    return InputError(message)
