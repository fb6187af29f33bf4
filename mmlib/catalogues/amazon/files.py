"""Which files of a folder hold Amazon's reviews and metadata, and in which form."""

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ..reading import Reading
from ..text_files import lines
from .forms import FORMS, recognised, record

ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
OTHERS = ("dataset.json", "manifest.json")
TRIED = 20  # lines looked at before a file counts as unknown


def find(folder: Path, reviews: str | Path | None, metadata: str | Path | None) -> tuple[Path, Path | None]:
    """The file of reviews and the one of metadata, if there is one.

    By their names (``reviews...``, ``meta...``), else by the keys of their first line.

    Args:
        reviews, metadata: what is given is taken, relative to ``folder``; ``metadata=""`` is for none.

    Raises:
        InputError: when there are no reviews, or several files could be meant.
    """
    kinds = {path: kind_of(path) for path in candidates(folder)} if reviews is None or metadata is None else {}
    found = {
        kind: [path for path in kinds if kinds[path] == kind] if given is None else [folder / given] if given else []
        for kind, given in (("reviews", reviews), ("metadata", metadata))
    }
    if not found["reviews"]:
        raise InputError(
            f"{folder} has no file of Amazon reviews ({', '.join(ENDINGS)}); it has {held(folder)}. "
            "Name the file with reviews=...."
        )
    for kind, paths in found.items():
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise InputError(f"{folder} has several files of {kind}: {names}. Say which one: {kind}={paths[0].name!r}.")
    return found["reviews"][0], next(iter(found["metadata"]), None)


def candidates(folder: Path) -> list[Path]:
    """The files of a folder that may be reviews or metadata by the ends of their names, in order."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.endswith(ENDINGS) and path.name not in OTHERS and path.name[0] != "." and path.is_file()
    )


def first_records(path: Path) -> list[dict[str, Any]]:
    """Those among a file's first lines that are records.

    Raises:
        InputError: when the file is empty or its gzip stream is damaged at the start.
    """
    found = []
    for _, line in islice(lines(path, Reading("skip")), TRIED):
        with suppress(ValueError):
            found.append(record(line))
    return list(filter(None, found))


def form_of(path: Path, kind: str, form: str) -> str:
    """The form of a file of reviews or metadata; ``"auto"`` goes by the keys of its first line.

    Raises:
        InputError: when it is none of the forms, naming the keys that it has and those that are needed.
    """
    if form != "auto":
        return form
    first = next(iter(first_records(path)), None)
    said = recognised(first or {})
    if said is None or said[0] != kind:
        needs = "; ".join(
            f"{name}: " + ", ".join((one.user, one.item, one.rating, one.time) if kind == "reviews" else (one.item,))
            for name, one in FORMS.items()
        )
        has = "has no record in its first lines" if first is None else f"begins with a record of {_some(first)}"
        raise InputError(
            f"{path}, line 1: this is not a file of Amazon {kind}: it {has}. Each form needs ({needs}). "
            "Give the right file, or say form='2014', '2018' or '2023' if only the first lines are damaged."
        )
    return said[1]


def kind_of(path: Path) -> str | None:
    """``"reviews"`` or ``"metadata"``, by the file's name or else the keys of its first record."""
    for start, kind in (("meta", "metadata"), ("reviews", "reviews")):
        if path.name.lower().startswith(start):
            return kind
    said = recognised(next(iter(first_records(path)), {}))
    return said[0] if said else None


def held(folder: Path) -> str:
    """The first names in a folder, for messages."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))
    return ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "") if names else "nothing"


def _some(first: dict[str, Any]) -> str:
    return ", ".join(map(repr, list(first)[:8])) or "nothing"
