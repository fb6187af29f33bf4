"""Splits: which interactions teach, which choose, which judge."""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..core.dataset import PARTS, Dataset
from ..core.errors import InputError, closest
from .by_time import global_time, leave_one_out, temporal_by_user
from .cold_items import cold_items
from .parts import (
    PART_NAMES,
    cut,
    made_valid,
    noted,
    numbers_of,
    pairs_of,
    random_places,
    rounded,
    share_of,
    short_notes,
    sizes,
    unseen_notes,
)

__all__ = [
    "NAMES",
    "PART_NAMES",
    "by_name",
    "check",
    "cold_items",
    "given",
    "global_time",
    "leave_one_out",
    "random_by_user",
    "temporal_by_user",
]

NAMES = (
    "8:1:1",
    "80/20",
    "given",
    "leave-one-out",
    "leave-one-out random",
    "time per user 8:1:1",
    "global time 8:1:1",
    "cold items",
    "cold items 20%",
)
RATIO = r"(\d{1,3}\s?[:/]\s?\d{1,3}(?:\s?[:/]\s?\d{1,3})?)"


def by_name(data: Dataset, split: str, seed: int = 0) -> Dataset:
    """Split as the parameter ``split`` of the pages says.

    Names, in small or large letters, with spaces, hyphens or underscores between the words (``NAMES`` has examples):

    - ``"8:1:1"``, ``"80/20"`` or another ratio: ``random_by_user``
    - ``"given"``: ``given``
    - ``"leave-one-out"``: ``leave_one_out`` by time; ``"leave-one-out random"``: in random order
    - ``"time per user 8:1:1"``: ``temporal_by_user``, with any ratio
    - ``"global time 8:1:1"``: ``global_time``, with any ratio
    - ``"cold items"``: ``cold_items``; ``"cold items 30%"``: with another share

    The numbers of a ratio add up to 10 or to 100 here, so that a slip such as ``"80/2"`` is not taken as meant; the
    functions take any.

    Raises:
        InputError: for any other name.
    """
    return _meant(split)(data, seed)


def check(split: str) -> str:
    """Return ``split`` if ``by_name`` knows it.

    Raises:
        InputError: naming the choices and the closest of them.
    """
    _meant(split)
    return split


def _meant(split: str) -> Callable[[Dataset, int], Dataset]:
    """The split that a name stands for, as a function of the data and the seed."""
    name = re.sub(r"[\s_-]+", " ", str(split)).strip().lower()
    if name == "given":
        return lambda data, seed: given(data, seed=seed)
    if found := re.fullmatch(r"leave one out(?: (time|random))?", name):
        order = found[1] or "time"
        return lambda data, seed: leave_one_out(data, order, seed=seed)
    if found := re.fullmatch(r"cold items(?: (\d{1,2}) ?%)?", name):
        share = int(found[1] or 20) / 100
        if share:
            return lambda data, seed: cold_items(data, share, seed=seed)
    if found := re.fullmatch(rf"(?:(time per user|global time) )?{RATIO}", name, re.ASCII):
        kind, ratio = found[1], re.sub(r"\s", "", found[2])
        numbers = [int(number) for number in re.split("[:/]", ratio)]
        if 0 not in numbers and sum(numbers) in (10, 100):
            if kind is None:
                return lambda data, seed: random_by_user(data, ratio, seed=seed)
            by_time = temporal_by_user if kind == "time per user" else global_time
            return lambda data, seed: by_time(data, ratio)
    raise InputError(
        f"split = {split!r} is not known; choose one of {', '.join(map(repr, NAMES))}, or another ratio that adds up "
        f"to 10 or 100.{closest(str(split), NAMES)}"
    )


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
    numbers, share = numbers_of(ratio), share_of(valid)
    pair, row = pairs_of(data)
    user = pair // max(1, data.n_items)
    n = np.bincount(user, minlength=data.n_users)
    n_valid, n_test = sizes(n, numbers, share)
    parts = cut(random_places(user, seed), (n - n_valid - n_test)[user], (n - n_test)[user])
    protocol = f"random per user, {ratio}{made_valid(numbers, valid)}"
    return noted(data, short_notes(n)).with_parts(parts[row], protocol, seed)


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
    protocol, drawn = "given with the data", None
    if "valid" not in parts:
        parts = _valid_from_train(data, parts, seed, share_of(valid))
        protocol, drawn = f"given with the data, {100 * valid:.3g}% of train for validation", seed
    split = data.with_parts(parts, protocol, drawn)
    return noted(split, unseen_notes(split))


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
    pair, row = pairs_of(data)
    rank = np.array([PARTS.index(part) for part in parts], dtype=np.int64)
    first = np.full(len(pair), len(PARTS))
    np.minimum.at(first, row, rank)
    late = rank > first[row]
    if not late.any():
        return data, parts
    note = (
        f"Interactions that were in an earlier part too: {int(late.sum())}; each pair is kept in the first that has it."
    )
    kept = replace(data, interactions=data.interactions[~late].reset_index(drop=True))
    return noted(kept, (note,)), parts[~late]


def _valid_from_train(data: Dataset, parts: np.ndarray, seed: int, share: Fraction) -> np.ndarray:
    train = parts == "train"
    some = replace(data, interactions=data.interactions[train])
    pair, row = pairs_of(some)
    user = pair // max(1, data.n_items)
    n = np.bincount(user, minlength=data.n_users)
    n_valid = np.where(n >= 2, np.minimum(rounded(n, share), n - 1), 0)
    drawn = parts.copy()
    drawn[train] = cut(random_places(user, seed), (n - n_valid)[user], n[user])[row]
    return drawn


def _checked(data: Dataset) -> Dataset:
    assert data.split is not None
    now = data.with_parts(data.interactions["part"], data.split.protocol, data.split.seed)
    if now.split != data.split:
        raise InputError(
            f"The interactions of {data.name} do not fit its passport '{data.split.protocol}': they were changed after "
            "the split. Bring the original tables back, or split again with split='8:1:1' or '80/20'."
        )
    return data
