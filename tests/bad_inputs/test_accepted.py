"""What looks bad and is not: each has a stated result."""

import contextlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mmlib as mm
from mmlib.__main__ import main

from .cases_encoders import tiny
from .cases_library import data, model
from .world import CSV, HEADER, ITEMS, RATINGS, Content, limited, write

PAIRS = sorted((user, item) for user, item, *_ in RATINGS)


def pairs(loaded: Any) -> list[tuple[str, str]]:
    table = loaded.interactions
    users, items = loaded.users["id"].to_numpy()[table["user"]], loaded.items["id"].to_numpy()[table["item"]]
    return sorted(zip(users, items))


def told(loaded: Any) -> str:
    return " ".join(loaded.notes)


# id, bytes of ratings.csv
SAME: list[tuple[str, bytes]] = [
    ("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + CSV.encode()),
    ("UTF-16, little end first", b"\xff\xfe" + CSV.encode("utf-16-le")),
    ("UTF-16, big end first", b"\xfe\xff" + CSV.encode("utf-16-be")),
    ("lines that end as on Windows", CSV.replace("\n", "\r\n").encode()),
    ("no line end after the last row", CSV.rstrip("\n").encode()),
    ("blank lines at the end", CSV.encode() + b"\n\n"),
    ("blank lines at the top", b"\n\n" + CSV.encode()),
    ("semicolons", CSV.replace(",", ";").encode()),
    ("tabs", CSV.replace(",", "\t").encode()),
    ("quoted numbers", "\n".join(",".join(f'"{cell}"' for cell in row.split(",")) for row in CSV.split()).encode()),
    ("blanks around ids", re.sub(r"^(u\d),(i\d)", r" \1 ,\t\2 ", CSV, flags=re.M).encode()),
    ("every row twice", CSV.encode() + CSV.removeprefix(HEADER).encode()),
    ("other names of columns", CSV.replace("userId,itemId", "User ID,product_id").encode()),
    ("a column that means nothing", CSV.replace("timestamp", "timestamp,colour").replace("00\n", "00,red\n").encode()),
]


@pytest.mark.parametrize(("id", "content"), SAME, ids=[id for id, _ in SAME])
def test_the_same_interactions_in_other_clothes(here: Path, id: str, content: bytes) -> None:
    write(here, {"a/ratings.csv": content})
    with limited():
        loaded = mm.catalogues.bring(here / "a")
    assert pairs(loaded) == PAIRS
    assert sorted(set(loaded.interactions["rating"])) == [1, 2, 3, 4, 5]
    assert loaded.interactions["time"].min() == 1_600_000_000


# id, files, what is asked of the dataset
STATED: list[tuple[str, dict[str, Content], Callable[[Any], bool]]] = [
    (
        "ids with zeros before them stay text",
        {"ratings.csv": "user,item\n007,01\n7,01\n7,1\n"},
        lambda found: pairs(found) == [("007", "01"), ("7", "01"), ("7", "1")],
    ),
    (
        "ids that differ by case are two, and it is said",
        {"ratings.csv": "user,item\nAnn,a\nann,b\nBob,a\n"},
        lambda found: found.n_users == 3 and "ann" in told(found).lower() and "case" in told(found),
    ),
    (
        "days",
        {"ratings.csv": "user,item,date\nu1,a,2024-05-31\nu1,b,2024-06-01\n"},
        lambda found: sorted(found.interactions["time"]) == [1717113600, 1717200000],
    ),
    (
        "moments with a zone",
        {"ratings.csv": "user,item,date\nu1,a,2024-05-31T02:00:00+02:00\nu1,b,2024-05-31T00:00:00Z\n"},
        lambda found: set(found.interactions["time"]) == {1717113600},
    ),
    (
        "milliseconds",
        {"ratings.csv": "user,item,time\nu1,a,1717113600000\nu1,b,1717113601000\n"},
        lambda found: sorted(found.interactions["time"]) == [1717113600, 1717113601],
    ),
    (
        "times before 1970",
        {"ratings.csv": "user,item,time\nu1,a,-86400\nu1,b,86400\n"},
        lambda found: sorted(found.interactions["time"]) == [-86400, 86400],
    ),
    (
        "a rating that is missing",
        {"ratings.csv": "user,item,rating\nu1,a,\nu1,b,4\n"},
        lambda found: np.isnan(found.interactions["rating"]).sum() == 1 and len(found.interactions) == 2,
    ),
    (
        "an item named twice keeps its first row, and it is said",
        {"ratings.csv": CSV, "items.csv": ITEMS + "i1,Another,c1\n"},
        lambda found: found.items.set_index("id").loc["i1", "title"] == "Item 1" and "i1" in told(found),
    ),
    (
        "a few items without a row are kept, and three of them are shown",
        {"ratings.csv": CSV, "items.csv": ITEMS + "".join(f"x{n},X,c\n" for n in range(4))},
        lambda found: found.n_items == 13 and "x0" in told(found) and "x2" in told(found),
    ),
    (
        "pictures that are missing count as absent, and it is said",
        {"ratings.csv": CSV, "items.csv": "itemId,image\n" + "".join(f"i{n},{n}.png\n" for n in range(9))},
        lambda found: (found.items["image"] == "").all() and "9" in told(found),
    ),
    (
        "decimal commas between semicolons",
        {"ratings.csv": "user;item;rating\nu1;a;1,5\nu1;b;4,0\nu2;a;3\n"},
        lambda found: sorted(found.interactions["rating"]) == [1.5, 3.0, 4.0] and "comma" in told(found),
    ),
    (
        "an image whose name is too long for any disk is absent",
        {"ratings.csv": CSV, "items.csv": f"itemId,image\ni1,{'x' * 5000}.png\n"},
        lambda found: (found.items["image"] == "").all() and len(told(found)) < 1000,
    ),
    (
        "an image whose name holds a zero byte is absent",
        {"ratings.csv": CSV, "items.csv": "itemId,image\ni1,a\0b.png\n"},
        lambda found: (found.items["image"] == "").all(),
    ),
    (
        "parquet whose ids are numbers",
        {"ratings.parquet": lambda path: pd.DataFrame({"user": [1, 2], "item": [3.0, 4.0]}).to_parquet(path)},
        lambda found: pairs(found) == [("1", "3"), ("2", "4")],
    ),
    (
        "a folder of images that is a link",
        {
            "../far/i1.png": lambda path: Image.new("RGB", (40, 40)).save(path),
            "ratings.csv": CSV,
            "items.csv": ITEMS,
            "images": lambda path: path.symlink_to("../far"),
        },
        lambda found: found.image_path(list(found.items["id"]).index("i1")).is_file(),
    ),
    (
        "an image that links to itself is absent",
        {
            "ratings.csv": CSV,
            "items.csv": "itemId,image\ni1,a.png\n",
            "a.png": lambda path: path.symlink_to("a.png"),
        },
        lambda found: (found.items["image"] == "").all(),
    ),
    (
        "an image that is a pipe is absent",
        {"ratings.csv": CSV, "items.csv": "itemId,image\ni1,a.png\n", "a.png": os.mkfifo},
        lambda found: (found.items["image"] == "").all(),
    ),
    (
        "an image that is a folder is absent",
        {"ratings.csv": CSV, "items.csv": "itemId,image\ni1,a.png\n", "a.png": None},
        lambda found: (found.items["image"] == "").all(),
    ),
]


@pytest.mark.parametrize(("id", "files", "holds"), STATED, ids=[id for id, *_ in STATED])
def test_a_catalogue_with_a_stated_result(
    here: Path, id: str, files: dict[str, Content], holds: Callable[[Any], bool]
) -> None:
    (here / "a").mkdir()
    write(here, {f"a/{name}": content for name, content in files.items()})
    with limited():
        loaded = mm.catalogues.bring(here / "a")
    assert holds(loaded), f"{loaded!r}\n{loaded.interactions}\n{loaded.items}\n{loaded.notes}"


def _jpeg(mode: str) -> Callable[[Path], None]:
    return lambda path: Image.new(mode, (40, 40), 7).save(path, "JPEG")


def _animated(path: Path) -> None:
    frames = [Image.new("P", (40, 40), colour) for colour in range(3)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


def _huge(path: Path) -> None:
    """A picture that says it has 100,000 x 100,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def _cut(path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:-700])


# name of the file, what it is, whether it is a picture that can be read
PICTURES: list[tuple[str, Content, bool]] = [
    ("sound.png", lambda path: Image.new("RGB", (40, 40), (9, 200, 30)).save(path), True),
    ("animated.gif", _animated, True),
    ("print.jpg", _jpeg("CMYK"), True),
    ("grey.jpg", _jpeg("L"), True),
    ("deep.png", lambda path: Image.new("I;16", (40, 40), 30_000).save(path), True),
    ("clear.png", lambda path: Image.new("RGBA", (40, 40), (9, 9, 9, 0)).save(path), True),
    ("palette.png", lambda path: Image.new("P", (40, 40), 3).save(path), True),
    ("named.png", _jpeg("RGB"), True),
    ("thin.png", lambda path: Image.new("RGB", (1, 4000)).save(path), True),
    ("empty.png", b"", False),
    ("text.png", b"no picture at all", False),
    ("page.jpg", b"<html>Not found</html>", False),
    ("cut.png", _cut, False),
    ("huge.png", _huge, False),
    ("loop.png", lambda path: path.symlink_to(path.name), False),
    ("pipe.png", os.mkfifo, False),
    ("folder.png", None, False),
    ("gone.png", lambda path: None, False),
]


@pytest.fixture
def pictured(here: Path) -> Path:
    """A catalogue with a picture of every kind."""
    names = [name for name, *_ in PICTURES]
    rows = [(f"u{user}", name) for user in range(6) for name in names]
    table = "userId,itemId\n" + "".join(f"{user},{name}\n" for user, name in rows)
    items = "itemId,title,image\n" + "".join(f"{name},A {name},{name}\n" for name in names)
    return write(here / "a", {"ratings.csv": table, "items.csv": items, **{f"images/{n}": c for n, c, _ in PICTURES}})


def test_broken_pictures_are_missing_and_listed_when_features_are_made(pictured: Path) -> None:
    with limited(30):
        loaded = mm.load(str(pictured), split="8:1:1")
        features = mm.encoders.extract(loaded, tiny())
    here = dict(zip(loaded.items["id"], features.present["image"].tolist()))
    assert here == {name: readable for name, _, readable in PICTURES}
    assert not features.item["image"][~features.present["image"]].any()
    kept = set(loaded.items["id"][loaded.items["image"] != ""])
    listed = {problem["item"] for problem in features.about["problems"]}
    assert listed == {name for name, _, readable in PICTURES if not readable and name in kept}


def test_the_audit_survives_broken_pictures_and_names_them(pictured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with limited(30):
        code = main(["audit", str(pictured), "--html", str(pictured.parent / "audit.html")])
    said = capsys.readouterr()
    assert code in (0, 1)
    assert "Traceback" not in said.out + said.err
    page = (pictured.parent / "audit.html").read_text()
    assert all(name in page for name in ("empty.png", "cut.png", "huge.png"))


def test_a_gallery_survives_broken_pictures(pictured: Path) -> None:
    with limited(30):
        loaded = mm.catalogues.bring(pictured)
        shown = mm.show.gallery(loaded, range(loaded.n_items))
    assert "Traceback" not in str(getattr(shown, "_repr_html_", lambda: shown)())


# id, the lines under fixed:, the words that --list must print
YAML: list[tuple[str, str, str]] = [
    ("an exponent without a point", "lr: 1e-3", "-p lr 0.001"),
    ("an exponent without a sign", "lr: 1.5e2", "-p lr 150.0"),
    ("a ratio without quotes", "split: 7:2:1", "-p split 7:2:1"),
    ("a ratio in quotes", 'split: "7:2:1"', "-p split 7:2:1"),
    ("a whole number for a float", "lr: 1", "-p lr 1.0"),
    ("an anchor", "lr: &one 0.25\n  l2: *one", "-p l2 0.25"),
    ("a merge", "<<: {lr: 0.25}\n  epochs: 7", "-p lr 0.25"),
    ("an impossible date as text", "dataset: 2024-99-99", "-p dataset 2024-99-99"),
    ("letters of all alphabets", "model_options: {}\n  dataset: 商店", "-p dataset '商店'"),
    ("a comment behind a value", "lr: 0.25 # slow", "-p lr 0.25"),
    ("a list over lines", "k:\n    - 5\n    - 7", "-p k '[5, 7]'"),
    ("a date as text", 'dataset: "2024-05-31"', "-p dataset 2024-05-31"),
]
DRESSES: list[tuple[str, Callable[[str], bytes]]] = [
    ("a byte order mark", lambda text: b"\xef\xbb\xbf" + text.encode()),
    ("lines that end as on Windows", lambda text: text.replace("\n", "\r\n").encode()),
    ("no line end", lambda text: text.rstrip("\n").encode()),
    ("a document's start and end", lambda text: f"---\n{text}...\n".encode()),
]


@pytest.mark.parametrize(("id", "lines", "printed"), YAML, ids=[id for id, *_ in YAML])
def test_a_value_in_a_file(here: Path, id: str, lines: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"s.yaml": f"fixed:\n  {lines}\ngrid: {{seed: [5]}}\npages: ['04']\n"})
    if named := re.search(r"dataset: \"?([^\"\n]+)", lines):
        write(here, {f"{named[1]}/ratings.csv": CSV})
    with limited():
        assert main(["sweep", "s.yaml", "--list"]) == 0, capsys.readouterr().err
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize(("id", "dress"), DRESSES, ids=[id for id, _ in DRESSES])
def test_a_file_in_other_clothes(
    here: Path, id: str, dress: Callable[[str], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, {"s.yaml": dress("fixed:\n  lr: 0.25\ngrid: {seed: [5]}\npages: ['04']\n")})
    with limited():
        assert main(["sweep", "s.yaml", "--list"]) == 0, capsys.readouterr().err
    assert "-p lr 0.25 -p seed 5" in capsys.readouterr().out


def test_the_same_value_in_file_and_command_is_one_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"s.yaml": "fixed: {lr: 1e-3}\ngrid: {seed: [5]}\npages: ['04']\n"})
    assert main(["sweep", "s.yaml", "--list"]) == 0
    first = capsys.readouterr().out
    assert main(["sweep", "s.yaml", "--list", "-p", "lr", "0.001"]) == 0
    assert capsys.readouterr().out == first


def _flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(body)


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a bit is flipped": _flip,
    "the end is lost": _shorten,
    "it is gone": Path.unlink,
    "it is emptied": lambda path: path.write_bytes(b""),
}


def _entry(here: Path, stage: str) -> Path:
    entries = [path for path in (here / "outputs" / "cache" / stage).iterdir() if path.is_dir()]
    assert len(entries) == 1
    return entries[0]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    "file", ["interactions.parquet", "items.parquet", "users.parquet", "dataset.json", "manifest.json"]
)
def test_a_damaged_entry_of_a_dataset_is_made_again(here: Path, file: str, damage: str) -> None:
    write(here, {"a/ratings.csv": CSV, "a/items.csv": ITEMS})
    before = mm.load(str(here / "a"))
    DAMAGE[damage](_entry(here, "dataset") / file)
    after = mm.load(str(here / "a"))
    assert after.key == before.key
    assert pairs(after) == PAIRS
    assert mm.catalogues.bring(here / "a").key == mm.core.dataset.Dataset.load(_entry(here, "dataset")).key


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["weights.safetensors", "history.parquet", "fit.json", "manifest.json"])
def test_a_damaged_entry_of_a_training_is_made_again(here: Path, file: str, damage: str) -> None:
    def trained() -> Any:
        mm.seed(0)
        return mm.fit(model("bpr", dim=8), epochs=2, batch_size=64)

    with contextlib.redirect_stdout(io.StringIO()):
        before = trained()
        DAMAGE[damage](_entry(here, "fit-bpr") / file)
        after = trained()
    assert after.embeddings.key == before.embeddings.key
    assert after.history.drop(columns="seconds").equals(before.history.drop(columns="seconds"))
    assert mm.evaluate(after, k=[5])["recall@5"] == mm.evaluate(before, k=[5])["recall@5"]


def test_three_users_and_one_item_can_be_trained_on_and_judged(here: Path) -> None:
    pairs_of = np.array([(user, item) for user in range(3) for item in range(4)])
    from tests.conftest import make_dataset

    small = make_dataset(pairs_of, ["train", "train", "valid", "test"] * 3, 3, 4)
    for name in ("bpr", "lightgcn", "mixgcf", "ngcf", "itemknn", "ease", "popularity"):
        fit = mm.fit(mm.recommender(name, small), epochs=1)
        assert 0 <= mm.evaluate(fit, k=[10])["recall@10"] <= 1
    assert data().n_users > 3
