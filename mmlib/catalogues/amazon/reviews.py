"""Amazon's reviews as columns: parsed in blocks, with the texts set aside on disk until it is known which are kept."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from ...core.errors import InputError
from ...core.progress import progress
from ..reading import Reading
from ..text_files import LONGEST, blocks, lines_in
from .forms import Form, review

NAMES = ("user", "item", "rating", "time", "summary", "text")
SCHEMA = pa.schema([(name, {"rating": pa.float64(), "time": pa.int64()}.get(name, pa.string())) for name in NAMES])
TEXTS = pa.schema([("summary", pa.string()), ("text", pa.string())])
AHEAD = 3  # blocks that are parsed while the next one is unpacked


@dataclass(frozen=True)
class Reviews:
    """All reviews of a file, in the order of its lines; n of them.

    Args:
        user, item: [n] int32, places in ``users`` and ``items``.
        rating: [n] float64.
        time: [n] int64, seconds since 1970.
        users, items: the distinct original ids, in no particular order.
        texts: the file with their summaries and texts, in the same order.
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    time: np.ndarray
    users: pa.Array
    items: pa.Array
    texts: Path

    def __len__(self) -> int:
        return len(self.user)


def collect(path: Path, form: Form, reading: Reading, texts: Path) -> Reviews:
    """Read all reviews of a file; their texts are written to ``texts``.

    Memory: about 60 bytes a review, and the distinct ids.

    Raises:
        InputError: for a damaged file, as ``reading.bad`` says, when there is no review, or no room for the texts.
    """
    columns: dict[str, list[pa.Array]] = {name: [] for name in NAMES[:4]}
    try:
        packed = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(str(texts), "wb") as sink, pa.ipc.new_file(sink, TEXTS, options=packed) as writer:
            for table in tables(path, form, reading):
                writer.write_table(table.select(TEXTS.names))
                for name, chunks in columns.items():
                    chunks.extend(table[name].chunks)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read, or its review texts cannot be kept in {texts.parent}: {error}. Make room there, "
            "or name another folder with scratch=...."
        ) from None
    if not any(map(len, columns["user"])):
        raise InputError(f"{path} has no review that can be read. {' '.join(reading.bad_lines())}".strip())
    user, users = _codes(columns.pop("user"))
    item, items = _codes(columns.pop("item"))
    rating, time = (np.concatenate([chunk.to_numpy() for chunk in columns.pop(name)]) for name in ("rating", "time"))
    return Reviews(user, item, rating, time // form.ticks, users, items, texts)


def tables(path: Path, form: Form, reading: Reading) -> Iterator[pa.Table]:
    """The reviews in tables of the columns ``NAMES``, block by block; ``time`` as the form counts it.

    Blocks are unpacked here and parsed by threads. A block that Arrow cannot read, or that has anything unusual, is
    read again line by line, so that the line to blame can be named.
    """

    def made(first: int, data: bytes, parse: Future[pa.Table | None]) -> pa.Table:
        table = parse.result()
        return one_by_one(path, form, reading, first, data) if table is None else table

    waiting: deque[tuple[int, bytes, Future[pa.Table | None]]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for first, data in progress(blocks(path, reading), f"Reading {path.name}", unit="blocks of 8 MB"):
            waiting.append((first, data, pool.submit(parsed, data, form)))
            if len(waiting) > AHEAD:
                yield made(*waiting.popleft())
        while waiting:
            yield made(*waiting.popleft())


def parsed(data: bytes, form: Form) -> pa.Table | None:
    """A block's reviews in the columns ``NAMES``, or ``None`` if it has to be read line by line.

    What is returned here equals what ``amazon_forms.review`` gives for each line. Each line must be one record:
    Arrow itself would also take two on a line, or one over two lines.
    """
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    n = data.count(b"}\n{") + 1  # inside a record, } and { are never side by side
    if n - 1 + data.endswith(b"\n") != data.count(b"\n") or not data.startswith(b"{"):
        return None
    if len(data) > LONGEST or not (data.endswith((b"}\n", b"}")) and _is_utf8(data)):
        return None
    fields = [getattr(form, {"text": "review"}.get(name, name)) for name in NAMES]
    schema = pa.schema([(field, column.type) for field, column in zip(fields, SCHEMA)])
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = pj.read_json(pa.BufferReader(data), pj.ReadOptions(use_threads=False, block_size=1 << 20), options)
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    table = table.rename_columns(NAMES)
    if len(table) != n or any(table[name].null_count for name in NAMES[:4]):
        return None
    if any(pc.min(pc.binary_length(table[name])).as_py() == 0 for name in ("user", "item")):
        return None
    if not pc.all(pc.less_equal(pc.abs(table["rating"]), 1e300)).as_py():  # false for NaN
        return None
    return table.set_column(4, "summary", pc.fill_null(table["summary"], "")).set_column(
        5, "text", pc.fill_null(table["text"], "")
    )


def one_by_one(path: Path, form: Form, reading: Reading, first: int, data: bytes) -> pa.Table:
    """The same as ``parsed``, line by line; a line that cannot be read is reported."""
    rows = []
    for number, line in lines_in(path, reading, first, data):
        try:
            rows.append(review(line, form))
        except ValueError as error:
            reading.bad(path, number, str(error))
    return pa.table([list(column) for column in zip(*rows)] or [[]] * len(NAMES), schema=SCHEMA)


def _codes(chunks: list[pa.Array]) -> tuple[np.ndarray, pa.Array]:
    """Each value's place among the distinct ones ([n] int32), and these."""
    encoded = pa.chunked_array(chunks).cast(pa.large_string()).combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False
