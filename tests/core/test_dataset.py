"""The noun itself: parts, passport, what it never gives away, and saving."""

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError

PARTS = ["train", "train", "valid", "train", "test", "test"]


def small(**more) -> Dataset:
    items = {
        "id": ["a", "b", "c"],
        "title": ["A", "B", ""],
        "text": ["", "words", ""],
        "image": ["a.png", "", "sub/c.png"],
    }
    table = {
        "user": [0, 0, 0, 1, 1, 2],
        "item": [1, 0, 2, 2, 0, 1],
        "part": "",
        "review": ["good", "", "v", "x", "t", "u"],
    }
    fields = {"users": pd.DataFrame({"id": ["x", "y", "z"]}), "items": pd.DataFrame(items).assign(category="c")}
    return Dataset(**({"name": "small", "interactions": pd.DataFrame(table)} | fields | more))


def test_parts_are_sorted_pairs_and_matrices_agree():
    data = small().with_parts(PARTS, "by hand", None)
    assert data.train.tolist() == [[0, 0], [0, 1], [1, 2]]
    assert data.valid.tolist() == [[0, 2]]
    assert data.test.tolist() == [[1, 0], [2, 1]]
    for part in ("train", "valid", "test"):
        matrix = data.matrix(part)
        assert (matrix.shape, matrix.dtype) == ((3, 3), np.float32)
        assert np.argwhere(matrix.toarray() == 1).tolist() == data.part(part).tolist()
    assert data.purchases().tolist() == [1, 1, 1]


def test_the_passport_counts_what_train_has_not_seen():
    split = small().with_parts(["train", "train", "test", "valid", "test", "valid"], "by hand", 3).split
    assert (split.protocol, split.seed, split.counts) == ("by hand", 3, {"train": 2, "valid": 2, "test": 2})
    assert split.unseen == {"valid users": 2, "valid items": 1, "test users": 1, "test items": 1}


def test_hashes_follow_the_pairs_and_not_their_order():
    data, order = small(), [5, 3, 1, 0, 2, 4]
    other = replace(data, interactions=data.interactions.iloc[order].reset_index(drop=True))
    hashes = data.with_parts(PARTS, "p", None).split.hashes
    assert other.with_parts([PARTS[place] for place in order], "p", None).split.hashes == hashes
    moved = ["valid", "train", "train", "train", "test", "test"]
    changed = data.with_parts(moved, "p", None).split.hashes
    assert [changed[part] == hashes[part] for part in ("train", "valid", "test")] == [False, False, True]


def test_reviews_are_those_of_the_training_part_only():
    reviews = small().with_parts(PARTS, "p", None).reviews
    assert reviews.to_numpy().tolist() == [[0, 1, "good"], [1, 2, "x"]]
    without = small().interactions.drop(columns="review")
    assert len(small(interactions=without).with_parts(PARTS, "p", None).reviews) == 0


def test_nothing_is_given_out_before_the_split():
    for use in (lambda d: d.train, lambda d: d.matrix(), lambda d: d.purchases(), lambda d: d.reviews):
        with pytest.raises(InputError, match="small is not split yet"):
            use(small())
    with pytest.raises(InputError, match='Did you mean "valid"'):
        small().with_parts(PARTS, "p", None).part("vali")


def test_an_empty_part_is_refused():
    with pytest.raises(InputError, match="The valid part of small is empty"):
        small().with_parts(["train"] * 5 + ["test"], "p", None)


def test_pictures_stay_inside_their_folder(tmp_path):
    data = small(images=tmp_path)
    assert data.image_path(0) == tmp_path.resolve() / "a.png"
    assert data.image_path(1) is None
    assert small().image_path(0) is None
    data.items.loc[0, "image"] = "../secret.png"
    with pytest.raises(InputError, match=r"picture of item a lies outside .*\.\./secret\.png"):
        data.image_path(0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=3, max_size=3), st.booleans())
def test_what_is_saved_is_loaded(tmp_path_factory, texts, split):
    folder = tmp_path_factory.mktemp("saved")
    data = small(images=folder / "images", notes=tuple(texts))
    data = replace(data, items=data.items.assign(text=texts))
    data = data.with_parts(PARTS, "by hand", 5) if split else data
    data.save(folder)
    again = Dataset.load(folder)
    assert (again.name, again.notes, again.split, again.images) == (data.name, data.notes, data.split, data.images)
    assert again.key == data.key
    for name in ("users", "items", "interactions"):
        assert getattr(again, name).to_numpy().tolist() == getattr(data, name).to_numpy().tolist()


def test_a_saved_folder_can_be_moved(tmp_path):
    (tmp_path / "old" / "images").mkdir(parents=True)
    (tmp_path / "old" / "images" / "a.png").write_bytes(b"picture")
    small(images=tmp_path / "old" / "images").save(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert Dataset.load(tmp_path / "new").image_path(0).read_bytes() == b"picture"


def test_the_key_follows_every_table_and_the_images(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    facts = (tmp_path / "a.png").stat()
    data = small(images=tmp_path)
    keys = {data.key, replace(data, items=data.items.assign(title="other")).key}
    keys.add(replace(data, users=data.users.assign(id=["x", "y", "w"])).key)
    keys.add(replace(data, interactions=data.interactions.assign(item=0)).key)
    (tmp_path / "a.png").write_bytes(b"67890")
    os.utime(tmp_path / "a.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))  # another image of the same size and time
    keys.add(replace(data).key)
    assert len(keys) == 5


def test_damaged_folders_say_so(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*dataset\.json"):
        Dataset.load(tmp_path)
    small().save(tmp_path)
    (tmp_path / "items.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"items\.parquet cannot be read"):
        Dataset.load(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputError, match=r"dataset\.json is damaged"):
        Dataset.load(tmp_path)


def test_the_summary_is_plain_and_its_html_safe(tmp_path):
    data = small(name="<b>", notes=("a < b",)).with_parts(PARTS, "by hand", None)
    facts = data.summary()
    assert facts["items with a picture"] == 2
    assert facts["items with a description"] == 1
    assert facts["interactions with a review"] == 5
    assert facts["test users unseen in train"] == 1
    json.dumps(facts)
    html = data._repr_html_()
    assert "&lt;b&gt;" in html
    assert "a &lt; b" in html
    assert "<b>" not in html
