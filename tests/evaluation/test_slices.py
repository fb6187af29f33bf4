import numpy as np
import pandas as pd
import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.evaluation import Slice, evaluate
from mmlib.evaluation.slices import HISTORY, chosen

from ..conftest import make_dataset


@pytest.fixture
def shop():
    """12 items of which item i was bought i times in training, by 24 users with 0 to 11 training purchases."""
    train = [(user, item) for item in range(12) for user in range(24 - item, 24)]
    rest = [(user, item) for user in range(24) for item in range(12) if (user, item) not in set(train)]
    rng = np.random.default_rng(0)
    parts = rng.choice(["", "valid", "test"], size=len(rest), p=[0.5, 0.2, 0.3]).tolist()
    parts[rest.index((23, 0))] = "test"  # the user with 11 training purchases has only this item left
    pairs = train + [pair for pair, part in zip(rest, parts) if part]
    data = make_dataset(np.array(pairs), ["train"] * len(train) + [part for part in parts if part], 24, 12)
    data.items["image"] = ["" if i % 3 == 0 else f"{i}.jpg" for i in range(12)]
    data.items["title"] = ["" if i in (2, 7) else f"Item {i}" for i in range(12)]
    data.items["text"] = ["words" if i == 7 else " " for i in range(12)]
    return data


@pytest.fixture
def vectors(shop) -> Embeddings:
    generator = torch.Generator().manual_seed(3)
    return Embeddings(*(torch.randn(n, 5, generator=generator) for n in (shop.n_users, shop.n_items)))


ITEMS = {
    "all": range(12),
    "few purchases": range(0, 3),
    "tail": range(0, 4),
    "head": range(4, 12),
    "cold items": [0],
    "no picture": [0, 3, 6, 9],
    "no text": [2],
}


def slow(shop, vectors, k: int, items, users) -> pd.DataFrame:
    """Recall and MRR of each user over some positives, by their definitions."""
    rows = []
    for user in sorted(users):
        positives = {int(i) for u, i in shop.test if u == user} & set(items)
        hidden = {int(i) for u, i in [*shop.train, *shop.valid] if u == user}
        rating = (vectors.items @ vectors.users[user]).tolist()
        ranked = sorted(set(range(12)) - hidden, key=lambda i: -rating[i])[:k]
        hits = [place for place, item in enumerate(ranked, 1) if item in positives]
        if positives:
            rows.append((user, len(positives), len(hits) / len(positives), 1 / hits[0] if hits else 0.0))
    return pd.DataFrame(rows, columns=["user", "positives", "recall@3", "mrr@3"])


@pytest.mark.parametrize("name", ITEMS)
def test_a_slice_of_items_counts_its_positives_only(shop, vectors, name: str) -> None:
    scores = evaluate(vectors, shop, k=[3], few=2, slices=[name])
    expected = slow(shop, vectors, 3, ITEMS[name], range(24))
    found = scores.per_user[list(expected)]
    assert len(expected) > 0
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert set(scores.per_user["slice"]) == {name}


