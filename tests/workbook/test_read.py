"""Catalogues are read once, and known by what their files hold."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmlib import splits
from mmlib.core.errors import InputError
from mmlib.workbook import read as module
from mmlib.workbook.read import data_key, load, read


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))


def make(folder: Path, seed: int = 0) -> Path:
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in rng.permutation(15)[:8]]
    pd.DataFrame(pairs, columns=["user_id", "item_id"]).to_csv(folder / "ratings.csv", index=False)
    rows = [(f"i{i}", f"thing {i}", f"images/{i}.png") for i in range(15)]
    pd.DataFrame(rows, columns=["item_id", "title", "image"]).to_csv(folder / "items.csv", index=False)
    for i in range(10):
        (folder / "images" / f"{i}.png").write_bytes(bytes([seed, i]))
    return folder


@pytest.fixture
def shop(tmp_path) -> Path:
    return make(tmp_path / "shop")


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    """Another content of the same size, with the times that the file had."""
    facts, held = path.stat(), path.read_bytes()
    assert old in held
    assert len(old) == len(new)
    path.write_bytes(held.replace(old, new))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_a_folder_is_read_once_until_it_changes(shop, capsys) -> None:
    def said(**options) -> str:
        read(str(shop), **options)
        return capsys.readouterr().out

    assert "dataset: built in" in said()
    assert "dataset: from cache" in said()
    with (shop / "ratings.csv").open("a") as file:
        file.write("u0,i99\n")
    assert "built in" in said()
    assert read(str(shop)).n_items == 16
    assert "built in" in said(clean=["core=2"])
    (shop / "notes.md").write_text("of nobody's business")
    assert "built in" not in said()
    (shop / "images" / "12.png").write_bytes(b"a new one")
    assert "built in" in said()
    assert read(str(shop)).image_path(12)


def test_a_table_edited_with_size_and_time_kept_is_noticed(shop) -> None:
    before = read(str(shop))
    rewrite(shop / "items.csv", b"thing 3", b"thong 3")
    after = read(str(shop))
    assert (before.items["title"][3], after.items["title"][3]) == ("thing 3", "thong 3")
    assert before.key != after.key


CHANGES = {
    "interactions": lambda shop: rewrite(shop / "ratings.csv", b"u0,i", b"u1,i"),
    "texts": lambda shop: rewrite(shop / "items.csv", b"thing 3", b"thong 3"),
    "images": lambda shop: rewrite(shop / "images" / "3.png", b"\x03", b"\x04"),
    "an image less": lambda shop: (shop / "images" / "3.png").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_content_is_other_data(shop, change) -> None:
    before = data_key({"dataset": str(shop)})
    assert data_key({"dataset": str(shop)}) == before
    change(shop)
    assert data_key({"dataset": str(shop)}) != before


def test_the_place_of_a_catalogue_does_not_matter(shop, tmp_path, monkeypatch) -> None:
    before = data_key({"dataset": str(shop)})
    make(tmp_path / "elsewhere" / "shop", seed=1)
    monkeypatch.chdir(tmp_path)
    assert data_key({"dataset": "shop"}) == before
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert data_key({"dataset": "shop"}) != before  # the same name, but other data
    shutil.move(shop, tmp_path / "moved")
    assert data_key({"dataset": str(tmp_path / "moved")}) == before


def test_a_saved_dataset_is_known_by_content_too(shop, tmp_path) -> None:
    read(str(shop)).save(tmp_path / "saved")
    before = data_key({"dataset": str(tmp_path / "saved")})
    rewrite(shop / "images" / "3.png", b"\x03", b"\x04")  # not copied, but read from where it is
    assert data_key({"dataset": str(tmp_path / "saved")}) != before
    assert data_key({"dataset": "toy"}) == data_key({}) == ""


def test_a_folder_without_a_catalogue_is_not_walked(tmp_path, monkeypatch) -> None:
    for name in ("a/b/c", "d/e"):
        (tmp_path / "home" / name).mkdir(parents=True)
        (tmp_path / "home" / name / "holiday.jpg").write_bytes(b"x")
    walked: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (walked.append(str(path)), scan(path))[1])
    for ask in (read, lambda folder: data_key({"dataset": folder})):
        with pytest.raises(InputError, match="is no catalogue that can be read"):
            ask(str(tmp_path / "home"))
    assert not [path for path in walked if Path(path) != tmp_path / "home"]


def test_folders_within_folders_end(shop, monkeypatch) -> None:
    (shop / "images" / "loop").symlink_to(shop)
    (shop / "images" / "self").symlink_to(shop / "images")
    assert len([*module._images(shop)]) == 10
    monkeypatch.setattr(module, "MOST", 11)
    with pytest.raises(InputError, match="holds more than 11 files and folders, so it is no catalogue's own"):
        read(str(shop))


def test_a_damaged_table_of_the_cache_is_made_again(shop, tmp_path, capsys) -> None:
    first = read(str(shop))
    path = next((tmp_path / "outputs" / "cache" / "dataset").glob("*/interactions.parquet"))
    held = bytearray(path.read_bytes())
    held[len(held) // 3] ^= 8
    path.write_bytes(held)
    capsys.readouterr()
    assert read(str(shop)).key == first.key
    assert "interactions.parquet is missing or not what was written), so it is built again" in capsys.readouterr().out


def test_the_shop_is_drawn_once_and_again_when_damaged(tmp_path, capsys) -> None:
    options = {"users": 20, "items": 30, "purchases": 140, "size": 16}
    first = read("toy", shop=options)
    assert "shop: built in" in capsys.readouterr().out
    image = next((tmp_path / "outputs" / "cache" / "shop").glob("*/shop/images/*.png"))
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    assert read("toy", shop=options).key == first.key
    assert "so it is built again" in capsys.readouterr().out
    assert read("toy", shop=options, clean=["core=3"]).n_items <= 30
    assert "shop: from cache" in capsys.readouterr().out


def test_load_splits_what_was_read(shop, monkeypatch) -> None:
    assert load(shop, split_seed=3).split == splits.random_by_user(read(str(shop)), seed=3).split
    assert load(shop, split="80/20").split == splits.random_by_user(read(str(shop)), "80/20").split
    split = load(shop)
    split.save(shop.parent / "saved")
    assert load(shop.parent / "saved", split="given").split == split.split
    assert load(shop.parent / "saved", split_seed=1).split == load(shop, split_seed=1).split
    with pytest.raises(InputError, match="brings no split of its own"):
        load(shop, split="given")
    monkeypatch.setattr(module, "read", lambda *_, **__: pytest.fail("read before the split was checked"))
    with pytest.raises(InputError, match="split = '8:1' is not known"):
        load(shop, split="8:1")
