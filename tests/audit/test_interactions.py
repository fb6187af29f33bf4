"""Order in time, unseen users and items, repeats, the long tail and what a test part can resolve."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from mmlib.audit import interactions
from mmlib.audit.report import NotMade
from mmlib.audit.subject import Subject

from .audited import ROWS, found, ids, shop

ORDERED = [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24]  # each user in turn: train, train, valid, test


def test_training_after_the_same_users_test_is_a_leak_under_an_order_by_user():
    protocol = "temporal per user, 8:1:1"
    assert found(interactions.future, shop(ROWS, protocol=protocol, time=ORDERED)) == {}
    late = [*ORDERED[:4], 15, *ORDERED[5:]]  # u1 buys i1 after the test purchase of i4
    leak = found(interactions.future, shop(ROWS, protocol=protocol, time=late))["future in train"]
    assert (leak.severity, leak.count) == ("leak", 1)
    assert (leak.examples[0].users, leak.examples[0].items) == (("u1",), ("i1",))


def test_one_cut_for_all_forbids_training_after_the_first_test_interaction_of_anyone():
    protocol = "one global cut in time"
    assert found(interactions.future, shop(ROWS, protocol=protocol, time=ORDERED))["future in train"].count == 4
    cut = [1, 2, 30, 40, 3, 4, 30, 40, 5, 40, 30, 40]  # a training purchase at the very moment of the cut
    assert found(interactions.future, shop(ROWS, protocol=protocol, time=cut)) == {}


def test_a_random_split_makes_no_claim_and_a_claim_without_times_is_a_warning():
    with pytest.raises(NotMade, match="does not claim"):
        found(interactions.future, shop(ROWS, protocol="random per user", time=ORDERED))
    with pytest.raises(NotMade, match="have no time"):
        found(interactions.future, shop(ROWS, protocol="random per user"))
    assert found(interactions.future, shop(ROWS, protocol="temporal"))["time claimed but unknown"].severity == "warning"


def test_the_share_of_later_training_interactions_is_a_fact_of_every_timed_split():
    given = Subject(shop(ROWS, protocol="random", time=[5, 1, 2, 4, *ORDERED[4:]]))
    with pytest.raises(NotMade):
        list(interactions.future(given))
    assert given.facts["training interactions later than the user's first test interaction"] == "16.7%"


def test_a_pair_in_several_parts_is_a_leak_and_a_repeat_in_one_part_a_note():
    assert found(interactions.several_parts, shop(ROWS)) == found(interactions.repeated, shop(ROWS)) == {}
    leak = found(interactions.several_parts, shop([*ROWS, (1, 4, "train")]))["pairs in several parts"]
    assert (leak.severity, leak.count, ids(leak)) == ("leak", 1, [("i4",)])
    note = found(interactions.repeated, shop([*ROWS, (1, 1, "train"), (1, 1, "train")]))["repeated interactions"]
    assert (note.severity, note.count) == ("note", 2)


def test_users_and_items_without_training_are_counted_by_part():
    rows = [*ROWS, (3, 1, "test"), (0, 7, "test"), (1, 7, "test")]
    some = found(interactions.unseen, shop(rows))
    assert {kind: one.count for kind, one in some.items()} == {
        "users unseen in train (test)": 1,
        "items unseen in train (valid)": 1,  # i5
        "items unseen in train (test)": 1,  # i7
    }
    assert some["users unseen in train (test)"].examples[0].users == ("u3",)
    assert "33.3% of the part's" in some["items unseen in train (test)"].what
    seen = [row for row in ROWS if row[1] != 5]
    assert found(interactions.unseen, shop([*seen, (2, 1, "valid")])) == {}


def test_cold_items_are_only_noted_where_the_protocol_wants_them():
    cold = found(interactions.unseen, shop(ROWS, protocol="cold-start items, 20%"))
    assert cold["items unseen in train (valid)"].severity == "note"


def test_short_histories_are_those_of_test_users():
    note = found(interactions.short_histories, shop([*ROWS, *[(0, item, "train") for item in (4, 5, 6)]]))[
        "short histories"
    ]
    assert (note.count, [one.users for one in note.examples]) == (2, [("u1",), ("u2",)])


def test_the_long_tail_is_told_when_a_fifth_of_the_items_has_most_purchases():
    head = [(user, 0, "train") for user in range(30)] + [
        (user, item, "train") for user, item in enumerate(range(1, 10))
    ]
    data = shop([*head, (0, 5, "valid"), (1, 0, "test"), (2, 9, "test")], 10)
    given = Subject(data)
    (note,) = interactions.long_tail(given)
    assert (note.kind, note.count) == ("long tail", 9)
    assert given.facts["training interactions of the most popular 20 % of items"] == "79.5%"  # 31 of 39
    assert given.facts["test interactions of items with at most 5 training interactions"] == "50.0%"
    assert found(interactions.long_tail, shop(ROWS)) == {}


def test_one_item_alone_is_not_unequal():
    subject = Subject(shop([(0, 0, "train"), (1, 0, "valid"), (2, 0, "test")], 1))
    interactions.long_tail(subject)
    assert subject.facts["Gini of items' training interactions"] == 0


@settings(max_examples=50, deadline=None)
@forall(st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(any))
def test_gini_is_half_the_mean_absolute_difference_of_two_items_over_the_mean(counts):
    x = np.array(counts, dtype=float)
    slow = np.abs(x[:, None] - x[None]).sum() / (len(x) * (len(x) - 1)) / (2 * x.mean())
    assert interactions.gini(x) == pytest.approx(slow)


def test_a_small_test_part_is_a_warning_and_a_large_one_only_a_fact():
    assert found(interactions.resolution, shop(ROWS))["small test part"].count == 3
    many = shop([*ROWS, *[(user, item, "test") for user in range(900) for item in range(6) if user > 2]])
    given = Subject(many)
    assert list(interactions.resolution(given)) == []
    assert 0 < given.facts["smallest resolvable difference in Recall@20"] < interactions.SMALL


def test_the_resolvable_difference_has_the_power_that_it_claims():
    rng = np.random.Generator(np.random.PCG64(0))
    positives = rng.integers(1, 6, 600)
    q, delta = 0.2, interactions.resolvable(positives, 0.2)
    found_it = 0
    for _ in range(400):
        wins = rng.binomial(positives, q)  # purchases that exactly one method tells
        first = rng.binomial(wins, 0.5 + delta / (2 * q))
        found_it += stats.ttest_1samp((2 * first - wins) / positives, 0).pvalue < 0.05
    assert found_it / 400 == pytest.approx(0.8, abs=0.06)


def test_unknown_times_are_left_out():
    data = shop(ROWS, protocol="temporal per user", time=ORDERED)
    holes = data.interactions.assign(time=pd.Series([float("nan"), *ORDERED[1:]]))
    assert found(interactions.future, replace(data, interactions=holes)) == {}
