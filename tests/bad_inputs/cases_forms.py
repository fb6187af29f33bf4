"""Published forms of catalogues, damaged."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import mmlib as mm

from .world import CSV, Case, Content, write

REVIEW = {
    "reviewerID": "A1",
    "asin": "B1",
    "overall": 5.0,
    "unixReviewTime": 1400000000,
    "reviewText": "Good.",
    "summary": "Fine",
}


def reviews(*more: str) -> str:
    made = [
        json.dumps(REVIEW | {"reviewerID": f"A{n % 6}", "asin": f"B{n % 7}", "unixReviewTime": 1400000000 + n})
        for n in range(40)
    ]
    return "\n".join([*made, *more]) + "\n"


INTER = "userID\titemID\trating\ttimestamp\tx_label\n0\t2\t5.0\t1400000000\t0\n"
INTER += "0\t1\t4.0\t1400000001\t1\n10\t0\t1.0\t1400000002\t2\n"
LATTICE = {"train.json": '{"0": [2, 1], "10": [0, 3]}', "val.json": '{"0": [3]}', "test.json": '{"10": [1]}'}
LIGHTGCN = {"train.txt": "0 2 1\n1 0\n10 2 \n", "test.txt": "0 0\n1 3\n"}
FILMS = {
    "ratings.dat": "10::2::5::900000000\n9::2::3::900000001\n9::1::1::900000002\n",
    "movies.dat": "1::One (2001)::Comedy\n2::M::Crime\n",
}


def edit(files: dict[str, str], name: str, content: Content) -> dict[str, Content]:
    return {**files, name: content}


def nested(path: Path) -> None:
    path.write_text("[" * 100_000)


FOLDERS: list[tuple[str, dict[str, Content], str]] = [
    ("amazon: line that is no JSON", {"reviews_X.json": reviews("{not json")}, "reviews_X.json, line 41"),
    ("amazon: line cut off", {"reviews_X.json": reviews('{"reviewerID": "A1", "asi')}, "reviews_X.json, line 41"),
    (
        "amazon: no item",
        {"reviews_X.json": reviews('{"reviewerID": "A1", "overall": 5, "unixReviewTime": 1}')},
        "reviews_X.json, line 41",
    ),
    (
        "amazon: rating is text",
        {"reviews_X.json": reviews(json.dumps(REVIEW | {"overall": "good"}))},
        "reviews_X.json, line 41",
    ),
    (
        "amazon: rating is nan",
        {"reviews_X.json": reviews(json.dumps(REVIEW | {"overall": float("nan")}))},
        "reviews_X.json, line 41",
    ),
    (
        "amazon: time is a list",
        {"reviews_X.json": reviews(json.dumps(REVIEW | {"unixReviewTime": [1]}))},
        "reviews_X.json, line 41",
    ),
    ("amazon: a list in place of an object", {"reviews_X.json": reviews("[1, 2]")}, "reviews_X.json, line 41"),
    ("amazon: 100,000 brackets", {"reviews_X.json": reviews("[" * 100_000)}, "reviews_X.json, line 41"),
    (
        "amazon: number of 5,000 digits",
        {"reviews_X.json": reviews(json.dumps(REVIEW).replace("1400000000", "9" * 5000))},
        "reviews_X.json, line 41",
    ),
    (
        "amazon: not UTF-8",
        {"reviews_X.json": reviews().encode() + b'{"reviewerID": "\xff\xfe"}\n'},
        "reviews_X.json, line 41",
    ),
    ("amazon: empty", {"reviews_X.json": ""}, "reviews_X.json"),
    ("amazon: gzip cut off", {"reviews_X.json.gz": gzip.compress(reviews().encode())[:-30]}, "reviews_X.json.gz"),
    (
        "amazon: gzip flipped",
        {"reviews_X.json.gz": gzip.compress(reviews().encode())[:-8] + b"12345678"},
        "reviews_X.json.gz",
    ),
    ("amazon: web page in place of gzip", {"reviews_X.json.gz": "<html>Log in</html>"}, "reviews_X.json.gz"),
    ("amazon: nothing left of a 5-core", {"reviews_X.json": json.dumps(REVIEW) + "\n"}, "core"),
    (
        "amazon: metadata of another year",
        {"reviews_X.json": reviews(), "meta_X.jsonl": '{"main_category": "Baby", "title": "A", "parent_asin": "B1"}\n'},
        "meta_X",
    ),
    (
        "amazon: metadata damaged",
        {"reviews_X.json": reviews(), "meta_X.json": '{"asin": "B1", "title": "a"}\n{broken\n'},
        "meta_X.json, line 2",
    ),
    (
        "amazon: metadata that calls a function",
        {
            "reviews_X.json": reviews(),
            "meta_X.json": "{'asin': 'B1', 'title': __import__('os').system('touch broken-in')}\n",
        },
        "meta_X.json, line 1",
    ),
    (
        "amazon: two files of reviews",
        {"reviews_X.json": reviews(), "reviews_Y.json": reviews()},
        "reviews_X.json.*reviews_Y.json",
    ),
    ("mmrec: empty", {"baby.inter": ""}, "baby.inter"),
    ("mmrec: header alone", {"baby.inter": INTER.splitlines()[0] + "\n"}, "baby.inter"),
    ("mmrec: label of an unknown part", {"baby.inter": INTER + "1\t2\t5\t1\t7\n"}, "baby.inter, line 5"),
    ("mmrec: row with too few cells", {"baby.inter": INTER + "1\t2\n"}, "baby.inter, line 5"),
    ("mmrec: rating is nan", {"baby.inter": INTER + "1\t2\tnan\t1\t0\n"}, "baby.inter, line 5"),
    ("mmrec: time beyond all years", {"baby.inter": INTER + "1\t2\t5\t1e300\t0\n"}, "baby.inter, line 5"),
    ("mmrec: empty user", {"baby.inter": INTER + "\t2\t5\t1\t0\n"}, "baby.inter, line 5"),
    ("mmrec: no column of items", {"baby.inter": INTER.replace("itemID", "what")}, "baby.inter"),
    ("mmrec: two files", {"a.inter": INTER, "b.inter": INTER}, "a.inter.*b.inter"),
    (
        "mmrec: mapping with a wrong number",
        {"baby.inter": INTER, "i_id_mapping.csv": "asin\titemID\nB1\tx\n"},
        "i_id_mapping.csv",
    ),
    ("lattice: broken JSON", edit(LATTICE, "train.json", '{"0": [2, 1'), "train.json"),
    ("lattice: list at the top", edit(LATTICE, "val.json", "[1, 2]"), "val.json"),
    ("lattice: text for items", edit(LATTICE, "val.json", '{"0": "3"}'), "val.json"),
    ("lattice: item is a fraction", edit(LATTICE, "val.json", '{"0": [1.5]}'), "val.json"),
    ("lattice: item is negative", edit(LATTICE, "val.json", '{"0": [-1]}'), "val.json"),
    ("lattice: item is a huge number", edit(LATTICE, "val.json", '{"0": [' + "9" * 5000 + "]}"), "val.json"),
    ("lattice: empty file", edit(LATTICE, "test.json", ""), "test.json"),
    ("lattice: 100,000 brackets", edit(LATTICE, "val.json", nested), "val.json"),
    ("lattice: not UTF-8", edit(LATTICE, "val.json", b'{"\xff": [3]}'), "val.json"),
    ("lightgcn: text in place of a number", edit(LIGHTGCN, "train.txt", "0 2 x\n"), "train.txt, line 1"),
    ("lightgcn: negative item", edit(LIGHTGCN, "train.txt", "0 2 -1\n"), "train.txt, line 1"),
    ("lightgcn: huge number", edit(LIGHTGCN, "train.txt", "0 2 99999999999999999999999\n"), "train.txt, line 1"),
    ("lightgcn: empty", edit(LIGHTGCN, "train.txt", ""), "train.txt"),
    ("lightgcn: binary", edit(LIGHTGCN, "test.txt", bytes(range(256))), "test.txt"),
    (
        "movielens: text for a rating",
        edit(FILMS, "ratings.dat", FILMS["ratings.dat"] + "9::1::x::900000002\n"),
        "ratings.dat, line 4",
    ),
    ("movielens: too few cells", edit(FILMS, "ratings.dat", FILMS["ratings.dat"] + "9::1\n"), "ratings.dat, line 4"),
    ("movielens: no ratings", edit(FILMS, "ratings.dat", ""), "ratings.dat"),
    ("movielens: no film's number", edit(FILMS, "movies.dat", "::One::Comedy\n"), "movies.dat"),
    ("two forms in one folder", {**FILMS, **LATTICE}, "form"),
    ("saved dataset: broken JSON", {"dataset.json": "{"}, "dataset.json"),
    ("saved dataset: list", {"dataset.json": "[]"}, "dataset.json"),
    (
        "saved dataset: no tables",
        {"dataset.json": '{"format": 1, "name": "x", "images": null, "notes": [], "split": null}'},
        "parquet",
    ),
    ("saved dataset: keys are missing", {"dataset.json": '{"format": 1}'}, "dataset.json|parquet"),
    ("saved dataset: 100,000 brackets", {"dataset.json": nested}, "dataset.json"),
    ("saved dataset: not UTF-8", {"dataset.json": b"\xff\xfe"}, "dataset.json"),
]


def saved(spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    """A saved dataset beside ``dataset.json``, spoilt afterwards."""

    def make(path: Path) -> None:
        source = write(path.parent.parent / "source", {"ratings.csv": CSV})
        mm.splits.by_name(mm.catalogues.bring(source), "8:1:1", 0).save(path.parent)
        spoil(path.parent)

    return make


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes())) and None


def relabelled(folder: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(folder / "interactions.parquet")
    table.assign(part="train").to_parquet(folder / "interactions.parquet")


def renumbered(folder: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(folder / "interactions.parquet")
    table.assign(item=table["item"] + 1000).to_parquet(folder / "interactions.parquet")


SAVED: list[tuple[str, Callable[[Path], None], str]] = [
    (
        "table flipped",
        rewrite("interactions.parquet", lambda data: data[:60] + b"\xff" * 40 + data[100:]),
        "interactions.parquet",
    ),
    ("table cut off", rewrite("users.parquet", lambda data: data[:-9]), "users.parquet"),
    ("table missing", lambda folder: (folder / "items.parquet").unlink(), "items.parquet"),
    (
        "passport of another shape",
        rewrite("dataset.json", lambda data: data.replace(b'"protocol"', b'"protokol"')),
        "dataset.json",
    ),
    ("parts changed after the split", relabelled, "passport|part"),
    ("items that do not exist", renumbered, "items|interactions"),
    ("column missing", lambda folder: _without_column(folder), "item|column"),
]


def _without_column(folder: Path) -> None:
    import pandas as pd

    pd.read_parquet(folder / "interactions.parquet").drop(columns="item").to_parquet(folder / "interactions.parquet")


CASES = [
    *[
        Case(id, ("data", "a"), (f"(?s){says}",), {f"a/{name}": content for name, content in files.items()})
        for id, files, says in FOLDERS
    ],
    *[
        Case(
            f"saved dataset: {id}",
            lambda here: mm.load(str(here / "a"), split="given"),
            (says,),
            {"a/dataset.json": saved(spoil)},
        )
        for id, spoil, says in SAVED
    ],
]
