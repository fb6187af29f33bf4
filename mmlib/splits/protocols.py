"""The protocols: at random, by time, by items held out, or as the data were given."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd

from ..core.dataset import PARTS, Dataset
from ..core.errors import InputError, one_of
from ..core.subset import subset
from .parts import (
    PART_NAMES,
    Sizes,
    cut,
    cut_users,
    drawn,
    first_rows,
    noted,
    pairs_of,
    places,
    ratio_of,
    rounded,
    share_of,
    short_notes,
    times_of,
    unseen_notes,
)

ORDERS = ("time", "random")
HALVES = ("items", "interactions")


def random_by_user(data: Dataset, ratio: str = "8:1:1", *, seed: int = 0, valid: float = 0.1) -> Dataset:
    """Split each user's interactions at random.

    A user with n interactions gives n * share, rounded half up and at least one, to the test part and to the
    validation part. With three numbers (train:valid:test) both shares are of n. With two (train/test) the
    validation part is the share ``valid`` of what the test part leaves. Where that would leave nothing to
    train on, first the test part and then the validation part is cut until one training interaction is left.
    Users with fewer than three interactions stay wholly in the training part and are counted in ``notes``.

    The order is drawn from the raw stream of PCG64, which numpy promises never to change, over the sorted
    (user, item) pairs. So a split depends on the pairs and the seed alone: not on the machine, numpy's version
    or the order of the rows. A pair that occurs in several rows goes to one part.

    Args:
        ratio: ``"8:1:1"``, ``"80/20"`` or other positive whole numbers.
        seed: not negative.
        valid: share of the training interactions, in (0, 1); used when ``ratio`` has two numbers.

    Raises:
        InputError: for a ratio, share or seed that cannot be, and when a part would be empty.
    """
    sizes, said = ratio_of(ratio, valid)
    return _at_random(data, sizes, f"random per user, {said}", seed)


def leave_one_out(data: Dataset, order: str = "time", *, seed: int = 0) -> Dataset:
    """Each user's last interaction to the test part, the last but one to the validation part.

    Users with fewer than three interactions stay wholly in the training part and are counted in ``notes``. Equal
    moments and repeated pairs are treated as in ``temporal_by_user``, where the order is one of time.

    Args:
        order: ``"time"``, or ``"random"`` for any two interactions of each user, drawn as in ``random_by_user``.
        seed: for the random order.

    Raises:
        InputError: for an unknown order, missing times, a negative seed, and when a part would be empty.
    """
    if one_of("order", order, ORDERS) == "random":
        return _at_random(data, lambda n: (n >= 3, n >= 3), "leave-one-out, at random", seed)
    return _in_time(data, lambda n: (n >= 3, n >= 3), "leave-one-out, the last in time", "leave-one-out")


def temporal_by_user(data: Dataset, ratio: str = "8:1:1", *, valid: float = 0.1) -> Dataset:
    """Split each user's interactions by time: the latest to the test part, those before them to the validation part.

    How many, and what becomes of short histories, is as in ``random_by_user``; a validation part that comes from train
    is its latest share. Interactions of a user at the same moment are put in the order of their items' numbers, which
    says nothing about time: many catalogues know the day only, and users whose cut falls inside such a moment are
    counted in ``notes``. Of a pair that occurs in several rows the earliest is kept; the others are counted too.

    The cut is each user's own, so the training part holds interactions later than others' test interactions; in
    ``global_time`` it does not.

    Args:
        ratio, valid: as in ``random_by_user``.

    Raises:
        InputError: for a ratio or share that cannot be, missing times, and when a part would be empty.
    """
    sizes, said = ratio_of(ratio, valid)
    return _in_time(data, sizes, f"time per user, {said}", f"time per user {ratio}")


def global_time(data: Dataset, ratio: str = "8:1:1", *, valid: float = 0.1) -> Dataset:
    """Split at one moment for all users: what comes later is judged by what came before, as it would be in use.

    The N interactions are put in the order of time. The test part should be N * share of them, rounded as in
    ``random_by_user``, and the validation part lies before it. Interactions of one moment are never parted: all that
    happened at the moment of the first interaction of a part belong to that part, so the later parts may be somewhat
    larger. The moments of the two cuts are in ``notes``. Users and items that only occur after the first cut stay and
    are counted in the passport's ``unseen``. Of a pair that occurs in several rows the earliest is kept.

    Args:
        ratio, valid: as in ``random_by_user``.

    Raises:
        InputError: for a ratio or share that cannot be, missing times, and when one moment is too crowded to cut.
    """
    sizes, said = ratio_of(ratio, valid)
    data = _timed(data, f"global time {ratio}")
    time = times_of(data.interactions)
    n_valid, n_test = (int(size[0]) for size in sizes(np.array([len(time)])))
    if n_valid == 0 or n_test == 0:
        raise InputError(f"{data.name} has {len(time)} interactions, too few for a cut in time.")
    moments = np.sort(time)
    first_valid, first_test = moments[-n_test - n_valid], moments[-n_test]
    if moments[0] == first_valid or first_valid == first_test:
        part, moment = ("training", first_valid) if moments[0] == first_valid else ("validation", first_test)
        raise InputError(
            f"{data.name}: {int((time == moment).sum()):,} of {len(time):,} interactions happened at {_said(moment)}, "
            f"so one cut in time for {ratio} leaves nothing for the {part} part. Choose another ratio, finer times, or "
            f"split='time per user {ratio}'."
        )
    split = data.with_parts(cut(time, first_valid, first_test), f"global time, {said}", None)
    cuts = f"Cut in time: validation from {_said(first_valid)}, test from {_said(first_test)} (UTC)."
    return noted(split, (cuts, *unseen_notes(split)))


def cold_items(data: Dataset, share: float = 0.2, *, seed: int = 0, halves: str = "items") -> Dataset:
    """Hold out a share of the items at random: none of their interactions is in the training part.

    MICRO (Zhang et al. 2022, Latent Structure Mining with Contrastive Modality Fusion, section 3.1.3): all interactions
    with a randomly selected 20 % of the items are removed from the training set; half of these items (10 % of all) are
    for validation and half (10 %) for testing. So validation and test share no item, and all other interactions train.
    The paper leaves three things open. Here the share is of the items that have an interaction, rounded half up and at
    least two; the odd item goes to the validation part (both as in the public script of LATTICE, the same group's
    earlier model, which rounds down); users whose every item is held out stay, and are counted in the passport and in
    ``notes``. Nor does it say which items are ranked: mmlib ranks all, cold and warm.

    The draw is of the raw stream of PCG64 over the sorted items: it depends on the items and the seed alone.

    Args:
        share: of the items, in (0, 1).
        seed: not negative.
        halves: ``"items"``, the paper's reading, or ``"interactions"``: half of the held-out items' interactions at
            random for validation and half for testing, so that both parts judge the same items.

    Raises:
        InputError: for a share, seed or kind of halves that cannot be, and when a part would be empty.
    """
    one_of("halves", halves, HALVES)
    part = share_of(share, "share", "the share of the items that is held out of training")
    _, item, row = pairs_of(data)
    items = np.flatnonzero(np.bincount(item, minlength=data.n_items))
    held = items[np.argsort(drawn(len(items), seed), kind="stable")][: max(2, int(rounded(np.array(len(items)), part)))]
    codes = np.zeros(data.n_items, dtype=np.int64)
    codes[held] = np.where(np.arange(len(held)) < (len(held) + 1) // 2, 1, 2) if halves == "items" else 1
    codes = codes[item]
    if halves == "interactions":
        cold = np.flatnonzero(codes)
        # the numbers after those of the items, so that the two draws are independent
        order = np.argsort(drawn(len(items) + len(cold), seed)[len(items) :], kind="stable")
        codes[cold[order[(len(cold) + 1) // 2 :]]] = 2
    of = "of them" if halves == "items" else "of their interactions"
    protocol = f"cold items, {100 * share:.3g}% of items held out, half {of} for validation and half for test"
    split = data.with_parts(np.array(PARTS, dtype=object)[codes][row], protocol, seed)
    note = f"Items held out of the training part: {len(held):,} of {len(items):,} that have an interaction."
    return noted(split, (note, *unseen_notes(split)))


def given(data: Dataset, *, seed: int = 0, valid: float = 0.1) -> Dataset:
    """Use the parts that came with the data; ``val``, ``validation``, ``dev`` ... all mean ``valid``.

    Without a validation part, each user with at least two training interactions gives the share ``valid`` of
    them, rounded half up and at least one, drawn as in ``random_by_user``. A pair that occurs in several parts
    is kept in the first of train, valid, test. A dataset that already has a passport keeps it, if it still fits.

    Raises:
        InputError: when interactions have no part or one of an unknown name, when the passport does not fit, and
            when a part is empty.
    """
    if data.split is not None:
        return _checked(data)
    data, parts = _first_part(data, _own_parts(data))
    protocol, seeded = "given with the data", None
    if "valid" not in parts:
        parts = _valid_from_train(data, parts, seed, share_of(valid))
        protocol, seeded = f"given with the data, {100 * valid:.3g}% of train for validation", seed
    split = data.with_parts(parts, protocol, seeded)
    return noted(split, unseen_notes(split))


def _at_random(data: Dataset, sizes: Sizes, protocol: str, seed: int) -> Dataset:
    user, _, row = pairs_of(data)
    n = np.bincount(user, minlength=data.n_users)
    parts = cut_users(places(user, drawn(len(user), seed)), user, n, *sizes(n))
    return noted(data, short_notes(n)).with_parts(parts[row], protocol, seed)


def _in_time(data: Dataset, sizes: Sizes, protocol: str, name: str) -> Dataset:
    data = _timed(data, name)
    user, item = (data.interactions[column].to_numpy(dtype=np.int64) for column in ("user", "item"))
    time, n = times_of(data.interactions), np.bincount(user, minlength=data.n_users)
    parts = cut_users(places(user, item, time), user, n, *sizes(n))
    split = noted(data, short_notes(n)).with_parts(parts, protocol, None)
    moments = pd.DataFrame({"user": user, "time": time, "part": parts}).drop_duplicates()
    torn = moments.loc[moments.duplicated(["user", "time"]), "user"].nunique()
    note = (
        f"Users whose cut falls between interactions of the same moment: {torn:,} of {data.n_users:,}; those "
        "interactions are put in the order of their items' numbers."
    )
    return noted(split, (note,) if torn else ())


def _timed(data: Dataset, split: str) -> Dataset:
    """The data with the earliest row of each pair.

    Raises:
        InputError: when there are no times, or some interactions have none.
    """
    instead = "choose split='8:1:1' or 'leave-one-out random'"
    if "time" not in data.interactions:
        raise InputError(
            f"{data.name} does not say when its interactions happened, which split={split!r} needs. Name the column, "
            f"columns = {{'time': '...'}}, or {instead}."
        )
    if missing := int((~np.isfinite(times_of(data.interactions))).sum()):
        raise InputError(
            f"{missing:,} of {len(data.interactions):,} interactions of {data.name} have no time, which "
            f"split={split!r} needs. Drop them from the table, or {instead}."
        )
    rows = first_rows(data.interactions, parts=False)
    note = f"Repeated interactions of the same user and item: {(~rows).sum():,}; the earliest of each is kept."
    return data if rows.all() else noted(subset(data, rows), (note,))


def _said(moment: float) -> str:
    return str(np.datetime64(int(np.floor(moment)), "s")).replace("T", " ")


def _own_parts(data: Dataset) -> np.ndarray:
    names = data.interactions["part"].astype(str).str.strip().str.lower()
    parts = names.map(PART_NAMES)
    if (names == "").all():
        raise InputError(f"{data.name} brings no split of its own; choose split='8:1:1' or '80/20'.")
    if parts.isna().any():
        strange = sorted(names[parts.isna()].unique())[:5]
        raise InputError(
            f"{int(parts.isna().sum())} interactions of {data.name} are in a part called "
            f"{', '.join(map(repr, strange))}; use train, valid and test, or choose split='8:1:1' or '80/20'."
        )
    return parts.to_numpy(dtype=object)


def _first_part(data: Dataset, parts: np.ndarray) -> tuple[Dataset, np.ndarray]:
    """Drop the later copies of pairs that are in several parts."""
    rank = pd.Series(parts).map(PARTS.index)
    user, item = (data.interactions[column].to_numpy() for column in ("user", "item"))
    late = (rank > rank.groupby([user, item]).transform("min")).to_numpy()
    if not late.any():
        return data, parts
    note = (
        f"Interactions that were in an earlier part too: {int(late.sum())}; each pair is kept in the first that has it."
    )
    kept = replace(data, interactions=data.interactions[~late].reset_index(drop=True))
    return noted(kept, (note,)), parts[~late]


def _valid_from_train(data: Dataset, parts: np.ndarray, seed: int, share: Fraction) -> np.ndarray:
    train = parts == "train"
    user, _, row = pairs_of(replace(data, interactions=data.interactions[train]))
    place, n = places(user, drawn(len(user), seed)), np.bincount(user, minlength=data.n_users)
    sizes = np.where(n >= 2, np.minimum(rounded(n, share), n - 1), 0), np.zeros_like(n)
    parts = parts.copy()
    parts[train] = cut_users(place, user, n, *sizes)[row]
    return parts


def _checked(data: Dataset) -> Dataset:
    assert data.split is not None
    now = data.with_parts(data.interactions["part"], data.split.protocol, data.split.seed)
    if now.split != data.split:
        raise InputError(
            f"The interactions of {data.name} do not fit its passport '{data.split.protocol}': they were changed after "
            "the split. Bring the original tables back, or split again with split='8:1:1' or '80/20'."
        )
    return data
