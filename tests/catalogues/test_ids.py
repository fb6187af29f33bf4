"""Ids in their order, and those that differ in case alone."""

from pathlib import Path

import pandas as pd
import pytest

from mmlib.catalogues.ids import case_twins, in_order, unmatched
from mmlib.core.errors import InputError


def test_whole_numbers_are_in_the_order_of_numbers_and_others_of_letters():
    assert in_order(["10", "9", "007", "7", "9"]).tolist() == ["007", "7", "9", "10"]
    assert in_order(["10", "9", "b", "a"]).tolist() == ["10", "9", "a", "b"]
    assert in_order(["10", "9", "²"]).tolist() == ["10", "9", "²"]
    assert in_order(["9" * 19, "10"]).tolist() == ["10", "9" * 19]
    assert in_order([]).tolist() == []
    assert in_order(pd.Series(["2", "1"])).tolist() == ["1", "2"]


def test_ids_that_differ_in_case_are_told():
    assert case_twins(["B01", "b02", "b01", "B03"], "items") == (
        "Ids of items that differ from another in upper and lower case alone: 1, such as B01 and b01; kept apart.",
    )
    assert case_twins(["a", "b", "1"], "users") == ()
    assert ": 2, such as ß and SS, ß and ss;" in case_twins(["ß", "SS", "ss"], "users")[0]


USED = pd.Series({"7": 3, "10": 1, "9": 0, "x": 6})
FILES = Path("a/ratings.csv"), Path("a/items.csv")


def test_a_few_unmatched_ids_are_told_and_many_are_a_warning():
    assert unmatched(USED, pd.Index(["x", "10", "7"]), "items", FILES) == ()
    (note,) = unmatched(USED * 10 + pd.Series({"7": 1, "10": -9, "9": 0, "x": 0}), pd.Index(["x", "7"]), "items", FILES)
    assert note.startswith("Warning: Items with interactions but no row of their own: 1 of 3, with 1.1% of the")
    assert note.endswith("ratings.csv has items such as 10; items.csv such as 7, x.")
    many = pd.Series(1, index=[f"i{n}" for n in range(30)])
    (note,) = unmatched(many, many.index[3:], "users", FILES)
    assert note.startswith("Users with interactions but no row of their own: 3 of 30, with 10.0% of the interactions;")
    (note,) = unmatched(many + 9 * (many.index == "i0"), many.index[1:], "users", FILES)
    assert note.startswith("Warning: Users with interactions but no row of their own: 1 of 30, with 25.6%")


def test_ids_that_match_nothing_stop_unless_they_are_to_be_kept():
    message = r"No id of items in a/ratings.csv is in a/items.csv. .* such as 10, 7, x; .* such as 07, a, b\. .*'keep'"
    with pytest.raises(InputError, match=message):
        unmatched(USED, pd.Index(["b", "a", "c", "07", "c"]), "items", FILES)
    (note,) = unmatched(USED, pd.Index(["a"]), "items", FILES, "keep")
    assert note.startswith("Warning: ")
    assert "3 of 3, with 100.0%" in note
