"""The three public forms of Amazon's reviews: what their fields are called, and one line as a record."""

import ast
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import InputError, one_of

LONGEST_LITERAL = 1 << 20  # characters of a Python literal; its syntax tree takes a hundred times the memory


@dataclass(frozen=True)
class Form:
    """The names of one form's fields.

    Args:
        user, item, rating, time: must be there in each review; ``item`` in each line of the metadata too.
        summary, review: the two texts of a review, absent or null where there is none.
        ticks: units of ``time`` a second.
    """

    user: str
    item: str
    rating: str
    time: str
    summary: str
    review: str
    ticks: int = 1


OLD = Form("reviewerID", "asin", "overall", "unixReviewTime", "summary", "reviewText")
FORMS = {
    "2014": OLD,
    "2018": OLD,
    "2023": Form("user_id", "parent_asin", "rating", "timestamp", "title", "text", 1000),
}
ONLY_2018 = ("verified", "vote", "style", "image")  # fields of reviews that the form of 2014 does not have
METADATA = {
    "title": ("title",),
    "brand": ("brand", "store"),
    "description": ("description",),
    "categories": ("categories", "category"),
    "features": ("feature", "features"),
}
PICTURES = ("imUrl", "imageURLHighRes", "imageURL", "images", "image")
ROOTS = ("main_category", "main_cat")
PRESETS = {
    "alignrec": ("title", "brand", "description"),
    "micro": ("title", "description", "categories", "brand"),
    "lmm": ("title", "description", "brand", "categories"),
}


def recognised(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """What a line is, by its keys: ``("reviews" or "metadata", form)``, or ``None`` if it is neither."""
    if {"user_id", "parent_asin"} <= record.keys():
        return "reviews", "2023"
    if {"reviewerID", "asin"} <= record.keys():
        return "reviews", "2018" if any(name in record for name in ONLY_2018) else "2014"
    if "parent_asin" in record:
        return "metadata", "2023"
    if "asin" in record:
        return "metadata", "2014" if "imUrl" in record or "categories" in record else "2018"
    return None


def text_fields(text: str | Sequence[str]) -> tuple[str, ...]:
    """The fields that an item's text is made of, from a preset's name or their own names.

    Raises:
        InputError: for an unknown or repeated field, and when the title is not first.
    """
    if isinstance(text, str) and text in PRESETS:
        return PRESETS[text]
    if isinstance(text, str) and text not in METADATA:
        one_of("text", text, [*PRESETS, *METADATA])
    names = (text,) if isinstance(text, str) else tuple(text)
    for name in names:
        one_of("text", name, METADATA)
    if len(set(names)) < len(names) or "title" in names[1:]:
        raise InputError(f"text = {list(names)} must name each field once, and the title, if at all, first.")
    return names


def record(line: str) -> dict[str, Any]:
    """The line as a dictionary: JSON, or the Python literal that the metadata of 2014 are written as.

    Nothing is ever evaluated: literals are read by ``ast.literal_eval``.

    Raises:
        ValueError: saying why it is neither.
    """
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        value = _literal(line, f"not JSON: {_short(error)}")
    if not isinstance(value, dict):
        raise ValueError(f"not a record in braces but {_kind(value)}")
    return value


def review(line: str, form: Form) -> tuple[str, str, float, int, str, str]:
    """User, item, rating, time (as the form counts it), summary and text of one line.

    Raises:
        ValueError: for a field that is missing or of the wrong kind.
    """
    found = record(line)
    rating, time = _number(found, form.rating), _number(found, form.time)
    if time != int(time) or not -(2**63) <= time < 2**63:
        raise ValueError(f"field {form.time!r} is {time!r}, not a time in whole numbers")
    texts = [text_of(found.get(name), name) for name in (form.summary, form.review)]
    return name_of(found, form.user), name_of(found, form.item), float(rating), int(time), texts[0], texts[1]


def name_of(found: Mapping[str, Any], field: str) -> str:
    """The id in a field that must be there.

    Raises:
        ValueError: when it is missing, empty or no text.
    """
    if found.get(field) in (None, ""):
        raise ValueError(f"field {field!r} is {'empty' if field in found else 'missing'}")
    return text_of(found[field], field)


def text_of(value: Any, field: str) -> str:
    """The text of a field; ``""`` for null.

    Raises:
        ValueError: when it is no text, or one that cannot be written as UTF-8.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"field {field!r} is {_kind(value)}, not text")
    if not value.isascii() and re.search("[\ud800-\udfff]", value):
        raise ValueError(f"field {field!r} holds half a surrogate pair, which is no character")
    return value


def texts_of(value: Any, field: str) -> Iterator[str]:
    """All texts of a field that holds one, or a list of them, or a list of lists."""
    if isinstance(value, list):
        for one in value:
            yield from texts_of(one, field)
    elif text := text_of(value, field).strip():
        yield text


def first_of(found: Mapping[str, Any], names: Sequence[str]) -> tuple[str, Any]:
    """The first of several fields that holds something, and what it holds."""
    return next(((name, found[name]) for name in names if found.get(name)), (names[0], None))


def picture_url(found: Mapping[str, Any]) -> str:
    """The best address of an item's picture, ``""`` without one.

    2014: ``imUrl``. 2018: the first of ``imageURLHighRes``, else of ``imageURL``. 2023: of the picture that is called
    MAIN, else of the first, the address under ``hi_res``, else ``large``, else ``thumb``.
    """
    for name in PICTURES:
        value = found.get(name)
        several = value if isinstance(value, list) else [value]
        sized = [one for one in several if isinstance(one, dict)]
        for one in sorted(sized, key=lambda one: one.get("variant") != "MAIN"):
            several = [*several, *(one.get(size) for size in ("hi_res", "large", "thumb"))]
        for url in texts_of([one for one in several if not isinstance(one, dict)], name):
            return url
    return ""


def _number(found: Mapping[str, Any], field: str) -> float:
    value = found.get(field)
    if value is None:
        raise ValueError(f"field {field!r} is {'empty' if field in found else 'missing'}")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"field {field!r} is {_kind(value)}, not a number")
    if abs(value) > 1e300 or math.isnan(value):
        raise ValueError(f"field {field!r} is {'not a number' if value != value else 'too large'}")
    return value


def _literal(line: str, why: str) -> Any:
    if len(line) > LONGEST_LITERAL or not line.lstrip().startswith("{"):
        raise ValueError(why)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that a later Python will refuse
            return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(f"{why}, and not a Python literal either") from None


def _short(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno:,}"
    return str(error)[:80]


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a record"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)
