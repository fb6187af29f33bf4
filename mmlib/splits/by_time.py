"""Splits that look at when something was bought: the last one out, a cut per user, one cut for all."""

import numpy as np

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..core.subset import subset
from .parts import (
    cut,
    made_valid,
    noted,
    numbers_of,
    pairs_of,
    places,
    random_places,
    share_of,
    short_notes,
    sizes,
    unseen_notes,
)
from .repeats import first_rows, times_of

ORDERS = ("time", "random")


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
    one_of("order", order, ORDERS)
    if order == "random":
        pair, row = pairs_of(data)
        user = pair // max(1, data.n_items)
        n = np.bincount(user, minlength=data.n_users)
        parts = cut(random_places(user, seed), *_ends(user, n, n >= 3, n >= 3))[row]
        return noted(data, short_notes(n)).with_parts(parts, "leave-one-out, at random", seed)
    data, user, place = _in_time(data, "leave-one-out")
    n = np.bincount(user, minlength=data.n_users)
    return _cut_by_user(data, place, n, n >= 3, n >= 3, "leave-one-out, the last in time")


def temporal_by_user(data: Dataset, ratio: str = "8:1:1", *, valid: float = 0.1) -> Dataset:
    """Split each user's interactions by time: the latest to the test part, those before them to the validation part.

    How many, and what becomes of short histories, is as in ``random_by_user``; a validation part that comes from train
    is its latest share. Interactions of a user at the same moment are put in the order of their items' numbers, which
    says nothing about time: many catalogues know the day only, and users whose cut falls inside such a moment are
    counted in ``notes``. Of a pair that occurs in several rows the earliest is kept; the others are counted too.

    The cut is each user's own, so the training part holds purchases that others made later; in ``global_time`` it
    does not.

    Args:
        ratio: ``"8:1:1"``, ``"80/20"`` or other positive whole numbers.
        valid: share of the training interactions, in (0, 1); used when ``ratio`` has two numbers.

    Raises:
        InputError: for a ratio or share that cannot be, missing times, and when a part would be empty.
    """
    numbers, share = numbers_of(ratio), share_of(valid)
    data, user, place = _in_time(data, f"time per user {ratio}")
    n = np.bincount(user, minlength=data.n_users)
    n_valid, n_test = sizes(n, numbers, share)
    return _cut_by_user(data, place, n, n_valid, n_test, f"time per user, {ratio}{made_valid(numbers, valid)}")


def global_time(data: Dataset, ratio: str = "8:1:1", *, valid: float = 0.1) -> Dataset:
    """Split at one moment for all users: what comes later is judged by what came before, as it would be in use.

    The N interactions are put in the order of time. The test part should be N * share of them, rounded as in
    ``random_by_user``, and the validation part lies before it. Interactions of one moment are never parted: all that
    happened at the moment of the first interaction of a part belong to that part, so the later parts may be somewhat
    larger. The moments of the two cuts are in ``notes``. Users and items that only occur after the first cut stay and
    are counted in the passport's ``unseen``. Of a pair that occurs in several rows the earliest is kept.

    Args:
        ratio: ``"8:1:1"``, ``"80/20"`` or other positive whole numbers.
        valid: share of the training interactions, in (0, 1); used when ``ratio`` has two numbers.

    Raises:
        InputError: for a ratio or share that cannot be, missing times, and when one moment is too crowded to cut.
    """
    numbers, share = numbers_of(ratio), share_of(valid)
    data, time = _timed(data, f"global time {ratio}")
    n_valid, n_test = (int(size[0]) for size in sizes(np.array([len(time)]), numbers, share))
    moments = np.sort(time)
    if n_valid == 0 or n_test == 0:
        raise InputError(f"{data.name} has {len(time)} interactions, too few for a cut in time.")
    first_valid, first_test = moments[-n_test - n_valid], moments[-n_test]
    if moments[0] == first_valid or first_valid == first_test:
        part, moment = ("training", first_valid) if moments[0] == first_valid else ("validation", first_test)
        raise InputError(
            f"{data.name}: {int((time == moment).sum()):,} of {len(time):,} interactions happened at {_said(moment)}, "
            f"so one cut in time for {ratio} leaves nothing for the {part} part. Choose another ratio, finer times, or "
            f"split='time per user {ratio}'."
        )
    parts = cut(time, first_valid, first_test)
    protocol = f"global time, {ratio}{made_valid(numbers, valid)}"
    split = data.with_parts(parts, protocol, None)
    cuts = f"Cut in time: validation from {_said(first_valid)}, test from {_said(first_test)} (UTC)."
    return noted(split, (cuts, *unseen_notes(split)))


def _cut_by_user(
    data: Dataset, place: np.ndarray, n: np.ndarray, n_valid: np.ndarray, n_test: np.ndarray, protocol: str
) -> Dataset:
    user, time = data.interactions["user"].to_numpy(dtype=np.int64), times_of(data.interactions)
    parts = cut(place, *_ends(user, n, n_valid, n_test))
    split = noted(data, short_notes(n)).with_parts(parts, protocol, None)
    torn = _torn(user, time, parts)
    note = (
        f"Users whose cut falls between interactions of the same moment: {torn:,} of {data.n_users:,}; those "
        "interactions are put in the order of their items' numbers."
    )
    return noted(split, (note,) if torn else ())


def _ends(user: np.ndarray, n: np.ndarray, n_valid: np.ndarray, n_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first place of each interaction's user that is not train, and the first that is test."""
    return (n - n_valid - n_test)[user], (n - n_test)[user]


def _torn(user: np.ndarray, time: np.ndarray, parts: np.ndarray) -> int:
    """How many users have interactions of one moment in several parts."""
    code = (parts == "valid") + 2 * (parts == "test")
    order = np.lexsort((code, time, user))
    user, time, code = user[order], time[order], code[order]
    tied = (user[1:] == user[:-1]) & (time[1:] == time[:-1]) & (code[1:] != code[:-1])
    return len(np.unique(user[1:][tied]))


def _in_time(data: Dataset, split: str) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """The data with each pair once, its users, and each interaction's place in its user's order of time."""
    data, time = _timed(data, split)
    user, item = (data.interactions[name].to_numpy(dtype=np.int64) for name in ("user", "item"))
    return data, user, places(np.lexsort((item, time, user)), user)


def _timed(data: Dataset, split: str) -> tuple[Dataset, np.ndarray]:
    """The data with the earliest row of each pair, and the times.

    Raises:
        InputError: when there are no times, or some interactions have none.
    """
    instead = "choose split='8:1:1' or 'leave-one-out random'"
    if "time" not in data.interactions:
        raise InputError(
            f"{data.name} does not say when its interactions happened, which split={split!r} needs. Name the column, "
            f"columns = {{'time': '...'}}, or {instead}."
        )
    missing = int((~np.isfinite(times_of(data.interactions))).sum())
    if missing:
        raise InputError(
            f"{missing:,} of {len(data.interactions):,} interactions of {data.name} have no time, which "
            f"split={split!r} needs. Drop them from the table, or {instead}."
        )
    rows = first_rows(data.interactions, parts=False)
    again = int((~rows).sum())
    note = f"Repeated interactions of the same user and item: {again:,}; the earliest of each is kept."
    data = noted(subset(data, rows), (note,)) if again else data
    return data, times_of(data.interactions)


def _said(moment: float) -> str:
    return str(np.datetime64(int(np.floor(moment)), "s")).replace("T", " ")
