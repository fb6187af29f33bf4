"""What the columns of a user's tables are usually called, and how a mapping overrides it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import InputError, closest, one_of
from ..reading import Reading
from .files import KINDS, header

_FACTS = (
    "brand maker director directors actors cast author authors artist material colour color pattern features feature "
    "tags keywords"
)
_PROSE = "description text plot overview synopsis summary abstract about details"
_USUAL = {  # the better names first; lower case, letters and digits only
    "user": "user userid uid reviewerid customerid customer visitorid memberid reviewer",
    "item": "item itemid iid asin parentasin productid product movieid movie articleid bookid isbn sku gameid "
    "businessid",
    "rating": "rating ratings overall stars score",
    "time": "timestamp time unixreviewtime datetime date createdat",
    "review": "review reviewtext reviewbody comment text",
    "part": "part split set subset xlabel",
    "title": "title name itemname productname producttitle movietitle",
    "image": "image images picture poster photo imagepath imagefile img cover posterpath thumbnail imageurl imurl "
    "posterurl",
    "category": "category categories genre genres maincategory producttype department",
    "text": f"{_PROSE} {_FACTS}",
}
FACTS, PROSE = tuple(_FACTS.split()), tuple(_PROSE.split())
USUAL = {role: tuple(names.split()) for role, names in _USUAL.items()}
IN_INTERACTIONS = ("user", "item", "rating", "time", "review", "part")
CONTENT = ("title", "text", "image", "category")
TABLES = {  # which of several tables is meant
    "interactions": ("interactions", "ratings", "purchases", "reviews", "events", "clicks", "inter"),
    "items": ("items", "products", "movies", "books", "articles", "catalogue", "catalog", "metadata", "meta", "item"),
    "users": ("users", "user", "customers", "members", "people", "readers", "visitors"),
}
WRITTEN = ("time_format", "decimal")  # how cells are written
KEYS = (*TABLES, *USUAL, *WRITTEN)


def check(columns: Mapping[str, Any]) -> None:
    """Refuse keys and values of a mapping that mean nothing.

    Raises:
        InputError: naming the key, with the closest known one.
    """
    for key, value in columns.items():
        if key not in KEYS:
            raise InputError(f"columns: there is no key {key!r}.{closest(key, KEYS)} Keys: {', '.join(KEYS)}.")
        several = key == "text" and isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        if not (value is None or isinstance(value, str) or several):
            wanted = "a column's name or a list of them" if key == "text" else "a name"
            raise InputError(f"columns[{key!r}] = {value!r} must be {wanted}.")
    one_of("columns['decimal']", columns.get("decimal") or ".", ",.")


def column(role: str, columns: Mapping[str, Any], names: list[str], path: Path) -> str | None:
    """The column of the table at ``path`` that plays ``role``, or ``None``.

    Raises:
        InputError: when the mapping names one that is not there.
    """
    if role in columns:
        return mapped(role, columns[role], names, path) if columns[role] else None
    return _usual(USUAL[role], names)


def of_interactions(
    reading: Reading, path: Path, names: list[str], columns: Mapping[str, Any], remedy: str
) -> dict[str, str]:
    """The columns of a table of interactions by their role; noted.

    Args:
        remedy: what to do where there are no users or no items, with the role in braces.

    Raises:
        InputError: when it has no column of users or of items.
    """
    found = {role: column(role, columns, names, path) for role in IN_INTERACTIONS}
    for role in ("user", "item"):
        if found[role] is None:
            raise InputError(
                f"{path} has no column that is recognised as the {role}s' ids; it has {', '.join(names)[:200]}. "
                f"{remedy.replace('{}', role)}"
            )
    wanted = {role: name for role, name in found.items() if name is not None}
    reading.notes.append(f"{path.name}: " + ", ".join(f"{role} = {name}" for role, name in wanted.items()) + ".")
    return wanted


def mapped(role: str, name: str, names: list[str], path: Path) -> str:
    """``name``, if it is one of the table's columns.

    Raises:
        InputError: with the closest name and all of them.
    """
    if name not in names:
        raise InputError(
            f"{path} has no column {name!r}, which columns[{role!r}] asks for.{closest(name, names)} "
            f"It has {', '.join(names)}."
        )
    return name


def text_columns(columns: Mapping[str, Any], names: list[str], path: Path) -> list[str]:
    """The columns that make up the items' text: those of the mapping, or the prose and facts that are recognised."""
    if "text" in columns:
        given = columns["text"] or []
        return [mapped("text", name, names, path) for name in ([given] if isinstance(given, str) else given)]
    return [name for usual in USUAL["text"] for name in names if plain(name) == usual]


