"""The last steps of every reader."""

import numpy as np
import pandas as pd

from mmlib.catalogues.assemble import dataset, once


def table(rows: list[tuple]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["user", "item", "part", "time"])
    return made.astype({"user": "category", "item": "category"})


def test_users_and_items_are_numbered_in_the_given_order():
    notes = ["first"]
    users, items = pd.DataFrame({"id": ["b", "B", "a"]}), pd.DataFrame({"id": ["y", "z", "x"]})
    data = dataset(
        "d", table([("a", "x", "", 1), ("b", "y", "", 2), ("a", "y", "", 3)]), users, items, notes, source="f"
    )
    assert data.interactions.to_numpy().tolist() == [[0, 0, "", 2], [2, 0, "", 3], [2, 2, "", 1]]
    assert data.interactions.dtypes[["user", "item"]].tolist() == [np.int64] * 2
    assert data.notes == (
        "first",
        "Ids of users that differ from another in upper and lower case alone: 1, such as b and B; kept apart.",
        "Users without an interaction: 1; kept.",
        "Items without an interaction: 1, such as z; kept.",
    )


def test_the_table_may_call_them_otherwise_than_their_ids():
    users, items = pd.DataFrame({"id": ["ann", "bob"]}), pd.DataFrame({"id": ["x"]})
    rows = table([("1", "x", "", 1), ("0", "x", "", 2)])
    data = dataset("d", rows, users, items, [], source="f", user_ids=pd.Index(["0", "1"]))
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
