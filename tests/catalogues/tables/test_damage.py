"""A user's own tables, damaged: a message that names file and row, quickly, and never a silent loss."""

import gzip
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import formats

from ..damage import edited, edits, survives
from .test_reader import ITEMS, RATINGS, folder_of, pictures, refused

LONG = b"x" * (40 << 20)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        (
            "ratings.csv.gz",
            gzip.compress(RATINGS.encode() * 99)[:-9],
            r"ratings\.csv\.gz is a damaged gzip file.*Get it again",
        ),
        ("ratings.csv.gz", gzip.compress(RATINGS.encode() * 99)[:9], r"ratings\.csv\.gz is a damaged gzip file"),
        ("ratings.csv.gz", gzip.compress(b""), r"ratings\.csv\.gz"),
        ("ratings.csv", RATINGS.encode() + b"1,\xff,1,1\n", r"ratings\.csv, line 5: not UTF-8 text: byte 3 is 0xff"),
        ("items.csv", ITEMS.encode("utf-16")[:-1], r"items\.csv begins as UTF-16, but is damaged or cut off"),
        ("ratings.csv", b"", r"ratings\.csv is empty"),
        (
            "ratings.csv",
            b"userId,itemId\n1,2,3\n",
            r"ratings\.csv, line 2: 3 cells between marks ',' instead of 2",
        ),
        ("ratings.csv", b'userId,itemId\n1,"2\n3,4\n', r"ratings\.csv, line 2: a double quote is never closed"),
        (
            "ratings.csv",
            b'userId,"itemId\n1,2\n',
            r"ratings\.csv, line 1: a double quote is never closed",
        ),
        (
            "ratings.csv",
            b"userId,itemId,review\n1,2," + LONG + b"\n1,3,\n",
            r"ratings\.csv, line 2: the line is longer than 16 MiB",
        ),
        ("ratings.csv", LONG + b",itemId\n1,2\n", r"ratings\.csv, line 1: the line is longer than 16 MiB"),
        (
            "ratings.csv",
            b'userId,itemId,review\n1,2,"' + b"x\n" * (20 << 20),
            r"ratings\.csv, line 2: the row is longer than 16 MiB; perhaps a double quote is never closed",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_tables_are_named(tmp_path, name, content, match):
    folder_of(tmp_path, ratings_csv=RATINGS, items_csv=ITEMS)
    (tmp_path / name.removesuffix(".gz")).unlink()
    (tmp_path / name).write_bytes(content)
    start = time.monotonic()
    refused(tmp_path, match)
    assert time.monotonic() - start < 5


def test_a_picture_that_is_none_does_not_stop_the_reading(tmp_path):
    pictures(tmp_path, "images/7.jpg", "images/12.jpg")  # neither is a picture; encoders say so, item by item
    data = formats.read(folder_of(tmp_path, ratings_csv=RATINGS, items_csv=ITEMS), "tables")
    assert data.items["image"].tolist() == ["7.jpg", "12.jpg", ""]


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(["ratings.csv", "items.csv"]), changes=edits)
def test_any_damage_is_a_dataset_or_a_message(tmp_path_factory, name, changes):
    folder = folder_of(tmp_path_factory.mktemp("any"), ratings_csv=RATINGS, items_csv=ITEMS)
    (folder / name).write_bytes(edited((folder / name).read_bytes(), changes))
    survives(lambda: formats.read(folder, "tables"))


@settings(max_examples=25, deadline=None)
@given(changes=edits)
def test_any_damage_to_parquet_is_a_dataset_or_a_message(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("any") / "ratings.parquet"
    pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "time": [1, 2]}).to_parquet(path)
    path.write_bytes(edited(path.read_bytes(), changes))
    survives(lambda: formats.read(path.parent, "tables"))
