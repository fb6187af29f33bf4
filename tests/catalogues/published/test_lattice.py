"""LATTICE's folders: the published split, exactly; what is damaged, by file and place."""

import gzip
import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.catalogues import formats
from mmlib.catalogues.published import lattice
from mmlib.core.errors import InputError

from ..damage import pairs, survives, write

read = partial(formats.read, form="lattice")

FILES = {
    "train.json": '{"0": [2, 1], "10": [0, 3], "9": []}',
    "val.json": '{"0": [3]}',
    "test.json": '{"0": [], "10": [1]}',
}
LISTS = {"item_list.txt": "B1\t0\nB2\t1\nB 3\t2\nB4\t3\n", "user_list.txt": "U0\t0\nU9\t9\nU10\t10\n"}
TEXTS = {"raw_text.txt": " Baby One\n\nthree \nfour\n"}


@pytest.mark.parametrize("inside", ["", "5-core/", "0-core/"])
def test_the_published_split_is_kept(tmp_path, inside):
    write(tmp_path, {inside + name: text for name, text in FILES.items()})
    data = read(tmp_path)
    assert data.name == tmp_path.name
    assert data.users["id"].tolist() == ["0", "9", "10"]
    assert data.items["id"].tolist() == data.items["number"].tolist() == ["0", "1", "2", "3"]
    assert data.interactions.to_numpy().tolist() == [
        [0, 1, "train"],
        [0, 2, "train"],
        [0, 3, "valid"],
        [2, 0, "train"],
        [2, 1, "test"],
        [2, 3, "train"],
    ]
    assert splits.given(data).split.counts == {"train": 4, "valid": 1, "test": 1}


def test_original_ids_and_texts(tmp_path):
    write(tmp_path, {f"5-core/{name}": text for name, text in (FILES | LISTS | TEXTS).items()})
    write(tmp_path, {"image_feat.npy": b""})
    data = read(tmp_path)
    assert data.items[["id", "text", "number"]].to_numpy().tolist() == [
        ["B1", "Baby One", "0"],
        ["B2", "", "1"],
        ["B 3", "three", "2"],
        ["B4", "four", "3"],
    ]
    assert data.users["id"].tolist() == ["U0", "U9", "U10"]
    assert "Published features: image_feat.npy; encoders.published reads them." in data.notes


def test_the_order_of_keys_does_not_matter(tmp_path):
    one = read(write(tmp_path / "a", FILES), name="x")
    shuffled = FILES | {"train.json": '{"9": [], "10": [3, 0], "0": [1, 2]}'}
    assert read(write(tmp_path / "b", shuffled), name="x").key == one.key


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"0": [1, 2], "1": [3', r"train\.json, line 1, column 22: .*not downloaded to its end"),
        ('{"0": [1],\n"1": [2,,]}', r"train\.json, line 2, column 9:"),
        (b'{"0": [1],\n"\xff": [2]}', r"train\.json, line 2: not UTF-8 text: byte 0xff"),
        ("", r"train\.json is empty"),
        ("[[0, 1]]", r"train\.json must hold one object .*, but holds a list"),
        ('{"u": [1]}', r"train\.json: user 'u' is not a whole number"),
        ('{"0": 1}', r"train\.json: user 0 must have a list of whole numbers, but it holds '1'"),
        ('{"0": ["1"]}', "user 0 must have a list of whole numbers, but it holds '1'"),
        ('{"0": [true]}', "holds 'True'"),
        ('{"0": [1.0]}', "holds '1.0'"),
        ('{"0": [-1]}', "holds '-1'"),
        ('{"0": [NaN]}', "holds 'nan'"),
        ('{"0": [{"1": 2}]}', "holds .*1"),
        ('{"0": [%s]}' % ("9" * 19), "holds '9{19}'"),
        ('{"0": [%s]}' % ("9" * 9999), "train.json is damaged"),
        ("[" * 200_000, "train.json is damaged|line 1"),
        (gzip.compress(json.dumps({"0": list(range(999))}).encode())[:-12], r"train\.json is a damaged gzip file"),
    ],
)
def test_damage_is_named(tmp_path, content, match):
    write(tmp_path, FILES | {"train.json": content})
    with pytest.raises(InputError, match=match):
        read(tmp_path)


def test_a_key_that_comes_twice_is_not_lost(tmp_path):
    data = read(write(tmp_path, FILES | {"train.json": '{"0": [1], "0": [2, 1]}'}))
    assert pairs(data)[:2] == [("0", "1", "train"), ("0", "2", "train")]
    assert "train.json: repeated interactions of the same user and item: 1; the earliest is kept." in data.notes


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(lattice, "LARGEST", 20)
    with pytest.raises(InputError, match=r"train\.json is larger than"):
        read(write(tmp_path, FILES))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"has no train\.json, val\.json, test\.json, and no subfolder such as 5-core"):
        read(write(tmp_path, {"train.json": "{}", "test.json": "{}"}))


histories = st.dictionaries(st.integers(0, 20), st.sets(st.integers(0, 30), max_size=6), max_size=6)


@settings(max_examples=40, deadline=None)
@given(parts=st.tuples(histories, histories, histories), indent=st.sampled_from([None, 1]))
def test_any_histories_come_back(tmp_path_factory, parts, indent):
    expected, files = {}, {}
    for name, part, lists in zip(lattice.FILES, ("train", "valid", "test"), parts):
        files[name] = json.dumps({str(user): sorted(items) for user, items in lists.items()}, indent=indent)
        for user, items in lists.items():
            expected = {(str(user), str(item)): part for item in items} | expected
    data = survives(lambda: read(write(tmp_path_factory.mktemp("any"), files)))
    assert (data is None) == (not expected)
    if data:
        assert {(user, item): part for user, item, part in pairs(data)} == expected
