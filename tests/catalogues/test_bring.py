"""One verb for all catalogues."""

import pytest

from mmlib.catalogues import bring, formats
from mmlib.catalogues.shop import generate
from mmlib.core.errors import InputError

SMALL = {"users": 30, "items": 24, "purchases": 180, "size": 16}


def test_the_toy_shop(tmp_path):
    data = bring("toy", shop=SMALL, folder_for_toy=tmp_path / "shop")
    assert data.key == generate(**SMALL).key
    assert data.images.parent == tmp_path / "shop"
    assert bring("toy", shop=SMALL, clean=["core=2"]).notes[-1].startswith("Cleaning, 2-core")


def test_a_saved_dataset(tmp_path):
    data = bring("toy", shop=SMALL)
    data.save(tmp_path / "saved")
    assert bring(tmp_path / "saved").key == bring(str(tmp_path / "saved")).key == data.key


def test_a_folder_of_tables(tmp_path):
    rows = "".join(f"{user},{item}\n" for user in range(4) for item in range(10))
    (tmp_path / "log.csv").write_text("who,what\n" + rows)
    columns = {"interactions": "log.csv", "user": "who", "item": "what"}
    assert bring(tmp_path, columns=columns).key == formats.read(tmp_path, "tables", columns).key


def test_what_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no option 'user'.*Did you mean \"users\".*Options: users, items"):
        bring("toy", shop={"user": 3})
    (tmp_path / "films").mkdir()
    with pytest.raises(InputError, match=r"no folder .*film.*Did you mean \"films\".*Give 'toy'"):
        bring(tmp_path / "film")
    monkeypatch.setattr(
        "mmlib.catalogues.shop.generate", lambda *_, **__: pytest.fail("made a shop before the steps were checked")
    )
    with pytest.raises(InputError, match="there is no step 'onec'"):
        bring("toy", clean=["onec"])
