"""MovieLens in all its forms: 100K (``u.data``), 1M and 10M (``ratings.dat``), 20M, 25M, 32M and latest (CSV)."""

import io
import re
from pathlib import Path

import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from .. import assemble
from .. import delimited as rows_of
from ..assemble import seconds
from ..ids import in_order
from ..ids import unmatched as unmatched_notes
from ..line_reader import BadLines, blocks, lines
from ..tables.content import COLUMNS, joined
from ..tables.files import header, ids, read_table
from ..tables.pictures import pictures

FILES = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
MARKS = {"u.data": "\t", "ratings.dat": "::", "ratings.csv": ","}
HEADS = {"ratings.csv": ["userId", "movieId", "rating", "timestamp"], "movies.csv": ["movieId", "title", "genres"]}
_FLAGS = (  # of u.item, in their order
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|"
    "Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
GENRES = _FLAGS.split("|")
_YEAR = re.compile(r"(.*\S)\s*\((\d{4})\)\s*", re.DOTALL)


def read(folder: str | Path, *, on_bad: str = "stop", unmatched: str = "stop", name: str | None = None) -> Dataset:
    """Read ratings and movies; nothing is split yet.

    Users and items are in the order of their ids. An item's ``category`` is its first genre and ``text`` names all;
    the year stands in a column of its own, not in ``title``. Pictures are those in ``images/<movieId>.jpg``. Films
    without a rating are kept. Files that are not UTF-8, such as those of 100K and 1M, are taken as Latin-1.
    Source: Harper and Konstan, The MovieLens Datasets, TiiS 2015, and the README of each.

    Args:
        on_bad: ``"stop"`` at a line that cannot be read, or ``"skip"`` and count such lines (``movies.csv`` is read
            whole or not at all).
        unmatched: what becomes of a list or table that has none of the ids of the interactions, ``"stop"`` or
            ``"keep"``; see ``ids.unmatched``.
        name: of the dataset; default: the folder's.

    Raises:
        InputError: naming file, line and remedy.
    """
    folder, bad, notes = Path(folder), BadLines(on_bad), list[str]()
    file = form_of(folder)
    if file is None:
        raise InputError(
            f"{folder} has no ratings of MovieLens: u.data with u.item, ratings.dat with movies.dat, or ratings.csv "
            "with movies.csv (movieId,title,genres)."
        )
    table = _ratings(folder / file, bad)
    table["time"] = seconds(table["time"], file, notes)
    films = _films(folder / FILES[file], bad, notes).drop_duplicates("id")
    films, images = _with_pictures(folder, films, notes)
    users, items = in_order(table["user"].cat.categories), in_order([*table["item"].cat.categories, *films["id"]])
    rated = table["item"].value_counts()
    notes += unmatched_notes(rated, pd.Index(films["id"]), "items", (folder / file, folder / FILES[file]), unmatched)
    notes += ["Every rating counts as an interaction, low ones too.", *bad.notes()]
    catalogue = films.set_index("id").reindex(items, fill_value="").rename_axis("id").reset_index()
    name = name or folder.resolve().name
    people = pd.DataFrame({"id": users})
    return assemble.dataset(name, table.assign(part=""), people, catalogue, notes, source=file, images=images)


def form_of(folder: Path) -> str | None:
    """The file of the ratings, if the folder is MovieLens'; a ``movies.csv`` with columns of its own is not."""
    for ratings, films in FILES.items():
        if (folder / ratings).is_file() and (folder / films).is_file():
            heads = {file: _head(folder / file) for file in (ratings, films) if file in HEADS}
            if all(HEADS[file] == head for file, head in heads.items()):
                return ratings
    return None


def _head(path: Path) -> list[str]:
    try:
        return header(path)
    except InputError:
        return HEADS[path.name]  # a damaged file of the right name: reading it tells more


def _ratings(path: Path, bad: BadLines) -> pd.DataFrame:
    after = 0
    if path.name in HEADS:
        header(path)  # refuses a damaged one
        after = next(lines(path, BadLines()), (0, ""))[0]
    columns = {"user": (0, "id"), "item": (1, "id"), "rating": (2, "number"), "time": (3, "time")}
    return rows_of.read(path, rows_of.Shape(MARKS[path.name], 4, columns, after), bad)


def _films(path: Path, bad: BadLines, notes: list[str]) -> pd.DataFrame:
    """Columns as in ``COLUMNS``, and ``year``; no pictures yet."""
    if path.name == "movies.csv":
        raw = read_table(path, HEADS["movies.csv"])
        found = pd.DataFrame({"id": ids(raw, "movieId", path), "title": raw["title"], "genres": raw["genres"]})
    else:
        found = pd.DataFrame(_listed(path, bad, notes), columns=["id", "title", "genres"], dtype=object)
    found["genres"] = found["genres"].replace("(no genres listed)", "")
    split = [_YEAR.fullmatch(title) for title in found["title"]]
    again = int(found["id"].duplicated().sum())
    if again:
        notes.append(f"{path.name}: lines that repeat a film: {again}; its first line is kept.")
    table = pd.DataFrame(
        {
            "id": found["id"],
            "title": [both[1] if both else title.strip() for both, title in zip(split, found["title"])],
            "text": joined(found, ["genres"]),
            "category": [genres.split("|")[0] for genres in found["genres"]],
            "year": [both[2] if both else "" for both in split],
        },
        dtype=object,
    )
    return table.reindex(columns=[*COLUMNS, "year"], fill_value="")


def _listed(path: Path, bad: BadLines, notes: list[str]) -> list[tuple[str, str, str]]:
    """(id, title, genres with | between) of each line of ``u.item`` or ``movies.dat``."""
    films = []
    for number, text in _texts(path, bad, notes):
        cells = [cell.strip() for cell in text.split("|" if path.name == "u.item" else "::")]
        if path.name == "u.item":
            if len(cells) < 5 + len(GENRES) or not set(cells[-len(GENRES) :]) <= {"0", "1"}:
                bad.add(path, number, f"not a film with its {len(GENRES)} flags for genres")
                continue
            genres = "|".join(genre for genre, flag in zip(GENRES, cells[-len(GENRES) :]) if flag == "1")
            cells = [cells[0], cells[1], "" if genres == "unknown" else genres]
        if len(cells) != 3 or not cells[0]:
            bad.add(path, number, f"not id::title::genres: {text[:60]!r}")
            continue
        films.append((cells[0], cells[1], cells[2]))
    return films


def _texts(path: Path, bad: BadLines, notes: list[str]) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers, of a file in UTF-8 or, if it is not, in Latin-1."""
    found = [
        (number, line.rstrip(b"\r\n"))
        for first, data in blocks(path, bad)
        for number, line in enumerate(io.BytesIO(data), first)
        if line.strip()
    ]
    try:
        return [(number, line.decode("utf-8-sig")) for number, line in found]
    except UnicodeDecodeError:
        notes.append(f"{path.name} is not UTF-8; it was taken as Latin-1.")
        return [(number, line.decode("latin-1")) for number, line in found]


def _with_pictures(folder: Path, films: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, Path | None]:
    films = films.reset_index(drop=True)
    names, images, _ = pictures(folder, folder, films[["id"]], films["id"], {}, notes)
    return films.assign(image=pd.Series(names, index=films.index, dtype=object)), images
