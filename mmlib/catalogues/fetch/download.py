"""One file from the web: resumed where it stopped, checked, and there whole or not at all."""

import hashlib
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...core import lock
from ...core.errors import InputError
from ...core.files import read_json, write_json
from ...core.progress import progress
from . import web
from .archives import is_whole
from .web import Patience, Trouble

if TYPE_CHECKING:
    from requests import Response, Session

MB = 1_000_000
SPARE = 64 * MB  # bytes that a download leaves free on the disk
MOST = 64_000 * MB  # bytes that a body of unknown length may have; the largest public file here has about 12,000 MB
EVERY = 16 * MB  # bytes after which the free space is looked at again
BEGINS = {".gz": (b"\x1f\x8b",), ".zip": (b"PK",), ".json": (b"{", b"["), ".jsonl": (b"{",)}


@dataclass(frozen=True)
class Remote:
    """One file to download.

    Args:
        url: where it lies.
        file: its name on this machine.
        size: bytes, where known.
        md5, sha256: hex digits, where the publisher states them.
    """

    url: str
    file: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None


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
    most: int = MOST,
    patience: Patience = Patience(),  # noqa: B008
) -> Got:
    """Bring a file here; what is already at ``path`` is only checked.

    The bytes go to ``.NAME.partial`` beside ``path``. A transfer that stalls, breaks off or ends early is continued
    where it stopped, if the server still has the same file (``If-Range`` with its ETag or date), else from the start;
    so is one that an earlier process left. Where no checksum is known, a gzip or zip file is read to its end, whatever
    length the server states; a damaged one is asked for again. After ``patience.attempts`` attempts in a row that bring
    less than 1 MiB together the download gives up and keeps what it has. The free space is watched while the file
    grows. One process downloads a file; others wait for it.

    Args:
        size, sha256, md5: what the file must be, where it is known.
        most: bytes that a body of unknown length may have.

    Raises:
        InputError: when the server refuses, cannot be reached, or sends a web page instead of the file; when the disk
            is too small; when size or checksum are not the expected ones, the archive is damaged or the body has no end
            (the file is then removed).
    """
    path = Path(path)
    remote = Remote(url, path.name, size, md5, sha256)
    with alone(path):
        if path.exists():
            found, fault = _checked(path, remote)
            if fault:
                raise InputError(
                    f"{path} is not the published file: {fault}. Move it away, or delete it to fetch it again."
                )
            return Got(url, path.name, path.stat().st_size, found, "", now())
        half = _Half(path, url)
        _bring(half, remote, most, patience)
        found, fault = _checked(half.file, remote)
        if fault:
            half.drop()
            raise InputError(
                f"{url} is not the expected file: {fault}. It was removed. If it stays so, its publisher changed it."
            )
        etag = half.said.get("etag", "")
        half.file.replace(path)
        half.drop()
        return Got(url, path.name, path.stat().st_size, found, etag, now())


