"""What Amazon's metadata say of the items: title, brand, text, category and the picture's address."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.progress import progress
from ..clean_items import plain
from ..reading import Reading
from ..tables.pictures import named_by_id
from ..text_files import lines
from .forms import METADATA, ROOTS, first_of, name_of, picture_url, record, texts_of

SHARED = 10  # items that must share a category's name for it to be of use


@dataclass(frozen=True)
class Item:
    """One line of the metadata: plain texts, the first path of categories, the picture's address, and how many of the
    texts had HTML in them."""

    title: str
    text: str
    brand: str
    path: tuple[str, ...]
    image_url: str
    html: int


def read_items(path: Path, key: str, known: Sequence[str], fields: Sequence[str], reading: Reading) -> dict[str, Item]:
    """The lines of the metadata that describe one of the ``known`` items.

    Lines of other items are not looked at further. Where an item has several lines, the fullest (most characters of
    text, then of all) is kept, and among equals the first by content; so the order of the lines does not matter.

    Args:
        key: the field with the item's id.
        fields: what the text is made of, besides the title.
    """
    wanted, again = set(known), 0
    found: dict[str, Item] = {}
    for number, line in progress(lines(path, reading), f"Reading {path.name}", unit="items"):
        if _is_other(line, key, wanted):
            continue
        try:
            raw = record(line)
            name = name_of(raw, key)
            if name not in wanted:
                continue
            item = described(raw, fields)
        except ValueError as error:
            reading.bad(path, number, str(error))
            continue
        again += name in found
        found[name] = min(item, found[name], key=_fullest) if name in found else item
    if again:
        reading.notes.append(f"{path.name}: lines that describe an item again: {again:,}; the fullest one is kept.")
    return found


def described(raw: Mapping[str, Any], fields: Sequence[str]) -> Item:
    """One record of metadata as an item.

    Raises:
        ValueError: when a field that is used is of the wrong kind.
    """
    texts = {name: list(texts_of(*reversed(first_of(raw, METADATA[name])))) for name in METADATA}
    path = first_of(raw, METADATA["categories"])[1] or []
    while isinstance(path, list) and path and isinstance(path[0], list):
        path = path[0]
    steps = list(texts_of(path, "categories")) or list(texts_of(*reversed(first_of(raw, ROOTS))))
    joined = {name: " ".join(values) for name, values in texts.items()}
    joined["categories"] = ", ".join(dict.fromkeys(texts["categories"]))
    made = {name: plain(value).strip() for name, value in joined.items()}
    used = {"title", "brand", *fields}
    return Item(
        title=made["title"],
        text=" ".join(made[name] for name in fields if name != "title" and made[name]),
        brand=made["brand"],
        path=tuple(plain(step) for step in steps),
        image_url=picture_url(raw),
        html=sum(made[name] != joined[name] for name in used),
    )


def table_of_items(
    known: Sequence[str], found: Mapping[str, Item], fields: Sequence[str], folder: Path, notes: list[str]
) -> pd.DataFrame:
    """The items' table in the order of ``known``; ``""`` in every column for those that were not found.

    ``image`` is the file of the item's picture in ``folder``, ``<id>.jpg`` or the like.
    """
    items = [found.get(name, Item("", "", "", (), "", 0)) for name in known]
    files = named_by_id(folder)
    table = pd.DataFrame(
        {
            "id": list(known),
            "title": [item.title for item in items],
            "text": [item.text for item in items],
            "image": [files.get(name, "") for name in known],
            "category": categories([item.path for item in items]),
            "brand": [item.brand for item in items],
            "image_url": [item.image_url for item in items],
        }
    )
    told = " + ".join(field for field in fields if field != "title") or "nothing"
    lost = len(known) - len(found)
    notes.append(f"Items: {len(known):,}; without metadata: {lost:,}; title = title, text = {told}.")
    for name in ("title", "text"):
        if lacking := int((table[name] == "").sum()):
            notes.append(f"Items without {name}: {lacking:,}.")
    if html := sum(item.html for item in items):
        notes.append(f"Texts of items that had HTML taken out: {html:,}.")
    notes.append(f"Items without a picture: {int((table['image'] == '').sum()):,}.")
    return table


def categories(paths: Sequence[tuple[str, ...]], shared: int = SHARED) -> list[str]:
    """One category an item: the most specific name of its path that at least ``shared`` items have in theirs.

    The leaves of Amazon's tree often hold a single item, and its root nearly all. Where no name is shared by so many,
    the first name is taken.
    """
    count = Counter(name for path in paths for name in set(path))
    return [next((name for name in reversed(path) if count[name] >= shared), path[0]) if path else "" for path in paths]


def _is_other(line: str, key: str, wanted: set[str]) -> bool:
    """Whether the line surely describes another item: its key occurs once, and says so."""
    for quote in ('"', "'"):
        name = f"{quote}{key}{quote}"
        if line.count(name) != 1:
            continue
        colon, value = line.partition(name)[2].lstrip()[:1], line.partition(name)[2].lstrip()[1:].lstrip()
        end = value.find(value[:1], 1)
        return colon == ":" and value[:1] in ('"', "'") and "\\" not in value[:end] and value[1:end] not in wanted
    return False


def _fullest(item: Item) -> tuple[Any, ...]:
    values = astuple(item)
    return (-len(item.text), -sum(len(value) for value in values[:-1]), *values)
