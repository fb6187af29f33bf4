"""What decides a result beside plain inputs: the code that was imported, and what objects hold.

Code is followed as it is in memory, not as it lies on the disk by now: from functions and classes to all that they
name, through every module that is not an installed library; of libraries the version counts.
"""

import copyreg
import dis
import functools
import hashlib
import importlib.util
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_NOT_CODE = (  # of the fields of a data class, the defaults are in __init__
    *("__doc__", "__dict__", "__weakref__", "__module__", "__abstractmethods__", "_abc_impl", "__dataclass_fields__"),
)
_IN_C = (types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType)
_AROUND = (classmethod, staticmethod, property, functools.cached_property)  # functions that pickle cannot take apart
_INSIDE = ("__func__", "fget", "fset", "func")  # what those are made of


class Unknown(Exception):
    """Something without content that could be compared, such as an open file, decides a result."""


def fingerprint(*values: Any) -> str:
    """A short hash of anything by content: functions and classes with all that they name, tensors, tables, objects.

    An object counts by its class and all that it holds, or by its ``key`` if it has one, as a ``Dataset`` does.

    Raises:
        Unknown: for what has no content that could be compared.
    """
    walk = _Walk()
    parts = [walk.value(value) for value in values]
    for code in walk.waiting:  # grows on the way
        parts += walk.class_(code) if isinstance(code, type) else walk.function(code)
    return _hash(*parts).hex()[:16]


class _Walk:
    """Hashes of values. A function or a class is a name there, and waits for its turn to be hashed as code."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.known: dict[int, tuple[bytes, Any]] = {}  # id -> hash, and the object, whose id is good while it lives

    def value(self, value: Any) -> bytes:
        if value is None or isinstance(value, str | int | float | complex | bytes):
            return _hash(type(value).__name__, repr(value))
        if id(value) not in self.known:
            kind = type(value).__qualname__
            self.known[id(value)] = _hash("the same again, as in a circle", kind), value
            self.known[id(value)] = _hash(kind, *self.parts(value)), value
        return self.known[id(value)][0]

    def values(self, values: Iterable[Any]) -> list[bytes]:
        return [self.value(value) for value in values]

    def parts(self, value: Any) -> Iterable[str | bytes]:
        torch = sys.modules.get("torch")
        if isinstance(value, types.CodeType):
            return [value.co_code, repr((value.co_names, value.co_varnames)), *self.values(value.co_consts)]
        if isinstance(value, types.ModuleType):
            return _name(value.__name__, "")
        if isinstance(value, types.FunctionType | type):
            if not _is_library(_home(value)):
                self.waiting.append(value)
            wrapped = self.values([value.__wrapped__]) if hasattr(value, "__wrapped__") else []
            return [*_name(_home(value), value.__qualname__), *wrapped]
        if isinstance(value, _IN_C):
            return _name(value.__objclass__.__module__, value.__qualname__)
        if isinstance(value, _AROUND):
            return self.values(getattr(value, name) for name in _INSIDE if hasattr(value, name))
        if callable(value) and hasattr(value, "__wrapped__"):  # functools.lru_cache
            return self.values([value.__wrapped__])
        if isinstance(value, np.ndarray) and value.dtype != object:
            return [f"{value.dtype.str} {value.shape}", np.ascontiguousarray(value).tobytes()]
        if torch and isinstance(value, torch.Tensor):
            return self.values(_arrays(value.detach(), torch))
        if isinstance(value, list | tuple):
            return self.values(value)
        if isinstance(value, Mapping):
            return self.values(part for item in value.items() for part in item)
        if isinstance(value, Set):
            return sorted(self.values(value))
        return self.object(value, torch)

    def object(self, value: Any, torch: Any) -> Iterable[str | bytes]:
        kind = type(value)
        if not _is_library(kind.__module__) or (torch and isinstance(value, torch.nn.Module)):
            if isinstance(getattr(value, "key", None), str):
                return self.values([kind, value.key])
            state = value.__getstate__() or {}
            if isinstance(state, dict):
                kept = {name for name in state if isinstance(getattr(kind, name, None), functools.cached_property)}
                state = {name: state[name] for name in sorted(state) if name not in kept}
            return self.values([kind, state])
        try:
            made = copyreg.dispatch_table.get(kind, lambda one: one.__reduce_ex__(4))(value)  # as pickle takes it apart
        except Exception:
            raise Unknown(f"{kind.__module__}.{kind.__qualname__}") from None
        made = [made] if isinstance(made, str) else made
        parts = [list(part) if isinstance(part, Iterator) else part for part in made]
        return [*_name(kind.__module__, kind.__qualname__), *self.values(parts)]

    def class_(self, one: type) -> list[bytes]:
        return self.values([one.__bases__, {name: value for name, value in vars(one).items() if name not in _NOT_CODE}])

    def function(self, one: types.FunctionType) -> list[bytes]:
        closure = [cell.cell_contents for cell in one.__closure__ or () if not _empty(cell)]
        named = {name: value for code in _codes(one.__code__) for name, value in _named(code, one.__globals__)}
        return self.values([one.__code__, one.__defaults__, one.__kwdefaults__, closure, named, one.__annotations__])


def _named(code: types.CodeType, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that a piece of code names, what it takes from modules, and what it imports on its way."""
    loaded, imports = _names(code)
    modules = [module for step in imports for module in _imported(*step, known)]
    for name in loaded:
        if isinstance(known.get(name), types.ModuleType):
            modules.append(known[name])
        elif name in known:
            yield name, known[name]
    for module in modules:
        held = {} if _is_library(module.__name__) else vars(module)
        for name in code.co_names:
            if name in held and not isinstance(held[name], types.ModuleType):
                yield f"{module.__name__}.{name}", held[name]


