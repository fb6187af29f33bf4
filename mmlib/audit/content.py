"""Pictures and texts that say little: missing, broken, placeholders, cut, empty, the same on many items."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .copies import MANY, _equal
from .findings import SHOWN, Example, Finding, NotMade
from .given import Given
from .pictures import PLAIN, TINY, same

FLAG = re.compile(r"flag|status|quality|problem", re.IGNORECASE)
PLACEHOLDER = re.compile(r"placeholder|dummy|default", re.IGNORECASE)
FLAW = re.compile(r"placeholder|dummy|default|duplicate|broken|corrupt|wrong|bad|blurr|watermark", re.IGNORECASE)
MASK = "Mark them as missing (an empty image), so that the model's answer to missing pictures is used."


def missing_pictures(given: Given) -> Iterator[Finding]:
    """Items without a picture; those that a column calls placeholders are told by ``flagged``."""
    data = given.data
    named = (data.items["image"] != "").to_numpy() & (data.images is not None)
    absent = np.flatnonzero(~named).tolist()
    if len(absent) == data.n_items:
        raise NotMade("the items have no pictures")
    placeholders = {item for name in _flag_columns(given) for item in _said(given, name, PLACEHOLDER)}
    absent = [item for item in absent if item not in placeholders]
    if absent:
        share = float(np.isin(data.test[:, 1], absent).mean())
        yield Finding(
            "missing pictures",
            "note",
            len(absent),
            f"{len(absent):,} of {data.n_items:,} items ({len(absent) / data.n_items:.1%}) have no picture; they are "
            f"{share:.1%} of the test interactions.",
            "Choose how the model answers a missing picture, and report these items apart.",
            given.items(absent),
        )


def unreadable_pictures(given: Given) -> Iterator[Finding]:
    """Pictures that are named and cannot be read."""
    seen = _seen(given)
    broken = [item for item, one in seen.items() if one.problem]
    if broken:
        yield Finding(
            "unreadable pictures",
            "warning",
            len(broken),
            f"{len(broken):,} of {len(seen):,} pictures cannot be read, so an encoder has no vector for them.",
            "Get these files again, or mark them as missing.",
            given.items(broken, lambda item: seen[item].problem),
        )


def placeholder_pictures(given: Given) -> Iterator[Finding]:
    """Pictures that say nothing of their item: one picture on ``MANY`` items or more, one colour, or tiny."""
    seen = _seen(given)
    readable = {item: one for item, one in seen.items() if not one.problem}
    shared = [item for group in same(seen) if len(group) >= MANY for item in group]
    plain = [item for item, one in readable.items() if one.plain >= PLAIN and item not in set(shared)]
    tiny = [item for item, one in readable.items() if min(one.size) < TINY]
    kinds = (
        ("one picture on many items", shared, f"show a picture that {MANY} items or more share"),
        ("pictures of one colour", plain, f"show one colour on {PLAIN:.0%} of the picture or more"),
        ("tiny pictures", tiny, f"have a picture whose shorter side is below {TINY} pixels"),
    )
    for kind, items, how in kinds:
        if items:
            yield Finding(kind, "warning", len(items), f"{len(items):,} items {how}.", MASK, given.items(items))


def flagged(given: Given) -> Iterator[Finding]:
    """Items that a column of the catalogue itself calls flawed: ``poster_flag`` = ``placeholder`` and the like."""
    names = _flag_columns(given)
    if not names:
        raise NotMade("the items have no column that flags flaws")
    for name in names:
        cells = given.data.items[name].astype(str).str.strip()
        for value in sorted({cell for cell in cells if FLAW.search(cell)}):
            items = np.flatnonzero((cells == value).to_numpy()).tolist()
            placeholder = bool(PLACEHOLDER.search(value))
            yield Finding(
                f"{name}: {value}",
                "warning",
                len(items),
                f"{len(items):,} items are flagged {value!r} in the column {name}.",
                MASK if placeholder else "Look at them; mark wrong pictures as missing, and merge items that are one.",
                given.items(items),
            )


def cut_texts(given: Given) -> Iterator[Finding]:
    """Texts (title and description) longer than the encoder reads.

    Without ``tokens`` words and punctuation marks are counted, and two for start and end; sub-word tokens are more,
    so the count is a lower bound.
    """
    if given.context is None:
        raise NotMade("the encoder's text length (context) was not given")
    table = given.data.items
    texts = [f"{title} {text}".strip() for title, text in zip(table["title"], table["text"])]
    lengths = np.array([(given.tokens or at_least)(text) for text in texts])
    cut = np.flatnonzero(lengths > given.context)
    if len(cut):
        lost = float((lengths[cut] - given.context).sum() / lengths.sum())
        cut = cut[np.argsort(-lengths[cut], kind="stable")]
        yield Finding(
            "texts cut by the encoder",
            "note" if len(cut) < 0.05 * len(texts) else "warning",
            len(cut),
            f"{len(cut):,} of {len(texts):,} texts ({len(cut) / len(texts):.1%}) are longer than the encoder's "
            f"{given.context} tokens; an encoder that cuts loses {lost:.1%} of all text.",
            "Put what matters first, or pool over windows of the text, as mmlib's own encoders do.",
            given.items(cut, lambda item: f"{lengths[item]} tokens"),
        )


def at_least(text: str) -> int:
    """Words and punctuation marks, and two for start and end: no sub-word tokeniser makes fewer."""
    return len(re.findall(r"\w+|[^\w\s]", text)) + 2


def empty_texts(given: Given) -> Iterator[Finding]:
    """Items without a description."""
    empty = np.flatnonzero((given.data.items["text"].str.strip() == "").to_numpy())
    if len(empty) == given.data.n_items:
        raise NotMade("the items have no descriptions")
    if len(empty):
        share = f"{len(empty) / given.data.n_items:.1%}"
        yield Finding(
            "missing texts",
            "note",
            len(empty),
            f"{len(empty):,} of {given.data.n_items:,} items ({share}) have no description.",
            "Choose how the model answers a missing text; a title alone says little.",
            given.items(empty),
        )


def boilerplate(given: Given) -> Iterator[Finding]:
    """One description on ``MANY`` items or more: a shop's boilerplate."""
    groups = sorted((group for group in _equal(given.data.items["text"]) if len(group) >= MANY), key=len, reverse=True)
    if groups:
        count = sum(map(len, groups))
        yield Finding(
            "one text on many items",
            "warning",
            count,
            f"{count:,} items have one of {len(groups):,} descriptions that {MANY} items or more share.",
            "Leave these descriptions out, so that the title speaks.",
            tuple(
                Example(f"{len(group)} items: {_start(given, group)}", given.item_ids(group[:3]))
                for group in groups[:SHOWN]
            ),
        )


def _start(given: Given, group: Sequence[int]) -> str:
    text = str(given.data.items["text"].iat[group[0]])
    return text if len(text) < 80 else f"{text[:80]} ..."


def _seen(given: Given) -> dict:
    if not given.pictures:
        raise NotMade("the items have no pictures")
    return given.pictures


def _flag_columns(given: Given) -> list[str]:
    table = given.data.items
    return [str(name) for name in table.columns if FLAG.search(str(name)) and table[name].nunique() <= 20]


def _said(given: Given, column: str, what: re.Pattern[str]) -> list[int]:
    cells = given.data.items[column].astype(str)
    return [item for item, cell in enumerate(cells) if what.search(cell)]
