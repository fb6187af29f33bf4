"""A user's own catalogue: CSV or parquet tables and a folder of pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError, one_of
from ...splits import PART_NAMES
from ..assemble import once
from ..assemble import seconds as to_seconds
from ..dates import moments
from ..ids import UNMATCHED, case_twins, in_order
from ..ids import unmatched as unmatched_notes
from . import names as names_of
from .content import content
from .files import header, ids, read_table, row_of

IN_INTERACTIONS = ("user", "item", "rating", "time", "review", "part")


def read(
    folder: str | Path,
    columns: Mapping[str, Any] | None = None,
    name: str | None = None,
    *,
    unmatched: str = "stop",
) -> Dataset:
    """Read a catalogue as it lies in ``folder``; nothing is split yet, and nothing is copied or changed.

    Two tables are looked for, each CSV (comma, semicolon or tab; UTF-8 or UTF-16) or parquet: one of interactions, with
    a column for users and one for items, and, if there is one, one of items. The usual names of columns are recognised
    (``userId``, ``user_id``, ``reviewerID`` ...), and ``notes`` says what was taken as what and what was found on the
    way: repeated interactions (kept once), items without a row (kept), absent pictures (``image`` is then ``""``).
    Ids stay text, so ``"007"`` is not ``"7"``. Users, and items without a table of their own, are put in the order of
    their ids, by number if all are whole numbers; other items stay in the order of their table.

    Args:
        columns: what the recognition gets wrong. Keys: ``interactions`` and ``items`` (files), ``user``, ``item``,
            ``rating``, ``time`` (seconds or milliseconds since 1970, or dates), ``review``, ``part``, ``title``,
            ``text`` (a column, or several that are joined), ``image`` (a column of paths, or a pattern such as
            ``"images/{itemId}.jpg"``), ``category``. ``None`` or ``""`` says that there is no such thing. Two more say
            how cells are written: ``time_format`` (such as ``"%d/%m/%Y"``) and ``decimal`` (``","`` or ``"."``); both
            are only needed where a column can be read in two ways.
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
    names_of.check(columns)
    interactions, items = names_of.find_tables(folder, columns)
    notes: list[str] = []
    table = _interactions(interactions, columns, notes)
    described, images = content(folder, items, columns, notes)
    users, item_ids = in_order(table["user"]), _item_ids(table, described, (interactions, items), unmatched, notes)
    table = table.assign(
        user=users.get_indexer(pd.Index(table["user"])), item=item_ids.get_indexer(pd.Index(table["item"]))
    )
    table = once(table, interactions.name, notes)
    notes += [*case_twins(users, "users"), *case_twins(item_ids, "items")]
    catalogue = described.set_index("id").reindex(item_ids, fill_value="").rename_axis("id").reset_index()
    people = pd.DataFrame({"id": users})
    return Dataset(name or folder.resolve().name, people, catalogue, table, images, notes=tuple(notes))


def _interactions(path: Path, columns: Mapping[str, Any], notes: list[str]) -> pd.DataFrame:
    """Columns ``user`` and ``item`` (the original ids), ``part``, and ``rating``, ``time``, ``review`` where known."""
    head = header(path)
    found = {role: names_of.column(role, columns, head, path) for role in IN_INTERACTIONS}
    for role in ("user", "item"):
        if found[role] is None:
            raise InputError(
                f"{path} has no column that is recognised as the {role}s' ids; it has {', '.join(head)}. "
                f'Say which one it is: columns = {{"{role}": "..."}}.'
            )
    wanted = {role: name for role, name in found.items() if name is not None}
    notes.append(f"{path.name}: " + ", ".join(f"{role} = {name}" for role, name in wanted.items()) + ".")
    raw = read_table(path, list(dict.fromkeys(wanted.values())))
    table = pd.DataFrame({role: ids(raw, wanted[role], path) for role in ("user", "item")})
    table["part"] = _parts(raw, wanted["part"], path) if "part" in wanted else ""
    if "rating" in wanted:
        table["rating"] = _numbers(raw, wanted["rating"], path, columns, notes)
        notes.append("Every rating counts as an interaction, low ones too.")
    if "time" in wanted:
        table["time"] = _seconds(raw, wanted["time"], path, columns, notes)
    if "review" in wanted:
        table["review"] = raw[wanted["review"]].str.strip()
    return table


