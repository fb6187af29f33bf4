"""Images and texts that say little: missing, broken, placeholders, cut, empty, the same on many items."""

import re
from typing import Any

import numpy as np

from .duplicates import MANY, grouped, normal, same_images
from .images import PLAIN
from .report import Finding, NotMade, found
from .subject import Subject

TINY = 32  # pixels: a shorter side below it is tiny
FLAG = re.compile(r"flag|status|quality|problem", re.IGNORECASE)
PLACEHOLDER = re.compile(r"placeholder|dummy|default", re.IGNORECASE)
FLAW = re.compile(r"placeholder|dummy|default|duplicate|broken|corrupt|wrong|bad|blurr|watermark", re.IGNORECASE)


def warned(subject: Subject) -> list[Finding]:
    """What the reader of the catalogue warned of: interactions with ids that no table describes."""
    warnings = [note for note in subject.data.notes if note.startswith("Warning: ")]
    return [
        one for note in warnings for one in found("ids without a row", 1, (), warning=note.removeprefix("Warning: "))
    ]


def missing_images(subject: Subject) -> list[Finding]:
    """Items without an image; those that a column calls placeholders are told by ``flagged``."""
    data = subject.data
    absent = (data.items["image"] == "").to_numpy() | (data.images is None)
    if absent.all():
        raise NotMade("the items have no images")
    for name in _flag_columns(subject):
        absent &= ~data.items[name].astype(str).str.contains(PLACEHOLDER).to_numpy()
    items, n = np.flatnonzero(absent), data.n_items
    tested = float(np.isin(data.test[:, 1], items).mean())
    return found("missing images", len(items), subject.items(items), of=n, share=len(items) / n, tested=tested)


def unreadable_images(subject: Subject) -> list[Finding]:
    """Images that are named and cannot be read."""
    seen = subject.images
    broken = [item for item, one in seen.items() if one.problem]
    examples = subject.items(broken, lambda item: seen[item].problem)
    return found("unreadable images", len(broken), examples, of=len(seen))


def placeholder_images(subject: Subject) -> list[Finding]:
    """Images that say nothing of their item: one image on ``MANY`` items or more, one colour, or tiny."""
    readable = {item: one for item, one in subject.images.items() if not one.problem}
    shared = [item for group in same_images(subject) if len(group) >= MANY for item in group]
    plain = [item for item, one in readable.items() if one.plain >= PLAIN and item not in set(shared)]
    tiny = [item for item, one in readable.items() if min(one.size) < TINY]
    kinds = {"one image on many items": shared, "images of one colour": plain, "tiny images": tiny}
    said: dict[str, Any] = {"many": MANY, "plain": PLAIN, "tiny": TINY}
    return [one for kind, items in kinds.items() for one in found(kind, len(items), subject.items(items), **said)]


def flagged(subject: Subject) -> list[Finding]:
    """Items that a column of the catalogue itself calls flawed: ``poster_flag`` = ``placeholder`` and the like."""
    columns, findings = _flag_columns(subject), []
    if not columns:
        raise NotMade("the items have no column that flags flaws")
    for column in columns:
        cells = subject.data.items[column].astype(str).str.strip()
        for value in sorted({cell for cell in cells if FLAW.search(cell)}):
            items = np.flatnonzero(cells == value)
            findings += found("{column}: {value}", len(items), subject.items(items), column=column, value=value)
    return findings


def cut_texts(subject: Subject) -> list[Finding]:
    """Texts (title and description) longer than the encoder reads.

    Without ``tokens`` words and punctuation marks are counted, and two for start and end; sub-word tokens are more,
    so the count is a lower bound.
    """
    context, table = subject.context, subject.data.items
    if context is None:
        raise NotMade("the encoder's text length (context) was not given")
    texts = (table["title"].astype(str) + " " + table["text"].astype(str)).str.strip()
    lengths = np.array([(subject.tokens or at_least)(text) for text in texts])
    cut = np.flatnonzero(lengths > context)
    cut = cut[np.argsort(-lengths[cut], kind="stable")]
    examples = subject.items(cut, lambda item: f"{lengths[item]} tokens")
    lost, share = float((lengths[cut] - context).sum() / lengths.sum()), len(cut) / len(texts)
    said = {"of": len(texts), "share": share, "context": context, "lost": lost}
    return found("texts cut by the encoder", len(cut), examples, severity="note" if share < 0.05 else "", **said)


def at_least(text: str) -> int:
    """Words and punctuation marks, and two for start and end: no sub-word tokeniser makes fewer."""
    return len(re.findall(r"\w+|[^\w\s]", text)) + 2


def empty_texts(subject: Subject) -> list[Finding]:
    """Items without a description."""
    empty = np.flatnonzero(subject.data.items["text"].str.strip() == "")
    n = subject.data.n_items
    if len(empty) == n:
        raise NotMade("the items have no descriptions")
    return found("missing texts", len(empty), subject.items(empty), of=n, share=len(empty) / n)


def boilerplate(subject: Subject) -> list[Finding]:
    """One description on ``MANY`` items or more: a shop's boilerplate."""
    texts = subject.data.items["text"]
    groups = sorted((one for one in grouped(texts.map(normal)) if len(one) >= MANY), key=len, reverse=True)
    starts = (str(texts.iat[group[0]]) for group in groups)
    said = (text if len(text) < 80 else f"{text[:80]} ..." for text in starts)
    examples = (subject.example(f"{len(one)} items: {text}", one[:3]) for one, text in zip(groups, said))
    return found("one text on many items", sum(map(len, groups)), examples, groups=len(groups), many=MANY)


def _flag_columns(subject: Subject) -> list[str]:
    table = subject.data.items
    return [str(name) for name in table.columns if FLAG.search(str(name)) and table[name].nunique() <= 20]