def alone(path: Path) -> AbstractContextManager[None]:
    """Hold the lock of ``path``; while another process holds it, say so and wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {path.parent} cannot be written to: {error.strerror or error}.") from None
    return lock.alone(
        path.with_name(f".{path.name}.lock"), f"{path}: another process is at it; waiting until it is done."
    )


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _checked(path: Path, remote: Remote) -> tuple[str, str]:
    """A file's SHA-256, and what is not as expected, in words (``""`` when all is)."""
    sums = {"sha256": hashlib.sha256()} | ({"md5": hashlib.md5(usedforsecurity=False)} if remote.md5 else {})
    size = path.stat().st_size
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(MB), b"")
        for piece in progress(pieces, f"Checking {path.name}", total=-(-size // MB), unit="MB"):
            for each in sums.values():
                each.update(piece)
    found = {name: each.hexdigest() for name, each in sums.items()}
    fault = f"it has {size:,} bytes instead of {remote.size:,}" if remote.size not in (None, size) else ""
    for name, expected in (("sha256", remote.sha256), ("md5", remote.md5)):
        if expected and found[name] != expected.lower():
            fault = fault or f"its {name} is {found[name]} instead of {expected.lower()}"
    return found["sha256"], fault


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


def _bring(half: _Half, remote: Remote, most: int, patience: Patience) -> None:
    """Fill ``half``, in as many attempts as it takes."""
    failures, furthest = 0, half.have
    try:
        with web.session(patience) as session:
            while True:
                try:
                    if half.said.get("total") is None or half.have != half.said["total"]:
                        _attempt(session, half, remote, most, patience)
                    return _check_end(half, remote)
                except Trouble as trouble:
                    if half.have > furthest + (1 << 20):
                        failures, furthest = 0, half.have
                    failures += 1
                    if not trouble.passing or failures >= patience.attempts:
                        raise InputError(_gave_up(half, trouble, failures)) from None
                    time.sleep(patience.after(failures, trouble.wait))
    except OSError as error:
        raise InputError(f"{half.file} cannot be written: {error.strerror or error}. What is there is kept.") from None


def _gave_up(half: _Half, trouble: Trouble, failures: int) -> str:
    times = f" ({failures} attempts)" if failures > 1 else ""
    kept = f" {half.have:,} bytes are kept; the same command continues there." if half.have else ""
    remedy = "Try again later." if trouble.passing else "Look at the address in a browser."
    return f"{half.url} could not be downloaded{times}: {trouble.status}: {trouble.reason}. {remedy}{kept}"


def _attempt(session: "Session", half: _Half, remote: Remote, most: int, patience: Patience) -> None:
    """One request, for the whole or for what is missing, written as it arrives."""
    with web.opened(session, half.url, patience, half.headers, accept=(200, 206, 416)) as response:
        if response.status_code == 200:
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            if None not in (total, remote.size) and total != remote.size:
                half.drop()
                raise InputError(
                    f"{half.url} has {total:,} bytes instead of {remote.size:,}: its publisher changed it, or "
                    "something between here and there answers in its place."
                )
            half.begin(response, total)
        elif not _continues(response, half):
            half.drop()
            raise Trouble("broken off", "the file changed on the server", passing=True)
        total = half.said["total"]
        _check_room(half, (total or half.have) - half.have)
        left = None if total is None else -(-(total - half.have) // MB)
        limit = next(size for size in (total, remote.size, most) if size is not None)
        written = _written(_looked_at(web.blocks(response), response, half), half, limit)
        for _ in progress(written, f"Downloading {half.name}", total=left, unit="MB"):
            pass


def _continues(response: "Response", half: _Half) -> bool:
    """Whether this is the rest of the same file."""
    part = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if response.status_code != 206 or part is None or int(part[1]) != half.have:
        return False
    same_length = half.said["total"] is None or part[3] in ("*", str(half.said["total"]))
    return same_length and response.headers.get("ETag", half.said["etag"]) == half.said["etag"]


def _check_room(half: _Half, needed: int) -> None:
    free = shutil.disk_usage(half.file.parent).free
    if needed + SPARE > free:
        raise InputError(
            f"{half.name} needs {needed / MB:,.0f} MB more, but {half.file.parent} has {free / MB:,.0f} MB free. Make "
            "room, or choose another folder; what is there is kept."
        )


def _looked_at(pieces: Iterator[bytes], response: "Response", half: _Half) -> Iterator[bytes]:
    """Pass the body on, if its first bytes are those of the file that its name promises."""
    first = next(pieces, b"") if half.have == 0 else b""
    begins, kind = BEGINS.get(Path(half.name).suffix), web.kind_of(response)
    page = web.is_page(first, kind)
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


def _written(pieces: Iterator[bytes], half: _Half, limit: int) -> Iterator[None]:
    """Write the pieces; yield once a megabyte."""
    with half.file.open("ab") as file:
        done = told = watched = file.tell()
        for piece in pieces:
            done += len(piece)
            if done > limit:
                half.drop()
                raise InputError(f"{half.url} has more than the {limit:,} bytes expected. It was removed.")
            file.write(piece)
            if done >= watched + EVERY:
                file.flush()
                _check_room(half, 0)
                watched = done
            while done >= told + MB:
                told += MB
                yield


def _check_end(half: _Half, remote: Remote) -> None:
    """Raise Trouble for a body that ended early, or an archive that is not whole."""
    total, have = half.said.get("total"), half.have
    if total is not None and have < total:
        raise Trouble("broken off", f"it ended after {have:,} of {total:,} bytes", passing=True)
    if have == 0:
        half.drop()
        raise InputError(f"{half.url} is empty. Look at the address in a browser.")
    suffix = Path(half.name).suffix
    if not (remote.sha256 or remote.md5 or is_whole(half.file, suffix)):  # a checksum says more
        if total is not None:
            half.drop()  # all of it came, and it is damaged: nothing can be continued
        raise Trouble("broken off", f"after {have:,} bytes it is no whole {suffix} file", passing=True)
