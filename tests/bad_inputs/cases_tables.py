"""A user's own tables: what spreadsheets, exports and half-finished copies make of them."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmlib as mm

from .world import CSV, HEADER, ITEMS, RATINGS, Case, Content, locked


def rows(*more: str, header: str = HEADER, mark: str = ",") -> str:
    """The sound table with more rows behind it."""
    body = "".join(mark.join(map(str, row)) + "\n" for row in RATINGS)
    return header.replace(",", mark) + body + "".join(row + "\n" for row in more)


def changed(column: int, make: Callable[[int, Any], Any], mark: str = ",") -> str:
    """The sound table with every cell of a column made anew from its row's number and what it held."""
    made = [
        [make(place, value) if column == at else value for at, value in enumerate(row)]
        for place, row in enumerate(RATINGS)
    ]
    return HEADER.replace(",", mark) + "".join(mark.join(map(str, row)) + "\n" for row in made)


def parquet(**columns: Any) -> Callable[[Path], None]:
    """Write a parquet table of these columns."""

    def make(path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), path)

    return make


def spoilt(at: float, by: bytes, **columns: Any) -> Callable[[Path], None]:
    """A parquet table with bytes written over it at a share of its length."""

    def make(path: Path) -> None:
        parquet(**columns)(path)
        data = bytearray(path.read_bytes())
        place = int(at * len(data))
        data[place : place + len(by)] = by
        path.write_bytes(data)

    return make


def cut(path: Path) -> None:
    parquet(**SOUND)(path)
    path.write_bytes(path.read_bytes()[:-20])


SOUND = {
    "user": [user for user, *_ in RATINGS],
    "item": [item for _, item, *_ in RATINGS],
    "rating": [rating for *_, rating, _ in RATINGS],
}
DATES = ["2024-05-31", "31/05/2024", "May 31, 2024", "20240531T18"]

