"""MMRec's folders: the published split, exactly; what is damaged, by file and line."""

import gzip
import random
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.catalogues import formats
from mmlib.core.errors import InputError

from ..damage import pairs, survives, write

read = partial(formats.read, form="mmrec")

INTER = """userID\titemID\trating\ttimestamp\tx_label
0\t2\t5.0\t1400000000\t0
0\t1\t4.0\t1400000001\t1
10\t0\t1.0\t1400000002\t2
10\t2\t3.5\t1400000003\t0
9\t1\t2.0\t1400000004\t0
"""
FILES = {
    "baby.inter": INTER,
    "u_id_mapping.csv": "user_id\tuserID\nA0\t0\nA9\t9\nA10\t10\n",
    "i_id_mapping.csv": "asin\titemID\nB1\t0\nB2\t1\nB3\t2\nB4\t3\n",
    "meta-baby.csv": 'itemID,asin,title,imUrl,brand,categories,description\n0,B1,"One, the first",http://x/1.jpg,Acme,'
    "\"[['Baby', 'Toys']]\",\"Long\nand soft\"\n2,B3,Three,,,,\n",
}


def test_the_published_split_is_kept(tmp_path):
    data = read(write(tmp_path, {"baby.inter": INTER}))
    assert data.users["id"].tolist() == ["0", "9", "10"]
    assert data.items["id"].tolist() == ["0", "1", "2"]
    columns = ["user", "item", "part", "rating", "time"]
    assert data.interactions[columns].to_numpy().tolist() == [
        [0, 1, "valid", 4.0, 1400000001],
        [0, 2, "train", 5.0, 1400000000],
        [1, 1, "train", 2.0, 1400000004],
        [2, 0, "test", 1.0, 1400000002],
        [2, 2, "train", 3.5, 1400000003],
    ]
    assert data.interactions["time"].dtype == "int64"
    assert splits.given(data).split.counts == {"train": 3, "valid": 1, "test": 1}


def test_original_ids_and_what_is_known_of_the_items(tmp_path):
    write(tmp_path, FILES | {"text_feat.npy": b"x"})
    data = read(tmp_path)
    assert data.users["id"].tolist() == ["A0", "A9", "A10"]
    assert data.items[["id", "number", "title", "category", "asin"]].to_numpy().tolist() == [
        ["B1", "0", "One, the first", "Baby", "B1"],
        ["B2", "1", "", "", ""],
        ["B3", "2", "Three", "", "B3"],
        ["B4", "3", "", "", ""],
    ]
    assert data.items["text"].iloc[0] == "Categories: Baby, Toys. Long\nand soft. Brand: Acme."
    assert pairs(data)[0] == ("A0", "B2", "valid")
    for note in (
        "baby.inter: user = userID, item = itemID, rating = rating, time = timestamp, part = x_label.",
        "Items without an interaction: 1, such as B4; kept.",
        "Published features: text_feat.npy; encoders.published reads them.",
        "meta-baby.csv: pictures that are web addresses: 1; absent until they are files in the folder.",
    ):
        assert note in data.notes


def test_what_is_known_of_items_may_go_by_their_original_ids(tmp_path):
    data = read(write(tmp_path, FILES | {"meta-baby.csv": "asin,title\nB3,Three\nB9,Nine\nB1,One\n"}))
    assert data.items["title"].tolist() == ["One", "", "Three", ""]
    assert "Texts of items that occur nowhere else: 1, such as B9; left out." in data.notes


@pytest.mark.parametrize("mark", ["\t", ",", ";", " "])
def test_recbole_names_and_other_marks(tmp_path, mark):
    text = "user_id:token\titem_id:token\ttimestamp:float\nu1\tB7\t1.5e12\nU1\tB8\t1.6e12\n".replace("\t", mark)
    data = read(write(tmp_path, {"x.inter": "\ufeff" + text}))
    assert pairs(data) == [("U1", "B8", ""), ("u1", "B7", "")]
    assert data.interactions["time"].tolist() == [1_600_000_000, 1_500_000_000]
    notes = "\n".join(data.notes)
    assert "x.inter: time was taken as milliseconds." in notes
    assert "x.inter has no column x_label: there is no published split." in notes
    assert "Ids of users that differ from another in upper and lower case alone: 1, such as U1 and u1" in notes
    with pytest.raises(InputError, match="brings no split of its own"):
        splits.given(data)


