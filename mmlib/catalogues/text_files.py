"""Text files with one record a line, plain or gzipped, read as a stream; what is damaged is named by file and line."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..core.errors import InputError, one_of

LONGEST = 16 << 20  # bytes of one line; the longest public review and its metadata are far below
ON_BAD = ("stop", "skip")
GZIP, UTF16 = b"\x1f\x8b", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass
class BadLines:
    """What to do with a line that cannot be read, and what was done.

    Args:
        on_bad: ``"stop"`` raises at the first one; ``"skip"`` counts them and keeps the first few as examples.
    """

    on_bad: str = "stop"
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        one_of("on_bad", self.on_bad, ON_BAD)

    def add(self, path: Path, line: int, why: str, unit: str = "line") -> None:
        """Report one line (or row of parquet), counted from 1.

        Raises:
            InputError: when bad lines are to stop the reading.
        """
        if self.on_bad == "stop":
            raise InputError(
                f"{path}, {unit} {line:,}: {why}. Mend the {unit}, or leave such {unit}s out with on_bad='skip' "
                "(their number is then reported)."
            )
        self.counts[str(path)] = self.counts.get(str(path), 0) + 1
        if len(self.examples) < 5:
            self.examples.append(f"{path.name}, {unit} {line:,}: {why}")

    def notes(self) -> tuple[str, ...]:
        """One sentence a file, with examples; for ``Dataset.notes``."""
        said = [
            f"{Path(path).name}: unreadable lines left out: {count:,} ("
            + "; ".join(example for example in self.examples if example.startswith(f"{Path(path).name}, "))
            + ")."
            for path, count in self.counts.items()
        ]
        return tuple(text.replace(" ().", ".") for text in said)


@contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked if it is gzipped and as UTF-8 if it is UTF-16 (by its first bytes, not its name).

    Raises:
        InputError: when it is missing, empty, a folder, cut off, or its gzip stream is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}." if not path.exists() else f"{path} is a folder, not a file.")
    with path.open("rb") as raw:
        head = raw.read(2)
        if not head:
            raise InputError(f"{path} is empty; it was perhaps not downloaded to its end.")
        raw.seek(0)
        stream: Any = gzip.GzipFile(fileobj=raw) if head == GZIP else raw
        try:
            yield io.BufferedReader(_Recoded(path, stream)) if stream.peek(2)[:2] in UTF16 else stream
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path} is a damaged gzip file ({error}); it was perhaps not downloaded to its end. Get it again."
            ) from None


class _Recoded(io.RawIOBase):
    """A stream of UTF-16 as UTF-8."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream, self._decoder = path, stream, codecs.getincrementaldecoder("utf-16")()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(max(4, len(buffer) // 3))  # two bytes become at most three
        try:
            made = self._decoder.decode(data, final=not data).encode()
        except UnicodeError as error:
            raise InputError(
                f"{self._path} begins as UTF-16, but is damaged or cut off ({error}). Save it as UTF-8."
            ) from None
        if data and not made:
            return self.readinto(buffer)
        buffer[: len(made)] = made
        return len(made)


def blocks(
    path: str | Path, bad: BadLines, *, size: int = 8 << 20, longest: int = LONGEST
) -> Iterator[tuple[int, bytes]]:
    """The file in blocks of whole lines: the number of the first line, from 1, and the bytes.

    A line longer than ``longest`` bytes is bad: it is never held whole. Memory: ``size + longest``.

    Raises:
        InputError: as ``opened`` and ``bad`` say.
    """
    path, first, rest, lost = Path(path), 1, b"", False
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
            if len(rest) > longest:
                bad.add(path, first, f"the line is longer than {longest >> 20} MiB")
                rest, lost = b"", True
    if rest:
        yield first, rest


def lines(path: str | Path, bad: BadLines, *, longest: int = LONGEST) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1, as text without the line's end.

    A line that is not UTF-8 is bad. A byte-order mark at the start is taken off.
    """
    path = Path(path)
    for first, data in blocks(path, bad, longest=longest):
        for number, line in enumerate(io.BytesIO(data), first):
            if len(line) > longest:
                bad.add(path, number, f"the line is longer than {longest >> 20} MiB")
                continue
            if not line.strip():
                continue
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                bad.add(path, number, f"not UTF-8 text: byte {error.start + 1} is 0x{line[error.start]:02x}")
                continue
            yield number, text.rstrip("\r\n")
