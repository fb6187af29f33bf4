"""Splits against a slow per-user twin, and the promises of their docstrings."""

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError


def catalogue(pairs, parts=None, n_items=40, **more) -> Dataset:
    pairs = np.array(sorted(set(pairs)) if parts is None else pairs, dtype=np.int64).reshape(-1, 2)
    n_users = int(pairs[:, 0].max()) + 1 if len(pairs) else 0
    items = pd.DataFrame(
        {"id": [f"i{i}" for i in range(n_items)], "title": "", "text": "", "image": "", "category": ""}
    )
    table = pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1], "part": parts if parts is not None else "", **more})
    return Dataset("tiny", pd.DataFrame({"id": [f"u{u}" for u in range(n_users)]}), items, table)


def histories(*lengths: int) -> Dataset:
    pairs = [(user, item) for user, n in enumerate(lengths) for item in range(n)]
    return catalogue(pairs, n_items=max(40, *lengths))


def sizes(data: Dataset, part: str) -> list[int]:
    return np.bincount(data.part(part)[:, 0], minlength=data.n_users).tolist()


def slow_sizes(n: int, ratio: str, valid: float) -> tuple[int, int, int]:
    """The rounding, one user at a time, as the docstring says it."""
    numbers = [int(number) for number in ratio.replace("/", ":").split(":")]

    def rounded(value: Fraction) -> int:
        return max(1, floor(value + Fraction(1, 2)))

    if n < 3:
        return n, 0, 0
    test = rounded(n * Fraction(numbers[-1], sum(numbers)))
    test = min(test, n - 2)
    rest = n * Fraction(numbers[1], sum(numbers)) if len(numbers) == 3 else (n - test) * Fraction(str(valid))
    chosen = min(rounded(rest), n - 1 - test)
    return n - test - chosen, chosen, test


pair_sets = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 30)), min_size=12, max_size=150)


@settings(max_examples=15, deadline=None)
@forall(
    pairs=pair_sets,
    ratio=st.sampled_from(["8:1:1", "80/20", "7:1:2", "1:8:8", "1/9"]),
    valid=st.sampled_from([0.1, 0.25, 0.9]),
    seed=st.integers(0, 2**40),
)
def test_every_user_is_split_as_the_docstring_says(pairs, ratio, valid, seed):
    data = catalogue(pairs | {(9, 0), (9, 1), (9, 2)})
    split = splits.random_by_user(data, ratio, seed=seed, valid=valid)
    n = np.bincount(data.interactions["user"], minlength=data.n_users)
    expected = [slow_sizes(int(count), ratio, valid) for count in n]
    for place, part in enumerate(("train", "valid", "test")):
        assert sizes(split, part) == [row[place] for row in expected]
    parts = [set(map(tuple, split.part(part).tolist())) for part in ("train", "valid", "test")]
    assert set.union(*parts) == set(map(tuple, data.interactions[["user", "item"]].to_numpy().tolist()))
    assert sum(map(len, parts)) == len(data.interactions)


@settings(max_examples=15, deadline=None)
@forall(pairs=pair_sets, seed=st.integers(0, 99), order=st.randoms())
def test_row_order_does_not_matter(pairs, seed, order):
    data = catalogue(pairs | {(9, 0), (9, 1), (9, 2)})
    rows = list(range(len(data.interactions)))
    order.shuffle(rows)
    other = replace(data, interactions=data.interactions.iloc[rows].reset_index(drop=True))
    assert splits.random_by_user(data, seed=seed).split == splits.random_by_user(other, seed=seed).split


def test_the_draw_is_the_same_on_every_machine():
    assert splits.random_by_user(histories(*range(3, 30)), seed=7).split.hashes == {
        "train": "dc86044e233a8ec7",
        "valid": "eb2639961b6881ff",
        "test": "582b4a982a6a774d",
    }


def test_the_draw_is_uniform_and_depends_on_the_seed():
    data = catalogue([(user, item) for user in range(2000) for item in range(10)], n_items=10)
    tested = splits.random_by_user(data, seed=1).test
    counts = np.bincount(tested[:, 1], minlength=10)
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)
    assert not np.array_equal(tested, splits.random_by_user(data, seed=2).test)


def test_short_histories_stay_in_train_and_are_counted():
    split = splits.random_by_user(histories(1, 2, 5, 10))
    assert (sizes(split, "train"), sizes(split, "valid"), sizes(split, "test")) == (
        [1, 2, 3, 8],
        [0, 0, 1, 1],
        [0, 0, 1, 1],
    )
    assert "Users with fewer than three interactions, in the training part only: 2." in " ".join(split.notes)
    assert split.split.protocol == "random per user, 8:1:1"


def test_80_20_takes_its_validation_part_from_train():
    split = splits.random_by_user(histories(10, 100), "80/20", valid=0.1)
    assert (sizes(split, "train"), sizes(split, "valid"), sizes(split, "test")) == ([7, 72], [1, 8], [2, 20])
    assert "10% of train" in split.split.protocol


