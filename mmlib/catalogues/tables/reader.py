"""A user's own catalogue: CSV or parquet tables and a folder of pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from ..cells import interactions
from ..reading import Reading, described, in_order
from . import roles
from .content import content
from .files import header, read_table


def read(reading: Reading, columns: Mapping[str, Any] | None = None) -> Dataset:
    """Read a catalogue as it lies in ``reading.folder``; nothing is split yet, and nothing is copied or changed.

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

    Raises:
        InputError: naming file, column, row and remedy.
    """
    columns = dict(columns or {})
    roles.check(columns)
    path, items_file, people_file = roles.find_tables(reading.folder, columns)
    remedy = 'Say which one it is: columns = {"{}": "..."}.'
    found = roles.of_interactions(reading, path, header(path), columns, remedy)
    table = interactions(read_table(path, reading, list(dict.fromkeys(found.values()))), found, columns)
    known, images = content(reading, items_file, columns)
    if people_file is not None:
        people = _ids_of_users(people_file, columns, reading)
        reading.match(table["user"].value_counts(), people, "users", (path, people_file))
    reading.notes += reading.bad_lines()
    items = in_order(table["item"].cat.categories)
    if items_file is not None:
        listed = pd.Index(known["id"])
        reading.match(table["item"].value_counts(), listed, "items", (path, items_file))
        items = listed.append(items[~items.isin(listed)])
    users = pd.DataFrame({"id": in_order(table["user"].cat.categories)})
    return reading.dataset(table, path.name, users, described(known, items), images=images, file_order=True)


def _ids_of_users(path: Path, columns: Mapping[str, Any], reading: Reading) -> pd.Index:
    """All that is read of a table of users."""
    column = roles.column("user", columns, header(path), path)
    if column is None:
        raise InputError(f"{path} has no column with the users' ids; leave it out with columns = {{'users': ''}}.")
    return pd.Index(read_table(path, reading, [column]).ids(column, "user"))
