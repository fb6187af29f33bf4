"""YAML 1.2 with nothing left to chance: ``1e-3`` is a number; ``8:1:1``, ``yes``, ``on`` and dates are text."""

import math
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from ..core.errors import InputError

LARGEST, DEEPEST, MOST = 1_000_000, 50, 10_000  # bytes of a file, brackets in brackets, values with aliases written out
DIGITS = 18  # of a whole number
PLAIN = ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge")


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        InputError: with the line, for a missing or broken file, a key given twice or not plain text, numbers such as
            ``012`` that other readers take for something else, and values that never end or grow without measure.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST + 1).decode("utf-8-sig")
        content = read_value(text)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}; write one `name: value` a line.")
    return content or {}


def read_value(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        InputError: as :func:`read_yaml`.
    """
    if len(text) > LARGEST:
        raise InputError(f"it is longer than {LARGEST:,} characters; it begins with {text[:40]!r}.")
    reader = YAML(typ="safe", pure=True)
    reader.Constructor, reader.max_depth = _Constructor, DEEPEST
    try:
        node = reader.compose(text)
        if node is None:
            return None
        _count(node, {})
        return reader.constructor.construct_document(node)
    except MaxDepthExceededError as error:
        line = error.problem_mark.line + 1
        raise InputError(f"line {line}: brackets or dashes are nested deeper than {DEEPEST}.") from None
    except YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        raise InputError(f"line {mark.line + 1}: {problem}." if mark else " ".join(problem.split())) from None


class _Constructor(SafeConstructor):
    """Numbers that mean the same to every reader; dates stay text."""

    def number(self, node: ScalarNode) -> int | float:
        text, whole = node.value, str(node.tag).endswith(":int")
        if whole and len(text) > DIGITS:
            problem = "has too many digits"
        elif whole and re.match(r"[-+]?0\w", text):
            problem = "begins with 0, which readers take for different numbers"
        else:
            problem = "is no finite number"
            try:
                value = self.construct_yaml_int(node) if whole else float(self.construct_yaml_float(node))
                if math.isfinite(value):
                    return value
            except ValueError:
                problem = "is no number"
        raise InputError(f"line {_line(node)}: {text[:30]} {problem}. Put it in quotes if it is text.")


for _tag in ("int", "float"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_tag}", _Constructor.number)
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_yaml_str)


def _count(node: Node, known: dict[int, int]) -> int:
    """How many values a node stands for, its aliases written out; refuses what cannot be a plain value."""
    if str(node.tag).removeprefix("tag:yaml.org,2002:") not in PLAIN:
        raise InputError(f"line {_line(node)}: {node.tag} is no plain value; leave the tag out.")
    if id(node) in known:
        if known[id(node)] < 0:
            raise InputError(f"line {_line(node)}: an alias (*) stands inside what it stands for.")
        return known[id(node)]
    known[id(node)] = -1
    inner = [] if isinstance(node, ScalarNode) else node.value
    if isinstance(node, MappingNode):
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise InputError(f"line {_line(key)}: a list or mapping cannot be a name; write `name: value`.")
        inner = [value for _, value in node.value]
    total = 1 + sum(_count(one, known) for one in inner)
    if total > MOST:
        raise InputError(f"line {_line(node)}: with its aliases (*) written out it holds more than {MOST:,} values.")
    known[id(node)] = total
    return total


def _line(node: Node) -> str:
    """The number of its line, and the line."""
    number = int(node.start_mark.line)
    lines = str(node.start_mark.buffer or "").replace("\0", "").splitlines()[number : number + 1]
    return f"{number + 1} ({lines[0].strip()[:60]})" if lines else str(number + 1)