@functools.cache
def _names(code: types.CodeType) -> tuple[list[str], list[tuple[str, Any, int]]]:
    """The globals that code reads, and its imports: module, names taken, level."""
    steps = [*dis.get_instructions(code)]
    loaded = dict.fromkeys(step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    trios = zip(steps, steps[1:], steps[2:])
    imports = [
        (last.argval, taken.argval, level.argval) for level, taken, last in trios if last.opname == "IMPORT_NAME"
    ]
    return [*loaded], imports


def _imported(name: str, taken: Any, level: int, known: Mapping[str, Any]) -> list[types.ModuleType]:
    """The modules that ``from name import taken`` imports when it comes to it, done now; only of the code's package."""
    full = importlib.util.resolve_name("." * level + name, known.get("__package__") or "none") if level else name
    if full.partition(".")[0] != known.get("__name__", "").partition(".")[0]:
        return []
    try:
        __import__(name, dict(known), None, taken or (), level)
    except ImportError:  # a package that this step would need, and does without
        return []
    module = sys.modules[full]
    inner = [getattr(module, one, None) for one in taken or ()]
    return [module, *(one for one in inner if isinstance(one, types.ModuleType))]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _codes(inner)


def _home(value: Any) -> str:
    """The module where the code is; a function that a library wrapped is named after the one inside."""
    return value.__module__ if isinstance(value, type) else value.__globals__.get("__name__", "")


@functools.cache
def _is_library(module: str) -> bool:
    if module.partition(".")[0] in ("mmlib", "__main__"):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return module in sys.builtin_module_names or str(file).startswith(_INSTALLED) or module.startswith("_frozen")


def _name(module: str, name: str) -> list[str]:
    top = sys.modules.get(module.partition(".")[0])
    return [module, name, str(getattr(top, "__version__", "")) if _is_library(module) else ""]


def _arrays(values: Any, torch: Any) -> list[Any]:
    """A tensor of any layout and type as arrays of bytes, with its shape."""
    if values.layout == torch.sparse_csr:
        return [*values.shape, values.crow_indices(), values.col_indices(), values.values()]
    if values.layout != torch.strided:
        values = values.coalesce()
        return [*values.shape, values.indices(), values.values()]
    plain = values.as_subclass(torch.Tensor).cpu().contiguous().reshape(-1)
    return [str(plain.dtype), *values.shape, plain.view(torch.uint8).numpy()]


def _empty(cell: Any) -> bool:
    try:
        return cell.cell_contents is None
    except ValueError:
        return True


def _hash(*parts: str | bytes) -> bytes:
    sha = hashlib.sha256()
    for part in parts:
        part = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        sha.update(len(part).to_bytes(8, "little"))
        sha.update(part)
    return sha.digest()
