"""A user's own catalogue: what is recognised, what is noted, and what is refused with file, row and remedy."""

import gzip
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import formats
from mmlib.core.errors import InputError


def read(folder, columns=None, **options):
    return formats.read(folder, "tables", columns, **options)


RATINGS = "userId,itemId,rating,timestamp\n10,7,5,100\n9,7,3,200\n9,12,1,300\n"
ITEMS = """itemId,title,genres,poster,director,plot
7,Seven,Crime|Drama,images/7.jpg,Ann Lee,"A long, dark night; rain."
12,Twelve,Comedy,images/12.jpg,,
30,Thirty,,,Bo Ek,Nobody saw it
"""


def folder_of(path: Path, **files: str | bytes) -> Path:
    """Write ``ratings_csv="..."`` as ratings.csv."""
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        file = path / ".".join(name.rsplit("_", 1))
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pictures(path: Path, *names: str) -> None:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"picture")


def notes_of(data) -> str:
    return "\n".join(data.notes)


def test_a_catalogue_is_read_without_a_mapping(tmp_path):
    pictures(tmp_path, "images/7.jpg")
    data = read(folder_of(tmp_path, ratings_csv=RATINGS, items_csv=ITEMS))
    assert (data.name, data.split) == (tmp_path.name, None)
    assert data.users["id"].tolist() == ["9", "10"]
    assert data.items["id"].tolist() == ["7", "12", "30"]
    assert data.interactions[["user", "item", "rating", "time", "part"]].to_numpy().tolist() == [
        [1, 0, 5.0, 100, ""],
        [0, 0, 3.0, 200, ""],
        [0, 1, 1.0, 300, ""],
    ]
    assert data.interactions.dtypes[["user", "item", "time"]].tolist() == [np.int64] * 3
    assert data.items["category"].tolist() == ["Crime", "Comedy", ""]
    assert data.items["text"].tolist() == [
        "Genres: Crime, Drama. A long, dark night; rain. Director: Ann Lee.",
        "Genres: Comedy.",
        "Nobody saw it. Director: Bo Ek.",
    ]
    assert data.items["image"].tolist() == ["7.jpg", "", ""]
    assert data.image_path(0).read_bytes() == b"picture"
    assert data.items["director"].tolist() == ["Ann Lee", "", "Bo Ek"]
    for said in (
        "ratings.csv: user = userId, item = itemId, rating = rating, time = timestamp.",
        "items.csv: item = itemId, title = title, text = genres + plot + director, image = poster, category = genres.",
        "items.csv: pictures named but absent: 1, such as images/12.jpg.",
        "Items without a picture: 2.",
        "Items without plot: 1.",
        "Items without an interaction: 1, such as 30",
        "the first is the category",
        "Every rating counts",
    ):
        assert said in notes_of(data)


def test_a_mapping_says_it_otherwise(tmp_path):
    pictures(tmp_path, "pics/7-a.png", "pics/12-b.png")
    items = "nr,what,shot,kind,blurb,extra\n7,Seven,a,Film; Old,A tale,dark\n12,Twelve,b,Book,,\n30,Thirty,,Book,x,y\n"
    columns = {"interactions": "log.csv", "items": "things.tsv", "user": "who", "item": "nr", "time": "when"}
    columns |= {"title": "what", "text": ["extra", "blurb"], "image": "pics/{nr}-{shot}.png", "category": "kind"}
    folder_of(tmp_path, log_csv="who;nr;when;rating\nx;7;2024-05-31;5\ny;12;2024-05-31T01:00:00Z;4\n")
    folder_of(tmp_path, things_tsv=items.replace(",", "\t"), other_csv=RATINGS)
    data = read(tmp_path, columns, name="mine")
    assert (data.name, data.items["title"].tolist()) == ("mine", ["Seven", "Twelve", "Thirty"])
    assert data.items["text"].tolist() == ["Extra: dark. Blurb: A tale.", "", "Extra: y. Blurb: x."]
    assert data.items["image"].tolist() == ["7-a.png", "12-b.png", ""]
    assert data.items["category"].tolist() == ["Film", "Book", "Book"]
    assert data.interactions["time"].tolist() == [1717113600, 1717117200]
    assert "rating" in data.interactions
    assert "rating" not in read(tmp_path, columns | {"rating": ""}).interactions


