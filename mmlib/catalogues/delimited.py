"""Rows of cells apart by a mark, such as CSV or ``1::1193::5::978300760``: all cells as text, each flaw with its line.

A file is parsed by Arrow; where that finds anything odd, it is read again by Python's ``csv``, which says what is wrong
with which line. Both give the same cells.
"""

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ..core.errors import InputError
from ..core.progress import progress
from .reading import Reading
from .text_files import LONGEST, Stream, blocks

SEPARATOR = "\x1f"  # in place of a mark of several characters
BATCH = 1 << 16  # rows made into columns at a time
END = "\x1f\x1d\x1e"  # a cell that no table has
WHY = {
    "unexpected end": "a double quote is never closed, so that the rest of the file counts as this row; close it, or "
    "double it if it is part of the text",
    "expected after": "a quote inside a cell in double quotes must be doubled",
    "field larger": f"the row is longer than {LONGEST >> 20} MiB; perhaps a double quote is never closed",
}


@dataclass(frozen=True)
class Layout:
    """How rows are written.

    Args:
        mark: what stands between two cells, such as ``"\\t"`` or ``"::"``.
        names: the columns; every row must have as many cells.
        header: whether the first row that is not blank has names.
        quoted: whether a cell may stand in double quotes.
        encoding: of the text.
    """

    mark: str
    names: Sequence[str]
    header: bool = False
    quoted: bool = False
    encoding: str = "utf-8"


def read(path: Path, layout: Layout, reading: Reading, columns: Sequence[str]) -> tuple[pd.DataFrame, array | None]:
    """The cells of some ``columns`` as text, and the line of each row if it is known already, see ``lines_of``.

    Raises:
        InputError: as ``text_files.opened`` and ``reading.bad`` say, and when no row is left.
    """
    lines, table = None, _by_arrow(path, layout, columns)
    if table is None:
        places = [list(layout.names).index(name) for name in columns]
        schema = pa.schema([(name, pa.string()) for name in columns])
        rows, lines, pieces = _checked(path, layout, reading), array("q"), [schema.empty_table()]
        while some := list(islice(rows, BATCH)):
            lines.extend(line for line, _ in some)
            pieces.append(pa.table([[row[place] for _, row in some] for place in places], schema=schema))
        table = pa.concat_tables(pieces)
    if table.num_rows == 0:
        raise InputError(f"{path} has no rows that can be read{' below its first line' if layout.header else ''}.")
    return table.to_pandas(), lines


def lines_of(path: Path, layout: Layout) -> array:
    """The line of each row that ``read`` gives."""
    return array("q", (line for line, _ in _checked(path, layout, Reading("skip"))))


def records(path: Path, layout: Layout, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """The line at which each row begins, and its cells; blank lines are passed over.

    A byte that is not text is a lone surrogate in its cell.
    """
    mark = layout.mark if len(layout.mark) == 1 else SEPARATOR
    csv.field_size_limit(LONGEST)
    how: Any = csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE
    reader, line = csv.reader(_texts(path, layout, reading), delimiter=mark, quoting=how, strict=True), 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            reading.bad(path, line, next((why for said, why in WHY.items() if said in str(error)), str(error)))
        else:
            if row is None:
                return
            if len(row) > 1 or (row and row[0].strip()):
                yield line, row
        line = reader.line_num + 1


def _checked(path: Path, layout: Layout, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """Rows of text with the right number of cells."""
    for number, (line, row) in enumerate(records(path, layout, reading)):
        whole = layout.mark.join(row)
        if number == 0 and layout.header:
            continue
        if len(row) != len(layout.names):
            reading.bad(path, line, f"{len(row)} cells between marks {layout.mark!r} instead of {len(layout.names)}")
        elif not whole.isascii() and (why := not_text(whole, path)):
            reading.bad(path, line, why)
        else:
            yield line, row


def not_text(row: str, path: Path) -> str:
    """Why a row is not UTF-8, or nothing."""
    data = row.encode("utf-8", "surrogateescape")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return (
            f"not UTF-8 text: byte {error.start + 1} is 0x{data[error.start]:02x}; save the file as UTF-8, with "
            f"`iconv -f LATIN1 -t UTF-8 {path.name} > new.csv` if it is Latin-1"
        )
    return ""


def _texts(path: Path, layout: Layout, reading: Reading) -> Iterator[str]:
    for first, data in blocks(path, reading):
        text = data.decode(layout.encoding, "surrogateescape")
        text = text.removeprefix("\ufeff") if first == 1 else text
        yield from io.StringIO(text.replace(layout.mark, SEPARATOR) if len(layout.mark) > 1 else text, newline="")


def _by_arrow(path: Path, layout: Layout, columns: Sequence[str]) -> pa.Table | None:
    """The columns, or nothing if there is anything in the file that must be looked at line by line."""
    mark = layout.mark if len(layout.mark) == 1 else SEPARATOR
    try:
        table = pa.csv.read_csv(
            Stream(_bytes(path, layout, f"\n{mark.join([END] * len(layout.names))}\n".encode())),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=LONGEST, column_names=list(layout.names)),
            parse_options=pa.csv.ParseOptions(
                delimiter=mark, quote_char='"' if layout.quoted else False, newlines_in_values=layout.quoted
            ),
            convert_options=pa.csv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(layout.names, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, InputError):
        return None
    last = table.num_rows - 1  # Arrow says nothing of a quote that is open at the end of the file
    return table.slice(layout.header, last - layout.header) if table.column(0)[last].as_py() == END else None


def _bytes(path: Path, layout: Layout, end: bytes) -> Iterator[bytes]:
    for first, data in progress(blocks(path, Reading()), f"reading {path.name}", unit="block"):
        if len(data) > LONGEST:
            raise InputError(f"{path} has long lines.")
        if not data.isascii():
            data = data.decode(layout.encoding).removeprefix("\ufeff" if first == 1 else "").encode()
        yield data.replace(layout.mark.encode(), SEPARATOR.encode()) if len(layout.mark) > 1 else data
    yield end
