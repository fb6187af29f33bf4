"""MovieLens in all its forms: 100K (``u.data``), 1M and 10M (``ratings.dat``), 20M, 25M, 32M and latest (CSV)."""

import re
from pathlib import Path

import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from .. import delimited
from ..cells import Cells, interactions, read_cells
from ..reading import Reading, described, in_order
from ..tables.content import COLUMNS, joined
from ..tables.files import header, read_table
from ..tables.pictures import pictures
from ..text_files import lines

FILES = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
MARKS = {"u.data": "\t", "ratings.dat": "::", "ratings.csv": ","}
HEADS = {"ratings.csv": ["userId", "movieId", "rating", "timestamp"], "movies.csv": ["movieId", "title", "genres"]}
_FLAGS = (  # of u.item, in their order
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|"
    "Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
GENRES = _FLAGS.split("|")
_YEAR = re.compile(r"(.*\S)\s*\((\d{4})\)\s*", re.DOTALL)


def read(reading: Reading) -> Dataset:
    """Read ratings and movies; nothing is split yet.

    Users and items are in the order of their ids. An item's ``category`` is its first genre and ``text`` names all;
    the year stands in a column of its own, not in ``title``. Pictures are those in ``images/<movieId>.jpg``. Films
    without a rating are kept. Files that are not UTF-8, such as those of 100K and 1M, are taken as Latin-1.
    Source: Harper and Konstan, The MovieLens Datasets, TiiS 2015, and the README of each.

    Raises:
        InputError: naming file, line and remedy.
    """
    folder = reading.folder
    file = form_of(folder)
    if file is None:
        raise InputError(
            f"{folder} has no ratings of MovieLens: u.data with u.item, ratings.dat with movies.dat, or ratings.csv "
            "with movies.csv (movieId,title,genres)."
        )
    table, films = _ratings(folder / file, reading), _films(folder / FILES[file], reading)
    names, images, _ = pictures(reading, folder, films[["id"]], films["id"], {})
    films["image"] = pd.Series(names, index=films.index, dtype=object)
    users, items = in_order(table["user"].cat.categories), in_order([*table["item"].cat.categories, *films["id"]])
    both = folder / file, folder / FILES[file]
    reading.match(table["item"].value_counts(), pd.Index(films["id"]), "items", both)
    reading.notes += reading.bad_lines()
    return reading.dataset(table, file, pd.DataFrame({"id": users}), described(films, items), images=images)


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


def _ratings(path: Path, reading: Reading) -> pd.DataFrame:
    if path.name in HEADS:
        header(path)  # refuses a damaged one
    layout = delimited.Layout(MARKS[path.name], HEADS["ratings.csv"], header=path.name in HEADS)
    found = dict(zip(("user", "item", "rating", "time"), layout.names))
    return interactions(read_cells(path, layout, reading, layout.names), found, {})


def _films(path: Path, reading: Reading) -> pd.DataFrame:
    """Columns as in ``COLUMNS``, and ``year``; no pictures yet."""
    is_csv = path.name == "movies.csv"
    cells = read_table(path, reading, HEADS["movies.csv"]) if is_csv else _listed(path, reading)
    found = pd.DataFrame({"id": cells.ids("movieId", "film")}).assign(title=cells.text["title"].str.strip())
    found["genres"] = cells.text["genres"].str.strip().replace(["(no genres listed)", "unknown"], "")
    found = found[cells.sound].reset_index(drop=True)
    split = found["title"].str.extract(_YEAR)
    table = pd.DataFrame(
        {
            "id": found["id"],
            "title": split[0].fillna(found["title"]),
            "text": joined(found, ["genres"]),
            "category": found["genres"].str.split("|").str[0],
            "year": split[1].fillna(""),
        },
        dtype=object,
    )
    return reading.first_rows(table.reindex(columns=[*COLUMNS, "year"], fill_value=""), path)


def _listed(path: Path, reading: Reading) -> Cells:
    """``u.item`` or ``movies.dat``, in UTF-8 or, if it is not, in Latin-1; genres with ``|`` between them."""
    try:
        for _ in lines(path, Reading()):
            pass
        encoding = "utf-8"
    except InputError:
        reading.notes.append(f"{path.name} is not UTF-8; it was taken as Latin-1.")
        encoding = "latin-1"
    if path.name == "movies.dat":
        layout = delimited.Layout("::", HEADS["movies.csv"], encoding=encoding)
        return read_cells(path, layout, reading, layout.names)
    names = ["movieId", "title", "released", "video", "url", *GENRES]
    cells = read_cells(path, delimited.Layout("|", names, encoding=encoding), reading, names)
    flags = cells.text[GENRES].apply(lambda column: column.str.strip())
    cells.refuse(~flags.isin(["0", "1"]).all(axis=1), f"not a film with its {len(GENRES)} flags for genres")
    marked = (flags == "1").to_numpy()
    cells.text["genres"] = ["|".join(genre for genre, flag in zip(GENRES, row) if flag) for row in marked]
    return cells