def test_interactions_may_be_alone_and_bring_their_split(tmp_path):
    data = read(folder_of(tmp_path, i_csv="user,item,split\nb,y,val\na,x,train\na,z,TEST\n"))
    assert data.users["id"].tolist() == ["a", "b"]
    assert data.items["id"].tolist() == ["x", "y", "z"]
    assert data.items.columns.tolist() == ["id", "title", "text", "image", "category"]
    assert (data.items[["title", "text", "image", "category"]] == "").all(axis=None)
    assert data.interactions["part"].tolist() == ["valid", "train", "test"]
    assert data.images is None


def test_parquet_and_csv_say_the_same(tmp_path):
    (tmp_path / "csv").mkdir()
    (tmp_path / "parquet").mkdir()
    folder_of(tmp_path / "csv", ratings_csv=RATINGS, items_csv=ITEMS)
    frame = pd.DataFrame({"userId": [10, 9, 9], "itemId": [7.0, 7.0, 12.0], "rating": [5, 3, 1]})
    frame.assign(timestamp=pd.to_datetime([100, 200, 300], unit="s")).to_parquet(
        tmp_path / "parquet" / "ratings.parquet"
    )
    items = pd.read_csv(tmp_path / "csv" / "items.csv")
    items["genres"] = [["Crime", "Drama"], ["Comedy"], None]
    items.to_parquet(tmp_path / "parquet" / "items.parquet")
    one, other = read(tmp_path / "csv"), read(tmp_path / "parquet")
    assert one.users.equals(other.users)
    assert one.interactions.to_numpy().tolist() == other.interactions.to_numpy().tolist()
    wanted = ["id", "title", "text", "category"]
    assert one.items[wanted].to_numpy().tolist() == other.items[wanted].to_numpy().tolist()


def test_ids_stay_text(tmp_path):
    data = read(folder_of(tmp_path, i_csv="user,item\n007,1e3\n7, NA \n7,null\n"))
    assert data.users["id"].tolist() == ["007", "7"]
    assert data.items["id"].tolist() == ["1e3", "NA", "null"]


def test_repeated_interactions_are_kept_once(tmp_path):
    text = "user,item,rating,timestamp,part\na,x,1,30,test\na,x,2,20,train\na,x,3,10,train\nb,x,4,5,test\n"
    data = read(folder_of(tmp_path, i_csv=text))
    assert data.interactions[["user", "item", "rating", "part"]].to_numpy().tolist() == [
        [0, 0, 3.0, "train"],
        [1, 0, 4.0, "test"],
    ]
    assert "repeated interactions of the same user and item: 2;" in notes_of(data)


def test_items_without_a_row_are_kept(tmp_path):
    data = read(folder_of(tmp_path, ratings_csv="user,item\na,9\na,7\na,8\n", items_csv="item,title\n8,Eight\n"))
    assert data.items["id"].tolist() == ["8", "7", "9"]
    assert data.items["title"].tolist() == ["Eight", "", ""]
    assert data.interactions["item"].tolist() == [2, 1, 0]
    assert (
        "Warning: Items with interactions but no row of their own: 2 of 3, with 66.7% of the interactions; kept"
        in notes_of(data)
    )


def test_repeated_items_keep_their_first_row(tmp_path):
    data = read(folder_of(tmp_path, r_csv="user,item\na,1\n", items_csv="id,title\n1,One\n1,Uno\n2,Two\n"))
    assert data.items["title"].tolist() == ["One", "Two"]
    assert "items.csv: rows that repeat an item: 1, such as 1" in notes_of(data)


@pytest.mark.parametrize(("factor", "said"), [(1, ""), (1000, "milliseconds"), (1_000_000, "microseconds")])
def test_times_become_seconds(tmp_path, factor, said):
    text = f"user,item,time\na,x,{1_700_000_000 * factor}\na,y,{1_700_000_001 * factor}\n"
    data = read(folder_of(tmp_path, i_csv=text))
    assert data.interactions["time"].tolist() == [1_700_000_000, 1_700_000_001]
    assert said in notes_of(data)


def test_half_a_million_cells_take_seconds(tmp_path):
    rng = np.random.default_rng(0)
    n = 100_000
    frame = pd.DataFrame({"user": rng.integers(20_000, size=n), "item": rng.integers(5000, size=n), "rating": 1})
    frame.assign(timestamp=rng.integers(10**9, size=n), review="fine").to_csv(tmp_path / "i.csv", index=False)
    start = time.monotonic()
    data = read(tmp_path)
    assert time.monotonic() - start < 10
    assert len(data.interactions) == len(frame.drop_duplicates(["user", "item"]))


ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=6)
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


