"""The flat parameters: declared in each page's cell tagged ``parameters``, given in YAML files and on the command line.

A parameter means the same on every page, so one file serves a whole study. Names and types are checked before
any work: papermill itself only logs a misspelt name and runs on.
"""

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import InputError, closest

NOT_PARAMETERS = ("about", "pages")
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
_CELL = re.compile(r"# %%")
_TAGGED = re.compile(r'# %%.*\btags=\[[^\]]*"parameters"')


@dataclass(frozen=True)
class Parameter:
    """One typed, commented assignment of a page's ``parameters`` cell.

    Args:
        name, type, default: as written; the type is the annotation's text, such as ``"list[int]"``.
        help: the trailing comment.
        page: the page that declares it.
    """

    name: str
    type: str
    default: Any
    help: str
    page: str


def is_seed(name: str) -> bool:
    """Whether a parameter only repeats a run, as ``seed`` and ``split_seed`` do."""
    return name == "seed" or name.endswith("_seed")


def page_parameters(page: str | Path) -> dict[str, Parameter]:
    """The parameters that a page (a ``.py`` file in percent format) declares, in their order.

    Raises:
        InputError: when the cell holds anything but ``name: type = literal  # help``, or there are two such cells.
    """
    page = Path(page)
    try:
        lines = page.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"There is no page {page}.") from None
    starts = [number for number, line in enumerate(lines) if _TAGGED.match(line)]
    if not starts:
        return {}
    if len(starts) > 1:
        raise InputError(f"{page} has {len(starts)} cells tagged parameters; keep one.")
    first = starts[0] + 1
    last = next((number for number in range(first, len(lines)) if _CELL.match(lines[number])), len(lines))
    source = "\n" * first + "\n".join(lines[first:last]) + "\n"  # line numbers as in the file
    try:
        body, comments = ast.parse(source).body, _comments(source)
    except SyntaxError as error:
        raise InputError(f"{page}, line {error.lineno}: {error.msg}.") from None
    found: dict[str, Parameter] = {}
    for node in body:
        one = _parameter(node, page, comments)
        if one.name in found:
            raise InputError(f"{page}, line {node.lineno}: {one.name} is assigned twice.")
        found[one.name] = one
    return found


def known_parameters(folder: str | Path, pages: Iterable[str] | None = None) -> dict[str, Parameter]:
    """The union over the pages of a folder (or those named), in reading order.

    Raises:
        InputError: when two pages give the same name another type or default.
    """
    paths = sorted(Path(folder).glob("[0-9]*.py")) if pages is None else [Path(folder) / f"{name}.py" for name in pages]
    known: dict[str, Parameter] = {}
    for page in paths:
        for name, one in page_parameters(page).items():
            first = known.setdefault(name, one)
            if (first.type, repr(first.default)) != (one.type, repr(one.default)):
                raise InputError(
                    f"{name} is {first.type} = {first.default!r} in {first.page} but {one.type} = {one.default!r} "
                    f"in {one.page}; a parameter means the same on every page."
                )
    return known


