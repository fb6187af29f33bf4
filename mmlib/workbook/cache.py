"""Steps that are done once: the same inputs and the same code give the same entry, shared by all runs."""

import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from .. import __version__
from ..core.errors import InputError
from ..core.files import content, digest, read_json, to_disk, write_json
from ..core.lock import alone
from .fingerprint import fingerprint
from .paths import outputs

T = TypeVar("T")
FORGOTTEN = 7 * 24 * 3600  # seconds after which what a killed build left is not taken up any more


def cached(
    stage: str,
    inputs: dict[str, Any],
    build: Callable[[Path], Any],
    load: Callable[[Path], T],
    *,
    code: Sequence[Any] = (),
    root: Path | None = None,
) -> T:
    """What ``load`` reads from the entry for ``stage`` and ``inputs``, which ``build`` has made, now or before.

    An entry is the folder ``<root>/<stage>/<key>``. ``build`` writes to ``<key>.work``, which outlives a kill, so
    that a stage may keep checkpoints there and go on from them; it becomes the entry when all is written. Of two
    processes that ask at once, one builds and the other waits. An entry with a file that is not what was written is
    built again, never read.

    Args:
        stage: name of the step, such as ``"features"``.
        inputs: plain values that decide the result, the keys of earlier stages among them.
        build: makes the entry's files in the folder that it is given.
        load: reads them from the folder that it is given.
        code: functions and classes whose code, with all that they call, decides the result; see ``fingerprint``.
        root: ``outputs/cache`` when not given.
    """
    version = fingerprint(*code)
    key = digest(stage, inputs, version)
    entry = (root or outputs() / "cache") / stage / key
    if damage(entry):
        with alone(entry.with_name(f".{key}.lock"), f"{stage}: another process is building {key}; waiting for it"):
            if found := damage(entry):
                if entry.exists():
                    print(f"{stage}: {key} is damaged ({found}), so it is built again", flush=True)
                seconds = _build(entry, {"stage": stage, "inputs": inputs, "code": version}, build)
                print(f"{stage}: built in {seconds:.1f} s -> {key}", flush=True)
                return load(entry)
    print(f"{stage}: from cache {key}", flush=True)
    return load(entry)


def damage(entry: Path) -> str:
    """What is wrong with an entry, such as a file of which one bit is another; ``""`` for nothing.

    A file that has not changed since this process looked is not read again, see ``core.files.content``.
    """
    try:
        for name, written in read_json(entry / "manifest.json")["files"].items():
            if not (entry / name).is_file() or content(entry / name) != written:
                return f"{name} is missing or not what was written"
    except (InputError, KeyError, TypeError, AttributeError):
        return "manifest.json is missing or not what was written"
    return ""


def _build(entry: Path, about: dict[str, Any], build: Callable[[Path], Any]) -> float:
    work = entry.with_name(f"{entry.name}.work")
    _clear(work)
    start = time.monotonic()
    try:
        build(work)
    except BaseException as error:
        if not any(path.is_file() for path in work.rglob("*")):
            shutil.rmtree(work)
            raise
        note = f"{about['stage']}: stopped; what it had done is in {work}, where the next start goes on"
        error.add_note(note)
        print(note, flush=True)
        raise
    seconds = round(time.monotonic() - start, 3)
    paths = [path for path in sorted(work.rglob("*")) if path.is_file() and path != work / "manifest.json"]
    files = {path.relative_to(work).as_posix(): content(path) for path in paths}
    made = {"seconds": seconds, "created": datetime.now(UTC).isoformat(timespec="seconds"), "mmlib": __version__}
    write_json(work / "manifest.json", about | made | {"files": files})
    shutil.rmtree(entry, ignore_errors=True)  # a damaged one
    work.replace(entry)
    to_disk(entry.parent)
    return seconds


def _clear(work: Path) -> None:
    """Make ``work`` ready: drop what a killed process had half-written there, and what nobody came back for."""
    for other in work.parent.glob("*.work"):
        last = max(path.lstat().st_mtime for path in (other, *other.rglob("*")))
        if other != work and time.time() - last > FORGOTTEN:
            shutil.rmtree(other, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    for left in work.rglob(".*.partial"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
