"""Each cleaning step against a slow obvious twin, its counts, and the list of steps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

import mmlib.catalogues.clean as cleaning
from mmlib import splits
from mmlib.catalogues.clean import clean, k_core, parse
from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError

PARTS = ("train", "valid", "test", "")
# user, item, part, time, rating
rows = st.tuples(
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(PARTS),
    st.sampled_from([np.nan, 0.0, 1.0, 2.0]),
    st.sampled_from([np.nan, 1.0, 3.0, 4.5, 5.0]),
)
logs = st.lists(rows, min_size=1, max_size=60)


def shop(log, n_users=8, n_items=8, titles=None, texts=None, images=None) -> Dataset:
    columns = [list(column) for column in zip(*log)] if log else [[]] * 5
    table = pd.DataFrame(dict(zip(("user", "item", "part", "time", "rating"), columns)))
    table = table.astype({"user": "int64", "item": "int64", "time": "float64", "rating": "float64"})
    table["review"] = [f"review {place}" for place in range(len(table))]
    items = pd.DataFrame({"id": [f"i{i}" for i in range(n_items)]})
    items = items.assign(title=titles or "t", text=texts or "", image=images or "", category="")
    return Dataset("tiny", pd.DataFrame({"id": [f"u{u}" for u in range(n_users)]}), items, table)


def buys(*pairs, **more) -> Dataset:
    return shop([(user, item, "", 0.0, 5.0) for user, item in pairs], **more)


def told(data: Dataset) -> set[tuple[str, str, str]]:
    """The interactions by their original ids and reviews."""
    table = data.interactions
    users, items = data.users["id"].to_numpy()[table["user"]], data.items["id"].to_numpy()[table["item"]]
    return set(zip(users, items, table["review"]))


def counts(before: Dataset, after: Dataset) -> str:
    a, b = before, after
    return (
        f": interactions {len(a.interactions)} -> {len(b.interactions)}, users {a.n_users} -> {b.n_users}, "
        f"items {a.n_items} -> {b.n_items}."
    )


def cleaned(data: Dataset, step: str) -> Dataset | None:
    """The step's result, once its note is seen to be right; nothing where it leaves nothing."""
    try:
        done = clean(data, [step])
    except InputError as error:
        if "leaves nothing of tiny" in str(error):
            return None
        raise
    assert len(done.notes) == len(data.notes) + 1
    assert done.notes[-1].startswith("Cleaning, ")
    assert done.notes[-1].endswith(counts(data, done))
    assert done.interactions.index.tolist() == list(range(len(done.interactions)))
    assert {done.interactions[name].dtype for name in ("user", "item")} == {np.dtype("int64")}
    return done


def slow_core(pairs: list[tuple[int, int]], least_user: int, least_item: int) -> list[int]:
    """Take one user or item with too few rows out at a time, until there is none."""
    left = list(range(len(pairs)))
    while True:
        for side, least in ((0, least_user), (1, least_item)):
            seen = [pairs[row][side] for row in left]
            poor = [one for one in seen if seen.count(one) < least]
            if poor:
                left = [row for row in left if pairs[row][side] != poor[0]]
                break
        else:
            return left


@settings(max_examples=30, deadline=None)
@forall(
    pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60),
    least_user=st.integers(0, 5),
    least_item=st.integers(0, 5),
)
def test_k_core_is_the_slow_twin(pairs, least_user, least_item):
    users, items = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    kept = k_core(users, items, (least_user, least_item))
    assert np.flatnonzero(kept).tolist() == slow_core(pairs, least_user, least_item)
    assert (kept.dtype, kept.shape) == (np.dtype(bool), (len(pairs),))


def test_k_core_unravels_a_chain_to_its_end():
    n = np.arange(200)
    users, items = np.concatenate([n, n]), np.concatenate([n, n + 1])  # a path: its ends have one row each
    assert not k_core(users, items, 2).any()
    assert k_core(np.append(users, [200, 200]), np.append(items, [0, 200]), 2).all()  # closed to a ring
    assert k_core(users, items, 1).all()


