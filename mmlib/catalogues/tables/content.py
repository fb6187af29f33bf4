"""What a user's tables say of the items: title, text, category and picture."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.errors import InputError
from ..reading import Reading
from . import roles
from .files import flat, header, read_table
from .pictures import pictures

COLUMNS = ("id", "title", "text", "image", "category")
LONG = 60  # characters: a column whose cells are longer on average is prose, and needs no label


def content(reading: Reading, path: Path | None, columns: Mapping[str, Any]) -> tuple[pd.DataFrame, Path | None]:
    """The table of items (``id``, ``title``, ``text``, ``image``, ``category``, then all other columns), and the
    folder of the pictures. Without a file the table has no rows.

    Raises:
        InputError: as ``tables.read``.
    """
    notes = reading.notes
    if path is None:
        return _nothing(columns, notes), None
    head = header(path)
    item = roles.item_column(columns, head)
    if item is None:
        raise InputError(
            f"{path} has no column with the items' ids; it has {', '.join(head)}. Call it like the one in the "
            'interactions, say which one it is with columns = {"item": "..."}, or leave the table out: {"items": ""}.'
        )
    cells = read_table(path, reading)
    found, raw = cells.ids(item, "item"), cells.text
    found, raw = found[cells.sound].reset_index(drop=True), raw[cells.sound].reset_index(drop=True)
    title = roles.column("title", columns, head, path)
    category = roles.column("category", columns, head, path)
    kinds = _values(raw[category]) if category else [[]] * len(raw)
    told = roles.text_columns(columns, head, path)
    if category and "text" not in columns and any(len(values) > 1 for values in kinds):
        told = [category, *(name for name in told if name != category)]
        notes.append(f"{path.name}: where {category} has several values, the first is the category; text has them all.")
    table = pd.DataFrame({"id": found})
    table["title"] = raw[title].str.strip() if title else ""
    table["text"] = joined(raw, told)
    names, images, how = pictures(reading, path, raw, table["id"], columns)
    table["image"] = names
    table["category"] = [values[0] if values else "" for values in kinds]
    taken = {"item": item, "title": title, "text": " + ".join(told), "image": how, "category": category}
    notes.insert(1, f"{path.name}: " + ", ".join(f"{role} = {name}" for role, name in taken.items() if name) + ".")
    for name in told:
        silent = int((raw[name].str.strip() == "").sum())
        if silent and _is_prose(name, raw[name].tolist()):
            notes.append(f"Items without {name}: {silent}.")
    others = [name for name in head if name != item and name not in COLUMNS]
    return reading.first_rows(pd.concat([table, raw[others]], axis=1), path), images


def joined(raw: pd.DataFrame, names: list[str]) -> list[str]:
    """Each row's text from several columns: prose as it is, facts as ``Director: John Lasseter.``, no empty cells.

    A column is prose if it is called so (plot, description ...) or if its cells are long. A single column is taken
    unchanged, unless its name says that it holds facts.
    """
    if len(names) == 1 and roles.plain(names[0]) not in roles.FACTS + roles.USUAL["category"]:
        return raw[names[0]].str.strip().tolist()
    columns = []
    for name in names:
        cells = raw[name].str.strip().tolist()
        label = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s]+", " ", name).strip().capitalize()
        prose = _is_prose(name, cells)
        columns.append([_sentence(cell) if prose else _fact(label, cell) for cell in cells])
    return [" ".join(filter(None, row)) for row in zip(*columns)] if columns else [""] * len(raw)


def _is_prose(name: str, cells: list[str]) -> bool:
    if roles.plain(name) in roles.PROSE + roles.FACTS + roles.USUAL["category"]:
        return roles.plain(name) in roles.PROSE
    lengths = [len(cell) for cell in cells if cell]
    return sum(lengths) > LONG * len(lengths)


def _fact(label: str, cell: str) -> str:
    text = ", ".join(_listed(cell) or re.split(r"\s*[|;]\s*", cell)).strip(" ,")
    return _sentence(f"{label}: {text}") if text else ""


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else text + "."


def _values(cells: pd.Series) -> list[list[str]]:
    """The values in each cell of a category column: ``A|B``, ``A; B``, ``A > B``, ``['A', 'B']``; in a column with a
    plural name also ``A, B``."""
    marks = ("|", ";", " > ") + ((",",) if str(cells.name).lower().endswith("s") else ())
    mark = next((mark for mark in marks if cells.str.contains(mark, regex=False).any()), None)
    return [
        [value.strip() for value in (_listed(cell) or (cell.split(mark) if mark else [cell])) if value.strip()]
        for cell in cells
    ]


def _listed(cell: str) -> list[str]:
    """The texts of a written list such as ``[['Baby', 'Toys']]``; nothing for other cells."""
    if not cell.startswith("["):
        return []
    try:
        return flat(ast.literal_eval(cell))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []


def _nothing(columns: Mapping[str, Any], notes: list[str]) -> pd.DataFrame:
    asked = [role for role in roles.CONTENT if columns.get(role)]
    if asked:
        raise InputError(
            f"columns[{asked[0]!r}] is given, but there is no table of items: no CSV or parquet file with a column of "
            'item ids and one of titles, texts, pictures or categories. Name it: columns = {"items": "file.csv"}.'
        )
    notes.append("There is no table of items: no titles, texts, pictures or categories.")
    return pd.DataFrame({name: pd.Series([], dtype=object) for name in COLUMNS})
