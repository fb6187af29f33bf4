"""Splits in time against slow per-user twins: sizes, order, ties, repeats, and the recorded hashes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError

from .test_protocols import catalogue, slow_sizes

# user, item, moment: few moments, so that many are equal
logs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 15), st.integers(0, 20)), min_size=12, max_size=120)
ratios = st.sampled_from(["8:1:1", "80/20", "7:1:2", "1:8:8", "1/9"])


def timed(log) -> Dataset:
    """The log, and a user and moments of its own for each part, so that no part is empty."""
    log = [(6, 16, -3), (6, 17, 30), (6, 18, 40), *log]
    users, items, moments = zip(*log)
    return catalogue(list(zip(users, items)), [""] * len(log), time=np.array(moments, dtype=np.int64))


def example() -> Dataset:
    """300 fixed interactions of 12 users and 40 items at 90 moments."""
    n = np.arange(300)
    return catalogue(list(zip(n % 12, (n * 7 + n // 40) % 40)), [""] * 300, time=(n * 37) % 90 * 86_400)


def first_of_pairs(data: Dataset) -> list[tuple[int, int, int]]:
    """Slow twin: each pair's earliest moment, as (user, moment, item), sorted."""
    earliest: dict[tuple[int, int], int] = {}
    for row in data.interactions.itertuples():
        pair = (row.user, row.item)
        earliest[pair] = min(earliest.get(pair, row.time), row.time)
    return sorted((user, moment, item) for (user, item), moment in earliest.items())


def slow_by_user(data: Dataset, sizes_of) -> list[list[list[int]]]:
    """Slow twin: the pairs of train, valid and test; ``sizes_of(n)`` says how many of a user's n go to each."""
    parts: list[list[list[int]]] = [[], [], []]
    for user in range(data.n_users):
        mine = [item for who, _, item in first_of_pairs(data) if who == user]
        at = 0
        for part, size in zip(parts, sizes_of(len(mine))):
            part += [[user, item] for item in mine[at : at + size]]
            at += size
    return [sorted(part) for part in parts]


def pairs_of(split: Dataset) -> list[list[list[int]]]:
    return [split.part(part).tolist() for part in ("train", "valid", "test")]


@settings(max_examples=20, deadline=None)
@forall(log=logs, ratio=ratios, valid=st.sampled_from([0.1, 0.25, 0.9]))
def test_time_per_user_is_the_slow_twin(log, ratio, valid):
    data = timed(log)
    split = splits.temporal_by_user(data, ratio, valid=valid)
    assert pairs_of(split) == slow_by_user(data, lambda n: slow_sizes(n, ratio, valid))
    table = split.interactions
    assert table.groupby(["user", "item"]).size().max() == 1
    for _, mine in table.groupby("user"):
        last = {part: rows["time"].max() for part, rows in mine.groupby("part")}
        first = {part: rows["time"].min() for part, rows in mine.groupby("part")}
        assert last["train"] <= first.get("valid", np.inf)
        assert last.get("valid", -np.inf) <= first.get("test", np.inf)


@settings(max_examples=20, deadline=None)
@forall(log=logs)
def test_leave_one_out_is_the_slow_twin(log):
    data = timed(log)
    split = splits.leave_one_out(data)
    assert pairs_of(split) == slow_by_user(data, lambda n: (n - 2, 1, 1) if n > 2 else (n, 0, 0))
    assert (split.split.protocol, split.split.seed) == ("leave-one-out, the last in time", None)


@settings(max_examples=25, deadline=None)
@forall(log=logs, seed=st.integers(0, 2**40))
def test_leave_one_out_at_random_takes_one_of_each_user(log, seed):
    data = timed(log)
    split = splits.leave_one_out(data, "random", seed=seed)
    n = np.array([len({item for who, _, item in first_of_pairs(data) if who == user}) for user in range(data.n_users)])
    for part in ("valid", "test"):
        assert np.bincount(split.part(part)[:, 0], minlength=data.n_users).tolist() == (n > 2).astype(int).tolist()
    assert sorted(pair for part in pairs_of(split) for pair in part) == sorted(
        [user, item] for user, _, item in first_of_pairs(data)
    )
    assert (split.split.protocol, split.split.seed) == ("leave-one-out, at random", seed)


