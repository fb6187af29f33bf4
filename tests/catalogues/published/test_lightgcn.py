"""LightGCN's folders: the published split, exactly; what is damaged, by file and line."""

import gzip
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.catalogues import formats
from mmlib.core.errors import InputError

from ..damage import pairs, survives, write

read = partial(formats.read, form="lightgcn")

FILES = {"train.txt": "0 2 1\n1 0\n2\n10 2 \n", "test.txt": "0 0\n1 3\n2\n"}
LISTS = {
    "user_list.txt": "org_id remap_id\nann 0\nbob 1\ncleo 2\ndan 10\n",
    "item_list.txt": "org_id remap_id freebase_id\nB1 0 m.1\nB2 1 m.2\nB3 2 m.3\nB4 3 m.4\nb4 4 m.5\n",
}


def test_the_published_split_is_kept(tmp_path):
    data = read(write(tmp_path, FILES))
    assert data.users["id"].tolist() == ["0", "1", "2", "10"]
    assert data.items[["id", "number", "title"]].to_numpy().tolist() == [[i, i, ""] for i in "0123"]
    assert data.interactions.to_numpy().tolist() == [
        [0, 0, "test"],
        [0, 1, "train"],
        [0, 2, "train"],
        [1, 0, "train"],
        [1, 3, "test"],
        [3, 2, "train"],
    ]
    assert "Users without an interaction: 1, such as 2; kept." in data.notes
    assert any("Numbers below the largest of the users that occur nowhere: 7;" in note for note in data.notes)
    given_split = splits.given(data)
    assert given_split.split.counts == {"train": 3, "valid": 1, "test": 2}
    assert given_split.test.tolist() == [[0, 0], [1, 3]]


def test_original_ids_and_a_validation_part(tmp_path):
    data = read(write(tmp_path, FILES | LISTS | {"valid.txt": "10 4\n"}))
    assert data.users["id"].tolist() == ["ann", "bob", "cleo", "dan"]
    assert data.items["id"].tolist() == ["B1", "B2", "B3", "B4", "b4"]
    assert pairs(data) == [
        ("ann", "B1", "test"),
        ("ann", "B2", "train"),
        ("ann", "B3", "train"),
        ("bob", "B1", "train"),
        ("bob", "B4", "test"),
        ("dan", "B3", "train"),
        ("dan", "b4", "valid"),
    ]
    assert any(
        "Ids of items that differ from another in upper and lower case alone: 1, such as B4 and b4" in note
        for note in data.notes
    )


def test_pairs_that_come_twice(tmp_path):
    data = read(write(tmp_path, {"train.txt": "0 1 1\n0 1\n", "test.txt": "0 2 1\n"}))
    assert pairs(data) == [("0", "1", "train"), ("0", "2", "test")]
    assert "train.txt: repeated interactions of the same user and item: 3; the earliest is kept." in data.notes
    assert any("of them in several parts at once: 1;" in note for note in data.notes)


def test_both_names_of_a_validation_part_are_read(tmp_path):
    data = read(write(tmp_path, FILES | {"valid.txt": "10 4\n", "val.txt": "0 5\n"}))
    assert [pair for pair in pairs(data) if pair[2] == "valid"] == [("0", "5", "valid"), ("10", "4", "valid")]


def test_the_order_of_lines_does_not_matter(tmp_path):
    one = read(write(tmp_path / "a", FILES), name="x")
    other = read(write(tmp_path / "b", FILES | {"train.txt": "10 2\n0 1 2\n2\n1 0\n"}), name="x")
    assert one.key == other.key
    assert splits.given(one).split == splits.given(other).split


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"train.txt": "0 1\n1 x 2\n"}, r"train\.txt, line 2: 'x' is not the number of a user or an item"),
        ({"train.txt": "0 1\n1 -2\n"}, r"train\.txt, line 2: '-2' is not the number"),
        ({"test.txt": "0 " + "9" * 19 + "\n"}, r"test\.txt, line 1: '9{19}' is not the number"),
        ({"train.txt": b"0 1\n\xff 2\n"}, r"train\.txt, line 2: not UTF-8 text: byte 1 is 0xff"),
        ({"train.txt": b"0 1\n1 " + b"1 " * (9 << 20)}, r"train\.txt, line 2: the line is longer than 16 MiB"),
        ({"train.txt": gzip.compress(b"0 1\n" * 999)[:-9]}, r"train\.txt is a damaged gzip file"),
        ({"train.txt": ""}, r"train\.txt is empty"),
        ({"train.txt": "0\n1\n", "test.txt": "2\n"}, "has users, but none of them has an item"),
        (LISTS | {"item_list.txt": "org_id remap_id\nB1 0\nB2\n"}, r"item_list\.txt, line 3: no original id with its"),
        (LISTS | {"item_list.txt": "B1 0\nB1 1\n"}, r"item_list\.txt, line 2: 'B1' has number 1, and further up 0"),
        (
            LISTS | {"user_list.txt": "a 0\nb 0\n"},
            r"user_list\.txt, line 2: number 0 stands for 'b', and further up for 'a'",
        ),
    ],
)
def test_damage_is_named(tmp_path, files, match):
    write(tmp_path, FILES | files)
    with pytest.raises(InputError, match=match):
        read(tmp_path)


def test_bad_lines_are_counted_by_option(tmp_path):
    write(tmp_path, FILES | LISTS | {"train.txt": "0 2 1\n1 x\n", "item_list.txt": "B1 0\nB2 1\n3\nB4 3\n"})
    data = read(tmp_path, on_bad="skip")
    assert pairs(data)[-1] == ("bob", "B4", "test")
    notes = "\n".join(data.notes)
    assert "train.txt: unreadable lines left out: 1 (train.txt, line 2: 'x' is not" in notes
    assert "item_list.txt: unreadable lines left out: 1" in notes
    assert "Numbers of items that the list of original ids does not have: 1, such as 2; called #2" in notes
    assert "#2" in data.items["id"].tolist()


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"has no train\.txt; LightGCN's form needs"):
        read(write(tmp_path, {"test.txt": "0 1\n"}))
    with pytest.raises(InputError, match="on_bad = 'drop' is not known"):
        read(tmp_path, on_bad="drop")


parts = st.lists(st.sets(st.integers(0, 30), max_size=8), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(train=parts, test=parts)
def test_any_lists_come_back(tmp_path_factory, train, test):
    files = {}
    expected = {(str(user), str(item)): "test" for user, items in enumerate(test) for item in items}
    expected |= {(str(user), str(item)): "train" for user, items in enumerate(train) for item in items}
    for name, lists in (("train.txt", train), ("test.txt", test)):
        files[name] = "".join(f"{' '.join(map(str, [user, *items]))}\n" for user, items in enumerate(lists))
    data = survives(lambda: read(write(tmp_path_factory.mktemp("any"), files)))
    assert (data is None) == (not expected)
    if data:
        assert {(user, item): part for user, item, part in pairs(data)} == expected
        assert data.n_users == max(len(train), len(test))