def test_users_by_history_partition_everyone(shop, vectors) -> None:
    scores = evaluate(vectors, shop, k=[3], slices=["history"])
    bought = np.bincount(shop.train[:, 0], minlength=24)
    for name, (low, high) in HISTORY.items():
        users = [user for user in range(24) if low <= bought[user] <= high]
        expected = slow(shop, vectors, 3, range(12), users)
        found = scores.per_user[scores.per_user["slice"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[list(expected)], expected, check_dtype=False)
    everyone = evaluate(vectors, shop, k=[3], slices="all").per_user
    assert sorted(scores.per_user["user"]) == sorted(everyone["user"])
    assert set(scores.per_user["slice"]) == {"history 0", "history 1-5", "history 6-10", "history 11-20"}


def test_histories_of_any_length_are_in_one_slice() -> None:
    for count in (0, 1, 5, 6, 10, 11, 20, 21, 10**9):
        assert sum(low <= count <= high for low, high in HISTORY.values()) == 1, count


def test_slices_by_default_are_those_that_say_something(shop, vectors, blocks) -> None:
    scores = evaluate(vectors, shop, k=[3])
    found = scores.per_user["slice"].unique().tolist()
    assert found[:2] == ["all", "few purchases"]
    assert set(found) == {*ITEMS, *HISTORY} - {"history >20"}
    plain = Embeddings(torch.randn(24, 3), torch.randn(20, 3))
    names = evaluate(plain, blocks, k=[3]).about["slices"]
    # no picture in the whole catalogue, a title for every item, 7 purchases for every user, no rare item
    assert "no picture" not in names
    assert "no text" not in names
    assert not any(name.startswith("history") for name in names)
    assert list(names)[:2] == ["all", "few purchases"]


def test_asking_for_more_slices_leaves_the_others_as_they_are(shop, vectors) -> None:
    two = evaluate(vectors, shop, slices=("all", "few purchases")).means()
    more = evaluate(vectors, shop).means().head(len(two))
    pd.testing.assert_frame_equal(more, two)


def test_a_rule_of_ones_own(shop, vectors) -> None:
    odd = Slice("odd", "items with odd ids", items=np.arange(12) % 2 == 1)
    late = Slice("late", "users from 12", users=np.arange(24) >= 12)
    scores = evaluate(vectors, shop, k=[3], slices=[odd, late])
    expected = slow(shop, vectors, 3, range(1, 12, 2), range(24))
    assert scores.mean("mrr@3", "odd") == pytest.approx(expected["mrr@3"].mean())
    assert scores.mean("mrr@3", "late") == pytest.approx(
        slow(shop, vectors, 3, range(12), range(12, 24))["mrr@3"].mean()
    )
    assert "odd: items with odd ids; late: users from 12" in scores.note()


def test_lists_of_a_slice(shop, vectors) -> None:
    late = Slice("late", "users from 12", users=np.arange(24) >= 12)
    scores = evaluate(vectors, shop, k=[3], slices=["all", "tail", late])
    lists = {}
    for user in scores.per_user["user"].unique():
        hidden = {int(i) for u, i in [*shop.train, *shop.valid] if u == user}
        rating = (vectors.items @ vectors.users[user]).tolist()
        lists[int(user)] = sorted(set(range(12)) - hidden, key=lambda i: -rating[i])[:3]
    places = [item for one in lists.values() for item in one]
    of_late = [item for user, one in lists.items() if user >= 12 for item in one]
    assert scores["coverage@3"] == len(set(places)) / 12
    assert scores.mean("coverage@3", "late") == len(set(of_late)) / 12
    assert scores.mean("coverage@3", "tail") == len({i for i in places if i < 4}) / 4
    assert scores.mean("share@3", "tail") == pytest.approx(sum(i < 4 for i in places) / len(places))
    assert scores.mean("popularity@3", "late") == pytest.approx(np.mean(of_late))  # item i was bought i times
    assert scores.mean("relative popularity@3") == pytest.approx(np.mean(places) / 5.5)


def test_wrong_slices_are_named(shop, vectors) -> None:
    with pytest.raises(InputError, match=r"slices = 'tial' is not known.*'tail'"):
        chosen(shop, ["all", "tial"])
    with pytest.raises(InputError, match="'all' more than once"):
        chosen(shop, ["all", "all"])
    with pytest.raises(InputError, match="slices is empty"):
        chosen(shop, [])
    with pytest.raises(InputError, match="a bool for each of the 12 items"):
        chosen(shop, [Slice("short", "too short", items=np.ones(3, dtype=bool))])
    with pytest.raises(InputError, match="a bool for each of the 24 users"):
        evaluate(vectors, shop, slices=[Slice("whole", "numbers", users=np.ones(24))])


def test_an_empty_slice_that_was_asked_for_has_no_rows(shop, vectors) -> None:
    scores = evaluate(vectors, shop, k=[3], slices=["all", "history >20"])
    assert set(scores.per_user["slice"]) == {"all"}
    assert np.isnan(scores.mean("recall@3", "history >20"))
    assert set(scores.lists["slice"]) == {"all"}
