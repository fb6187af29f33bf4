"""One file from the web: resumed where it stopped, checked, and there whole or not at all."""

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from filelock import FileLock, Timeout

from ...core.errors import InputError
from ...core.files import read_json, write_json
from ...core.progress import progress
from . import web
from .checksums import MB, Expected, ends_well, sums, wrong
from .web import Patience, Trouble

if TYPE_CHECKING:
    from requests import Response, Session

SPARE = 64 << 20  # bytes that a download leaves free on the disk
BEGINS = {".gz": (b"\x1f\x8b",), ".zip": (b"PK",), ".json": (b"{", b"["), ".jsonl": (b"{",)}


@dataclass(frozen=True)
class Got:
    """A file that is there: from where, its bytes, its SHA-256, the server's ETag (or ``""``), when (UTC, ISO 8601)."""

    url: str
    file: str
    size: int
    sha256: str
    etag: str
    date: str


def download(
    url: str,
    path: str | Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    patience: Patience = Patience(),  # noqa: B008
) -> Got:
    """Bring a file here; what is already at ``path`` is only checked.

    The bytes go to ``.NAME.partial`` beside ``path``. A transfer that stalls, breaks off or ends early is continued
    where it stopped, if the server still has the same file (``If-Range`` with its ETag or date), else from the start;
    so is one that an earlier process left. After ``patience.attempts`` attempts in a row that bring less than 1 MiB
    together the download gives up and keeps what it has. One process downloads a file; others wait for it.

    Args:
        size, sha256, md5: what the file must be, where it is known.

    Raises:
        InputError: when the server refuses, cannot be reached, or sends a web page instead of the file; when the disk
            is too small; when size or checksum are not the expected ones (the file is then removed).
    """
    path, expected = Path(path), Expected(size, sha256, md5)
    with alone(path):
        if path.exists():
            found = sums(path, expected)
            if fault := wrong(path, found, expected):
                raise InputError(
                    f"{path} is not the published file: {fault}. Move it away, or delete it to fetch it again."
                )
            return Got(url, path.name, path.stat().st_size, found["sha256"], "", _now())
        half = _Half(path, url)
        _bring(half, expected, patience)
        found = sums(half.file, expected)
        if fault := wrong(half.file, found, expected):
            half.drop()
            raise InputError(
                f"{url} is not the expected file: {fault}. It was removed. If it stays so, its publisher changed it."
            )
        etag = half.said.get("etag", "")
        half.file.replace(path)
        half.drop()
        return Got(url, path.name, path.stat().st_size, found["sha256"], etag, _now())


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``; while another process holds it, say so and wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{path}: another process is at it; waiting until it is done.", flush=True)
            lock.acquire()
    except OSError as error:
        raise InputError(f"The folder {path.parent} cannot be written to: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()


class _Half:
    """The part of a file that is here, and what the server said of the whole: etag, modified, total."""

    def __init__(self, path: Path, url: str):
        self.name, self.url = path.name, url
        self.file, self.note = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.partial.json")
        self.said: dict = {}
        try:
            said = read_json(self.note)
        except InputError:  # killed before the note was written
            said = None
        if isinstance(said, dict) and said.get("url") == url and self.have:
            self.said = said
        else:
            self.drop()

    @property
    def have(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def complete(self) -> bool:
        return self.said.get("total") is not None and self.have == self.said["total"]

    @property
    def headers(self) -> dict[str, str]:
        """Asks for the rest, if the file is still the same; a weak ETag promises no equal bytes."""
        etag = self.said.get("etag", "")
        same = etag if etag.startswith('"') else self.said.get("modified", "")
        return {"Range": f"bytes={self.have}-", "If-Range": same} if self.have and same else {}

    def begin(self, response: "Response", total: int | None) -> None:
        self.file.unlink(missing_ok=True)
        headers = response.headers
        self.said = {"url": self.url, "etag": headers.get("ETag", ""), "modified": headers.get("Last-Modified", "")}
        self.said["total"] = total
        write_json(self.note, self.said)

    def drop(self) -> None:
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.said = {}


def _bring(half: _Half, expected: Expected, patience: Patience) -> None:
    """Fill ``half``, in as many attempts as it takes."""
    session, failures, most = web.session(), 0, half.have
    try:
        while not half.complete:
            try:
                _attempt(session, half, expected, patience)
                return
            except Trouble as trouble:
                if half.have > most + (1 << 20):
                    failures, most = 0, half.have
                failures += 1
                if not trouble.passing or failures >= patience.attempts:
                    raise InputError(_gave_up(half, trouble, failures)) from None
                time.sleep(patience.after(failures, trouble.wait))
    except OSError as error:
        raise InputError(f"{half.file} cannot be written: {error.strerror or error}. What is there is kept.") from None
    finally:
        session.close()


def _gave_up(half: _Half, trouble: Trouble, failures: int) -> str:
    times = f" ({failures} attempts)" if failures > 1 else ""
    kept = f" {half.have:,} bytes are kept; the same command continues there." if half.have else ""
    remedy = "Try again later." if trouble.passing else "Look at the address in a browser."
    return f"{half.url} could not be downloaded{times}: {trouble.status}: {trouble.reason}. {remedy}{kept}"


def _attempt(session: "Session", half: _Half, expected: Expected, patience: Patience) -> None:
    """One request, for the whole or for what is missing, written as it arrives."""
    with web.opened(session, half.url, patience, half.headers, accept=(200, 206, 416)) as response:
        if response.status_code == 200:
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            _check_size(half, total, expected)
            half.begin(response, total)
        elif not _continues(response, half):
            half.drop()
            raise Trouble("broken off", "the file changed on the server", passing=True)
        total = half.said["total"]
        _check_room(half, (total or half.have) - half.have)
        pieces = web.blocks(response)
        if half.have == 0:
            pieces = _looked_at(pieces, response, half)
        with half.file.open("ab") as file:
            left = None if total is None else -(-(total - half.have) // MB)
            limit = expected.size if total is None else total
            for _ in progress(_written(pieces, file, limit, half), f"Downloading {half.name}", total=left, unit="MB"):
                pass
        if total is not None and half.have < total:
            raise Trouble("broken off", f"it ended after {half.have:,} of {total:,} bytes", passing=True)
        if half.have == 0:
            half.drop()
            raise InputError(f"{half.url} is empty. Look at the address in a browser.")
        if total is None and expected == Expected() and not ends_well(half.file, Path(half.name).suffix):
            raise Trouble("broken off", f"it ended after {half.have:,} bytes, in the middle", passing=True)


def _continues(response: "Response", half: _Half) -> bool:
    """Whether this is the rest of the same file."""
    part = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if response.status_code != 206 or part is None or int(part[1]) != half.have:
        return False
    same_length = part[3] in ("*", str(half.said["total"]))
    return same_length and response.headers.get("ETag", half.said["etag"]) == half.said["etag"]


def _check_size(half: _Half, total: int | None, expected: Expected) -> None:
    if None not in (total, expected.size) and total != expected.size:
        half.drop()
        raise InputError(
            f"{half.url} has {total:,} bytes instead of {expected.size:,}: its publisher changed it, or something "
            "between here and there answers in its place."
        )


def _check_room(half: _Half, needed: int) -> None:
    free = shutil.disk_usage(half.file.parent).free
    if needed + SPARE > free:
        raise InputError(
            f"{half.name} needs {needed / MB:,.0f} MB, but {half.file.parent} has {free / MB:,.0f} MB free. Make room, "
            "or choose another folder."
        )


def _looked_at(pieces: Iterator[bytes], response: "Response", half: _Half) -> Iterator[bytes]:
    """Pass the body on, if its first bytes are those of the file that its name promises."""
    first = next(pieces, b"")
    begins = BEGINS.get(Path(half.name).suffix)
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    page = first.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")) or kind == "text/html"
    right = not page if begins is None else any(first.startswith(start[: len(first)]) for start in begins)
    if first and not right:
        half.drop()
        said = " ".join(first[:200].decode("utf-8", "replace").split())[:80]
        what = "a web page" if page else f"something else ({kind or 'of no stated kind'})"
        raise InputError(
            f"{half.url} gives {what} instead of {half.name}, beginning with {said!r}. Look at it in a browser: "
            "the file may have moved, or a network asks for a login."
        )
    if first:
        yield first
    yield from pieces


def _written(pieces: Iterable[bytes], file: IO[bytes], limit: int | None, half: _Half) -> Iterator[None]:
    """Write the pieces; yield once a megabyte."""
    done = told = file.tell()
    for piece in pieces:
        done += len(piece)
        if limit is not None and done > limit:
            half.drop()
            raise InputError(f"{half.url} has more than the {limit:,} bytes expected. It was removed.")
        file.write(piece)
        for _ in range((done - told) // MB):
            told += MB
            yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
