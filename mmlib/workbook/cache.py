"""Stages that are computed once: the same inputs and the same code give the same entry, shared by all runs."""

import importlib.util
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import InputError
from ..core.files import digest, read_json, write_json
from ..core.lock import alone
from .environment import mmlib_version
from .paths import outputs

T = TypeVar("T")


def cached(
    stage: str,
    inputs: dict[str, Any],
    build: Callable[[Path], Any],
    load: Callable[[Path], T],
    *,
    code: Sequence[str] = (),
    root: Path | None = None,
) -> T:
    """What ``load`` reads from the entry for ``stage`` and ``inputs``, which ``build`` has made, now or before.

    An entry is the folder ``<root>/<stage>/<key>``. ``build`` writes to ``<key>.work``, which outlives a kill, so
    that a stage may keep checkpoints there and go on from them; it becomes the entry when all is written. Of two
    processes that ask at once, one builds and the other waits.

    Args:
        stage: name of the step, such as ``"features"``.
        inputs: plain values that decide the result, the keys of earlier stages among them.
        build: makes the entry's files in the folder that it is given.
        load: reads them from the folder that it is given.
        code: modules whose source decides the result, such as ``"mmlib.encoders"``; a package means all its files.
        root: ``outputs/cache`` when not given.

    Raises:
        InputError: for a module in ``code`` that cannot be found.
    """
    versions = {name: code_version(name) for name in code}
    key = digest(stage, inputs, versions)
    entry = (root or outputs() / "cache") / stage / key
    if not is_whole(entry):
        with alone(entry.with_name(f".{key}.lock"), f"{stage}: another process is building {key}; waiting for it"):
            if not is_whole(entry):
                seconds = _build(entry, {"stage": stage, "inputs": inputs, "code": versions}, build)
                print(f"{stage}: built in {seconds:.1f} s -> {key}", flush=True)
                return load(entry)
    print(f"{stage}: from cache {key}", flush=True)
    return load(entry)


def is_whole(entry: Path) -> bool:
    """Whether the entry has a valid manifest and every file that it lists, at its size."""
    try:
        files = read_json(entry / "manifest.json")["files"]
        return all((entry / name).stat().st_size == size for name, size in files.items())
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return False


def code_version(module: str) -> str:
    """A short hash of the source text of a module, or of all the files of a package. Nothing is imported.

    Raises:
        InputError: when it cannot be found.
    """
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    named = [*(spec.submodule_search_locations or []), spec.origin] if spec else []
    places = [Path(place) for place in named if place and Path(place).exists()][:1]
    if not places:
        raise InputError(f"There is no module {module} whose code a cached stage could depend on.")
    found = [(path, base) for base in places for path in (sorted(base.rglob("*.py")) if base.is_dir() else [base])]
    return digest(
        *[part for path, base in found for part in (path.relative_to(base).as_posix(), path.read_text("utf-8"))]
    )


def _build(entry: Path, about: dict[str, Any], build: Callable[[Path], Any]) -> float:
    work = entry.with_name(f"{entry.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    for left in work.rglob(".*.partial"):  # half-written by a process that was killed
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    start = time.monotonic()
    try:
        build(work)
    except BaseException as error:
        note = f"{about['stage']}: stopped; what it had done is in {work}, where the next start goes on"
        error.add_note(note)
        print(note, flush=True)
        raise
    seconds = round(time.monotonic() - start, 3)
    paths = [path for path in sorted(work.rglob("*")) if path.is_file() and path != work / "manifest.json"]
    files = {path.relative_to(work).as_posix(): path.stat().st_size for path in paths}
    made = {"seconds": seconds, "created": datetime.now(UTC).isoformat(timespec="seconds"), "mmlib": mmlib_version()}
    write_json(work / "manifest.json", about | made | {"files": files})
    shutil.rmtree(entry, ignore_errors=True)  # a damaged one
    work.replace(entry)
    return seconds
