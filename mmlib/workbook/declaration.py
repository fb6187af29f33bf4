"""The declaration of one parameter, and whether a value fits it."""

import ast
import contextlib
import io
import json
import re
import reprlib
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from ..core.errors import InputError, closest
from .yaml_file import read_value

NOT_PARAMETERS = ("about", "pages")  # what a parameter file may hold beside parameters
MOST = 10**9  # of whole numbers that say no other limit
_TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
_WORDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Args:
        name: in small letters.
        type: as annotations write it, such as ``"list[int]"``.
        default: what holds when it is not given.
        help: what it is, in one line.
        pages: the pages that read it; empty: any.
        rules: ``ge``, ``gt``, ``le``, ``lt`` and ``min_length`` as pydantic's ``Field`` knows them, ``choices``, the
            words that it may be, and ``each``, the least that a number of a list may be.
    """

    name: str
    type: str
    default: Any
    help: str = ""
    pages: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The line of a page's cell that declares it."""
        default = json.dumps(self.default) if isinstance(self.default, str) else repr(self.default)
        return f"{self.name}: {self.type} = {default}  # {self.help}"

    @property
    def range(self) -> str:
        """The values that it may have, in words; empty: all of its type."""
        rules = self.rules
        words = ["not empty"] if "min_length" in rules else []
        words += [f"{word} {rules[key]}" for key, word in _WORDS.items() if key in rules]
        words += [f"each at least {rules['each']}"] if "each" in rules else []
        words += ["one of " + ", ".join(map(repr, rules["choices"]))] if "choices" in rules else []
        return ", ".join(words)

    @property
    def _may_be(self) -> str:
        return f"{self.type}, {self.range}" if self.range else self.type

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        kind = _type(self.type)
        rules = dict(self.rules)
        if "choices" in rules:
            kind = Literal[tuple(rules.pop("choices"))]
        if "each" in rules:
            kind = list[Annotated[int, Field(ge=rules.pop("each"), le=MOST)]]
        rules |= {} if "le" in rules or "int" not in self.type or "[" in self.type else {"le": MOST}
        return TypeAdapter(Annotated[kind, Field(**rules)], config=ConfigDict(strict=True, allow_inf_nan=False))  # type: ignore[arg-type]

    def fit(self, value: Any) -> Any:
        """The value in the form of the type: an int for a float becomes a float, all else stays.

        Raises:
            InputError: naming the parameter, the value, what it may be, and the remedy.
        """
        try:
            return self._adapter.validate_python(value)
        except (ValidationError, RecursionError):
            near = closest(value, self.rules.get("choices", ())) if isinstance(value, str) else ""
            said = f" It is: {self.help}." if self.help else ""
            got = f"{_SHORT.repr(value)} ({type(value).__name__})"
            raise InputError(
                f"{self.name} must be {self._may_be}, not {got}.{near}{_remedy(self.type, value)}{said}"
            ) from None

    def read(self, text: str) -> Any:
        """The value that a text stands for (``-p name value``): text as it is, anything else as JSON or YAML.

        Raises:
            InputError: as :meth:`fit`.
        """
        if self.type == "str" or (self.type == "str | dict" and not text.lstrip().startswith("{")):
            return self.fit(text)
        if "None" in self.type and text.lower() == "none":
            return None
        value = None
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(text, parse_constant=lambda _: "")
        try:  # numbers by YAML's rules, which refuse 012 and endless digits
            return self.fit(value if isinstance(value, dict | list) else read_value(text))
        except InputError as error:
            fits = str(error).startswith(self.name)
            raise error if fits else InputError(f"{self.name} must be {self._may_be}: {error}") from None


def check(
    given: Mapping[str, Any], known: Mapping[str, Parameter], do: Callable[[Parameter, Any], Any] = Parameter.fit
) -> dict[str, Any]:
    """The given values in the form of the declared types.

    Raises:
        InputError: with a line for each unknown name (and the closest known one) and each value that does not fit.
    """
    values, problems = {}, []
    for name, value in given.items():
        try:
            if name not in known:
                near = closest(str(name), known)
                raise InputError(f'There is no parameter "{name}".{near} `mmlib params` lists them all.')
            values[name] = do(known[name], value)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    return values


def parse(given: Mapping[str, str], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Values given as text; raises as :func:`check`."""
    return check(given, known, Parameter.read)


def as_text(value: Any) -> str:
    """The text that ``Parameter.read`` reads back as ``value``."""
    return value if isinstance(value, str) else json.dumps(value)


def declared_in(source: str, page: Path, first: int) -> dict[str, Parameter]:
    """The parameters that a page's cell declares, in their order.

    Args:
        source: the cell's text.
        page: the page's file.
        first: the number of the cell's first line in it.

    Raises:
        InputError: when the cell holds anything but ``name: type = literal  # help``.
    """
    source = "\n" * (first - 1) + source  # line numbers as in the file
    try:
        body = ast.parse(source).body
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {one.start[0]: one.string.lstrip("# ").strip() for one in tokens if one.type == tokenize.COMMENT}
    except SyntaxError as error:
        raise InputError(f"{page}, line {error.lineno}: {error.msg}.") from None
    found: dict[str, Parameter] = {}
    for node in body:
        where = f"{page}, line {node.lineno}"
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
            raise InputError(f"{where}: the parameters cell holds only lines such as `epochs: int = 60  # how long`.")
        name, kind = node.target.id, ast.unparse(node.annotation)
        if name != name.lower() or name.startswith("_") or name in NOT_PARAMETERS:
            raise InputError(f"{where}: {name} cannot be a parameter; use a small-letter name, not about or pages.")
        if name in found:
            raise InputError(f"{where}: {name} is assigned twice.")
        said = comments.get(node.end_lineno or node.lineno) or comments.get(node.lineno, "")
        try:
            default = Parameter(name, kind, None).fit(ast.literal_eval(node.value))
        except ValueError:
            raise InputError(f"{where}: {name} = {ast.unparse(node.value)} is not a plain {kind}.") from None
        found[name] = Parameter(name, kind, default, said, (page.stem,))
    return found


def _type(text: str) -> Any:
    """The type that an annotation means; InputError for anything but plain types, lists, dicts and ``None``."""
    try:
        if set(re.findall(r"\w+|[^\w\s\[\]|,]", text)) - {*_TYPES, "None"}:
            raise TypeError
        kind = eval(text, {"__builtins__": {}}, _TYPES)  # nothing but the names above
    except (SyntaxError, TypeError):
        raise InputError(f"{text} is no type of a parameter; use {', '.join(_TYPES)}, list[int], int | None.") from None
    return dict[str, JsonValue] if kind is dict else kind


def _remedy(kind: str, value: Any) -> str:
    if isinstance(value, str) and ("float" in kind or "int" in kind) and value.strip().lstrip("+-")[:1].isdigit():
        return " Write it as a number, without quotes."
    if "bool" in kind and str(value).lower() in ("yes", "no", "on", "off", "0", "1"):
        return " Write true or false."
    return " Put it in quotes." if kind == "str" and isinstance(value, int | float) else ""
