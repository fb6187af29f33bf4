"""A user's own catalogue: CSV or parquet tables and a folder of pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError, one_of
from ..assemble import once, places
from ..cells import interactions
from ..ids import UNMATCHED, case_twins, in_order
from ..ids import unmatched as unmatched_notes
from ..text_files import BadLines
from . import roles
from .content import content
from .files import header, read_table

IN_INTERACTIONS = ("user", "item", "rating", "time", "review", "part")


def read(
    folder: str | Path,
    columns: Mapping[str, Any] | None = None,
    name: str | None = None,
    *,
    on_bad: str = "stop",
    unmatched: str = "stop",
) -> Dataset:
    """Read a catalogue as it lies in ``folder``; nothing is split yet, and nothing is copied or changed.

    Two tables are looked for, each CSV (comma, semicolon or tab; UTF-8 or UTF-16) or parquet: one of interactions, with
    a column for users and one for items, and, if there is one, one of items. Of a table of users only the ids are used.
    The usual names of columns are recognised (``userId``, ``user_id``, ``reviewerID`` ...), and ``notes`` says what was
    taken as what and what was found on the way: repeated interactions (kept once), items without a row (kept), absent
    pictures (``image`` is then ``""``). Ids stay text, so ``"007"`` is not ``"7"``. Users, and items without a table of
    their own, are put in the order of their ids, by number if all are whole numbers; other items stay in the order of
    their table.

    Args:
        columns: what the recognition gets wrong. Keys: ``interactions``, ``items``, ``users`` (files), ``user``,
            ``item``, ``rating``, ``time`` (seconds or milliseconds since 1970, or dates), ``review``, ``part``,
            ``title``, ``text`` (a column, or several that are joined), ``image`` (a column of paths, or a pattern such
            as ``"images/{itemId}.jpg"``), ``category``. ``None`` or ``""`` says that there is no such thing. Two more
            say how cells are written: ``time_format`` (such as ``"%d/%m/%Y"``) and ``decimal`` (``","`` or ``"."``);
            both are only needed where a column can be read in two ways.
        on_bad: ``"stop"`` at a row that cannot be read, or ``"skip"`` and count such rows.
        unmatched: what becomes of a table of items that has a row for none of the items in the interactions:
            ``"stop"`` or ``"keep"``, see ``ids.unmatched``.
        name: of the dataset; default: the folder's.

    Raises:
        InputError: naming file, column, row and remedy.
    """
    folder, columns = Path(folder), dict(columns or {})
    one_of("unmatched", unmatched, UNMATCHED)
    if not folder.is_dir():
        kind = "a file; give the folder that holds it" if folder.exists() else "not there"
        raise InputError(f"The folder {folder} is {kind}.")
    roles.check(columns)
    path, items, people_file = roles.find_tables(folder, columns)
    notes, bad = list[str](), BadLines(on_bad)
    table = _interactions(path, columns, bad, notes)
    described, images = content(folder, items, columns, bad, notes)
    if people_file is not None:
        notes += _in_users(table["user"], path, people_file, columns, unmatched, bad)
    notes += bad.notes()
    users, item_ids = (
        in_order(table["user"].cat.categories),
        _item_ids(table, described, (path, items), unmatched, notes),
    )
    table = table.assign(user=places(table["user"], users), item=places(table["item"], item_ids))
    table = once(table, path.name, notes)
    notes += [*case_twins(users, "users"), *case_twins(item_ids, "items")]
    catalogue = described.set_index("id").reindex(item_ids, fill_value="").rename_axis("id").reset_index()
    people = pd.DataFrame({"id": users})
    return Dataset(name or folder.resolve().name, people, catalogue, table, images, notes=tuple(notes))


def _interactions(path: Path, columns: Mapping[str, Any], bad: BadLines, notes: list[str]) -> pd.DataFrame:
    head = header(path)
    found = {role: roles.column(role, columns, head, path) for role in IN_INTERACTIONS}
    for role in ("user", "item"):
        if found[role] is None:
            raise InputError(
                f"{path} has no column that is recognised as the {role}s' ids; it has {', '.join(head)}. "
                f'Say which one it is: columns = {{"{role}": "..."}}.'
            )
    wanted = {role: name for role, name in found.items() if name is not None}
    notes.append(f"{path.name}: " + ", ".join(f"{role} = {name}" for role, name in wanted.items()) + ".")
    return interactions(read_table(path, list(dict.fromkeys(wanted.values())), bad), wanted, notes, columns)


def _in_users(
    users: pd.Series, path: Path, people: Path, columns: Mapping[str, Any], choice: str, bad: BadLines
) -> tuple[str, ...]:
    """What a table of users says of the interactions: only its ids are looked at."""
    column = roles.column("user", columns, header(people), people)
    if column is None:
        raise InputError(f"{people} has no column with the users' ids; leave it out with columns = {{'users': ''}}.")
    listed = read_table(people, [column], bad).ids(column, "user")
    return unmatched_notes(users.value_counts(), pd.Index(listed), "users", (path, people), choice)


def _item_ids(
    table: pd.DataFrame, described: pd.DataFrame, files: tuple[Path, Path | None], choice: str, notes: list[str]
) -> pd.Index:
    listed, bought = pd.Index(described["id"]), in_order(table["item"].cat.categories)
    if files[1] is None:
        return bought
    notes += unmatched_notes(table["item"].value_counts(), listed, "items", (files[0], files[1]), choice)
    never = listed[~listed.isin(bought)]
    if len(never):
        notes.append(f"Items without an interaction: {len(never)}, such as {', '.join(never[:3])}; kept.")
    return listed.append(bought[~bought.isin(listed)])
