"""Splits: which interactions teach, which choose, which judge."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..errors import InputError, one_of
from .dataset import PARTS, Dataset

NAMES = ("8:1:1", "80/20", "given")
PART_NAMES = {
    **dict.fromkeys(("train", "training", "tr", "0"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "validate", "dev", "1"), "valid"),
    **dict.fromkeys(("test", "testing", "te", "2"), "test"),
}


def by_name(data: Dataset, split: str, seed: int = 0) -> Dataset:
    """Split as the parameter ``split`` of the pages says: ``"8:1:1"``, ``"80/20"`` or ``"given"``.

    Raises:
        InputError: for any other name.
    """
    one_of("split", split, NAMES)
    return given(data, seed=seed) if split == "given" else random_by_user(data, split, seed=seed)


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
    numbers = _numbers(ratio)
    share = _share(valid)
    pair, row = _pairs(data)
    user = pair // max(1, data.n_items)
    n = np.bincount(user, minlength=data.n_users)
    n_valid, n_test = _sizes(n, numbers, share)
    parts = _cut(_random_position(user, seed), user, n - n_valid - n_test, n - n_test)
    short = int(((n > 0) & (n < 3)).sum())
    made = "" if len(numbers) == 3 else f", {100 * valid:.3g}% of train for validation"
    notes = (f"Users with fewer than three interactions, in the training part only: {short}.",) if short else ()
    return _noted(data, notes).with_parts(parts[row], f"random per user, {ratio}{made}", seed)


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
        parts = _valid_from_train(data, parts, seed, _share(valid))
        protocol, drawn = f"given with the data, {100 * valid:.3g}% of train for validation", seed
    split = data.with_parts(parts, protocol, drawn)
    lost = {part: split.split.unseen[f"{part} users"] for part in ("valid", "test")}  # type: ignore[union-attr]
    notes = tuple(
        f"Users of the {part} part without a training interaction: {count}. A model knows nothing of them, and their "
        "results are part of the mean."
        for part, count in lost.items()
        if count
    )
    return _noted(split, notes)


def _numbers(ratio: str) -> list[int]:
    found = re.fullmatch(r"\s*(\d+)\s*[:/]\s*(\d+)\s*(?:[:/]\s*(\d+)\s*)?", str(ratio))
    numbers = [int(number) for number in found.groups() if number] if found else []
    if not numbers or min(numbers) == 0:
        raise InputError(
            f"ratio = {ratio!r} is not a split; give positive whole numbers as train:valid:test, such as '8:1:1', "
            "or train/test, such as '80/20' (the validation part then comes from train)."
        )
    return numbers


def _share(valid: float) -> Fraction:
    if not 0 < valid < 1:
        raise InputError(f"valid = {valid!r} must lie between 0 and 1: the share of train that becomes validation.")
    return Fraction(valid).limit_denominator(10_000)


def _pairs(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs as user * n_items + item, sorted, and for each row of interactions its place among them."""
    table = data.interactions
    code = table["user"].to_numpy(dtype=np.int64) * max(1, data.n_items) + table["item"].to_numpy(dtype=np.int64)
    return np.unique(code, return_inverse=True)


def _sizes(n: np.ndarray, numbers: list[int], valid: Fraction) -> tuple[np.ndarray, np.ndarray]:
    n_test = np.minimum(_rounded(n, Fraction(numbers[-1], sum(numbers))), n - 2)
    three = len(numbers) == 3
    n_valid = _rounded(n, Fraction(numbers[1], sum(numbers))) if three else _rounded(n - n_test, valid)
    n_valid = np.minimum(n_valid, n - 1 - n_test)
    return np.where(n >= 3, n_valid, 0), np.where(n >= 3, n_test, 0)


def _rounded(n: np.ndarray, share: Fraction) -> np.ndarray:
    """n * share rounded half up in whole numbers, at least 1."""
    return np.maximum(1, (2 * n * share.numerator + share.denominator) // (2 * share.denominator))


def _random_position(user: np.ndarray, seed: int) -> np.ndarray:
    """Each pair's place (0, 1, ...) in a random order of its user's pairs."""
    if seed < 0:
        raise InputError(f"seed = {seed} is negative; a seed is 0, 1, 2, ...")
    order = np.lexsort((np.random.PCG64(seed).random_raw(len(user)), user))
    n = np.bincount(user)
    position = np.empty(len(user), dtype=np.int64)
    position[order] = np.arange(len(user)) - (np.cumsum(n) - n)[user[order]]
    return position


def _cut(position: np.ndarray, user: np.ndarray, train_end: np.ndarray, valid_end: np.ndarray) -> np.ndarray:
    codes = (position >= train_end[user]).astype(int) + (position >= valid_end[user])
    return np.array(PARTS, dtype=object)[codes]


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
    pair, row = _pairs(data)
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
    return _noted(kept, (note,)), parts[~late]


def _valid_from_train(data: Dataset, parts: np.ndarray, seed: int, share: Fraction) -> np.ndarray:
    train = parts == "train"
    some = replace(data, interactions=data.interactions[train])
    pair, row = _pairs(some)
    user = pair // max(1, data.n_items)
    n = np.bincount(user, minlength=data.n_users)
    n_valid = np.where(n >= 2, np.minimum(_rounded(n, share), n - 1), 0)
    drawn = parts.copy()
    drawn[train] = _cut(_random_position(user, seed), user, n - n_valid, n)[row]
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


def _noted(data: Dataset, notes: tuple[str, ...]) -> Dataset:
    return replace(data, notes=data.notes + tuple(note for note in notes if note not in data.notes))
