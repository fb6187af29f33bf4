"""One CSV or parquet file to a table of text, with errors that name the file, the row and the remedy."""

import csv
import io
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ...core.errors import InputError
from ..line_reader import LONGEST, BadLines, blocks, opened

_END = "\x1f\x1d\x1e"  # a cell that no table has
KINDS = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz")


def header(path: Path) -> list[str]:
    """The names of the file's columns, in their order.

    Raises:
        InputError: when the file is missing, empty, damaged, not UTF-8, of another kind, or names a column twice.
    """
    if not path.name.lower().endswith(KINDS):
        raise InputError(f"{path} is not a table that can be read; bring {', '.join(KINDS)}.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; it needs a first row with the names of the columns, and rows below it.")
    if path.suffix.lower() == ".parquet":
        names = _parquet(path, lambda: pa.parquet.read_schema(path)).names
    else:
        names = _names(path)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has two columns called {twice[0]!r}; rename one of them.")
    return names


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read ``columns`` (default: all), every cell as text: ids keep their zeros, nothing turns into NaN.

    Missing values are ``""``, whole floats lose their ``.0``, and lists are joined by ``|``. The attribute
    ``attrs["first_row"]`` is the number of the first row as people count: 2 below a CSV header, else 1.

    Raises:
        InputError: as ``header``, and for rows with too few or too many cells and for tables without rows.
    """
    names = header(path)
    columns = names if columns is None else columns
    if path.suffix.lower() == ".parquet":
        table = _parquet(path, lambda: _parquet_table(path, columns))
    else:
        table = _read_csv(path, names, columns).to_pandas()
    if table.empty:
        raise InputError(f"{path} has the names of its columns but no rows.")
    table.attrs["first_row"] = 1 if path.suffix.lower() == ".parquet" else 2
    return table


def row_of(table: pd.DataFrame, place: int) -> int:
    """The number of the row at ``place`` as the reader of the file counts."""
    return place + int(table.attrs.get("first_row", 1))


def ids(raw: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """The ids of a column without the blanks around them.

    Raises:
        InputError: when one is missing.
    """
    values = raw[name].str.strip()
    gone = np.flatnonzero(values == "")
    if len(gone):
        raise InputError(
            f"{path}: column {name!r} is empty in {len(gone)} rows, first in row {row_of(raw, int(gone[0]))}. "
            "Every row needs an id; fill them in or delete the rows."
        )
    return values


def _read_csv(path: Path, names: list[str], columns: list[str]) -> pa.Table:
    mark = _delimiter(path)
    try:
        with opened(path) as stream:
            table = pa.csv.read_csv(
                _Followed(stream, f"\n{mark.join([_END] * len(names))}\n".encode()),
                read_options=pa.csv.ReadOptions(
                    use_threads=False, block_size=LONGEST
                ),  # one thread: errors tell the row
                parse_options=pa.csv.ParseOptions(delimiter=mark, newlines_in_values=True),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=columns, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:  # the latter: quotes in the first row
        _refuse_other_encodings(path)
        if "straddling" in str(error):
            _refuse_long_rows(path)
        raise InputError(
            f"{path} cannot be parsed: {error} (row 1 is the first row that is not blank). Check that row's "
            "delimiters and quotes: a cell with a comma, a quote or a line break stands in double quotes, and a quote "
            "inside is doubled."
        ) from None
    last = table.num_rows - 1
    if columns and table.column(columns[0])[last].as_py() != _END:
        raise InputError(
            f"{path}: a double quote in row {last + 2} is never closed, so the rest of the file counts as that row. "
            "Close it, or double it if it is part of the text."
        )
    return table.slice(0, last)


class _Followed(io.RawIOBase):
    """A stream with one more row behind it: Arrow says nothing of a quote that is open at the end of the file."""

    def __init__(self, stream: IO[bytes], end: bytes) -> None:
        self._stream, self._end = stream, end

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if not data:
            data, self._end = self._end, b""
        return data


def _names(path: Path) -> list[str]:
    try:
        return next(csv.reader([_first_line(path)], delimiter=_delimiter(path), strict=True), [])
    except csv.Error as error:
        raise InputError(
            f"{path}: the first row, the names of the columns, cannot be read: {error}. Write it in one line, each "
            "quote closed."
        ) from None


def _first_line(path: Path) -> str:
    with opened(path) as stream:
        while line := stream.readline(LONGEST + 1):
            if len(line) > LONGEST:
                _refuse_long_rows(path)
            try:
                text = line.decode("utf-8-sig").strip("\r\n")
            except UnicodeDecodeError:
                _refuse_other_encodings(path)
                raise
            if text.strip():
                return text.split("\r")[0]
    return ""


def _delimiter(path: Path) -> str:
    line = _first_line(path)
    return "\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else max(",;\t", key=line.count)


def _refuse_other_encodings(path: Path) -> None:
    for first, data in blocks(path, BadLines("skip")):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = first + data.count(b"\n", 0, error.start)
            raise InputError(
                f"{path} is not UTF-8: byte 0x{data[error.start]:02x} in line {line}. Save it as UTF-8, for example "
                f"with `iconv -f LATIN1 -t UTF-8 {path.name} > new.csv` if it is Latin-1."
            ) from None


def _refuse_long_rows(path: Path) -> None:
    bad = BadLines("skip")
    for first, data in blocks(path, bad):
        for number, line in enumerate(io.BytesIO(data) if len(data) > LONGEST else (), first):
            if len(line) > LONGEST:
                bad.add(path, number, "it is too long")
    where = bad.examples[0] if bad.examples else "a quote in double quotes that is never closed makes it so"
    raise InputError(f"{path} has a row longer than {LONGEST >> 20} MiB: {where}. Mend or delete the row.")


def _parquet(path: Path, read: Any) -> Any:
    try:
        return read()
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        said = str(error).split("\n")[0][:200]
        if "utf" in said.lower():
            raise InputError(
                f"{path} holds text that is not UTF-8 ({said}). Decode it before the table is written, for example by "
                "bytes.decode('latin-1')."
            ) from None
        raise InputError(f"{path} is damaged or not a parquet file: {said}. Write it again.") from None


def _parquet_table(path: Path, columns: list[str]) -> pd.DataFrame:
    read = pa.parquet.read_table(path, columns=columns)
    read.validate(full=True)  # what is damaged inside a sound file can kill the process further on
    return pd.DataFrame({name: _as_text(read.column(name), path, name) for name in columns}, columns=columns)


def _as_text(column: pa.ChunkedArray, path: Path, name: str) -> list[str] | pd.Series:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return ["|".join(flat(cell)) for cell in column.to_pylist()]
    try:
        if pa.types.is_floating(kind):
            values = column.to_pandas()
            whole = values.isna() | (values == values.round())
            if whole.all() and values.abs().max() < 2**53:
                column = pa.chunked_array([pa.array(values.astype("Int64"), type=pa.int64(), from_pandas=True)])
        return column.cast(pa.string()).fill_null("").to_pandas()
    except pa.ArrowNotImplementedError:
        raise InputError(f"{path}: column {name!r} holds {kind}, which cannot be read as text; leave it out.") from None


def flat(cell: Any) -> list[str]:
    """The texts in lists of lists of values, in order."""
    if cell is None:
        return []
    return [text for part in cell for text in flat(part)] if isinstance(cell, list) else [str(cell)]
