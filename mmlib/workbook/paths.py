"""Where pages are and where results go."""

import os
from pathlib import Path

from ..core.errors import InputError


def project() -> Path | None:
    """The folder above (or at) the current one that holds both ``notebooks/`` and ``pyproject.toml``, if any."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return None


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
