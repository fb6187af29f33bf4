"""What a folder with a catalogue is, and the reader for it."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.dataset import Dataset
from ..core.errors import InputError, closest, one_of
from . import amazon, tables
from .amazon import files as amazon_files
from .published import lattice, lightgcn, mmrec, movielens
from .reading import Reading
from .tables.files import KINDS, header
from .tables.roles import USUAL, plain

SAVED = "dataset.json"  # written by Dataset.save
YEARS = ("2014", "2018", "2023")  # of the public forms of Amazon's reviews


def read(
    folder: str | Path,
    form: str = "auto",
    columns: Mapping[str, Any] | None = None,
    *,
    on_bad: str = "stop",
    unmatched: str = "stop",
    name: str = "",
    **options: Any,
) -> Dataset:
    """Read the catalogue in ``folder``, whatever its form; nothing is split yet.

    Args:
        form: a key of ``FORMS``, ``"saved"``, ``"amazon-2014"``, ``"amazon-2018"`` or ``"amazon-2023"``, or ``"auto"``:
            a folder with ``columns`` is a user's own tables, any other is what ``recognise`` says.
        columns: which column means what; for tables only, see ``tables.read``.
        on_bad, unmatched, name: see ``reading.Reading``.
        options: of the form's reader; only ``amazon.read`` has some.

    Raises:
        InputError: for a form or option that is not known, when the folder has no or several forms, and as the reader.
    """
    one_of("form", form, ("auto", "saved", *FORMS, *(f"amazon-{year}" for year in YEARS)))
    folder = _there(Path(folder))
    reading = Reading(on_bad, unmatched, folder, name)
    if form == "auto":
        form = "tables" if columns and not (folder / SAVED).is_file() else recognise(folder)
    if columns and form not in ("tables", "saved"):
        raise InputError(f"columns are for a user's own tables; the form {form!r} knows its columns. Leave them out.")
    if form == "tables":
        options["columns"] = columns
    if form.startswith("amazon-"):
        form, options["form"] = form.split("-")
    own = () if form == "saved" else (*inspect.signature(FORMS[form].read).parameters, "on_bad", "unmatched", "name")
    known = own[1:]  # without the reading itself
    given = {"on_bad": on_bad != "stop", "unmatched": unmatched != "stop", "name": name}
    for option in [*options, *(option for option, said in given.items() if said)]:
        if option not in known:
            raise InputError(
                f"The form {form!r} has no option {option!r}.{closest(option, known)} "
                f"Options: {', '.join(known) or 'none'}."
            )
    return Dataset.load(folder) if form == "saved" else FORMS[form].read(reading, **options)


def recognise(folder: str | Path) -> str:
    """What the folder is: ``"saved"`` or a key of ``FORMS``.

    A saved dataset is one, whatever lies beside it. A folder with a table that has no columns of users and items is
    ``"tables"`` if it is nothing else: reading it says what is missing.

    Raises:
        InputError: when it is nothing of the kind, or several at once.
    """
    folder = _there(Path(folder))
    if (folder / SAVED).is_file():
        return "saved"
    fits = [name for name, form in FORMS.items() if form.fits(folder)]
    if "movielens" in fits and "tables" in fits:
        fits.remove("tables")
    if len(fits) == 1:
        return fits[0]
    if not fits and _tables(folder):
        return "tables"
    needs = "; ".join(f"{name}: {FORMS[name].needs}" for name in fits or FORMS)
    if fits:
        raise InputError(
            f"{folder} can be read in several forms: {needs}. Say which one is meant with form={fits[0]!r}, or put "
            "each catalogue into a folder of its own."
        )
    raise InputError(
        f"{folder} is no catalogue that can be read; it holds {amazon_files.held(folder)}. The forms need: saved: "
        f"{SAVED}, written by Dataset.save; {needs}."
    )


@dataclass(frozen=True)
class Form:
    """A form of catalogues: what its folder needs in words, whether a folder has it, and the reader."""

    needs: str
    fits: Callable[[Path], bool]
    read: Callable[..., Dataset]


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        kind = "a file; give the folder that holds it" if folder.exists() else "not there"
        raise InputError(f"The folder {folder} is {kind}.")
    return folder


def _is_amazon(folder: Path) -> bool:
    for path in amazon_files.candidates(folder):
        with suppress(InputError):  # of an empty or damaged file
            if path.name not in lattice.FILES and amazon_files.kind_of(path) == "reviews":
                return True
    return False


def _tables(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("[!.]*")) if path.name.lower().endswith(KINDS) and path.is_file()]


def _has_interactions(path: Path) -> bool:
    """Whether the table has columns that are recognised as users and items; a damaged one has none."""
    try:
        names = {plain(name) for name in header(path)}
    except InputError:
        return False
    return not names.isdisjoint(USUAL["user"]) and not names.isdisjoint(USUAL["item"])


FORMS = {
    "mmrec": Form("a file .inter", lambda folder: any(path.is_file() for path in folder.glob("*.inter")), mmrec.read),
    "lattice": Form(
        "train.json, val.json and test.json, in the folder or in 5-core",
        lambda folder: lattice.place_of(folder) is not None,
        lattice.read,
    ),
    "lightgcn": Form(
        "train.txt and test.txt",
        lambda folder: all((folder / file).is_file() for file in ("train.txt", "test.txt")),
        lightgcn.read,
    ),
    "movielens": Form(
        "u.data and u.item, ratings.dat and movies.dat, or ratings.csv and movies.csv as published",
        lambda folder: movielens.form_of(folder) is not None,
        movielens.read,
    ),
    "amazon": Form("reviews as JSON lines, .json, .jsonl, or either with .gz", _is_amazon, amazon.read),
    "tables": Form(
        "a table (.csv, .tsv, either with .gz, or .parquet) with a column of users and one of items",
        lambda folder: any(map(_has_interactions, _tables(folder))),
        tables.read,
    ),
}