def _numbers(raw: pd.DataFrame, name: str, path: Path, columns: Mapping[str, Any], notes: list[str]) -> pd.Series:
    values = raw[name].str.strip()
    commas = values[values.str.contains(",", regex=False)]
    decimal = columns.get("decimal")
    if len(commas) and not decimal and not values.str.contains(".", regex=False).any():
        if commas.str.fullmatch(r"[-+]?\d{1,3}(,\d{3})+").all():
            raise InputError(
                f"{path}: column {name!r} says {commas.iloc[0]!r} in row {row_of(raw, int(commas.index[0]))}, which "
                'may be a fraction or thousands. Say columns = {"decimal": ","} if it is a fraction, else take the '
                "commas out of the file."
            )
        decimal = ","
        notes.append(f"{path.name}: commas in {name} were read as decimal points.")
    values = values.str.replace(",", ".", regex=False) if decimal == "," else values
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    wrong = np.flatnonzero((numbers.isna() | np.isinf(numbers)) & (values != ""))
    if len(wrong):
        place = int(wrong[0])
        raise InputError(
            f"{path}: column {name!r} must hold numbers, but row {row_of(raw, place)} says "
            f"{raw[name].str.strip()[place]!r} ({len(wrong)} such rows). Correct them, or leave the column out with an "
            "empty name in columns."
        )
    return numbers


def _seconds(raw: pd.DataFrame, name: str, path: Path, columns: Mapping[str, Any], notes: list[str]) -> pd.Series:
    values = raw[name].str.strip()
    said = values[values != ""]
    numeric = said.iloc[:100].str.fullmatch(r"[-+]?\d*[.,]?\d*(e\+?\d+)?").any()
    if not columns.get("time_format") and (numeric or said.empty):
        return to_seconds(_numbers(raw, name, path, columns, notes), path.name, notes)
    found = moments(values, columns.get("time_format"), path.name, notes)
    wrong = np.flatnonzero(found.isna() & (values != ""))
    if len(wrong):
        place, right = int(wrong[0]), values[found.notna()]
        others = f"dates such as {right.iloc[0]!r}" if len(right) else "seconds since 1970 or dates such as 2024-05-31"
        raise InputError(
            f"{path}: column {name!r} must hold {others}, but row {row_of(raw, place)} says {values.iat[place]!r} "
            f"({len(wrong)} such rows). Write all of them in one way, or name that way: "
            'columns = {"time_format": "%d/%m/%Y"}.'
        )
    seconds = (found - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return seconds if seconds.isna().any() else seconds.floordiv(1).astype("int64")


def _parts(raw: pd.DataFrame, name: str, path: Path) -> pd.Series:
    values = raw[name].str.strip().str.lower()
    parts = values.map(PART_NAMES)
    wrong = np.flatnonzero(parts.isna() & (values != ""))
    if len(wrong):
        place = int(wrong[0])
        raise InputError(
            f"{path}: column {name!r} must say train, valid (or val, validation) or test, but row {row_of(raw, place)} "
            f"says {values.iat[place]!r} ({len(wrong)} such rows). If it is no split: columns = {{'part': ''}}."
        )
    return parts.fillna("")


def _item_ids(
    table: pd.DataFrame, described: pd.DataFrame, files: tuple[Path, Path | None], choice: str, notes: list[str]
) -> pd.Index:
    listed, bought = pd.Index(described["id"]), in_order(table["item"])
    if files[1] is None:
        return bought
    notes += unmatched_notes(table["item"].value_counts(), listed, "items", (files[0], files[1]), choice)
    never = listed[~listed.isin(bought)]
    if len(never):
        notes.append(f"Items without an interaction: {len(never)}, such as {', '.join(never[:3])}; kept.")
    return listed.append(bought[~bought.isin(listed)])
