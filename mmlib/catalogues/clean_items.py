"""Cleaning of what the items say: HTML in texts, and items that are listed twice."""

import hashlib
import re
from dataclasses import replace
from html import unescape as decoded

import numpy as np
import pandas as pd

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.progress import progress
from ..core.subset import subset, told

BLOCK = "address|blockquote|br|center|dd|div|dl|dt|h[1-6]|hr|img|li|ol|p|pre|table|tbody|td|tfoot|th|thead|tr|ul"
INLINE = "a|abbr|b|big|cite|code|del|em|font|i|ins|mark|q|s|small|span|strike|strong|sub|sup|tt|u|wbr"
AMPERSAND = re.compile(r"&(?:(?:amp|#0*38|#x0*26);)+", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#[0-9]{1,8}|#x[0-9a-f]{1,8}|[a-z][a-z0-9]{1,31});", re.IGNORECASE | re.ASCII)
UNSEEN = [
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (
        ("<!--", "-->"),
        (r"<script\b[^<>]*>", r"</script\s*>"),
        (r"<style\b[^<>]*>", r"</style\s*>"),
    )
]
SPACED = re.compile(rf"</?(?:{BLOCK})(?:\s[^<>]*)?/?>", re.IGNORECASE)
JOINED = re.compile(rf"</?(?:{INLINE})(?:\s[^<>]*)?/?>", re.IGNORECASE)


def plain(text: str) -> str:
    """The text without HTML: ``"Tom &amp;amp; Jerry<br>"`` is ``"Tom & Jerry"``.

    Entities that end in a semicolon are decoded, also those of which the ampersand was escaped again and again.
    Comments, scripts and the tags of HTML's text elements go; ``<3`` and ``a < b`` stay, and so do tags of other names.
    Runs of white space become one space. A text without ``&`` and ``<`` is returned as it is.
    """
    if "&" not in text and "<" not in text:
        return text
    text = ENTITY.sub(lambda found: decoded(found[0]), AMPERSAND.sub("&", text))
    for opening, closing in UNSEEN:
        text = _without(text, opening, closing)
    return " ".join(JOINED.sub("", SPACED.sub(" ", text)).split())


def unescape(data: Dataset) -> Dataset:
    """Make titles, texts and reviews plain, as ``plain`` does; the cells that changed are counted."""
    items, counts = _plained(data.items, ("title", "text"))
    table, more = _plained(data.interactions, ("review",))
    said = ", ".join(f"{name}s {count:,}" for name, count in (counts | more).items())
    return told(data, replace(data, items=items, interactions=table), f"Cleaning, HTML taken out of {said}")


def same(data: Dataset) -> Dataset:
    """Merge items that are listed twice into the first of them, and give that one their interactions.

    Two items are the same if title and text are equal and not both empty, and either the bytes of their pictures are
    equal or neither has one (a picture that is named but is no file counts as none). A user of both then has repeated
    interactions, which are counted; the step ``once`` takes them out.

    Raises:
        InputError: when a picture cannot be read.
    """
    words = data.items["title"].str.strip() + "\0" + data.items["text"].str.strip()
    twins = np.flatnonzero((words.duplicated(keep=False) & (words != "\0")).to_numpy(dtype=bool))
    pictures = [_picture(data, int(item)) for item in progress(twins, "Pictures of equal titles", unit="items")]
    groups = pd.DataFrame({"words": words.to_numpy()[twins], "picture": pictures, "item": twins})
    first = np.arange(data.n_items)
    first[twins] = groups.groupby(["words", "picture"], sort=False)["item"].transform("min").to_numpy(dtype=np.int64)
    item = data.interactions["item"].to_numpy(dtype=np.int64)
    kept = first == np.arange(data.n_items)
    before = int(data.interactions.duplicated(["user", "item"]).sum())
    moved = replace(data, interactions=data.interactions.assign(item=first[item]))
    again = int(moved.interactions.duplicated(["user", "item"]).sum()) - before
    what = (
        f"Cleaning, items listed twice (same title, text and picture) merged into the first; interactions moved: "
        f"{int((first[item] != item).sum()):,}, of which now repeated: {again:,}"
    )
    return told(data, subset(moved, np.ones(len(item), dtype=bool), items=kept), what)


def _without(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """The text without what lies between; in one pass, however often something is opened and never closed."""
    kept, at = [], 0
    while (start := opening.search(text, at)) and (end := closing.search(text, start.end())):
        kept.append(text[at : start.start()])
        at = end.end()
    return " ".join([*kept, text[at:]])


def _plained(table: pd.DataFrame, names: tuple[str, ...]) -> tuple[pd.DataFrame, dict[str, int]]:
    """The table with plain texts in some columns, and how many cells of each changed."""
    counts = {}
    for name in names:
        if name in table:
            texts = table[name].tolist()
            made = [plain(text) for text in texts]
            counts[name] = sum(old != new for old, new in zip(texts, made))
            table = table.assign(**{name: made}) if counts[name] else table
    return table, counts


def _picture(data: Dataset, item: int) -> str:
    """A hash of the picture's bytes, or ``""``."""
    path = data.image_path(item)
    if path is None or not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"The picture of item {data.items['id'].iat[item]}, {path}, cannot be read: {error.strerror}. "
            "Mend it, or leave the step 'same' out."
        ) from None
