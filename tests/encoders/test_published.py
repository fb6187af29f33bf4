"""Arrays of features that come with a folder: each row to its item, and what does not fit refused."""

import numpy as np
import pytest

from mmlib.catalogues import formats
from mmlib.catalogues.shop import generate
from mmlib.core.errors import InputError
from mmlib.encoders.published import features

INTER = "userID\titemID\tx_label\n0\t0\t0\n0\t3\t0\n1\t3\t1\n1\t1\t2\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "baby.inter").write_text(INTER)
    np.save(tmp_path / "image_feat.npy", np.array([[1, 0], [0, 0], [9, 9], [3, 4]], dtype=np.float64))
    np.save(tmp_path / "text_feat.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    return tmp_path


def test_each_row_goes_to_its_item(folder):
    data = formats.read(folder)  # items 0, 1 and 3
    found = features(folder, data)
    assert found.item["image"].tolist() == [[1, 0], [0, 0], [3, 4]]
    assert found.present["image"].tolist() == [True, False, True]
    assert found.item["text"].tolist() == [[0, 1, 2], [3, 4, 5], [9, 10, 11]]
    assert found.present["text"].all()
    assert (found.n_users, found.about["encoder"]) == (2, f"features:{folder.name}")


def test_one_array_is_enough(folder):
    (folder / "image_feat.npy").unlink()
    assert list(features(folder, formats.read(folder)).item) == ["text"]
    (folder / "text_feat.npy").unlink()
    with pytest.raises(InputError, match=r"has none of image_feat\.npy, text_feat\.npy"):
        features(folder, formats.read(folder))


@pytest.mark.parametrize("rows", [3, 5])
def test_the_rows_must_fit_the_catalogue(folder, rows):
    np.save(folder / "image_feat.npy", np.ones((rows, 2)))
    with pytest.raises(InputError, match=rf"image_feat\.npy has {rows} rows, but the items .* numbered from 0 to 3"):
        features(folder, formats.read(folder))


def test_some_rows_for_a_catalogue_that_was_cut(folder):
    (folder / "baby.inter").write_text(INTER.replace("0\t3\t", "0\t2\t").replace("1\t3\t", "1\t2\t"))
    data = formats.read(folder)
    with pytest.raises(InputError, match="rows='some' reads it"):
        features(folder, data)
    assert features(folder, data, rows="some").item["image"].tolist() == [[1, 0], [0, 0], [9, 9]]
    with pytest.raises(InputError, match="rows = 'few' is not known"):
        features(folder, data, rows="few")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_not_finite(folder, value):
    np.save(folder / "image_feat.npy", np.array([[1, 0], [0, 0], [np.nan, 9], [3, value]]))
    with pytest.raises(InputError, match=r"image_feat\.npy holds NaN or infinity in 1 rows, such as 3\."):
        features(folder, formats.read(folder))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is damaged or not an array"),
        (b"\x93NUMPY\x01\x00", "is damaged"),
        (b"no array at all", "is damaged"),
        (np.ones(4), r"must hold an array \[items, d\] of numbers, but it holds float64 \(4,\)"),
        (np.array([["a"], ["b"], ["c"], ["d"]]), "must hold an array"),
        (np.array([[{}], [1], [2], [3]], dtype=object), "is damaged or not an array"),
    ],
)
def test_a_damaged_array(folder, content, match):
    if isinstance(content, bytes):
        (folder / "text_feat.npy").write_bytes(content)
    else:
        np.save(folder / "text_feat.npy", content)
    with pytest.raises(InputError, match=rf"text_feat\.npy {match}"):
        features(folder, formats.read(folder))


def test_a_cut_array(folder):
    content = (folder / "text_feat.npy").read_bytes()
    (folder / "text_feat.npy").write_bytes(content[:-8])
    with pytest.raises(InputError, match=r"text_feat\.npy is damaged"):
        features(folder, formats.read(folder))


def test_a_catalogue_without_numbers(folder):
    with pytest.raises(InputError, match="have no published numbers"):
        features(folder, generate(users=30, items=24, purchases=180, size=16))
    (folder / "baby.inter").write_text(INTER.replace("\t3\t", "\tx\t"))
    with pytest.raises(InputError, match="have no published numbers"):
        features(folder, formats.read(folder))
