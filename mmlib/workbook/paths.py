"""Where pages are, where results go, and what finished runs and sweeps there hold."""

import os
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import content, digest, read_json, shaped


def project() -> Path | None:
    """The folder above (or at) the current one that holds both ``notebooks/`` and ``pyproject.toml``, if any."""
    here = Path.cwd()
    places = (here, *here.parents)
    return next((one for one in places if (one / "notebooks").is_dir() and (one / "pyproject.toml").is_file()), None)


def outputs() -> Path:
    """The folder for results: ``MMLIB_OUTPUTS`` if set, else ``outputs`` of the project, else of the current folder."""
    named = os.environ.get("MMLIB_OUTPUTS")
    return Path(named).resolve() if named else (project() or Path.cwd()) / "outputs"


def notebooks() -> Path:
    """The folder of the pages: ``MMLIB_NOTEBOOKS`` if set, else the project's, else the one beside the package.

    Raises:
        InputError: when there is none.
    """
    named = os.environ.get("MMLIB_NOTEBOOKS")
    beside = Path(__file__).resolve().parents[2]
    folder = Path(named).resolve() if named else (project() or beside) / "notebooks"
    if not folder.is_dir():
        raise InputError(
            f"There is no folder of pages at {folder}. Start inside a clone of the workbook, or set MMLIB_NOTEBOOKS."
        )
    return folder


def short(path: Path) -> str:
    """The path as people read it: relative where it lies below the current folder."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def page_names(folder: Path) -> list[str]:
    """Names of the pages in reading order, such as ``["00_quickstart", "01_features"]``.

    Raises:
        InputError: when the folder holds none.
    """
    names = sorted(path.stem for path in folder.glob("[0-9]*.py"))
    if not names:
        raise InputError(f"There are no pages (such as 00_quickstart.py) in {folder}.")
    return names


def finished(folder: Path) -> dict[str, Any] | None:
    """The content of a run's ``metrics.json``, or ``None`` when the run is not done."""
    try:
        return read_json(folder / "metrics.json", metrics=dict)
    except InputError:
        return None


def swept(folder: Path | str) -> dict[str, Any]:
    """What a sweep's ``sweep.json`` says; the folder is looked for from here, from the project, and by its name alone.

    Raises:
        InputError: where it is missing or damaged, or names no run.
    """
    places = [Path(folder), (project() or Path.cwd()) / folder, outputs() / "sweeps" / folder]
    path = next((place / "sweep.json" for place in places if (place / "sweep.json").is_file()), None)
    if not path:
        raise InputError(
            f"{folder} is not a sweep's folder: there is no sweep.json in it. `mmlib sweep` prints its own."
        )
    about = {"choose": {}, "tried": [], "chosen_from": ""} | read_json(path, about=str, varying=list, compare=dict)
    for run in shaped(about, path, runs=list)["runs"]:
        shaped(run, path, run=str, folder=str, parameters=dict, error=str)
    if not about["runs"]:
        raise InputError(f"{path} names no run.")
    return about


def sweep_key(folder: Path | str) -> str:
    """A short hash of what a sweep found: its runs, those that are done, and the scores of their users.

    Raises:
        InputError: as :func:`swept`.
    """
    files = [
        Path(run["folder"]) / name for run in swept(folder)["runs"] for name in ("metrics.json", "per_user.parquet")
    ]
    return digest([content(file) if file.is_file() else "" for file in files])
