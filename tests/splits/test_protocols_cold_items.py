"""Items held out of training entirely: whole items, halves, the draw, and what a passport says of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.core.errors import InputError

from .test_protocols import catalogue
from .test_protocols_by_time import example, pairs_of

pair_sets = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 30)), min_size=20, max_size=150)


def slow_cold(pairs, share: float, seed: int) -> list[list[list[int]]]:
    """One item at a time: those with the smallest numbers of the raw stream are held out, the first half to valid."""
    items = sorted({item for _, item in pairs})
    numbers = [int(number) for number in np.random.PCG64(seed).random_raw(len(items))]
    drawn = [item for _, item in sorted(zip(numbers, items))]
    n_held = max(2, int(len(items) * share + 0.5))
    n_valid = (n_held + 1) // 2
    parts: list[list[list[int]]] = [[], [], []]
    for user, item in sorted(pairs):
        place = drawn.index(item)
        parts[1 if place < n_valid else 2 if place < n_held else 0].append([user, item])
    return parts


@settings(max_examples=20, deadline=None)
@forall(pairs=pair_sets, share=st.sampled_from([0.125, 0.25, 0.5]), seed=st.integers(0, 2**40))
def test_whole_items_are_held_out(pairs, share, seed):
    data = catalogue(pairs)
    split = splits.cold_items(data, share, seed=seed)
    assert pairs_of(split) == slow_cold(pairs, share, seed)
    items = [set(split.part(part)[:, 1].tolist()) for part in ("train", "valid", "test")]
    assert not items[0] & (items[1] | items[2])
    assert not items[1] & items[2]
    assert split.split.unseen["valid items"] == len(items[1])
    assert split.split.unseen["test items"] == len(items[2])
    known = set(split.train[:, 0].tolist())
    assert split.split.unseen["test users"] == len(set(split.test[:, 0].tolist()) - known)


@settings(max_examples=20, deadline=None)
@forall(pairs=pair_sets, seed=st.integers(0, 2**40))
def test_halves_of_interactions_hold_out_the_same_items(pairs, seed):
    data = catalogue(pairs)
    split = splits.cold_items(data, 0.25, seed=seed, halves="interactions")
    whole = splits.cold_items(data, 0.25, seed=seed)
    assert split.train.tolist() == whole.train.tolist()
    assert 0 <= len(split.valid) - len(split.test) <= 1
    assert sorted(pair for part in pairs_of(split) for pair in part) == sorted(map(list, pairs))


@settings(max_examples=10, deadline=None)
@forall(order=st.randoms(), halves=st.sampled_from(["items", "interactions"]))
def test_row_order_and_repeats_do_not_matter(order, halves):
    data = example()
    rows = list(range(len(data.interactions))) * 2
    order.shuffle(rows)
    other = replace(data, interactions=data.interactions.iloc[rows].reset_index(drop=True))
    split = splits.cold_items(other, seed=3, halves=halves)
    assert split.split == splits.cold_items(data, seed=3, halves=halves).split
    assert split.interactions.groupby(["user", "item"])["part"].nunique().max() == 1


def test_the_split_is_the_same_on_every_machine():
    hashes = [splits.cold_items(example(), seed=7, halves=of).split.hashes for of in ("items", "interactions")]
    assert tuple(hashes[0].values()) == ("f57f28216bcfd734", "aaeb8ee106bda668", "98e847484c67f406")
    assert tuple(hashes[1].values()) == ("f57f28216bcfd734", "a8415868cae94ee4", "e0c106f0aa1b4551")


def test_the_share_is_of_the_items_that_were_bought():
    data = catalogue([(user, item) for user in range(3) for item in range(25)], n_items=1000)
    split = splits.cold_items(data)
    assert split.split.counts == {"train": 60, "valid": 9, "test": 6}  # 5 of 25 items, the odd one to valid
    assert split.split.protocol == ("cold items, 20% of items held out, half of them for validation and half for test")
    assert split.split.seed == 0
    assert "Items held out of the training part: 5 of 25 that have an interaction." in split.notes


def test_every_item_is_as_likely_and_the_seed_matters():
    data = catalogue([(0, item) for item in range(12)], n_items=12)
    tests = [splits.cold_items(data, 0.5, seed=seed).test[:, 1].tolist() for seed in range(80)]
    counts = np.bincount(np.concatenate(tests), minlength=12)  # 3 of 12 items each time: 20 expected
    assert np.abs(counts - 20).max() < 4 * np.sqrt(20)
    assert tests[0] != tests[1]


def test_users_of_cold_items_alone_are_counted():
    pairs = [(user, item) for user in range(3) for item in range(10)]
    held = splits.cold_items(catalogue(pairs), seed=4).test[0, 1]
    split = splits.cold_items(catalogue([*pairs, (3, int(held))]), seed=4)
    assert split.split.unseen["test users"] == 1
    assert "Users of the test part without a training interaction: 1." in " ".join(split.notes)


def test_what_cannot_be():
    with pytest.raises(InputError, match=r"halves = 'item' .*Did you mean \"items\""):
        splits.cold_items(example(), halves="item")
    for share in (0, 1, float("nan")):
        with pytest.raises(InputError, match=r"share = .* must lie between 0 and 1"):
            splits.cold_items(example(), share)
    with pytest.raises(InputError, match="seed = -1 is negative"):
        splits.cold_items(example(), seed=-1)
    for pairs in ([], [(0, 0), (1, 0)], [(0, 0), (0, 1)]):
        with pytest.raises(InputError, match="part of tiny is empty"):
            splits.cold_items(catalogue(pairs))