@settings(max_examples=20, deadline=None)
@forall(log=logs, ratio=ratios, valid=st.sampled_from([0.1, 0.25, 0.9]))
def test_global_time_is_the_slow_twin(log, ratio, valid):
    data = timed(log)
    kept = sorted((moment, user, item) for user, moment, item in first_of_pairs(data))
    n_train, n_valid, _ = slow_sizes(len(kept), ratio, valid)
    first_valid, first_test = kept[n_train][0], kept[n_train + n_valid][0]
    expected: list[list[list[int]]] = [[], [], []]
    for moment, user, item in kept:
        expected[(moment >= first_valid) + (moment >= first_test)].append([user, item])
    if not all(expected):
        with pytest.raises(InputError, match=r"interactions happened at .* leaves nothing for the"):
            splits.global_time(data, ratio, valid=valid)
        return
    split = splits.global_time(data, ratio, valid=valid)
    assert pairs_of(split) == [sorted(part) for part in expected]
    assert split.interactions.groupby("time")["part"].nunique().max() == 1
    for place, part in enumerate(("valid", "test"), 1):
        for column, name in enumerate(("users", "items")):
            known = {pair[column] for pair in expected[0]}
            unknown = {pair[column] for pair in expected[place]} - known
            assert split.split.unseen[f"{part} {name}"] == len(unknown)


@pytest.mark.parametrize(
    "name", ["leave-one-out", "leave-one-out random", "time per user 8:1:1", "global time 8:1:1", "global time 70/30"]
)
@settings(max_examples=10, deadline=None)
@forall(order=st.randoms())
def test_row_order_does_not_matter(name, order):
    data = example()
    rows = list(range(len(data.interactions)))
    order.shuffle(rows)
    other = replace(data, interactions=data.interactions.iloc[rows].reset_index(drop=True))
    assert splits.by_name(data, name, 3).split == splits.by_name(other, name, 3).split