def test_k_core_refuses_what_cannot_be():
    users = np.array([0, 1])
    for core in (-1, 2.5, (1, 2, 3), (), "five", None, True):
        with pytest.raises(InputError, match=r"core = .* must be a whole number"):
            k_core(users, users, core)
    for ids in (np.array([-1, 0]), np.array([0.0, 1.0]), np.array(["a", "b"])):
        with pytest.raises(InputError, match="must be whole numbers from 0"):
            k_core(users, ids, 1)
    assert k_core(np.array([]), np.array([]), 5).tolist() == []
    with pytest.raises(InputError, match=r"users \(2,\) and items \(1,\) must be two lists of the same length"):
        k_core(users, users[:1], 1)


@settings(max_examples=25, deadline=None)
@forall(log=logs, least_user=st.integers(1, 4), least_item=st.integers(1, 4))
def test_core_keeps_only_users_and_items_with_interactions(log, least_user, least_item):
    data = shop(log)
    done = cleaned(data, f"core={least_user},{least_item}")
    kept = slow_core([row[:2] for row in log], least_user, least_item)
    if done is None:
        assert kept == []
        return
    assert told(done) == {(f"u{log[row][0]}", f"i{log[row][1]}", f"review {row}") for row in kept}
    assert done.users["id"].tolist() == sorted({f"u{log[row][0]}" for row in kept})
    assert done.items["id"].tolist() == sorted({f"i{log[row][1]}" for row in kept})


@settings(max_examples=25, deadline=None)
@forall(log=logs)
def test_once_keeps_the_first_part_and_there_the_earliest(log):
    data = shop(log)
    done = cleaned(data, "once")
    best: dict[tuple[int, int], tuple] = {}
    for row, (user, item, part, time, _) in enumerate(log):
        key = (PARTS.index(part), np.inf if np.isnan(time) else time, row)
        best[user, item] = min(best.get((user, item), key), key)
    assert told(done) == {(f"u{u}", f"i{i}", f"review {row}") for (u, i), (_, _, row) in best.items()}
    assert (done.n_users, done.n_items) == (8, 8)


def test_once_knows_other_names_of_parts_and_does_without_times():
    data = shop([(0, 0, "test", 0.0, 5.0), (0, 0, " Val", 9.0, 4.0), (0, 0, "dev", 9.0, 3.0)])
    assert clean(data, ["once"]).interactions["rating"].tolist() == [4.0]
    plain = replace(data, interactions=data.interactions[["user", "item", "part", "rating"]])
    assert clean(plain, ["once"]).interactions["rating"].tolist() == [4.0]


@settings(max_examples=30, deadline=None)
@forall(log=logs, least=st.sampled_from([1, 4, 4.5, 6]))
def test_rated_keeps_good_ratings(log, least):
    data = shop(log)
    if all(np.isnan(row[4]) for row in log):
        with pytest.raises(InputError, match=f"tiny has no ratings, so rated={least:g} cannot be done"):
            clean(data, [f"rated={least}"])
        return
    done = cleaned(data, f"rated={least}")
    kept = {(f"u{row[0]}", f"i{row[1]}", f"review {place}") for place, row in enumerate(log) if row[4] >= least}
    assert (told(done) if done else set()) == kept
    silent = sum(np.isnan(row[4]) for row in log)
    assert done is None or (f"({silent} had no rating)" in done.notes[-1]) == (silent > 0)


@settings(max_examples=25, deadline=None)
@forall(
    log=logs,
    facts=st.lists(
        st.tuples(st.sampled_from(["", " ", "t"]), st.sampled_from(["", "x"]), st.sampled_from(["", "p"])),
        min_size=8,
        max_size=8,
    ),
    picture=st.booleans(),
)
def test_described_drops_items_without_words(log, facts, picture):
    titles, texts, images = (list(column) for column in zip(*facts))
    data = shop(log, titles=titles, texts=texts, images=images)
    done = cleaned(data, "described=picture" if picture else "described")
    stay = [i for i in range(8) if (titles[i].strip() or texts[i]) and (images[i] or not picture)]
    kept = {(f"u{row[0]}", f"i{row[1]}", f"review {n}") for n, row in enumerate(log) if row[1] in stay}
    assert (told(done) if done else set()) == kept
    if done:
        assert done.items["id"].tolist() == [f"i{i}" for i in stay]
        assert done.n_users == 8