# id, what lies in the folder, what the message must say
FOLDERS: list[tuple[str, dict[str, Content], str]] = [
    ("empty table", {"ratings.csv": ""}, "ratings.csv.*empty"),
    ("blank table", {"ratings.csv": "\n\n  \n"}, "ratings.csv"),
    ("header alone", {"ratings.csv": HEADER}, "ratings.csv.*no rows"),
    ("no header", {"ratings.csv": CSV.removeprefix(HEADER)}, "columns"),
    ("column of users is missing", {"ratings.csv": rows(header="who,itemId,rating,timestamp\n")}, "user"),
    ("column of items is missing", {"ratings.csv": rows(header="userId,what,rating,timestamp\n")}, "item"),
    ("column named twice", {"ratings.csv": rows(header="userId,itemId,rating,rating\n")}, "rating"),
    ("user named twice", {"ratings.csv": rows(header="userId,userId,itemId,timestamp\n")}, "userId"),
    ("row with too few cells", {"ratings.csv": rows("u1,i1")}, "ratings.csv.*(row|line) #?(32|31)"),
    ("row with too many cells", {"ratings.csv": rows("u1,i1,3,4,5")}, "ratings.csv.*(row|line) #?(32|31)"),
    ("quote never closed", {"ratings.csv": rows('u1,"i1,3,4')}, "ratings.csv.*quote"),
    (
        "quote never closed in the header",
        {"ratings.csv": rows(header='userId,"itemId,rating,timestamp\n')},
        "ratings.csv",
    ),
    ("zero bytes", {"ratings.csv": rows("u1,i\0001,3,4")}, r"ratings.csv.*(row|line|\\0|zero|NUL|control)"),
    ("Latin-1 text", {"ratings.csv": rows("u1,é,3,4").encode("latin-1")}, "ratings.csv.*UTF-8"),
    ("UTF-16 cut in the middle of a letter", {"ratings.csv": CSV.encode("utf-16")[:-1]}, "ratings.csv"),
    ("binary content", {"ratings.csv": bytes(range(256)) * 50}, "ratings.csv"),
    ("picture in place of a table", {"ratings.csv": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50)}, "ratings.csv"),
    ("spreadsheet renamed to CSV", {"ratings.csv": b"PK\x03\x04" + bytes(100)}, "ratings.csv"),
    (
        "web page in place of a table",
        {"ratings.csv": "<!DOCTYPE html>\n<html><body>Log in, please</body></html>\n"},
        "ratings.csv|columns",
    ),
    ("spreadsheet alone", {"ratings.xlsx": b"PK\x03\x04" + bytes(100)}, "ratings.xlsx"),
    ("empty user", {"ratings.csv": rows(",i1,3,4")}, "line 32.*userId"),
    ("blank item", {"ratings.csv": rows("u1,   ,3,4")}, "line 32.*itemId"),
    ("rating is text", {"ratings.csv": rows("u1,i1,good,4")}, "line 32.*rating"),
    ("rating is nan", {"ratings.csv": rows("u1,i1,nan,4")}, "line 32.*rating"),
    ("rating is inf", {"ratings.csv": rows("u1,i1,inf,4")}, "line 32.*rating"),
    ("rating is beyond numbers", {"ratings.csv": rows("u1,i1,1e999,4")}, "line 32.*rating"),
    ("thousands with points", {"ratings.csv": changed(2, lambda n, v: "1.000.000")}, "rating"),
    ("time is text", {"ratings.csv": rows("u1,i1,3,yesterday")}, "line 32.*timestamp"),
    ("times are words", {"ratings.csv": changed(3, lambda n, v: "yesterday")}, "line 2.*timestamp"),
    ("time is nan", {"ratings.csv": rows("u1,i1,3,nan")}, "line 32.*timestamp"),
    ("time is beyond all years", {"ratings.csv": rows("u1,i1,3,1e300")}, "timestamp|time"),
    (
        "dates of several kinds",
        {"ratings.csv": changed(3, lambda n, v: DATES[n % 4].replace(",", ""))},
        "line.*timestamp",
    ),
    ("dates and seconds", {"ratings.csv": changed(3, lambda n, v: v if n % 2 else "2024-05-31")}, "line.*timestamp"),
    ("a date among seconds", {"ratings.csv": rows("u1,i1,3,2024-05-31")}, "line 32.*timestamp"),
    (
        "seconds among dates",
        {"ratings.csv": changed(3, lambda n, v: v if n == 20 else "2024-05-31")},
        "line.*timestamp",
    ),
    (
        "day/month/year",
        {"ratings.csv": changed(3, lambda n, v: f"{n % 12 + 1:02d}/{n % 11 + 1:02d}/2024")},
        "timestamp.*(day|month|2024-05-31)",
    ),
    (
        "month/day/year",
        {"ratings.csv": changed(3, lambda n, v: f"{n % 11 + 1:02d}/{n % 12 + 1:02d}/2024")},
        "timestamp.*(day|month|2024-05-31)",
    ),
    (
        "day.month.year",
        {"ratings.csv": changed(3, lambda n, v: f"{n % 12 + 1:02d}.{n % 11 + 1:02d}.2024")},
        "timestamp.*(day|month|2024-05-31)",
    ),
    (
        "impossible date",
        {"ratings.csv": changed(3, lambda n, v: "2024-02-31" if n == 4 else "2024-02-11")},
        "line 6.*timestamp",
    ),
    (
        "seconds and milliseconds",
        {"ratings.csv": changed(3, lambda n, v: v * 1000 if n % 2 else v)},
        "timestamp|time|second",
    ),
    (
        "item ids that match no item",
        {"ratings.csv": CSV, "items.csv": ITEMS.replace("\ni", "\nB0")},
        r"i\d.*B0\d|B0\d.*i\d",
    ),
    (
        "item ids with leading zeros on one side",
        {"ratings.csv": CSV, "items.csv": ITEMS.replace("\ni", "\ni00")},
        r"i\d.*i00\d|i00\d.*i\d",
    ),
    ("items without ids", {"ratings.csv": CSV, "items.csv": ITEMS.replace("itemId", "thing")}, "items.csv"),
    (
        "item with an empty id",
        {"ratings.csv": CSV, "items.csv": ITEMS + ",Nameless,c1\n"},
        "items.csv, line 11.*itemId",
    ),
    ("empty table of items", {"ratings.csv": CSV, "items.csv": ""}, "items.csv"),
    ("items: header alone", {"ratings.csv": CSV, "items.csv": "itemId,title\n"}, "items.csv"),
    ("items: damaged", {"ratings.csv": CSV, "items.csv": ITEMS + 'i9,"open,c1\n'}, "items.csv"),
    ("two tables of interactions", {"a.csv": CSV, "b.csv": CSV}, "a.csv.*b.csv"),
    ("two tables of items", {"ratings.csv": CSV, "a.csv": ITEMS, "b.csv": ITEMS}, "a.csv.*b.csv"),
    ("table is a folder", {"ratings.csv": None}, "a"),
    ("table is a pipe that nobody writes to", {"ratings.csv": os.mkfifo}, "a"),
    ("table is a link to itself", {"ratings.csv": lambda path: path.symlink_to(path.name)}, "a"),
    ("table is a link to nothing", {"ratings.csv": lambda path: path.symlink_to("gone.csv")}, "a"),
    ("gzip that ends early", {"ratings.csv.gz": gzip.compress(CSV.encode())[:-12]}, "ratings.csv.gz"),
    (
        "gzip with a wrong checksum",
        {"ratings.csv.gz": gzip.compress(CSV.encode())[:-8] + b"12345678"},
        "ratings.csv.gz",
    ),
    (
        "gzip with flipped bits",
        {"ratings.csv.gz": gzip.compress(CSV.encode())[:40] + b"\xff\xff" + gzip.compress(CSV.encode())[42:]},
        "ratings.csv.gz",
    ),
    ("gzip of nothing", {"ratings.csv.gz": gzip.compress(b"")}, "ratings.csv.gz|a has"),
    (
        "gzip of a row of 100 MiB",
        {"ratings.csv.gz": gzip.compress(HEADER.encode() + b"u" * (100 << 20), 1)},
        "ratings.csv.gz.*(long|MiB)",
    ),
    (
        "gzip of a first row of 100 MiB",
        {"ratings.csv.gz": gzip.compress(b"u" * (100 << 20), 1)},
        "ratings.csv.gz.*(long|MiB)",
    ),
    ("xz called gzip", {"ratings.csv.gz": b"\xfd7zXZ\0" + bytes(100)}, "ratings.csv.gz"),
    ("parquet: empty file", {"ratings.parquet": b""}, "ratings.parquet.*empty"),
    ("parquet: not one", {"ratings.parquet": CSV}, "ratings.parquet"),
    ("parquet: cut off", {"ratings.parquet": cut}, "ratings.parquet"),
    ("parquet: encrypted", {"ratings.parquet": b"PARE" + bytes(100) + b"PARE"}, "ratings.parquet"),
    ("parquet: magic alone", {"ratings.parquet": b"PAR1PAR1"}, "ratings.parquet"),
    (
        "parquet: footer of a huge length",
        {"ratings.parquet": b"PAR1" + bytes(50) + b"\xff\xff\xff\x7fPAR1"},
        "ratings.parquet",
    ),
    ("parquet: flipped bits in the middle", {"ratings.parquet": spoilt(0.1, b"\xff" * 30, **SOUND)}, "ratings.parquet"),
    (
        "parquet: flipped bits in the footer",
        {"ratings.parquet": spoilt(0.85, b"\xff" * 12, **SOUND)},
        "ratings.parquet",
    ),
    ("parquet: no rows", {"ratings.parquet": parquet(user=[], item=[])}, "ratings.parquet"),
    (
        "parquet: text that is no UTF-8",
        {"ratings.parquet": lambda path: parquet(user=_latin(), item=SOUND["item"])(path)},
        "ratings.parquet",
    ),
    (
        "parquet: ids are bytes",
        {"ratings.parquet": parquet(user=[b"\xff\xfe"] * 30, item=SOUND["item"])},
        "ratings.parquet",
    ),
    (
        "parquet: ids are mappings",
        {"ratings.parquet": parquet(user=[{"a": 1}] * 30, item=SOUND["item"])},
        "ratings.parquet",
    ),
    (
        "parquet: ids are missing",
        {"ratings.parquet": parquet(user=[None, *SOUND["user"][1:]], item=SOUND["item"])},
        "ratings.parquet",
    ),
    ("parquet: rating is text", {"ratings.parquet": parquet(**SOUND | {"rating": ["good"] * 30})}, "rating"),
    ("parquet: rating is nan", {"ratings.parquet": parquet(**SOUND | {"rating": ["nan", *["1"] * 29]})}, "rating"),
    ("parquet: a folder of that name", {"ratings.parquet/part-0.parquet": parquet(**SOUND)}, "a"),
    (
        "part of an unknown name",
        {"ratings.csv": "user,item,split\nu1,i1,train\nu1,i2,holdout\n"},
        "split.*holdout|holdout",
    ),
    (
        "picture outside the folder",
        {"ratings.csv": CSV, "items.csv": "itemId,image\ni1,../secret.png\n"},
        "items.csv.*of item i1.*outside",
    ),
    (
        "picture of an absolute path",
        {"ratings.csv": CSV, "items.csv": "itemId,image\ni1,/etc/passwd\n"},
        "items.csv.*of item i1.*outside",
    ),
    (
        "picture on another drive",
        {"ratings.csv": CSV, "items.csv": "itemId,image\ni1,C:\\a.png\n"},
        "items.csv.*of item i1.*outside",
    ),
    (
        "picture is a link out of the folder",
        {
            "ratings.csv": CSV,
            "items.csv": "itemId,image\ni1,a.png\n",
            "a.png": lambda path: path.symlink_to("/etc/hostname"),
        },
        "a.png.*(link|outside)",
    ),
]


