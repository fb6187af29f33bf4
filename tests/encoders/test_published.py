"""Arrays of features that come with a folder: each row to its item, and what does not fit refused."""

import numpy as np
import pandas as pd
import pytest

import mmlib as mm
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


def listed(folder, lines):
    """A folder of arrays with a list of ids, row i the vector (i, i)."""
    np.save(folder / "image_feat.npy", np.repeat(np.arange(1, 6, dtype=np.float32)[:, None], 2, axis=1))
    (folder / "i_id_mapping.csv").write_text("\n".join(["id\titemID", *lines]) + "\n")


def test_a_list_of_ids_says_whose_row_is_whose(tmp_path, capsys):
    shop = generate(users=30, items=24, purchases=180, size=16)
    ids = shop.items["id"].astype(str).tolist()
    listed(tmp_path, [f"{ids[7]}\t4", f"{ids[0]}\t2", "nobody\t0", f"{ids[3]}\t1", "nobody2\t3"])
    found = features(tmp_path, shop)
    assert found.item["image"][[7, 0, 3], 0].tolist() == [5, 3, 2]
    assert found.present["image"].nonzero().flatten().tolist() == [0, 3, 7]
    assert "21 of 24 items of Toy shop are not in the folder's list of ids" in capsys.readouterr().out
    assert "21 of 24" in found.about["remarks"][-1]
    listed(tmp_path, [f"{ids[7]}\t9"])
    with pytest.raises(InputError, match="numbered from 0 to 9"):
        features(tmp_path, shop)


def test_a_list_that_contradicts_the_numbers_of_another_folder_wins(folder, tmp_path_factory):
    data, other = formats.read(folder), tmp_path_factory.mktemp("other")
    ids = data.items["id"].astype(str).tolist()  # 0, 1, 3
    listed(other, [f"{ids[0]}\t4", f"{ids[1]}\t1", f"{ids[2]}\t0"])
    assert features(other, data).item["image"][:, 0].tolist() == [5, 2, 1]


def test_pages_reach_a_folder_by_name(folder, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path_factory.mktemp("outputs")))
    data = formats.read(folder).with_parts(pd.Series(["train", "train", "valid", "test"]), "by hand", None)
    encoder, tuning = mm.encoder(data, f"features:{folder}")
    assert tuning is None
    found = mm.extract(data, encoder)
    assert found.key == features(folder, data).key == mm.extract(data, encoder).key
    assert "do not share a space" in found.space
    np.save(folder / "text_feat.npy", np.ones((4, 3), dtype=np.float32))
    assert mm.extract(data, encoder).key != found.key  # other arrays under the same names
    with pytest.raises(InputError, match="There is no folder"):
        mm.encoder(data, "features:nowhere")