def test_the_earliest_of_a_repeated_pair_is_kept(tmp_path):
    text = INTER + "0\t2\t1.0\t1300000000\t0\n0\t2\t2.0\t1200000000\t2\n"
    data = read(write(tmp_path, {"x.inter": text}))
    row = data.interactions[(data.interactions["user"] == 0) & (data.interactions["item"] == 2)]
    assert row[["part", "rating", "time"]].to_numpy().tolist() == [["train", 1.0, 1300000000]]
    assert "x.inter: repeated interactions of the same user and item: 2; the earliest is kept." in data.notes
    assert any("in several parts at once: 1; kept in the first of train, valid, test" in note for note in data.notes)


def test_the_order_of_lines_does_not_matter(tmp_path):
    head, *lines = INTER.splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    one = read(write(tmp_path / "a", {"x.inter": INTER}), name="x")
    other = read(write(tmp_path / "b", {"x.inter": head + "".join(lines)}), name="x")
    assert one.key == other.key
    assert splits.given(one).split == splits.given(other).split


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"baby.inter": INTER + "1\t2\n"}, r"baby\.inter, line 7: 2 cells between marks '\\t' instead of 5"),
        ({"baby.inter": INTER + "1\t\t5\t1\t0\n"}, r"baby\.inter, line 7: the item is missing"),
        ({"baby.inter": INTER + "1\t1\t5\t1\t7\n"}, r"baby\.inter, line 7: the part must be 0, 1 or 2"),
        ({"baby.inter": INTER.encode() + b"\xff\t1\t5\t1\t0\n"}, r"baby\.inter, line 7: not UTF-8"),
        (
            {"baby.inter": INTER.replace("userID", "visitor no")},
            r"baby\.inter has no column .* the users' ids; .* Call it userID in line 1",
        ),
        (
            {"baby.inter": INTER.replace("itemID", "thing")},
            r"baby\.inter has no column .* the items' ids; it has userID",
        ),
        ({"baby.inter": ""}, r"baby\.inter is empty"),
        ({"baby.inter": INTER.splitlines()[0]}, r"baby\.inter has no rows that can be read below its first line"),
        ({"baby.inter": b"x" * (17 << 20)}, r"baby\.inter, line 1: the line is longer than 16 MiB"),
        ({"baby.inter": gzip.compress(INTER.encode())[:-10]}, r"baby\.inter is a damaged gzip file"),
        ({"other.inter": INTER}, r"several files \*\.inter: baby\.inter, other\.inter"),
        ({"i_id_mapping.csv": "asin\titemID\nB1\tx\n"}, r"i_id_mapping\.csv, line 2: no original id with its number"),
        (
            {"meta-baby.csv": "maker,name\nB1,x\n"},
            r"meta-baby\.csv has no column with the items' ids; it has maker, name",
        ),
        ({"meta-baby.csv": "itemID,title\n0\n"}, r"meta-baby\.csv, line 2: 1 cells between marks"),
    ],
)
def test_damage_is_named(tmp_path, files, match):
    write(tmp_path, FILES | files)
    with pytest.raises(InputError, match=match):
        read(tmp_path)


def test_bad_lines_are_counted_by_option(tmp_path):
    write(tmp_path, {"x.inter": INTER + "1\t2\n1\t1\tgood\t1\t0\n"})
    data = read(tmp_path, on_bad="skip")
    assert len(data.interactions) == 5
    assert any(
        note.startswith("x.inter: unreadable lines left out: 2 (x.inter, line 7: 2 cells") for note in data.notes
    )


def test_a_folder_without_an_inter_file(tmp_path):
    with pytest.raises(InputError, match=r"has no \.inter file, such as baby\.inter"):
        read(tmp_path)


tokens = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=5)
table = st.dictionaries(st.tuples(tokens, tokens), st.integers(0, 2), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(table=table, end=st.sampled_from(["\n", "\r\n"]))
def test_any_table_comes_back(tmp_path_factory, table, end):
    lines = ["userID\titemID\tx_label", *(f"{user}\t{item}\t{part}" for (user, item), part in table.items())]
    folder = write(tmp_path_factory.mktemp("any"), {"x.inter": end.join(lines)})
    data = survives(lambda: read(folder))
    assert data is not None
    named = ("train", "valid", "test")
    assert pairs(data) == sorted((user, item, named[part]) for (user, item), part in table.items())


def test_lists_of_other_users_and_items_are_refused_unless_asked_for(tmp_path):
    write(tmp_path, FILES | {"u_id_mapping.csv": "user_id\tuserID\nA0\t70\nA9\t71\n"})
    with pytest.raises(InputError, match=r"No id of users in .*baby\.inter .* 0, 9, 10; .* 70, 71\..*keep"):
        read(tmp_path)
    assert read(tmp_path, unmatched="keep").users["id"].tolist()[0] == "#0"
