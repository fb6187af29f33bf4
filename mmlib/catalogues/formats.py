"""What a folder with a catalogue is, and the reader for it."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.dataset import Dataset
from ..core.errors import InputError, closest, one_of
from .published import lattice, lightgcn, movielens
from .tables.files import KINDS, header
from .tables.roles import USUAL, plain

NEEDS = {
    "saved": "dataset.json, written by Dataset.save",
    "mmrec": "a file .inter",
    "lattice": "train.json, val.json and test.json, in the folder or in 5-core",
    "lightgcn": "train.txt and test.txt",
    "movielens": "u.data and u.item, ratings.dat and movies.dat, or ratings.csv and movies.csv as published",
    "amazon": "reviews as JSON lines, .json, .jsonl, or either with .gz",
    "tables": "a table (.csv, .tsv, either with .gz, or .parquet) with a column of users and one of items",
}
YEARS = ("2014", "2018", "2023")  # of the public forms of Amazon's reviews
NAMES = ("auto", *NEEDS, *(f"amazon-{year}" for year in YEARS))


def read(folder: str | Path, form: str = "auto", columns: Mapping[str, Any] | None = None, **options: Any) -> Dataset:
    """Read the catalogue in ``folder``, whatever its form.

    Args:
        form: a key of ``NEEDS``, ``"amazon-2014"``, ``"amazon-2018"`` or ``"amazon-2023"``, or ``"auto"``: a folder
            with ``columns`` is a user's own tables, any other is what ``recognise`` says.
        columns: which column means what; for tables only, see ``tables.read``.
        options: of the form's reader, such as ``on_bad="skip"``; see ``mmrec``, ``lattice``, ``lightgcn``,
            ``movielens``, ``amazon`` and ``tables``.

    Raises:
        InputError: for a form or option that is not known, when the folder has no or several forms, and as the reader.
    """
    one_of("form", form, NAMES)
    folder = Path(folder)
    if form == "auto":
        saved = (folder / "dataset.json").is_file()
        form = "tables" if columns and not saved else recognise(folder)
    if columns and form not in ("tables", "saved"):
        raise InputError(f"columns are for a user's own tables; the form {form!r} knows its columns. Leave them out.")
    reader = _reader(form)
    if form == "tables":
        options["columns"] = columns
    if form.startswith("amazon-"):
        options["form"] = form.removeprefix("amazon-")
    known = [name for name in inspect.signature(reader).parameters if name != "folder"]
    for name in options:
        if name not in known:
            raise InputError(
                f"The form {form!r} has no option {name!r}.{closest(name, known)} "
                f"Options: {', '.join(known) or 'none'}."
            )
    return reader(folder, **options)


def recognise(folder: str | Path) -> str:
    """What the folder is: a key of ``NEEDS``.

    A saved dataset is one, whatever lies beside it. A folder with a table that has no columns of users and items is
    ``"tables"`` if it is nothing else: reading it says what is missing.

    Raises:
        InputError: when it is nothing of the kind, or several at once.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder {folder} is {'a file' if folder.exists() else 'not there'}.")
    if (folder / "dataset.json").is_file():
        return "saved"
    fits = [form for form, fit in _FITS.items() if fit(folder)]
    tables = [path for path in sorted(folder.iterdir()) if _is_table(path)]
    if "movielens" not in fits and any(_has_interactions(path) for path in tables):
        fits.append("tables")
    if len(fits) == 1 or (not fits and tables):
        return fits[0] if fits else "tables"
    needs = "; ".join(f"{form}: {NEEDS[form]}" for form in fits or NEEDS)
    if fits:
        raise InputError(
            f"{folder} can be read in several forms: {needs}. Say which one is meant with form={fits[0]!r}, or put "
            "each catalogue into a folder of its own."
        )
    raise InputError(f"{folder} is no catalogue that can be read; it holds {_held(folder)}. The forms need: {needs}.")


def _reader(form: str) -> Callable[..., Dataset]:
    if form.startswith("amazon"):
        from . import amazon

        return amazon.read
    from . import tables
    from .published import mmrec

    readers: dict[str, Callable[..., Dataset]] = {
        "saved": Dataset.load,
        "mmrec": mmrec.read,
        "lattice": lattice.read,
        "lightgcn": lightgcn.read,
        "movielens": movielens.read,
        "tables": tables.read,
    }
    return readers[form]


def _is_amazon(folder: Path) -> bool:
    from .amazon import files as amazon_files
    from .amazon.forms import recognised

    for path in amazon_files.candidates(folder):
        if path.name.lower().startswith("reviews"):
            return True
        if path.name in lattice.FILES or path.name.lower().startswith("meta"):
            continue
        try:
            first = amazon_files.first_record(path)
        except InputError:  # an empty or damaged file
            continue
        said = recognised(first) if first is not None else None
        if said is not None and said[0] == "reviews":
            return True
    return False


_FITS: dict[str, Callable[[Path], bool]] = {
    "mmrec": lambda folder: any(path.is_file() for path in folder.glob("*.inter")),
    "lattice": lambda folder: lattice.place_of(folder) is not None,
    "lightgcn": lambda folder: all((folder / file).is_file() for file in ("train.txt", "test.txt")),
    "movielens": lambda folder: movielens.form_of(folder) is not None,
    "amazon": _is_amazon,
}


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(KINDS) and not path.name.startswith(".") and path.is_file()


def _has_interactions(path: Path) -> bool:
    """Whether the table has columns that are recognised as users and items; a damaged one has none."""
    try:
        names = [plain(name) for name in header(path)]
    except InputError:
        return False
    return any(name in USUAL["user"] for name in names) and any(name in USUAL["item"] for name in names)


def _held(folder: Path) -> str:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))
    return ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "") if names else "nothing"
