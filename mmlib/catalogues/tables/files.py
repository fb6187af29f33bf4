"""One CSV or parquet file to cells of text, with errors that name the file, the row and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from ...core.errors import InputError
from .. import delimited
from ..cells import Cells, read_cells
from ..reading import Reading

KINDS = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz")


def header(path: Path) -> list[str]:
    """The names of the file's columns, in their order.

    Raises:
        InputError: when the file is missing, empty, damaged, of another kind, or names a column twice.
    """
    if not path.name.lower().endswith(KINDS):
        raise InputError(f"{path} is not a table that can be read; bring {', '.join(KINDS)}.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; it needs a first row with the names of the columns, and rows below it.")
    if path.suffix.lower() == ".parquet":
        with _sound(path):
            names = list(pa.parquet.read_schema(path).names)
    else:
        names = list(_layout(path).names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has two columns called {twice[0]!r}; rename one of them.")
    return names


def read_table(path: Path, reading: Reading, columns: list[str] | None = None) -> Cells:
    """Read ``columns`` (default: all), every cell as text: ids keep their zeros, nothing turns into NaN.

    Missing values are ``""``. In parquet, whole floats lose their ``.0``, and lists are joined by ``|``.

    Raises:
        InputError: as ``header``, as ``reading.bad`` for rows with too few or too many cells, and for tables without
            rows.
    """
    names = header(path)
    columns = names if columns is None else columns
    if path.suffix.lower() == ".parquet":
        with _sound(path):
            read = pa.parquet.read_table(path, columns=columns)
            read.validate(full=True)  # what is damaged inside a sound file can kill the process further on
            cells = {name: _as_text(read.column(name), path, name) for name in columns}
        table = pd.DataFrame(cells, columns=columns)
        if table.empty:
            raise InputError(f"{path} has the names of its columns but no rows.")
        return Cells(path, table, lambda: range(1, len(table) + 1), reading, "row")
    return read_cells(path, _layout(path), reading, columns, optional=True)


def _layout(path: Path) -> delimited.Layout:
    """How the rows of a delimited table are written, by its first one."""
    _, whole = next(delimited.records(path, delimited.Layout(delimited.SEPARATOR, ()), Reading()), (1, [""]))
    mark = "\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else max(",;\t", key=whole[0].count)
    layout = delimited.Layout(mark, (), header=True, quoted=True)
    line, row = next(delimited.records(path, layout, Reading()), (1, [""]))
    if why := delimited.not_text(mark.join(row), path):
        Reading().bad(path, line, why)
    return delimited.Layout(mark, row, header=True, quoted=True)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Within the block, say of a damaged parquet file what to do about it."""
    try:
        yield
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
