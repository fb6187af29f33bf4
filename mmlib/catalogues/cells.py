"""Columns of text as what they stand for: ids, numbers, times and parts; a cell that cannot be is named by its line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError
from ..splits import PART_NAMES
from .dates import moments
from .delimited import Layout, lines_of, read
from .reading import Reading

LATEST = 1e11  # seconds either way; what is beyond is no time
SECONDS = (1e8, 1e11)  # a number between these is surely no milli- or microseconds
UNITS = (("micro", 1e6, 1e14), ("milli", 1e3, 1e11))  # a median time above the last is counted in this unit
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass
class Cells:
    """The cells of a file, and which of its rows are sound.

    Args:
        path: the file.
        text: [n rows] columns of text.
        lines: gives the line of each row, counted from 1.
        reading: says what becomes of a row with a cell that cannot be, and takes notes.
        unit: what ``lines`` counts.
        optional: whether ratings, times and parts may be missing.
    """

    path: Path
    text: pd.DataFrame
    lines: Callable[[], Any]
    reading: Reading
    unit: str = "line"
    optional: bool = True

    def __post_init__(self) -> None:
        self.sound = np.ones(len(self.text), dtype=bool)

    @cached_property
    def line(self) -> Any:
        return self.lines()

    def refuse(self, wrong: Any, why: str, column: str = "") -> None:
        """Report the rows where ``wrong`` is true; ``{}`` in ``why`` is the cell."""
        places = np.flatnonzero(np.asarray(wrong) & self.sound)
        self.sound[places] = False
        more = f" ({len(places):,} such {self.unit}s)" if self.reading.on_bad == "stop" and len(places) > 1 else ""
        for place in places.tolist():
            cell = str(self.text[column].iat[place])[:40] if column else ""
            self.reading.bad(self.path, int(self.line[place]), why.replace("{}", repr(cell)) + more, self.unit)

    def leave(self, role: str) -> str:
        """How a user's table is read without a column."""
        return f"; or leave the column out with an empty name in columns = {{'{role}': ''}}" * self.optional

    def ids(self, column: str, role: str) -> pd.Series:
        """The ids without the blanks around them; each row needs one."""
        values = self.text[column].str.strip()
        self.refuse(values == "", f"the {role} is missing (column {column!r})")
        self.refuse(values.str.contains("\0", regex=False), f"the {role} {{}} holds a zero byte", column)
        return values

    def numbers(self, column: str, role: str, decimal: str | None = None) -> pd.Series:
        """Finite numbers as float64; NaN for an empty cell where that is allowed.

        Raises:
            InputError: when all of a column's commas may stand for thousands as well as for fractions.
        """
        values = self.text[column].str.strip()
        commas = values[values.str.contains(",", regex=False)]
        if len(commas) and not decimal and not values.str.contains(".", regex=False).any():
            if commas.str.fullmatch(r"[-+]?\d{1,3}(,\d{3})+").all():
                raise InputError(
                    f"{self.path}, {self.unit} {self.line[commas.index[0]]:,}: {commas.iloc[0]!r} in column {column!r} "
                    'may be a fraction or thousands. Say columns = {"decimal": ","} if it is a fraction, else take the '
                    "commas out of the file."
                )
            decimal = ","
            self.reading.notes.append(f"{self.path.name}: commas in {column} were read as decimal points.")
        values = values.str.replace(",", ".", regex=False) if decimal == "," else values
        numbers = pd.to_numeric(values.where(values.str.fullmatch(NUMBER)), errors="coerce").astype("float64")
        if not self.optional:
            self.refuse(values == "", f"the {role} is missing (column {column!r})")
        comma = ", with a point and no comma" if len(commas) else ""
        wrong = (numbers.isna() | np.isinf(numbers)) & (values != "")
        why = f"the {role} must be a number{comma}, but is {{}} (column {column!r})"
        self.refuse(wrong, why + self.leave(role), column)
        return numbers

    def seconds(self, column: str, pattern: str | None = None, decimal: str | None = None) -> pd.Series:
        """Whole seconds since 1970 from seconds, milli- or microseconds (told apart by their median) or dates.

        Missing times stay missing, and the column float64.

        Raises:
            InputError: when dates can be read in two ways.
        """
        values = self.text[column].str.strip()
        said = values[values != ""]
        if not pattern and (said.empty or said.iloc[:100].str.fullmatch(r"[-+]?\d*[.,]?\d*([eE][-+]?\d+)?").any()):
            times = self.numbers(column, "time", decimal)
            unit, factor = next(((unit, factor) for unit, factor, least in UNITS if times.median() > least), ("", 1.0))
            if unit:
                self.reading.notes.append(f"{self.path.name}: time was taken as {unit}seconds.")
            wrong = (times.abs() / factor > LATEST) | ((factor > 1) & times.between(*SECONDS))
            why = f"the time {{}} (column {column!r}) is not in {unit}seconds since 1970, as the others are"
            self.refuse(wrong, why, column)
            times = times / factor
        else:
            found = moments(values, pattern, self.path.name, self.reading.notes)
            right = values[found.notna()]
            others = f"a date such as {right.iloc[0]!r}" if len(right) else "seconds since 1970 or a date as 2024-05-31"
            self.refuse(
                found.isna() & (values != ""),
                f"the time must be {others}, but is {{}} (column {column!r}). Write all of them in one way, or name "
                "that way, as in columns = {'time_format': '%d/%m/%Y'}",
                column,
            )
            times = (found - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        return times

    def parts(self, column: str) -> pd.Series:
        """``"train"``, ``"valid"`` or ``"test"``; ``""`` for an empty cell where that is allowed."""
        values = self.text[column].str.strip().str.lower()
        if not self.optional:
            self.refuse(values == "", f"the part is missing (column {column!r})")
        parts = values.map(PART_NAMES)
        self.refuse(
            parts.isna() & (values != ""),
            f"the part must be 0, 1 or 2, or train, valid or test, but is {{}} (column {column!r}){self.leave('part')}",
            column,
        )
        return parts.fillna("").astype(object)


def read_cells(path: Path, layout: Layout, reading: Reading, columns: Sequence[str], optional: bool = False) -> Cells:
    """Some columns of a delimited file, as ``delimited.read`` gives them."""
    text, lines = read(path, layout, reading, columns)
    return Cells(path, text, lambda: lines_of(path, layout) if lines is None else lines, reading, optional=optional)


def interactions(cells: Cells, found: Mapping[str, str], how: Mapping[str, Any]) -> pd.DataFrame:
    """Columns ``user`` and ``item`` (categories of ids), ``part``, and ``rating``, ``time``, ``review`` where known.

    Args:
        found: role -> column.
        how: cells are written, where it must be said: ``time_format`` and ``decimal``.
    """
    table = pd.DataFrame({role: cells.ids(found[role], role) for role in ("user", "item")})
    table["part"] = cells.parts(found["part"]) if "part" in found else ""
    if "rating" in found:
        table["rating"] = cells.numbers(found["rating"], "rating", how.get("decimal"))
        cells.reading.notes.append("Every rating counts as an interaction, low ones too.")
    if "time" in found:
        table["time"] = cells.seconds(found["time"], how.get("time_format"), how.get("decimal"))
    if "review" in found:
        table["review"] = cells.text[found["review"]].str.strip()
    if not cells.optional:
        table["part"] = table.pop("part")  # the last column of published forms
    table = table[cells.sound].reset_index(drop=True)
    for role in ("user", "item"):
        codes, ids = pd.factorize(table[role])
        table[role] = pd.Categorical.from_codes(codes, pd.Index(ids))
    if table.empty:
        raise InputError(f"{cells.path} has no rows that can be read. {' '.join(cells.reading.bad_lines())}".strip())
    if "time" in table and not table["time"].isna().any():
        table["time"] = table["time"].floordiv(1).astype("int64")
    return table