RECORDED = {
    "leave-one-out": ("ee01cb26104c082c", "cc7a7f720eb50285", "aa3e603e177e5712"),
    "leave-one-out random": ("fccef8b64cadbe80", "b06ff245ed090149", "f1191c8e6f1efc66"),
    "time per user 8:1:1": ("81978d3bccab3ffa", "81e1fcf3317a6cd5", "4a8373e0742f8f15"),
    "global time 8:1:1": ("7c97739a1a777386", "f783da4d16daedbb", "f82cb72369b4b33e"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_split_is_the_same_on_every_machine(name):
    assert tuple(splits.by_name(example(), name, 7).split.hashes.values()) == RECORDED[name]


def test_equal_moments_are_put_in_the_order_of_items_and_counted():
    data = catalogue([(0, 3), (0, 1), (0, 2), (0, 0), (1, 0), (1, 1), (1, 2)], [""] * 7, time=[5, 5, 5, 1, 1, 2, 3])
    split = splits.leave_one_out(data)
    assert pairs_of(split) == [[[0, 0], [0, 1], [1, 0]], [[0, 2], [1, 1]], [[0, 3], [1, 2]]]
    assert "Users whose cut falls between interactions of the same moment: 1 of 2;" in " ".join(split.notes)


def test_a_moment_is_not_rounded():
    data = catalogue([(0, 2), (0, 1), (0, 0)], [""] * 3, time=[2**60, 2**60 + 1, 2**60 + 2])
    assert pairs_of(splits.leave_one_out(data)) == [[[0, 2]], [[0, 1]], [[0, 0]]]
    half = catalogue([(0, 2), (0, 1), (0, 0)], [""] * 3, time=[1.0, 1.25, 1.5])
    assert pairs_of(splits.leave_one_out(half)) == [[[0, 2]], [[0, 1]], [[0, 0]]]


def test_later_repeats_are_dropped_and_counted():
    data = catalogue([(0, 0), (0, 1), (0, 2), (0, 0), (0, 0)], [""] * 5, time=[9, 2, 3, 1, 8])
    for split in (splits.leave_one_out(data), splits.temporal_by_user(data), splits.global_time(data)):
        assert pairs_of(split) == [[[0, 0]], [[0, 1]], [[0, 2]]]
        assert split.interactions["time"].tolist() == [2, 3, 1]
        assert "Repeated interactions of the same user and item: 2; the earliest of each is kept." in split.notes


def test_short_histories_stay_in_train_and_are_counted():
    data = catalogue([(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2)], [""] * 6, time=range(6))
    for name in ("leave-one-out", "leave-one-out random", "time per user 8:1:1"):
        split = splits.by_name(data, name)
        assert split.split.counts == {"train": 4, "valid": 1, "test": 1}
        assert "Users with fewer than three interactions, in the training part only: 2." in split.notes


def test_global_time_says_where_it_cut_and_who_is_new():
    day = 86_400
    data = catalogue([(0, item) for item in range(9)] + [(1, 0)], [""] * 10, time=[*range(0, 9 * day, day), 40 * day])
    split = splits.global_time(data)
    assert split.split.protocol == "global time, 8:1:1"
    assert split.split.counts == {"train": 8, "valid": 1, "test": 1}
    assert split.split.unseen == {"valid users": 0, "valid items": 1, "test users": 1, "test items": 0}
    notes = " ".join(split.notes)
    assert "Cut in time: validation from 1970-01-09 00:00:00, test from 1970-02-10 00:00:00 (UTC)." in notes
    assert "Users of the test part without a training interaction: 1." in notes


def test_a_crowded_moment_is_named():
    data = catalogue([(0, item) for item in range(10)], [""] * 10, time=[0] * 10)
    with pytest.raises(InputError, match=r"10 of 10 interactions happened at 1970-01-01 00:00:00.*the training part"):
        splits.global_time(data)
    data = catalogue([(0, item) for item in range(10)], [""] * 10, time=[0, 1, 2, 3, 4, 5, 6, 7, 9, 9])
    assert splits.global_time(data, "7:1:2").split.counts == {"train": 7, "valid": 1, "test": 2}
    with pytest.raises(InputError, match=r"2 of 10 .* nothing for the validation part.*'time per user 8:1:1'"):
        splits.global_time(data)
    with pytest.raises(InputError, match="has 2 interactions, too few"):
        splits.global_time(catalogue([(0, 0), (0, 1)], ["", ""], time=[0, 1]))


@pytest.mark.parametrize("name", ["leave-one-out", "time per user 8:1:1", "global time 8:1:1"])
def test_times_that_are_missing(name):
    data = example()
    with pytest.raises(InputError, match=rf"tiny does not say when .* split='{name[:10]}.* choose split='8:1:1'"):
        splits.by_name(replace(data, interactions=data.interactions.drop(columns="time")), name)
    for kind in ("float64", "Int64"):
        time = data.interactions["time"].astype(kind)
        time[5:8] = pd.NA if kind == "Int64" else np.nan
        with pytest.raises(InputError, match="3 of 300 interactions of tiny have no time"):
            splits.by_name(replace(data, interactions=data.interactions.assign(time=time)), name)


def test_what_cannot_be():
    with pytest.raises(InputError, match=r"order = 'tim' .*Did you mean \"time\""):
        splits.leave_one_out(example(), "tim")
    with pytest.raises(InputError, match="seed = -1 is negative"):
        splits.leave_one_out(example(), "random", seed=-1)
    for split in (splits.temporal_by_user, splits.global_time):
        with pytest.raises(InputError, match="is not a split"):
            split(example(), "8:0:2")
        with pytest.raises(InputError, match="valid = 1 must lie"):
            split(example(), "80/20", valid=1)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Leave One_Out", "leave-one-out"),
        ("leave-one-out time", "leave-one-out"),
        (" TIME-per-user  8 : 1 : 1", "time per user 8:1:1"),
        ("global_time 80 / 20", "global time 80/20"),
        ("8 :1: 1 ", "8:1:1"),
        ("Cold-Items", "cold items"),
        ("cold items 20 %", "cold items"),
    ],
)
def test_a_name_may_be_written_freely(written, same):
    assert splits.check(written) == written
    assert splits.by_name(example(), written, 2).split == splits.by_name(example(), same, 2).split


@pytest.mark.parametrize("name", splits.NAMES)
def test_every_example_is_a_name_and_its_protocol_says_so(name):
    splits.check(name)
    if name == "given":
        return
    protocol = splits.by_name(example(), name).split.protocol
    assert ("time" in protocol) == ("time" in name or name == "leave-one-out")
    assert ("cold items" in protocol) == ("cold" in name)


@pytest.mark.parametrize(
    "name",
    [
        "8:1",
        "80/2",
        "8:1:1:1",
        "0:5:5",
        "time",
        "global time",
        "cold items 0%",
        "cold items 120%",
        "8:" + "1" * 5000,
        "",
        None,
        "٨:1:1",
    ],
)
def test_a_name_that_is_not_known(name):
    with pytest.raises(InputError, match=r"is not known; choose one of '8:1:1', .* or another ratio that adds up"):
        splits.check(name)
