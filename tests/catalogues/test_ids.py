"""Ids in their order, and those that differ in case alone."""

import pandas as pd

from mmlib.catalogues.ids import case_twins, in_order


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
