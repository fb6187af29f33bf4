"""What an audit sees of pictures: copies of all kinds, and files that are none."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmlib.audit import content, copies, pictures
from mmlib.audit.findings import NotMade

from .audited import ROWS, drawn, found, ids, shop, with_pictures


@pytest.fixture
def eight(tmp_path):
    """Eight pictures with nothing in common."""
    return tmp_path, [drawn(tmp_path, seed) for seed in range(8)]


def test_the_same_picture_twice_is_a_warning_where_a_user_has_one_in_train_and_one_in_test(eight):
    folder, names = eight
    assert found(copies.same_picture, with_pictures(folder, names)) == {}
    (folder / "3.png").write_bytes((folder / "1.png").read_bytes())  # u0 has i1 in train and i3 in test
    across = found(copies.same_picture, with_pictures(folder, names))["same picture"]
    assert (across.severity, across.count, ids(across)) == ("warning", 2, [("i1", "i3")])
    assert "1 test interactions" in across.what


def test_the_same_picture_on_items_of_nobody_is_a_note(eight):
    folder, names = eight
    (folder / "7.png").write_bytes((folder / "6.png").read_bytes())
    assert found(copies.same_picture, with_pictures(folder, names))["same picture"].severity == "note"


@pytest.mark.parametrize("how", ["jpeg", "half", "bright"])
def test_another_file_of_the_same_picture_is_found_and_the_others_are_not(eight, how):
    folder, names = eight
    with Image.open(folder / "2.png") as picture:
        if how == "jpeg":
            picture.save(folder / "6.jpg", quality=60)
            names[6] = "6.jpg"
        elif how == "half":
            picture.resize((32, 32)).save(folder / "6.png")
        else:
            picture.point(lambda value: min(255, value + 12)).save(folder / "6.png")
    data = with_pictures(folder, names)
    assert found(copies.same_picture, data) == {}
    near = found(copies.near_picture, data)["near-same picture"]
    assert (near.count, ids(near)) == (2, [("i2", "i6")])


def test_near_pictures_equal_the_comparison_of_all_with_all(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "BLOCK", 3)
    names = [drawn(tmp_path, seed % 5, size=48 + seed, name=f"{seed}.png") for seed in range(14)]
    seen = pictures.look(with_pictures(tmp_path, names))
    slow = [
        (a, b)
        for a in seen
        for b in seen
        if a < b and (seen[a].bits ^ seen[b].bits).bit_count() <= pictures.NEAR and pictures._alike(seen[a], seen[b])
    ]
    assert pictures.near(seen) == slow
    assert {(a % 5, b % 5) for a, b in slow} == {(k, k) for k in range(5)}


def test_one_picture_on_many_items_is_a_placeholder_and_no_copy(eight):
    folder, names = eight
    data = with_pictures(folder, [names[0]] * 5 + names[5:])
    assert found(copies.same_picture, data) == {}
    assert found(content.placeholder_pictures, data)["one picture on many items"].count == 5
    assert found(content.placeholder_pictures, with_pictures(folder, names)) == {}


def test_pictures_of_one_colour_and_tiny_ones_say_nothing(eight):
    folder, names = eight
    grey = np.full((64, 64, 3), 160, dtype=np.uint8)
    grey[30:33, 10:14] = (255, 0, 0)  # a few red letters
    Image.fromarray(grey).save(folder / "4.png")
    drawn(folder, 5, size=20)
    some = found(content.placeholder_pictures, with_pictures(folder, names))
    assert {kind: ids(one) for kind, one in some.items()} == {
        "pictures of one colour": [("i4",)],
        "tiny pictures": [("i5",)],
    }


def test_files_that_are_no_pictures_are_named_with_the_reason(eight, monkeypatch):
    folder, names = eight
    (folder / "1.png").write_bytes(b"PK\x03\x04 a zip")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    (folder / "3.png").unlink()
    drawn(folder, 4, size=400)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    broken = found(content.unreadable_pictures, with_pictures(folder, names))["unreadable pictures"]
    assert (broken.severity, broken.count) == ("warning", 4)
    reasons = {example.items[0]: example.text for example in broken.examples}
    assert "no such file" in reasons["i3"]
    assert "limit" in reasons["i4"]
    assert all(str(folder) not in reason for reason in reasons.values())


def test_missing_pictures_are_counted_without_those_flagged_as_placeholders(eight):
    folder, names = eight
    data = with_pictures(folder, ["", "", *names[2:]])
    assert ids(found(content.missing_pictures, data)["missing pictures"]) == [("i0",), ("i1",)]
    data = replace(data, items=data.items.assign(picture_flag=["placeholder", "none", *["ok"] * 6]))
    assert ids(found(content.missing_pictures, data)["missing pictures"]) == [("i1",)]
    assert ids(found(content.flagged, data)["picture_flag: placeholder"]) == [("i0",)]
    assert found(content.missing_pictures, with_pictures(folder, names)) == {}


def test_a_catalogue_without_pictures_is_not_checked():
    for check in (copies.same_picture, copies.near_picture, content.placeholder_pictures, content.missing_pictures):
        with pytest.raises(NotMade, match="no pictures"):
            found(check, shop(ROWS))
