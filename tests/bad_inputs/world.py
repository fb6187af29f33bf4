"""A folder of its own for every case, and the clock that watches it."""

import contextlib
import ctypes
import faulthandler
import os
import re
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmlib.__main__ import main
from mmlib.core.errors import InputError

SECONDS = 8.0  # a case that is refused takes well below one; the rest is for a busy machine
LINES, LENGTH = 12, 2500  # of a message: a user reads no more
RATINGS = [
    (f"u{user}", f"i{(user * 3 + step) % 9}", 1 + step % 5, 1_600_000_000 + 86_400 * step)
    for user in range(6)
    for step in range(5)
]
HEADER = "userId,itemId,rating,timestamp\n"
CSV = HEADER + "".join(",".join(map(str, row)) + "\n" for row in RATINGS)
ITEMS = "itemId,title,category\n" + "".join(f"i{item},Item {item},c{item % 2}\n" for item in range(9))

Content = str | bytes | Callable[[Path], None] | None


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        id: what is wrong, in words.
        call: what is done with it: the words after ``mmlib``, or a function of the case's folder.
        says: regular expressions, each of which the message must contain, in any case of letters.
        files: name -> text, bytes, ``None`` for a folder, or a function that makes it; written before the call.
        spoil: a context that is in force during the call, such as a full disk.
        new: regular expression of files that the call may leave behind.
    """

    id: str
    call: tuple[str, ...] | Callable[[Path], Any]
    says: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    spoil: Callable[[Path], contextlib.AbstractContextManager[Any]] | None = None
    new: str = r"$^"


class Hang(BaseException):
    """The call took too long; no handler for ``Exception`` may swallow it."""


def write(folder: Path, files: Mapping[str, Content]) -> Path:
    """Make the files of a case."""
    for name, content in files.items():
        path = folder / name.removesuffix("/.") / "made" if name.endswith("/.") else folder / name
        (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        elif content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@contextlib.contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Raise ``Hang`` where the block takes too long; end the process where not even that helps."""

    def late(*_: object) -> None:
        raise Hang(f"still busy after {seconds} seconds")

    before = {number: signal.signal(number, late) for number in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_PROF, seconds)  # of the processor: other programs may be busy too
    signal.setitimer(signal.ITIMER_REAL, 5 * seconds)
    faulthandler.dump_traceback_later(10 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below the folder with size and time of writing; locks are no results."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if os.access(Path(place, name), os.R_OK)]
        for name in names:
            path = Path(place, name)
            if not name.endswith(".lock"):
                found[str(path.relative_to(folder))] = (path.lstat().st_size, path.lstat().st_mtime_ns)
    return found


def message_of(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Do what the case does; what it was told, where it was refused as an input error is."""
    capsys.readouterr()
    with (case.spoil or contextlib.nullcontext)(folder) if case.spoil else contextlib.nullcontext(), limited():
        if callable(case.call):
            with pytest.raises(InputError) as caught:
                case.call(folder)
            return str(caught.value)
        try:
            code: Any = main([word.replace("{here}", str(folder)) for word in case.call])
        except SystemExit as error:  # argparse
            code = error.code
    said = capsys.readouterr()
    assert code == 2, f"exit code {code}; it said:\n{said.out[-1500:]}\n{said.err[-1500:]}"
    return said.err


def check_refused(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one rule of this directory."""
    write(folder, case.files)
    before = tree(folder)
    message = message_of(case, folder, capsys)
    assert "Traceback" not in message
    assert len(message.strip().splitlines()) <= LINES, f"too many lines:\n{message}"
    assert len(message) <= LENGTH, f"{len(message)} characters: {message[:300]} ..."
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", message), f"control characters: {message!r}"
    for pattern in case.says:
        assert re.search(pattern, message, re.IGNORECASE), f"{pattern!r} is not in:\n{message}"
    left = [name for name, stamp in tree(folder).items() if before.get(name) != stamp and not re.search(case.new, name)]
    assert not left, f"left behind: {left}; it said: {message}"


# Things that are in force during a call


@contextlib.contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Even root is held to the permission bits of its own files."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", 0x20080522, 0)
    now = ctypes.create_string_buffer(24)
    if libc.syscall(125, header, now) != 0:
        pytest.skip("capabilities cannot be read here")
    effective, *rest = struct.unpack("6I", now.raw)
    lesser = struct.pack("6I", effective & ~0b110, *rest)  # without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    if libc.syscall(126, header, ctypes.create_string_buffer(lesser, 24)) != 0:
        pytest.skip("capabilities cannot be dropped here")
    try:
        yield
    finally:
        libc.syscall(126, header, now)


def locked(*names: str, mode: int = 0) -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    """These files or folders are closed during the call."""

    @contextlib.contextmanager
    def context(folder: Path) -> Iterator[None]:
        paths = [folder / name for name in names]
        modes = [path.stat().st_mode for path in paths]
        for path in paths:
            path.chmod(mode)
        try:
            with unprivileged(folder):
                yield
        finally:
            for path, before in zip(paths, modes):
                path.chmod(before)

    return context


def full_disk(after: int = 0) -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    """No file may grow beyond ``after`` bytes: the kernel says EFBIG where a full disk says ENOSPC."""
    import resource

    @contextlib.contextmanager
    def context(folder: Path) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (after, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return context


def without(*modules: str) -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    """These packages are not installed."""

    @contextlib.contextmanager
    def context(folder: Path) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in sys.modules if name.split(".")[0] in modules]:
                patch.delitem(sys.modules, name)
            for name in modules:
                patch.setitem(sys.modules, name, None)
            yield

    return context
