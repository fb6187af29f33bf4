"""What all splits share: names of parts, ratios and sizes, the order of interactions, the cut, and notes."""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd

from ..core.dataset import PARTS, Dataset
from ..core.errors import InputError

PART_NAMES = {
    **dict.fromkeys(("train", "training", "tr", "0"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "validate", "dev", "1"), "valid"),
    **dict.fromkeys(("test", "testing", "te", "2"), "test"),
}
Sizes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def share_of(share: float, name: str = "valid", what: str = "the share of train that becomes validation") -> Fraction:
    """A share as an exact fraction, so that rounding is the same everywhere.

    Raises:
        InputError: when it does not lie between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(f"{name} = {share!r} must lie between 0 and 1: {what}.")
    return Fraction(share).limit_denominator(10_000)


def ratio_of(ratio: str, valid: float) -> tuple[Sizes, str]:
    """Read ``"8:1:1"`` or ``"80/20"``.

    Returns:
        A function from n to how many of n interactions go to validation and to test, as ``random_by_user`` says, and
        what a protocol says of the ratio.

    Raises:
        InputError: for anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*[:/]\s*(\d{1,9})\s*(?:[:/]\s*(\d{1,9})\s*)?", str(ratio), re.ASCII)
    numbers = [int(number) for number in found.groups() if number] if found else []
    if not numbers or min(numbers) == 0:
        raise InputError(
            f"ratio = {ratio!r} is not a split; give positive whole numbers as train:valid:test, such as '8:1:1', "
            "or train/test, such as '80/20' (the validation part then comes from train)."
        )
    three, share = len(numbers) == 3, share_of(valid)

    def sizes(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_test = np.minimum(rounded(n, Fraction(numbers[-1], sum(numbers))), n - 2)
        n_valid = rounded(n, Fraction(numbers[1], sum(numbers))) if three else rounded(n - n_test, share)
        return np.where(n >= 3, np.minimum(n_valid, n - 1 - n_test), 0), np.where(n >= 3, n_test, 0)

    return sizes, ratio if three else f"{ratio}, {100 * valid:.3g}% of train for validation"


def rounded(n: np.ndarray, share: Fraction) -> np.ndarray:
    """n * share rounded half up in whole numbers, at least 1."""
    return np.maximum(1, (2 * n * share.numerator + share.denominator) // (2 * share.denominator))


def drawn(n: int, seed: int) -> np.ndarray:
    """n random 64-bit numbers from the raw stream of PCG64, which numpy promises never to change.

    Raises:
        InputError: for a negative seed.
    """
    if seed < 0:
        raise InputError(f"seed = {seed} is negative; a seed is 0, 1, 2, ...")
    return np.random.PCG64(seed).random_raw(n)


def pairs_of(data: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct pairs, sorted: users, items; and for each row of interactions its place among them."""
    table, n = data.interactions, max(1, data.n_items)
    code = table["user"].to_numpy(dtype=np.int64) * n + table["item"].to_numpy(dtype=np.int64)
    pair, row = np.unique(code, return_inverse=True)
    return *np.divmod(pair, n), row


def places(user: np.ndarray, *order: np.ndarray) -> np.ndarray:
    """Each interaction's place (0, 1, ...) among its user's, ordered by ``order``, of which the last counts most."""
    n, rows = np.bincount(user), np.lexsort((*order, user))
    place = np.empty(len(user), dtype=np.int64)
    place[rows] = np.arange(len(user)) - (np.cumsum(n) - n)[user[rows]]
    return place


def cut(place: np.ndarray, train_end: np.ndarray, valid_end: np.ndarray) -> np.ndarray:
    """The part of each interaction: train below ``train_end``, valid below ``valid_end``, test from there on."""
    return np.array(PARTS, dtype=object)[(place >= train_end).astype(int) + (place >= valid_end)]


def cut_users(
    place: np.ndarray, user: np.ndarray, n: np.ndarray, n_valid: np.ndarray, n_test: np.ndarray
) -> np.ndarray:
    """The part of each interaction, where each user's last go to test and those before them to validation.

    Args:
        place, user: [n_pairs]; ``n``: [n_users], how many each user has.
        n_valid, n_test: [n_users], how many of them go to validation and to test.
    """
    return cut(place, (n - n_valid - n_test)[user], (n - n_test)[user])


def times_of(table: pd.DataFrame) -> np.ndarray:
    """Seconds since 1970, NaN where there is none; whole numbers stay whole, so that no two moments become one."""
    time = table["time"]
    if time.dtype.kind in "iu" and not time.isna().any():
        return time.to_numpy(dtype=np.int64)
    return time.to_numpy(dtype=np.float64, na_value=np.nan)


def first_rows(table: pd.DataFrame, *, parts: bool = True) -> np.ndarray:
    """One row of each pair of user and item: the earliest, and the first row among equals.

    Args:
        table: columns ``user``, ``item``, ``part``, and ``time`` where known; rows without a time are the latest.
        parts: a row in an earlier part (train, valid, test, none) comes before one with an earlier time.

    Returns:
        [n] bool.
    """
    pairs = table[["user", "item"]].reset_index(drop=True)
    again = pairs.duplicated(keep=False)
    some, pairs = table[again.to_numpy()], pairs[again]
    keys = {"time": times_of(some)} if "time" in table else {}
    if parts:
        named = some["part"].astype(str).str.strip().str.lower().map(PART_NAMES)
        ranks = named.map({name: rank for rank, name in enumerate(PARTS)}).fillna(len(PARTS))
        keys = {"rank": ranks.to_numpy(), **keys}
    ordered = pairs.assign(**keys)
    if keys:
        ordered = ordered.sort_values(list(keys), kind="stable")
    rows = ~again.to_numpy()
    rows[ordered.drop_duplicates(["user", "item"]).index] = True
    return rows


def short_notes(n: np.ndarray) -> tuple[str, ...]:
    """A note on the users with one or two interactions, if there are any."""
    short = int(((n > 0) & (n < 3)).sum())
    return (f"Users with fewer than three interactions, in the training part only: {short}.",) if short else ()


def unseen_notes(split: Dataset) -> tuple[str, ...]:
    """A note for each part on the users that a model knows nothing of."""
    assert split.split is not None
    lost = {part: split.split.unseen[f"{part} users"] for part in ("valid", "test")}
    return tuple(
        f"Users of the {part} part without a training interaction: {count}. A model knows nothing of them, and their "
        "results are part of the mean."
        for part, count in lost.items()
        if count
    )


def noted(data: Dataset, notes: tuple[str, ...]) -> Dataset:
    """The dataset with these notes too, each once."""
    return replace(data, notes=data.notes + tuple(note for note in notes if note not in data.notes))
