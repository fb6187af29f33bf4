"""Pictures: by column, by pattern, by id; absent, flagged, and never outside the folder."""

from pathlib import Path

import pandas as pd
import pytest

from mmlib.catalogues.reading import Reading
from mmlib.catalogues.tables.pictures import pictures
from mmlib.core.errors import InputError


def find(folder: Path, table: dict, columns: dict | None = None):
    """(names, folder relative to ``folder``, how, notes)"""
    raw = pd.DataFrame(table)
    reading = Reading(folder=folder)
    names, images, how = pictures(reading, folder / "items.csv", raw, raw["item"], columns or {})
    return names, images and images.relative_to(folder).as_posix(), how, " ".join(reading.notes)


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("images/a.jpg", "images/b.png", "images/sub/c.jpg", "d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"picture")
    return tmp_path


def test_paths_in_a_column(folder):
    table = {"item": list("abcx"), "image": ["images/a.jpg", "./images//b.png", "images\\sub\\c.jpg", ""]}
    assert find(folder, table) == (
        ["a.jpg", "b.png", "sub/c.jpg", ""],
        "images",
        "image",
        "Items without a picture: 1.",
    )


def test_bare_names_are_found_in_the_picture_folder(folder):
    assert find(folder, {"item": ["1", "2"], "img": ["a.jpg", "b.png"]})[:2] == (["a.jpg", "b.png"], "images")
    assert find(folder, {"item": ["1", "2"], "img": ["d.jpg", "images/a.jpg"]})[:2] == (["d.jpg", "images/a.jpg"], ".")


def test_pictures_named_by_id(folder):
    names, images, how, notes = find(folder, {"item": ["b", "q", "a"]})
    assert (names, images, how) == (["b.png", "", "a.jpg"], "images", "images/<id>")
    assert "Items without a picture: 1" in notes
    assert find(folder, {"item": ["b"]}, {"image": None})[:3] == ([""], None, None)


def test_a_pattern(folder):
    table = {"item": ["a", "c", "x"], "at": ["", "sub/", "sub/"]}
    assert find(folder, table, {"image": "images/{at}{item}.jpg"})[0] == ["", "sub/c.jpg", ""]
    assert find(folder, table, {"image": "images/{item}.jpg"})[0] == ["a.jpg", "", ""]


def test_absent_pictures_are_counted(folder):
    names, _, _, notes = find(folder, {"item": list("abc"), "image": ["images/a.jpg", "images/no.jpg", "images/sub"]})
    assert names == ["a.jpg", "", ""]
    assert "pictures named but absent: 2, such as images/no.jpg, images/sub." in notes


def test_web_addresses_are_not_fetched(folder):
    names, _, _, notes = find(folder, {"item": ["a", "b"], "image": ["https://example.org/a.jpg", "d.jpg"]})
    assert names == ["", "d.jpg"]
    assert "pictures that are web addresses: 1;" in notes


def test_flags_beside_the_column(folder):
    table = {"item": list("abcd"), "image": ["images/a.jpg", "images/b.png", "", "d.jpg"]}
    names, _, _, notes = find(folder, table | {"image_flag": ["placeholder", "ok", "none", "doubtful"]})
    assert names == ["", "images/b.png", "", "d.jpg"]
    assert "Placeholder pictures by image_flag: 1; they count as absent." in notes
    assert "Pictures called 'doubtful' by image_flag: 1; they are kept." in notes


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/passwd", "images/../../a.jpg", "C:\\a.jpg", "..\\a.jpg", "..", "C:a"]
)
def test_no_picture_lies_outside(folder, name):
    with pytest.raises(InputError, match=r"items\.csv: the picture of item b is .*outside the catalogue's folder"):
        find(folder, {"item": ["a", "b"], "image": ["d.jpg", name]})
    with pytest.raises(InputError, match="outside the catalogue's folder"):
        find(folder, {"item": ["a", "b"], "x": ["d.jpg", name]}, {"image": "{x}"})


def test_no_link_leads_outside(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("other") / "secret.jpg"
    secret.write_bytes(b"secret")
    (folder / "images" / "link.jpg").symlink_to(secret)
    with pytest.raises(InputError, match=r"link\.jpg is a link to .*secret\.jpg, outside the folder of the pictures"):
        find(folder, {"item": ["a"], "image": ["images/link.jpg"]})


def test_names_that_only_look_dangerous(folder):
    (folder / "..a.jpg").write_bytes(b"picture")
    assert find(folder, {"item": ["a"], "image": ["..a.jpg"]})[0] == ["..a.jpg"]


def test_links_among_the_pictures(folder, tmp_path_factory):
    images, other = folder / "images", tmp_path_factory.mktemp("other")
    (images / "loop.jpg").symlink_to(images / "loop.jpg")
    (images / "inside.jpg").symlink_to(images / "a.jpg")
    names, _, _, notes = find(folder, {"item": ["loop", "inside", "a"]})
    assert names == ["", "inside.jpg", "a.jpg"]
    assert "pictures named but absent: 1, such as images/loop.jpg." in notes
    (other / "o.jpg").write_bytes(b"picture")
    (images / "more").symlink_to(other)
    with pytest.raises(
        InputError, match=r"images/more is a link to .*other.*, outside the folder of the pictures.*Copy"
    ):
        find(folder, {"item": ["a", "o"], "image": ["images/a.jpg", "images/more/o.jpg"]})
    (folder / "photos").symlink_to(other)
    assert find(folder, {"item": ["o", "x"]}, {"image": "photos/{item}.jpg"})[:2] == (["o.jpg", ""], "photos")


def test_paths_that_no_file_can_have(folder):
    names, _, _, notes = find(
        folder, {"item": ["a", "b", "c"], "image": ["x" * 5000, "images/a\0.jpg", "images/a.jpg"]}
    )
    assert names == ["", "", "a.jpg"]
    assert "pictures named but absent: 2, such as xxx" in notes
    assert "... (5,000 characters)" in notes
    assert len(notes) < 400