@settings(max_examples=25, deadline=None)
@given(
    pairs=st.sets(st.tuples(ids, ids), min_size=1, max_size=30), text=words, kind=st.sampled_from(["csv", "parquet"])
)
def test_any_ids_and_texts_come_back(tmp_path_factory, pairs, text, kind):
    folder = tmp_path_factory.mktemp("any")
    table = pd.DataFrame(sorted(pairs), columns=["user", "item"], dtype=object)
    names = sorted({item for _, item in pairs})
    items = pd.DataFrame({"item": names, "description": text, "title": text}, dtype=object)
    for name, frame in (("interactions", table), ("items", items)):
        if kind == "csv":
            frame.to_csv(folder / f"{name}.csv", index=False, quoting=1, lineterminator="\n")
        else:
            frame.to_parquet(folder / f"{name}.parquet")
    data = read(folder)
    back = zip(data.users["id"].iloc[data.interactions["user"]], data.items["id"].iloc[data.interactions["item"]])
    assert set(back) == pairs
    assert data.items["id"].tolist() == names
    assert data.items["text"].unique().tolist() == [text.strip()]
    assert sorted(data.users["id"]) == sorted({user for user, _ in pairs})


def refused(folder: Path, match: str, columns=None) -> None:
    with pytest.raises(InputError, match=match):
        read(folder, columns)


def test_the_folder_and_its_files_must_be_there(tmp_path):
    refused(tmp_path / "none", "none is not there")
    refused(folder_of(tmp_path, a_csv="user,item\na,b\n") / "a.csv", "is a file; give the folder")
    refused(tmp_path, r'no file .*ratings\.csv.*Did you mean "a.csv"', {"interactions": "ratings.csv"})


def test_a_folder_without_interactions_says_what_it_saw(tmp_path):
    refused(tmp_path, r"no table with columns for users and items.*tables seen: none")
    refused(folder_of(tmp_path, a_csv="x,y\n1,2\n"), r"tables seen: a\.csv: x, y.*columns = ")


def test_several_candidates_ask_which(tmp_path):
    folder_of(tmp_path, a_csv="user,item\na,b\n", b_csv="user,item\na,c\n")
    refused(tmp_path, r'several tables that could hold the interactions: a\.csv, b\.csv.*"interactions": "a\.csv"')
    assert read(tmp_path, {"interactions": "b.csv"}).items["id"].tolist() == ["c"]
    folder_of(tmp_path, ratings_csv="user,item\na,d\n")
    assert read(tmp_path).items["id"].tolist() == ["d"]


def test_columns_that_are_not_there(tmp_path):
    folder_of(tmp_path, ratings_csv=RATINGS, items_csv=ITEMS)
    refused(tmp_path, r"no key 'usr'.*Did you mean \"user\"", {"usr": "userId"})
    refused(tmp_path, r"columns\['user'\] = 3 must be a name", {"user": 3})
    refused(tmp_path, r"columns\['title'\] = \['a'\] must be a name", {"title": ["a"]})
    refused(tmp_path, r'ratings\.csv has no column .ratin.*Did you mean "rating"', {"rating": "ratin"})
    refused(tmp_path, r'items\.csv has no column .plt.*Did you mean "plot"', {"text": ["genres", "plt"]})
    refused(tmp_path, r'items\.csv has no column .itemid.*Did you mean "itemId"', {"image": "images/{itemid}.jpg"})
    refused(tmp_path, r"ratings\.csv has no column .who", {"interactions": "ratings.csv", "user": "who"})
    refused(tmp_path, r"columns\['title'\] is given, but there is no table of items", {"items": "", "title": "title"})
    refused(tmp_path, r"items\.csv has no column that is recognised as the users", {"interactions": "items.csv"})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("user,item\na,b\n,c\n,d\n", r"i\.csv, line 3: the user is missing \(column 'user'\) \(2 such lines\)"),
        ("user,item\na,b\na,  \n", r"i\.csv, line 3: the item is missing \(column 'item'\)\."),
        ("user,item,rating\na,b,1\na,c,good\n", r"i\.csv, line 3: the rating must be a number, but is 'good'"),
        ("user,item,rating\na,b,inf\n", r"line 2: the rating must be a number, but is 'inf'"),
        ("user,item,time\na,b,1\na,c,soon\n", r"line 3: the time must be a number, but is 'soon'"),
        (
            "user,item,time\na,b,2024-01-01\na,c,soon\n",
            r"line 3: the time must be a date such as '2024-01-01', but is 'soon'",
        ),
        (
            "user,item,split\na,b,train\na,c,later\n",
            r"line 3: the part must be 0, 1 or 2, .* but is 'later' .*in columns = {'part': ''}",
        ),
    ],
)
def test_cells_that_cannot_be(tmp_path, text, match):
    refused(folder_of(tmp_path, i_csv=text), match)