def _latin() -> Any:
    import pyarrow as pa

    good = pa.array([b"u\xe9"] * 30, type=pa.binary())
    return pa.Array.from_buffers(pa.string(), 30, good.buffers())


def _one_user() -> str:
    return HEADER + "u1,i1,3,1600000000\n"


SPLITS: list[tuple[str, str, str, str]] = [
    ("one interaction", "8:1:1", _one_user(), "part|three|more items"),
    ("one interaction", "leave-one-out", _one_user(), "part|three|more items"),
    (
        "one item",
        "8:1:1",
        HEADER + "".join(f"u{n},i1,3,{1_600_000_000 + n}\n" for n in range(9)),
        "part|three|more items",
    ),
    ("no times", "time per user 8:1:1", "user,item\n" + "".join(f"{u},{i}\n" for u, i, *_ in RATINGS), "time"),
    ("no times", "global time 8:1:1", "user,item\n" + "".join(f"{u},{i}\n" for u, i, *_ in RATINGS), "time"),
    ("one moment for all", "global time 8:1:1", changed(3, lambda n, v: 1_600_000_000), "time|moment"),
    ("no split of its own", "given", CSV, "split"),
    ("no time in one row", "time per user 8:1:1", rows("u1,i8,3,"), "time"),
    ("one item", "cold items", HEADER + "".join(f"u{n},i1,3,{n}\n" for n in range(9)), "item"),
]