def check(given: Mapping[str, Any], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """The given values in the form of the declared types: an int for a float becomes a float, all else stays.

    Raises:
        InputError: with a line for each unknown name (and the closest known one) and each wrong type.
    """
    values, problems = {}, []
    for name, value in given.items():
        if name not in known:
            problems.append(
                f'There is no parameter "{name}".{closest(str(name), known)} `mmlib params` lists them all.'
            )
            continue
        try:
            values[name] = _fit(value, _kind(known[name].type))
        except TypeError:
            problems.append(_wrong(known[name], value))
    if problems:
        raise InputError("\n".join(problems))
    return values


def parse(given: Mapping[str, str], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Values given as text (``-p name value``), read by the declared type; lists and dicts as JSON or YAML.

    Raises:
        InputError: as ``check``.
    """
    read = {name: _read(text, _kind(known[name].type)) if name in known else text for name, text in given.items()}
    return check(read, known)


def as_text(value: Any) -> str:
    """The text that ``parse`` reads back as ``value``."""
    return value if isinstance(value, str) else json.dumps(value)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        InputError: missing or broken file, a key given twice, or a number that YAML 1.1 turns into another
            (``1:30`` into 90, ``012`` into 10).
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Strict)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"There is no file {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}; write one `name: value` a line.")
    return content or {}


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                raise yaml.YAMLError(f"{key.value} is given twice (again on line {key.start_mark.line + 1}).")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int:
        number = self.construct_yaml_int(node)
        if re.match(r"[-+]?0\d|.*:", node.value):
            raise yaml.YAMLError(
                f"{node.value} (line {node.start_mark.line + 1}) is the number {number} to YAML 1.1. "
                f'Put it in quotes if it is text: "{node.value}".'
            )
        return number


_Strict.add_constructor("tag:yaml.org,2002:int", _Strict.construct_number)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {one.start[0]: one.string.lstrip("# ").strip() for one in tokens if one.type == tokenize.COMMENT}


def _parameter(node: ast.stmt, page: Path, comments: Mapping[int, str]) -> Parameter:
    where = f"{page}, line {node.lineno}"
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
        raise InputError(f"{where}: the parameters cell holds only lines such as `epochs: int = 60  # how long`.")
    name, type_ = node.target.id, ast.unparse(node.annotation)
    if name != name.lower() or name.startswith("_") or name in NOT_PARAMETERS:
        raise InputError(f"{where}: {name} cannot be a parameter; use a lower-case name other than about and pages.")
    try:
        default = _fit(ast.literal_eval(node.value), _kind(type_))
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} = {ast.unparse(node.value)} is not a plain {type_}.") from None
    help_ = comments.get(node.end_lineno or node.lineno) or comments.get(node.lineno, "")
    return Parameter(name, type_, default, help_, page.stem)


def _kind(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


def _fit(value: Any, kind: ast.expr) -> Any:
    """The value in the form of the annotation; TypeError when it does not fit."""
    match kind:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            try:
                return _fit(value, left)
            except TypeError:
                return _fit(value, right)
        case ast.Constant(value=None) if value is None:
            return None
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return [_fit(one, inner) for one in _fit(value, ast.Name("list"))]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, inner])):
            return {name: _fit(one, inner) for name, one in _fit(value, ast.Name("dict")).items()}
        case ast.Name(id=name) if name in _TYPES:
            if name == "float" and type(value) is int:
                value = float(value)
            if isinstance(value, bool) != (name == "bool") or not isinstance(value, _TYPES[name]):
                raise TypeError
            if isinstance(value, float) and not math.isfinite(value):
                raise TypeError
            return value
    raise TypeError


def _read(text: str, kind: ast.expr) -> Any:
    """Text to a value by the annotation; the text itself where it cannot be read, for ``check`` to refuse."""
    match kind:
        case ast.BinOp(left=left, right=right):
            value = _read(text, left)
            return value if _fits(value, left) else _read(text, right)
        case ast.Constant(value=None):
            return None if text.lower() in ("none", "null") else text
        case ast.Name(id="str"):
            return text
        case ast.Name(id="bool"):
            return {"true": True, "false": False}.get(text.lower(), text)
        case ast.Name(id="int" | "float" as name):
            try:
                return _TYPES[name](text)
            except ValueError:
                return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        try:
            return yaml.load(text, Loader=_Strict)
        except yaml.YAMLError:
            return text


def _fits(value: Any, kind: ast.expr) -> bool:
    try:
        _fit(value, kind)
    except TypeError:
        return False
    return True


def _wrong(one: Parameter, value: Any) -> str:
    message = f"{one.name} must be {one.type}, not {value!r} ({type(value).__name__}).{_remedy(one, value)}"
    return message + (f" It is: {one.help}." if one.help else "")


def _remedy(one: Parameter, value: Any) -> str:
    if isinstance(value, str) and ("float" in one.type or "int" in one.type):
        number = re.fullmatch(r"([-+]?\d+)(\.\d*)?(?:[eE]([-+]?)(\d+))?", value)
        if number and number[4]:
            point = number[2] if number[2] and number[2] != "." else ".0"
            written = f"{number[1]}{point}e{number[3] or '+'}{number[4]}"
            return f" Write {written}: to YAML 1.1, {value} is text, as it lacks the point or the exponent's sign."
        return " Write it without quotes." if number else ""
    if one.type == "str" and not isinstance(value, list | dict):
        return " Put it in quotes: YAML 1.1 reads yes, no, on, off, 8:1:1 and dates as other things than text."
    if "int" in one.type and isinstance(value, bool):
        return " Write a number: to YAML 1.1, yes, no, on and off are true and false."
    return ""
