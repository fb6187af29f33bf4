"""What an audit sees of pictures: copies of all kinds, and files that are none."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmlib.audit import audit, duplicates, images, item_content
from mmlib.audit.report import NotMade
from mmlib.core import images as core_images

from ..encoders.shop import claiming
from .audited import ROWS, drawn, found, ids, shop, with_pictures


@pytest.fixture
def eight(tmp_path):
    """Eight pictures with nothing in common."""
    return tmp_path, [drawn(tmp_path, seed) for seed in range(8)]


def test_the_same_picture_twice_is_a_warning_where_a_user_has_one_in_train_and_one_in_test(eight):
    folder, names = eight
    assert found(duplicates.same_image, with_pictures(folder, names)) == {}
    (folder / "3.png").write_bytes((folder / "1.png").read_bytes())  # u0 has i1 in train and i3 in test
    across = found(duplicates.same_image, with_pictures(folder, names))["same image"]
    assert (across.severity, across.count, ids(across)) == ("warning", 2, [("i1", "i3")])
    assert "1 test interactions" in across.what


def test_the_same_picture_on_items_of_nobody_is_a_note(eight):
    folder, names = eight
    (folder / "7.png").write_bytes((folder / "6.png").read_bytes())
    assert found(duplicates.same_image, with_pictures(folder, names))["same image"].severity == "note"


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
    assert found(duplicates.same_image, data) == {}
    near = found(duplicates.near_image, data)["near-same image"]
    assert (near.count, ids(near)) == (2, [("i2", "i6")])


def test_near_pictures_equal_the_comparison_of_all_with_all(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "BLOCK", 3)
    names = [drawn(tmp_path, seed % 5, size=48 + seed, name=f"{seed}.png") for seed in range(14)]
    seen = images.look(with_pictures(tmp_path, names))
    slow = [
        (a, b)
        for a in seen
        for b in seen
        if a < b and (seen[a].bits ^ seen[b].bits).bit_count() <= images.NEAR and images._alike(seen[a], seen[b])
    ]
    assert images.near(seen) == slow
    assert {(a % 5, b % 5) for a, b in slow} == {(k, k) for k in range(5)}


def test_one_picture_on_many_items_is_a_placeholder_and_no_copy(eight):
    folder, names = eight
    data = with_pictures(folder, [names[0]] * 5 + names[5:])
    assert found(duplicates.same_image, data) == {}
    assert found(item_content.placeholder_images, data)["one image on many items"].count == 5
    assert found(item_content.placeholder_images, with_pictures(folder, names)) == {}


def test_pictures_of_one_colour_and_tiny_ones_say_nothing(eight):
    folder, names = eight
    grey = np.full((64, 64, 3), 160, dtype=np.uint8)
    grey[30:33, 10:14] = (255, 0, 0)  # a few red letters
    Image.fromarray(grey).save(folder / "4.png")
    drawn(folder, 5, size=20)
    some = found(item_content.placeholder_images, with_pictures(folder, names))
    assert {kind: ids(one) for kind, one in some.items()} == {
        "images of one colour": [("i4",)],
        "tiny images": [("i5",)],
    }


def test_files_that_are_no_pictures_are_named_with_the_reason(eight, monkeypatch):
    folder, names = eight
    (folder / "1.png").write_bytes(b"PK\x03\x04 a zip")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    (folder / "3.png").unlink()
    drawn(folder, 4, size=400)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    broken = found(item_content.unreadable_images, with_pictures(folder, names))["unreadable images"]
    assert (broken.severity, broken.count) == ("warning", 4)
    reasons = {example.items[0]: example.text for example in broken.examples}
    assert "no such file" in reasons["i3"]
    assert "limit" in reasons["i4"]
    assert all(str(folder) not in reason for reason in reasons.values())


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_images_that_would_stop_a_reader_are_one_finding(eight, monkeypatch):
    """Loops and outward links, names beyond every disk, pipes, and images above the pixel limit, also without one."""
    folder, names = eight
    (folder / "loop.png").symlink_to(folder / "loop.png")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    drawn(elsewhere, 2)
    (folder / "linked").symlink_to(elsewhere, target_is_directory=True)
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    bomb, small = claiming((folder / "5.png").read_bytes(), 30_000), drawn(folder, 6, size=400)
    (folder / "5.png").write_bytes(bomb)
    names[:7] = "loop.png", "linked/2.png", "a" * 5000 + ".png", "pipe.png", "folder.png", "5.png", small
    expected = ("levels of symbolic links", "outside", "name too long", "not a file", "not a file", "limit", "limit")
    for limit in (100_000, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        monkeypatch.setattr(core_images, "PIXELS", 100_000)
        report = audit(with_pictures(folder, names))
        broken = report.of("unreadable images")
        assert (broken.severity, broken.count) == ("warning", 7)
        reasons = [one.problem for one in images.look(with_pictures(folder, names)).values()]
        assert all(word in reason for word, reason in zip(expected, reasons[:7])), reasons
        assert reasons[7] == ""
        assert "placeholder images" in report.clean


def test_a_folder_of_images_that_is_a_link_is_read(eight):
    folder, names = eight
    (folder.parent / "link").symlink_to(folder, target_is_directory=True)
    seen = images.look(with_pictures(folder.parent / "link", names))
    assert [one.problem for one in seen.values()] == [""] * 8


def test_missing_pictures_are_counted_without_those_flagged_as_placeholders(eight):
    folder, names = eight
    data = with_pictures(folder, ["", "", *names[2:]])
    assert ids(found(item_content.missing_images, data)["missing images"]) == [("i0",), ("i1",)]
    data = replace(data, items=data.items.assign(picture_flag=["placeholder", "none", *["ok"] * 6]))
    assert ids(found(item_content.missing_images, data)["missing images"]) == [("i1",)]
    assert ids(found(item_content.flagged, data)["picture_flag: placeholder"]) == [("i0",)]
    assert found(item_content.missing_images, with_pictures(folder, names)) == {}


def test_a_catalogue_without_pictures_is_not_checked():
    for check in (
        duplicates.same_image,
        duplicates.near_image,
        item_content.placeholder_images,
        item_content.missing_images,
    ):
        with pytest.raises(NotMade, match="no images"):
            found(check, shop(ROWS))