CASES = [
    *[
        Case(id, ("data", "a"), (f"(?s){says}",), {f"a/{name}": content for name, content in files.items()})
        for id, files, says in FOLDERS
    ],
    *[
        Case(f"split {split!r} of {id}", ("data", "a", "-p", "split", split), (says,), {"a/ratings.csv": content})
        for id, split, content, says in SPLITS
    ],
    *[
        Case(
            f"columns {columns}",
            ("data", "a", "-p", "columns", columns),
            (says,),
            {"a/ratings.csv": CSV, "a/items.csv": ITEMS},
        )
        for columns, says in (
            ("{'usr': 'userId'}", "user"),
            ("{'user': 'who'}", "who.*userId"),
            ("{'user': 5}", "user"),
            ("{'user': ''}", "user"),
            ("{'interactions': 'none.csv'}", "none.csv"),
            ("{'items': 'ratings.csv', 'item': 'x'}", "x|items"),
            ("{'text': [1]}", "text"),
            ("{'image': '{nothing}.png'}", "nothing"),
            ("{'image': '{itemId'}", "image"),
            ("{'rating': 'userId'}", "line 2.*userId"),
            ("{'time': 'itemId'}", "line 2.*itemId"),
        )
    ],
    *[
        Case(f"reader {reader}", ("data", "a", "-p", "reader", reader), (says,), {"a/ratings.csv": CSV})
        for reader, says in (
            ("{'form': 'amazn'}", "amazon"),
            ("{'form': 'lattice'}", "train.json"),
            ("{'on_bda': 'skip'}", "option"),
            ("{'form': 5}", "form"),
            ("{'core': 5}", "core"),
        )
    ],
    *[
        Case(f"clean {steps}", ("data", "a", "-p", "clean", steps), (says,), {"a/ratings.csv": CSV})
        for steps, says in (
            ("['core=99']", "core=99|nothing|no interaction"),
            ("['rated=6']", "rated|nothing"),
            ("['rated=x']", "rated"),
            ("['corr=5']", "core"),
            ("['core=-1']", "core"),
            ("['once=2']", "once"),
            ("['described']", "described|text|nothing"),
            ("['core=5=5']", "core"),
        )
    ],
    Case(
        "rated without ratings",
        ("data", "a", "-p", "clean", "['rated=4']"),
        ("rating",),
        {"a/ratings.csv": "user,item\n" + "".join(f"{u},{i}\n" for u, i, *_ in RATINGS)},
    ),
    Case(
        "unreadable table of items",
        ("data", "a"),
        ("items.csv", "permission|read"),
        {"a/ratings.csv": CSV, "a/items.csv": ITEMS},
        locked("a/items.csv"),
    ),
    Case("mm.load of a missing folder", lambda here: mm.load(str(here / "none")), ("none",)),
    Case("mm.load of the home folder", lambda here: mm.load("~"), ("home|catalogue",), {"home/notes.txt": "x"}),
    Case("mm.load of a file", lambda here: mm.load(str(here / "a.csv")), ("a.csv", "folder"), {"a.csv": CSV}),
    Case(
        "mm.load with a bad split", lambda here: mm.load(str(here / "a"), split="8:1"), ("8:1",), {"a/ratings.csv": CSV}
    ),
    Case(
        "mm.load with a split that is a number",
        lambda here: mm.load(str(here / "a"), split=811),
        ("split",),
        {"a/ratings.csv": CSV},
    ),
    Case(
        "mm.load with a seed that is text",
        lambda here: mm.load(str(here / "a"), split_seed="x"),
        ("seed",),
        {"a/ratings.csv": CSV},
    ),
    Case(
        "mm.load with a negative seed",
        lambda here: mm.load(str(here / "a"), split_seed=-1),
        ("seed",),
        {"a/ratings.csv": CSV},
    ),
    Case(
        "mm.load with steps in one text",
        lambda here: mm.load(str(here / "a"), clean="core=5"),
        ("clean",),
        {"a/ratings.csv": CSV},
    ),
    Case(
        "mm.load with columns of a wrong kind",
        lambda here: mm.load(str(here / "a"), columns=["user"]),
        ("columns",),
        {"a/ratings.csv": CSV},
    ),
    Case("shop with an unknown option", lambda here: mm.load("toy", shop={"userz": 9}), ("users",)),
    *[
        Case(f"shop {options}", lambda here, options=options: mm.load("toy", shop=options), (says,))
        for options, says in (
            ({"users": -1}, "users"),
            ({"users": 0}, "users"),
            ({"users": "many"}, "users"),
            ({"users": 1.5}, "users"),
            ({"items": 0}, "items"),
            ({"items": 10**12}, "items"),
            ({"purchases": -5}, "purchases"),
            ({"purchases": 10**9, "users": 10, "items": 10}, "purchases"),
            ({"picture_noise": float("nan")}, "picture_noise"),
            ({"picture_noise": -1}, "picture_noise"),
            ({"seed": "x"}, "seed"),
            ({5: 5}, "5"),
        )
    ],
]
