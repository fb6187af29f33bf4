"""One file from the web: resumed where it stopped, checked, and there whole or not at all."""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ...core import lock
from ...core.errors import InputError
from ...core.files import read_json, write_json
from ...core.progress import progress
from . import web
from .archives import check_room, is_whole
from .web import Patience, Trouble

if TYPE_CHECKING:
    from requests import Response, Session

MB = 1_000_000
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
    path, etag = Path(path), ""
    remote = Remote(url, path.name, size, md5, sha256)
    with alone(path):
        if path.exists():
            found, fault = _checked(path, remote)
            if fault:
                raise InputError(
                    f"{path} is not the published file: {fault}. Move it away, or delete it to fetch it again."
                )
        else:
            half = _Half(path, remote, most, patience)
            half.bring()
            found, fault = _checked(half.file, remote)
            if fault:
                half.refuse(
                    f"is not the expected file: {fault}. It was removed. If it stays so, its publisher changed it."
                )
            etag = half.said.get("etag", "")
            half.file.replace(path)
            half.drop()
        return Got(url, path.name, path.stat().st_size, found, etag, now())


def alone(path: Path) -> AbstractContextManager[None]:
    """Hold the lock of ``path``; while another process holds it, say so and wait."""
    lock_file = path.with_name(f".{path.name}.lock")
    return lock.alone(lock_file, f"{path}: another process is at it; waiting until it is done.")


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

    def __init__(self, path: Path, remote: Remote, most: int, patience: Patience):
        self.remote, self.most, self.patience = remote, most, patience
        self.file, self.note = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.partial.json")
        self.said: dict = {}
        with suppress(InputError):  # killed before the note was written
            said = read_json(self.note)
            self.said = said if isinstance(said, dict) and said.get("url") == remote.url and self.have else {}
        if not self.said:
            self.drop()

    @property
    def have(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def drop(self) -> None:
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.said = {}

    def refuse(self, why: str) -> NoReturn:
        self.drop()
        raise InputError(f"{self.remote.url} {why}")

    def bring(self) -> None:
        """Fill the file, in as many attempts as it takes."""
        failures, furthest = 0, self.have
        try:
            with web.session(self.patience) as session:
                while True:
                    try:
                        if self.said.get("total") is None or self.have != self.said["total"]:
                            self.attempt(session)
                        return self.check_end()
                    except Trouble as trouble:
                        if self.have > furthest + (1 << 20):
                            failures, furthest = 0, self.have
                        failures += 1
                        if not trouble.passing or failures >= self.patience.attempts:
                            raise InputError(self.gave_up(trouble, failures)) from None
                        time.sleep(self.patience.after(failures, trouble.wait))
        except OSError as error:
            raise InputError(
                f"{self.file} cannot be written: {error.strerror or error}. What is there is kept."
            ) from None

    def gave_up(self, trouble: Trouble, failures: int) -> str:
        times = f" ({failures} attempts)" if failures > 1 else ""
        kept = f" {self.have:,} bytes are kept; the same command continues there." if self.have else ""
        remedy = "Try again later." if trouble.passing else "Look at the address in a browser."
        return f"{self.remote.url} could not be downloaded{times}: {trouble.status}: {trouble}. {remedy}{kept}"

    def attempt(self, session: "Session") -> None:
        """One request, for the whole or for what is missing, written as it arrives.

        The rest is asked for if the file is still the same; a weak ETag promises no equal bytes.
        """
        etag, url, size = self.said.get("etag", ""), self.remote.url, self.remote.size
        same = etag if etag.startswith('"') else self.said.get("modified", "")
        rest = {"Range": f"bytes={self.have}-", "If-Range": same} if self.have and same else {}
        with web.opened(session, url, self.patience, rest, accept=(200, 206, 416)) as response:
            if response.status_code == 200:
                total = web.length_of(response)
                if None not in (total, size) and total != size:
                    self.refuse(
                        f"has {total:,} bytes instead of {size:,}: its publisher changed it, or something between here "
                        "and there answers in its place."
                    )
                self.file.unlink(missing_ok=True)
                headers = response.headers
                self.said = {"etag": headers.get("ETag", ""), "modified": headers.get("Last-Modified", "")}
                self.said |= {"url": url, "total": total}
                write_json(self.note, self.said)
            elif not self.continued_by(response):
                self.drop()
                raise Trouble("broken off", "the file changed on the server", passing=True)
            total = self.said["total"]
            check_room(self.file.parent, (total or self.have) - self.have, self.remote.file)
            left = None if total is None else -(-(total - self.have) // MB)
            limit = next(bytes for bytes in (total, size, self.most) if bytes is not None)
            written = self.write(self.looked_at(web.blocks(response), response), limit)
            for _ in progress(written, f"Downloading {self.remote.file}", total=left, unit="MB"):
                pass

    def continued_by(self, response: "Response") -> bool:
        """Whether this is the rest of the same file."""
        part = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if response.status_code != 206 or part is None or int(part[1]) != self.have:
            return False
        same_length = self.said["total"] is None or part[3] in ("*", str(self.said["total"]))
        return same_length and response.headers.get("ETag", self.said["etag"]) == self.said["etag"]

    def looked_at(self, pieces: Iterator[bytes], response: "Response") -> Iterator[bytes]:
        """Pass the body on, if its first bytes are those of the file that its name promises."""
        first = next(pieces, b"") if self.have == 0 else b""
        begins, kind = BEGINS.get(Path(self.remote.file).suffix), web.kind_of(response)
        page = web.is_page(first, kind)
        right = not page if begins is None else any(first.startswith(start[: len(first)]) for start in begins)
        if first and not right:
            said = " ".join(first[:200].decode("utf-8", "replace").split())[:80]
            what = "a web page" if page else f"something else ({kind or 'of no stated kind'})"
            self.refuse(
                f"gives {what} instead of {self.remote.file}, beginning with {said!r}. Look at it in a browser: "
                "the file may have moved, or a network asks for a login."
            )
        if first:
            yield first
        yield from pieces

    def write(self, pieces: Iterator[bytes], limit: int) -> Iterator[None]:
        """Write the pieces; yield once a megabyte."""
        with self.file.open("ab") as file:
            done = told = watched = file.tell()
            for piece in pieces:
                done += len(piece)
                if done > limit:
                    self.refuse(f"has more than the {limit:,} bytes expected. It was removed.")
                file.write(piece)
                if done >= watched + EVERY:
                    file.flush()
                    check_room(self.file.parent, 0, self.remote.file)
                    watched = done
                while done >= told + MB:
                    told += MB
                    yield

    def check_end(self) -> None:
        """Raise Trouble for a body that ended early, or an archive that is not whole."""
        total, have, suffix = self.said.get("total"), self.have, Path(self.remote.file).suffix
        if total is not None and have < total:
            raise Trouble("broken off", f"it ended after {have:,} of {total:,} bytes", passing=True)
        if have == 0:
            self.refuse("is empty. Look at the address in a browser.")
        if not (self.remote.sha256 or self.remote.md5 or is_whole(self.file, suffix)):  # a checksum says more
            if total is not None:
                self.drop()  # all of it came, and it is damaged: nothing can be continued
            raise Trouble("broken off", f"after {have:,} bytes it is no whole {suffix} file", passing=True)
