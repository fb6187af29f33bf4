"""One verb for all catalogues."""

import pytest

from mmlib import splits
from mmlib.catalogues import load, tables
from mmlib.catalogues.shop import generate
from mmlib.core.errors import InputError

SMALL = {"users": 30, "items": 24, "purchases": 180, "size": 16}


def test_the_toy_shop(tmp_path):
    data = load(shop=SMALL, folder_for_toy=tmp_path / "shop", split_seed=3)
    assert data.split == splits.random_by_user(generate(**SMALL), seed=3).split
    assert data.images.parent == tmp_path / "shop"
    other = load("toy", shop=SMALL, folder_for_toy=tmp_path / "shop", split="80/20")
    assert other.split == splits.random_by_user(generate(**SMALL), "80/20").split


def test_a_saved_dataset(tmp_path):
    data = load(shop=SMALL)
    data.save(tmp_path / "saved")
    assert load(tmp_path / "saved", split="given").split == data.split
    assert load(str(tmp_path / "saved"), split_seed=1).split == load(shop=SMALL, split_seed=1).split


def test_a_folder_of_tables(tmp_path):
    rows = "".join(f"{user},{item}\n" for user in range(4) for item in range(10))
    (tmp_path / "log.csv").write_text("who,what\n" + rows)
    columns = {"interactions": "log.csv", "user": "who", "item": "what"}
    data = load(tmp_path, columns=columns)
    assert data.split == splits.random_by_user(tables.read(tmp_path, columns)).split
    assert data.split.counts == {"train": 32, "valid": 4, "test": 4}


def test_what_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no option 'user'.*Did you mean \"users\".*Options: users, items"):
        load(shop={"user": 3})
    (tmp_path / "films").mkdir()
    with pytest.raises(InputError, match=r"no folder .*film.*Did you mean \"films\".*Give 'toy'"):
        load(tmp_path / "film")
    with pytest.raises(InputError, match="brings no split of its own"):
        load(shop=SMALL, split="given")
    monkeypatch.setattr(
        "mmlib.catalogues.shop.generate", lambda *_, **__: pytest.fail("made a shop before the split was checked")
    )
    with pytest.raises(InputError, match="split = '8:1' is not known"):
        load(split="8:1")
