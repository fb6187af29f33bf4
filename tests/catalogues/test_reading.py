"""Ids in their order, twins in case, ids that match nothing, and the last steps of every reader."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmlib.catalogues.reading import Reading, case_twins, in_order, once
from mmlib.core.errors import InputError


def table(rows: list[tuple]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["user", "item", "part", "time"])
    return made.astype({"user": "category", "item": "category"})


def test_users_and_items_are_numbered_in_the_given_order():
    reading = Reading(name="d", notes=["first"])
    users, items = pd.DataFrame({"id": ["b", "B", "a"]}), pd.DataFrame({"id": ["y", "z", "x"]})
    rows = table([("a", "x", "", 1), ("b", "y", "", 2), ("a", "y", "", 3)])
    data = reading.dataset(rows, "f", users, items)
    assert data.interactions.to_numpy().tolist() == [[0, 0, "", 2], [2, 0, "", 3], [2, 2, "", 1]]
    assert data.interactions.dtypes[["user", "item"]].tolist() == [np.int64] * 2
    assert data.notes == (
        "first",
        "Ids of users that differ from another in upper and lower case alone: 1, such as b and B; kept apart.",
        "Users without an interaction: 1, such as B; kept.",
        "Items without an interaction: 1, such as z; kept.",
    )


def test_the_table_may_call_them_otherwise_than_their_ids():
    users, items = pd.DataFrame({"id": ["ann", "bob"]}), pd.DataFrame({"id": ["x"]})
    rows = table([("1", "x", "", 1), ("0", "x", "", 2)])
    data = Reading().dataset(rows, "f", users, items, ids=(pd.Index(["0", "1"]), None))
    assert data.interactions["user"].tolist() == [0, 1]
    assert data.interactions["time"].tolist() == [2, 1]


def test_each_pair_is_kept_once_like_its_slow_twin():
    rng = np.random.default_rng(0)
    rows = [
        (*rng.integers(4, size=2), ("train", "valid", "test", "")[rng.integers(4)], rng.integers(5)) for _ in range(60)
    ]
    notes: list[str] = []
    kept = once(pd.DataFrame(rows, columns=["user", "item", "part", "time"]), "f", notes)
    best: dict = {}
    for place, (user, item, part, time) in enumerate(rows):
        key = (("train", "valid", "test", "").index(part), time, place)
        best[user, item] = min(best.get((user, item), key), key)
    assert kept.to_numpy().tolist() == [
        list(rows[place]) for *_, place in sorted(best.values(), key=lambda key: key[2])
    ]
    assert notes[0].startswith(f"f: repeated interactions of the same user and item: {60 - len(best)};")
    across = sum(len({part for user, item, part, _ in rows if (user, item) == pair}) - 1 for pair in best)
    assert f"in several parts at once: {across};" in notes[1]


USED = pd.Series({"7": 3, "10": 1, "9": 0, "x": 6})
FILES = Path("a/ratings.csv"), Path("a/items.csv")


def matched(used: pd.Series, listed: pd.Index, what: str, choice: str = "stop") -> list[str]:
    reading = Reading(unmatched=choice)
    reading.match(used, listed, what, FILES)
    return reading.notes


def test_a_few_unmatched_ids_are_told_and_many_are_a_warning():
    assert matched(USED, pd.Index(["x", "10", "7"]), "items") == []
    (note,) = matched(USED * 10 + pd.Series({"7": 1, "10": -9, "9": 0, "x": 0}), pd.Index(["x", "7"]), "items")
    assert note.startswith("Warning: Items with interactions but no row of their own: 1 of 3, with 1.1% of the")
    assert note.endswith("ratings.csv has items such as 10; items.csv such as 7, x.")
    many = pd.Series(1, index=[f"i{n}" for n in range(30)])
    (note,) = matched(many, many.index[3:], "users")
    assert note.startswith("Users with interactions but no row of their own: 3 of 30, with 10.0% of the interactions;")
    (note,) = matched(many + 9 * (many.index == "i0"), many.index[1:], "users")
    assert note.startswith("Warning: Users with interactions but no row of their own: 1 of 30, with 25.6%")


def test_ids_that_match_nothing_stop_unless_they_are_to_be_kept():
    message = r"No id of items in a/ratings.csv is in a/items.csv. .* such as 10, 7, x; .* such as 07, a, b\. .*'keep'"
    with pytest.raises(InputError, match=message):
        matched(USED, pd.Index(["b", "a", "c", "07", "c"]), "items")
    (note,) = matched(USED, pd.Index(["a"]), "items", choice="keep")
    assert note.startswith("Warning: ")
    assert "3 of 3, with 100.0%" in note


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