def test_a_repeated_pair_goes_to_one_part():
    data = histories(12)
    twice = replace(data, interactions=pd.concat([data.interactions, data.interactions], ignore_index=True))
    split = splits.random_by_user(twice)
    assert split.split.hashes == splits.random_by_user(data).split.hashes
    assert split.interactions.groupby("item")["part"].nunique().max() == 1


@pytest.mark.parametrize("ratio", ["8", "8:0:2", "a/b", "", "8:1:1:1", "-8:1:1", "0.8:0.2"])
def test_a_ratio_that_cannot_be(ratio):
    with pytest.raises(InputError, match="is not a split"):
        splits.random_by_user(histories(5), ratio)


def test_a_seed_or_share_that_cannot_be():
    with pytest.raises(InputError, match="seed = -1"):
        splits.random_by_user(histories(5), seed=-1)
    for valid in (0, 1, float("nan")):
        with pytest.raises(InputError, match="valid = "):
            splits.random_by_user(histories(5), "80/20", valid=valid)


def test_an_empty_part_is_refused():
    with pytest.raises(InputError, match="The valid part of tiny is empty"):
        splits.random_by_user(histories(1, 2, 2))
    with pytest.raises(InputError, match="part of tiny is empty"):
        splits.random_by_user(catalogue([]))


def test_given_reads_all_names_of_parts():
    parts = ["Train", "training", "val", "Validation ", "dev", "test", "TESTING"]
    split = splits.given(catalogue([(0, item) for item in range(7)], parts))
    assert split.split.counts == {"train": 2, "valid": 3, "test": 2}
    assert (split.split.protocol, split.split.seed) == ("given with the data", None)


def test_given_makes_a_validation_part_from_train():
    pairs = [(0, item) for item in range(12)] + [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    parts = ["train"] * 10 + ["test"] * 2 + ["train", "test"] + ["train", "train", "test"]
    data = catalogue(pairs, parts)
    split = splits.given(data, seed=3)
    assert (sizes(split, "train"), sizes(split, "valid"), sizes(split, "test")) == ([9, 1, 1], [1, 0, 1], [2, 1, 1])
    assert (
        split.split.hashes["test"]
        == data.with_parts(
            ["valid" if place == 0 else part for place, part in enumerate(parts)], "", None
        ).split.hashes["test"]
    )
    assert (split.split.seed, splits.given(data, seed=3).split) == (3, split.split)
    assert any(splits.given(data, seed=seed).split.hashes != split.split.hashes for seed in range(9))


def test_given_counts_users_seen_only_in_test():
    split = splits.given(catalogue([(0, 0), (0, 1), (1, 2), (2, 0)], ["train", "val", "test", "test"]))
    assert split.split.unseen["test users"] == 2
    assert "Users of the test part without a training interaction: 2." in " ".join(split.notes)


def test_given_keeps_a_pair_in_the_first_part_that_has_it():
    pairs = [(0, 0), (0, 1), (0, 2), (0, 0), (0, 1)]
    split = splits.given(catalogue(pairs, ["test", "valid", "test", "train", "test"]))
    assert [split.part(part).tolist() for part in ("train", "valid", "test")] == [[[0, 0]], [[0, 1]], [[0, 2]]]
    assert "Interactions that were in an earlier part too: 2;" in " ".join(split.notes)


def test_given_refuses_what_it_cannot_read():
    with pytest.raises(InputError, match="brings no split of its own"):
        splits.given(histories(4))
    with pytest.raises(InputError, match="1 interactions of tiny are in a part called 'holdout'"):
        splits.given(catalogue([(0, 0), (0, 1)], ["train", "holdout"]))
    with pytest.raises(InputError, match="in a part called ''"):
        splits.given(catalogue([(0, 0), (0, 1)], ["train", ""]))
    with pytest.raises(InputError, match="The test part of tiny is empty"):
        splits.given(catalogue([(0, 0), (0, 1)], ["train", "valid"]))


def test_given_keeps_and_checks_a_passport():
    split = splits.random_by_user(histories(9, 9), seed=4)
    assert splits.given(split) is split
    swapped = split.interactions.assign(part=split.interactions["part"].to_numpy()[::-1])
    with pytest.raises(InputError, match="do not fit its passport"):
        splits.given(replace(split, interactions=swapped))


def test_by_name():
    data = histories(10, 10)
    assert splits.by_name(data, "8:1:1", 5).split == splits.random_by_user(data, "8:1:1", seed=5).split
    assert splits.by_name(data, "80/20", 5).split == splits.random_by_user(data, "80/20", seed=5).split
    with pytest.raises(InputError, match=r'Did you mean "80/20"'):
        splits.by_name(data, "80/2")
    with pytest.raises(InputError, match="brings no split"):
        splits.by_name(data, "given")
