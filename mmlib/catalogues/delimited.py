"""Files with one plain row a line, such as ``1::1193::5::978300760``: a block of lines at a time, each error with its
line.

A block is parsed by Arrow; where that finds anything odd, the block is read again line by line, which says what is
wrong with which line. Both ways give the same table.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ..core.errors import InputError
from ..core.progress import progress
from ..splits import PART_NAMES
from .line_reader import LONGEST, BadLines, blocks

KINDS = {  # what a cell may hold, and how a column of it is kept
    "id": pa.dictionary(pa.int32(), pa.string()),  # text that is not empty
    "number": pa.float64(),  # finite
    "time": pa.float64(),  # seconds or parts of them, at most LATEST either way
    "part": pa.dictionary(pa.int32(), pa.string()),  # a key of PART_NAMES
}
LATEST = 1e17
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Shape:
    """What a row looks like.

    Args:
        mark: what stands between two cells, such as ``"\\t"`` or ``"::"``; there are no quotes.
        cells: how many cells a row has.
        columns: name -> (place of the cell from 0, key of ``KINDS``); other cells are not looked at.
        after: the number of the line with the columns' names; 0 when there is none.
    """

    mark: str
    cells: int
    columns: Mapping[str, tuple[int, str]]
    after: int = 0


def read(path: Path, shape: Shape, bad: BadLines, *, size: int = 8 << 20) -> pd.DataFrame:
    """The columns of ``shape``: ids as categories in the order in which they come, numbers as float64, parts as text.

    Memory: about 50 bytes a row, and the distinct ids.

    Raises:
        InputError: as ``lines.opened`` and ``bad`` say, and when no row is left.
    """
    tables = []
    for first, data in progress(blocks(path, bad, size=size), f"reading {path.name}", unit="block"):
        first, data = _below(first, data, shape.after)
        table = _fast(data, shape)
        tables.append(_slow(path, first, data, shape, bad) if table is None else table)
    whole = pa.concat_tables(tables) if tables else None
    if whole is None or whole.num_rows == 0:
        raise InputError(f"{path} has no rows that can be read" + (" below its first line." if shape.after else "."))
    frame = whole.unify_dictionaries().to_pandas()
    for name, (_, kind) in shape.columns.items():
        if kind == "part":
            values = frame[name].cat
            named = np.array([PART_NAMES[_plain(value)] for value in values.categories], dtype=object)
            frame[name] = named[values.codes.to_numpy()]
    return frame


def _below(first: int, data: bytes, after: int) -> tuple[int, bytes]:
    """The block without the lines up to ``after``."""
    skip = after - first + 1
    if skip <= 0:
        return first, data
    pieces = data.split(b"\n", skip)
    return first + skip, pieces[skip] if len(pieces) > skip else b""


def _fast(data: bytes, shape: Shape) -> pa.Table | None:
    """The block by Arrow, or nothing if there is anything in it that the slow way might see otherwise."""
    mark = shape.mark.encode()
    if len(data) > LONGEST or not _is_text(data):  # Arrow looks at the wanted columns only
        return None
    if len(mark) > 1:
        if b"\t" in data:
            return None
        data, mark = data.replace(mark, b"\t"), b"\t"
    if data.count(b"\r") != data.count(b"\r\n"):
        return None
    names = [f"{place}" for place in range(shape.cells)]
    types = {f"{place}": KINDS[kind] for place, kind in shape.columns.values()}
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            parse_options=pa.csv.ParseOptions(delimiter=mark.decode(), quote_char=False),
            convert_options=pa.csv.ConvertOptions(include_columns=list(types), column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    columns = {name: table.column(f"{place}") for name, (place, _) in shape.columns.items()}
    fine = all(_fine(columns[name], kind) for name, (_, kind) in shape.columns.items())
    return pa.table(columns) if fine else None


def _is_text(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _fine(column: pa.ChunkedArray, kind: str) -> bool:
    if pa.types.is_floating(column.type):
        most = LATEST if kind == "time" else np.finfo(np.float64).max
        return bool((np.abs(column.to_numpy()) <= most).all())
    values = [value for chunk in column.chunks for value in chunk.dictionary.to_pylist()]
    if kind == "part":
        return all(_plain(value) in PART_NAMES for value in values)
    return all(value and value == value.strip() for value in values)


def _slow(path: Path, first: int, data: bytes, shape: Shape, bad: BadLines) -> pa.Table:
    """The block line by line; blank lines are passed over."""
    kept: list[list[str | float]] = []
    for number, line in enumerate(io.BytesIO(data), first):
        if not line.strip():
            continue
        try:
            kept.append(_cells(line, number, shape))
        except UnicodeDecodeError as error:
            bad.add(path, number, f"not UTF-8 text: byte {error.start + 1} is 0x{line[error.start]:02x}")
        except ValueError as error:
            bad.add(path, number, str(error))
    columns = zip(*kept) if kept else [()] * len(shape.columns)
    arrays = [_array(list(values), kind) for (_, kind), values in zip(shape.columns.values(), columns)]
    return pa.table(dict(zip(shape.columns, arrays)))


def _array(values: list[str | float], kind: str) -> pa.Array:
    if pa.types.is_floating(KINDS[kind]):
        return pa.array(values, pa.float64())
    return pa.array(values, pa.string()).dictionary_encode()


def _cells(line: bytes, number: int, shape: Shape) -> list[str | float]:
    if len(line) > LONGEST:
        raise ValueError(f"the line is longer than {LONGEST >> 20} MiB")
    cells = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n").split(shape.mark)
    if len(cells) != shape.cells:
        raise ValueError(f"{len(cells)} cells between marks {shape.mark!r} instead of {shape.cells}")
    return [_cell(name, cells[place].strip(), kind) for name, (place, kind) in shape.columns.items()]


def _cell(name: str, cell: str, kind: str) -> str | float:
    if not cell:
        raise ValueError(f"the {name} is missing")
    if pa.types.is_floating(KINDS[kind]):
        most = LATEST if kind == "time" else np.finfo(np.float64).max
        if not _NUMBER.fullmatch(cell) or abs(float(cell)) > most:
            raise ValueError(f"the {name} must be a number, but is {cell[:40]!r}")
        return float(cell)
    if kind == "part" and _plain(cell) not in PART_NAMES:
        raise ValueError(f"the {name} must be 0, 1 or 2 (train, valid or test), but is {cell[:40]!r}")
    return cell


def _plain(value: str) -> str:
    return value.strip().lower()