def item_column(columns: Mapping[str, Any], names: list[str]) -> str | None:
    """The column with the items' ids in the table of items; it may be called otherwise than in the interactions."""
    return columns["item"] if columns.get("item") in names else _usual((*USUAL["item"], "id"), names)


def find_tables(folder: Path, columns: Mapping[str, Any]) -> tuple[Path, Path | None, Path | None]:
    """The files with the interactions and, where there is one, with the items and with the users.

    Raises:
        InputError: when there is no table of interactions, or several that could be it.
    """
    named = {kind: folder / columns[kind] for kind in TABLES if columns.get(kind)}
    for kind, path in named.items():
        if not path.is_file():
            beside = [file.name for file in folder.iterdir()]
            raise InputError(f"columns[{kind!r}]: there is no file {path}.{closest(path.name, beside)}")
    others = [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(KINDS) and path.name[0] != "."]
    heads = {path: header(path) for path in others if path not in named.values()}
    user = {path for path, names in heads.items() if _has("user", columns, names)}
    both = [path for path in heads if path in user and _has("item", columns, heads[path])]
    about = [
        path
        for path, names in heads.items()
        if path not in user
        and (item_column(columns, names) or _called("items", path))
        and any(_has(role, columns, names) for role in CONTENT)
    ]
    people = next((path for path in heads if path in user and path not in both and _called("users", path)), None)
    people = named.get("users") if "users" in columns else people
    interactions = named.get("interactions") or _only("interactions", both, folder)
    if interactions is None:
        for role in ("user", "item"):
            if columns.get(role):
                mapped(role, columns[role], [name for names in heads.values() for name in names], folder)
        seen = "; ".join(f"{path.name}: {', '.join(names)}" for path, names in heads.items()) or "none"
        raise InputError(
            f"{folder} has no table with columns for users and items, such as user,item (tables seen: {seen}). "
            'Say which ones they are: columns = {"interactions": "file.csv", "user": "...", "item": "..."}.'
        )
    if "items" in columns:
        return interactions, named.get("items"), people
    return interactions, _only("items", about, folder), people


def plain(name: str) -> str:
    """Lower case, letters and digits only: ``userId``, ``user_id`` and ``User ID`` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _usual(usual: Iterable[str], names: list[str]) -> str | None:
    known = {plain(name): name for name in reversed(names)}
    return next((known[name] for name in usual if name in known), None)


def _has(role: str, columns: Mapping[str, Any], names: list[str]) -> bool:
    given = columns.get(role)
    if role in columns and role != "image":
        return any(name in names for name in ([given] if isinstance(given, str) else given or ()))
    return _usual(USUAL[role], names) is not None


def _called(kind: str, path: Path) -> bool:
    return plain(path.name.split(".")[0]) in TABLES[kind]


def _only(kind: str, paths: list[Path], folder: Path) -> Path | None:
    if len(paths) < 2:
        return paths[0] if paths else None
    known = [path for name in TABLES[kind] for path in paths if plain(path.name.split(".")[0]) == name]
    if not known:
        raise InputError(
            f"{folder} has several tables that could hold the {kind}: {', '.join(path.name for path in paths)}. "
            f'Say which one: columns = {{"{kind}": "{paths[0].name}"}}.'
        )
    return known[0]