def test_an_item_table_needs_ids(tmp_path):
    folder_of(tmp_path, r_csv="user,item\na,1\n", items_csv="item,title\n1,One\n,Two\n")
    refused(tmp_path, r"items\.csv, line 3: the item is missing")
    folder_of(tmp_path, items_csv="nr,title\n1,One\n")
    refused(tmp_path, r"items\.csv has no column with the items' ids; it has nr, title", {"items": "items.csv"})


def test_gzipped_tables_are_read(tmp_path):
    plain = read(folder_of(tmp_path / "a", ratings_csv=RATINGS, items_csv=ITEMS), name="x")
    for name in ("ratings.csv.gz", "items.tsv.gz"):
        mark = "\t" if "tsv" in name else ","
        content = pd.read_csv(tmp_path / "a" / f"{name.split('.')[0]}.csv", dtype=str, keep_default_na=False)
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / name).write_bytes(gzip.compress(content.to_csv(index=False, sep=mark).encode()))
    packed = read(tmp_path / "b", name="x")
    assert packed.key == plain.key


def test_ids_that_differ_in_case_are_noted(tmp_path):
    data = read(folder_of(tmp_path, i_csv="user,item\nann,B1\nAnn,b1\nbob,B2\n"))
    assert data.n_users == 3
    assert "users that differ from another in upper and lower case alone: 1, such as Ann and ann; kept" in notes_of(
        data
    )
    assert "items that differ from another in upper and lower case alone: 1, such as B1 and b1; kept" in notes_of(data)


def test_ids_of_another_catalogue_are_refused_unless_asked_for(tmp_path):
    folder = folder_of(tmp_path, ratings_csv="user,item\na,7.0\nb,8.0\n", items_csv="item,title\n7,Seven\n8,Eight\n")
    refused(
        folder, r"No id of items in .*ratings\.csv is in .*items\.csv\. .*such as 7\.0, 8\.0; .*such as 7, 8\..*keep"
    )
    data = read(folder, unmatched="keep")
    assert data.items["title"].tolist() == ["Seven", "Eight", "", ""]
    assert "Warning: Items with interactions but no row of their own: 2 of 2, with 100.0%" in notes_of(data)


@pytest.mark.parametrize("kind", ["utf-16", "utf-16-le", "utf-16-be"])
def test_tables_in_utf_16_are_read(tmp_path, kind):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(kind, b"")
    plain = read(folder_of(tmp_path / "a", ratings_csv=RATINGS, items_csv=ITEMS + "31,Été \U0001f600,,,,\n"))
    files = {path.name.replace(".", "_"): path.read_text() for path in (tmp_path / "a").iterdir()}
    wide = {name: mark + text.encode(kind) for name, text in files.items()}
    data = read(folder_of(tmp_path / "b", **wide), name="a")
    assert data.key == plain.key
    assert data.items["title"].iloc[-1] == "Été \U0001f600"


def test_a_table_of_items_without_ids_is_no_silence(tmp_path):
    folder = folder_of(tmp_path, ratings_csv="user,item\na,7\n", items_csv="thing,title\n7,Seven\n")
    refused(folder, r"items\.csv has no column with the items' ids; it has thing, title")
    assert read(folder, {"items": ""}).n_items == 1


def test_users_that_the_table_of_users_does_not_have_are_told(tmp_path):
    folder = folder_of(tmp_path, ratings_csv="user,item\na,7\nb,7\n", users_csv="user_id,city\nA1,Rome\nB1,Oslo\n")
    refused(folder, r"No id of users in .*ratings\.csv is in .*users\.csv\. .*such as a, b; .*such as A1, B1\.")
    assert read(folder, {"users": ""}).n_users == 2
    folder_of(tmp_path, users_csv="user_id,city\na,Rome\nB1,Oslo\n")
    assert "Warning: Users with interactions but no row of their own: 1 of 2" in notes_of(read(folder))
