"""Text files with one record a line, plain or gzipped, read as a stream; what is damaged is named by file and line."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..core.errors import InputError
from .reading import Reading

LONGEST = 16 << 20  # bytes of one line; the longest public review and its metadata are far below
GZIP, UTF16 = b"\x1f\x8b", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked if it is gzipped and as UTF-8 if it is UTF-16 (by its first bytes, not its name).

    Raises:
        InputError: when it is missing, empty, a folder, cut off, or its gzip stream is damaged.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}." if not path.exists() else f"{path} is a folder, not a file.")
    with path.open("rb") as raw:
        head = raw.read(2)
        if not head:
            raise InputError(f"{path} is empty; it was perhaps not downloaded to its end.")
        raw.seek(0)
        stream: Any = gzip.GzipFile(fileobj=raw) if head == GZIP else raw
        try:
            yield io.BufferedReader(Stream(_recoded(path, stream))) if stream.peek(2)[:2] in UTF16 else stream
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path} is a damaged gzip file ({error}); it was perhaps not downloaded to its end. Get it again."
            ) from None


class Stream(io.RawIOBase):
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _recoded(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """UTF-16 as UTF-8."""
    decoder, data = codecs.getincrementaldecoder("utf-16")(), b"more"
    while data:
        data = stream.read(1 << 20)
        try:
            yield decoder.decode(data, final=not data).encode()
        except UnicodeError as error:
            said = f"{path} begins as UTF-16, but is damaged or cut off ({error}). Save it as UTF-8."
            raise InputError(said) from None


def blocks(path: Path, reading: Reading, *, size: int = 8 << 20) -> Iterator[tuple[int, bytes]]:
    """The file in blocks of whole lines: the number of the first line, from 1, and the bytes.

    A line longer than ``LONGEST`` bytes is bad: it is never held whole. Memory: ``size + LONGEST``.

    Raises:
        InputError: as ``opened`` and ``reading.bad`` say.
    """
    first, rest, lost = 1, b"", False
    with opened(path) as stream:
        while data := stream.read(size):
            if lost:  # inside a line that is too long
                end = data.find(b"\n")
                if end < 0:
                    continue
                data, lost, first = data[end + 1 :], False, first + 1
            data = rest + data
            end = data.rfind(b"\n") + 1
            whole, rest = data[:end], data[end:]
            if whole:
                yield first, whole
                first += whole.count(b"\n")
            if len(rest) > LONGEST:
                reading.bad(path, first, f"the line is longer than {LONGEST >> 20} MiB")
                rest, lost = b"", True
    if rest:
        yield first, rest


def lines(path: Path, reading: Reading) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1, as text without the line's end.

    A line that is not UTF-8 is bad. A byte-order mark at the start is taken off.
    """
    for first, data in blocks(path, reading):
        yield from lines_in(path, reading, first, data)


def lines_in(path: Path, reading: Reading, first: int, data: bytes) -> Iterator[tuple[int, str]]:
    """The lines of one of ``blocks``, as ``lines`` gives them; ``first`` is the number of its first line."""
    for number, line in enumerate(io.BytesIO(data), first):
        if len(line) > LONGEST:
            reading.bad(path, number, f"the line is longer than {LONGEST >> 20} MiB")
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            reading.bad(path, number, f"not UTF-8 text: byte {error.start + 1} is 0x{line[error.start]:02x}")
            continue
        if line.strip():
            yield number, text.rstrip("\r\n")