def test_steps_run_in_order():
    data = shop([(0, 0, "", 0.0, 5.0), (0, 0, "", 1.0, 5.0), (0, 1, "", 0.0, 2.0), (1, 1, "", 0.0, 5.0)])
    one = clean(data, ["once", "rated=4", "core=1"])
    assert told(one) == {("u0", "i0", "review 0"), ("u1", "i1", "review 3")}
    assert [note.split(":")[0] for note in one.notes] == [
        "Cleaning, repeated interactions once",
        "Cleaning, rated 4 or better",
        "Cleaning, 1-core",
    ]
    assert one.notes[-1] == "Cleaning, 1-core: interactions 2 -> 2, users 8 -> 2, items 8 -> 2."
    assert len(told(clean(data, ["core=2,1", "once"]))) == 2
    assert clean(data, []).interactions is data.interactions


def test_what_is_not_touched_stays():
    data = replace(buys((0, 0), (1, 1)), notes=("read",))
    before = data.interactions.copy()
    done = clean(data, ["core=1", "once"])
    assert done.notes[0] == "read"
    assert done.images is data.images
    pd.testing.assert_frame_equal(data.interactions, before)
    assert data.n_users == 8


def test_an_empty_result_is_refused_with_the_counts():
    with pytest.raises(
        InputError, match=r"leaves nothing of tiny. Cleaning, 3-core: interactions 2 -> 0, users 8 -> 0, items 8 -> 0"
    ):
        clean(buys((0, 0), (0, 1)), ["once", "core=3"])
    with pytest.raises(InputError, match="leaves nothing of tiny"):
        clean(shop([]), ["once"])


def test_a_split_dataset_is_refused_unless_nothing_changes():
    split = splits.random_by_user(clean(buys(*[(u, i) for u in range(4) for i in range(5)]), ["core=4"]))
    assert clean(split, ["once", "core=4", "rated=4"]) is split
    other = splits.random_by_user(buys(*[(u, i) for u in range(4) for i in range(5)]))
    with pytest.raises(
        InputError, match=r"tiny is already split \('random per user, 8:1:1'\).*users 8 -> 4, items 8 -> 5"
    ):
        clean(other, ["core=4"])


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ("core=5", (cleaning.core, [(5, 5)])),
        (" Core = 5, 3 ", (cleaning.core, [(5, 3)])),
        ("once", (cleaning.once, [])),
        ("rated=4", (cleaning.rated, [4.0])),
        ("described", (cleaning.described, [])),
        ("described=picture", (cleaning.described, [True])),
        ("same", (cleaning.same, [])),
        ("unescape", (cleaning.unescape, [])),
    ],
)
def test_how_a_step_is_written(step, meant):
    assert parse(step) == meant


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("cor=5", r"no step 'cor'. Did you mean \"core\"\? Steps: unescape, same, described=picture, once, rated=4, "),
        ("", "there is no step ''"),
        ("core", "the step 'core' needs a value, as in 'core=5'"),
        ("rated", "the step 'rated' needs a value"),
        ("core=five", "core = 'five' must be a whole number"),
        ("core=", "core = '' must be a whole number"),
        ("core=-1", "core = '-1' must be"),
        ("rated=good", "rated = 'good' must be a number"),
        ("rated=nan", "rated = 'nan' must be a number"),
        ("described=text", "described = 'text' is not known"),
        ("once=1", "the step 'once' takes no option"),
        (5, "5 is not a step"),
        (None, "None is not a step"),
        (("core", 5), "is not a step"),
    ],
)
def test_a_step_that_cannot_be(step, message):
    with pytest.raises(InputError, match=message):
        parse(step)


def test_steps_are_checked_before_any_work():
    with pytest.raises(InputError, match="no step 'onec'"):
        clean(buys((0, 0)), ["core=99", "onec"])
    for steps in ("core=5", {"core": 5}, None, 5):
        with pytest.raises(InputError, match="is not a list of steps"):
            clean(buys((0, 0)), steps)
