"""Where a user's pictures are: named in a column, by a pattern, or by the item's id."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.errors import InputError
from ..reading import Reading
from . import roles

FOLDERS = ("images", "pictures", "posters", "photos", "img")
KINDS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


def pictures(
    reading: Reading, path: Path, raw: pd.DataFrame, ids: pd.Series, columns: Mapping[str, Any]
) -> tuple[list[str], Path | None, str | None]:
    """Each item's picture relative to a folder (``""`` when absent), that folder, and the column or pattern used.

    Raises:
        InputError: when a path leads out of the catalogue's folder.
    """
    folder, notes = reading.folder, reading.notes
    names, how = _named(folder, path, raw, ids, columns)
    names = [name.replace("\\", "/") for name in names]
    if how is None:
        notes.append("There are no pictures: no column that names them, and no folder images with files named by id.")
        return names, None, None
    if f"{how}_flag" in raw:
        names = _flagged(names, raw[f"{how}_flag"], f"{how}_flag", notes)
    web = sum(name.startswith(("http://", "https://")) for name in names)
    if web:
        notes.append(f"{path.name}: pictures that are web addresses: {web}; absent until they are files in the folder.")
        names = ["" if name.startswith(("http://", "https://")) else name for name in names]
    names = [_inside(name, item, path) for name, item in zip(names, ids)]
    base = _base(folder, names)
    there = [bool(name) and os.path.isfile(base / name) for name in names]
    absent = [name for name, found in zip(names, there) if name and not found]
    if absent:
        notes.append(f"{path.name}: pictures named but absent: {len(absent)}, such as {_some(absent)}.")
    without = len(names) - sum(there)
    if without:
        notes.append(f"Items without a picture: {without}.")
    names, base = _shortened(base, [name if found else "" for name, found in zip(names, there)])
    _not_outside(base, names, path)
    return names, base, how


def named_by_id(folder: Path) -> dict[str, str]:
    """The pictures in a folder, by what their names say before the dot; of several the first in the order of KINDS."""
    files = [path for path in folder.glob("*.*") if path.suffix.lower() in KINDS and not path.is_dir()]
    files.sort(key=lambda path: (KINDS.index(path.suffix.lower()), path.name), reverse=True)
    return {path.stem: path.name for path in files}


def _named(
    folder: Path, path: Path, raw: pd.DataFrame, ids: pd.Series, columns: Mapping[str, Any]
) -> tuple[list[str], str | None]:
    given = columns.get("image")
    if given and "{" in given:
        return _from_pattern(given, raw, path), given
    column = roles.column("image", columns, list(raw.columns), path)
    if column:
        return raw[column].str.strip().tolist(), column
    for name in FOLDERS if "image" not in columns else ():
        if (folder / name).is_dir():
            files = named_by_id(folder / name)
            if any(item in files for item in ids):
                return [f"{name}/{files[item]}" if item in files else "" for item in ids], f"{name}/<id>"
    return [""] * len(ids), None


def _from_pattern(pattern: str, raw: pd.DataFrame, path: Path) -> list[str]:
    """``"images/{itemId}.jpg"`` with the cells of each row; ``""`` where a cell is empty."""
    plain, *rest = re.split(r"{([^{}]*)}", pattern)  # text, field, text, field, text ...
    if any(set("{}") & set(text) for text in (plain, *rest[1::2])):
        raise InputError(f"columns['image'] = {pattern!r} has a brace too many; write it as 'images/{{itemId}}.jpg'.")
    made, empty = pd.Series(plain, index=raw.index, dtype=object), pd.Series(False, index=raw.index)
    for field, after in zip(rest[::2], rest[1::2]):
        cells = raw[roles.mapped("image", field, list(raw.columns), path)].str.strip()
        made, empty = made + cells.astype(object) + after, empty | (cells == "")
    return made.where(~empty, "").tolist()


def _some(names: list[str]) -> str:
    return ", ".join(name if len(name) < 80 else f"{name[:80]}... ({len(name):,} characters)" for name in names[:3])


def _flagged(names: list[str], flags: pd.Series, column: str, notes: list[str]) -> list[str]:
    """Leave out pictures that a column beside them calls placeholders; count what else it says."""
    flags = flags.str.strip().str.lower()
    for flag, count in flags.value_counts().items():
        if flag == "placeholder":
            notes.append(f"Placeholder pictures by {column}: {count}; they count as absent.")
        elif flag not in ("", "ok", "none"):
            notes.append(f"Pictures called '{flag}' by {column}: {count}; they are kept.")
    return ["" if flag == "placeholder" else name for name, flag in zip(names, flags)]


def _inside(name: str, item: str, path: Path) -> str:
    """The path in its shortest form."""
    if not name:
        return ""
    short = os.path.normpath(name).replace(os.sep, "/")
    if short.split("/")[0] in ("..", "") or re.match(r"[A-Za-z]:", name):
        raise InputError(
            f"{path}: the picture of item {item} is {name!r}, which lies outside the catalogue's folder. "
            "Copy it into the folder and name it relative to that."
        )
    return short


def _base(folder: Path, names: Sequence[str]) -> Path:
    """The folder, or one of its picture folders, in which most of the first names are files."""
    some = [name for name in names if name][:200]
    places = [folder, *(folder / name for name in FOLDERS)]
    return max(places, key=lambda place: sum(os.path.isfile(place / name) for name in some))


def _not_outside(base: Path, names: Sequence[str], path: Path) -> None:
    """Refuse links that lead out of ``base``; that the folder of all pictures is itself a link is fine."""
    real = os.path.realpath(base)
    folders = {name.rpartition("/")[0] for name in names if name}
    links = [folder for folder in sorted(folders) if folder and os.path.realpath(base / folder) != f"{real}/{folder}"]
    for name in (*links, *(name for name in names if name and os.path.islink(base / name))):
        target = os.path.realpath(base / name)
        if not target.startswith(real + os.sep):
            raise InputError(
                f"{path}: {base / name} is a link to {target}, outside the folder of the pictures, {base}. Copy what "
                "it leads to, or make that folder itself the link."
            )


def _shortened(base: Path, names: list[str]) -> tuple[list[str], Path]:
    """Move a first folder that all names share from the names to the base."""
    tops = {name.split("/")[0] if "/" in name else "" for name in names if name}
    if len(tops) != 1 or "" in tops:
        return names, base
    top = tops.pop()
    return [name.removeprefix(f"{top}/") for name in names], base / top
