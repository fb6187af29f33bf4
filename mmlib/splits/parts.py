"""What all splits share: ratios, sizes of parts, the random order, and the cut."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..core.dataset import PARTS, Dataset
from ..core.errors import InputError

PART_NAMES = {
    **dict.fromkeys(("train", "training", "tr", "0"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "validate", "dev", "1"), "valid"),
    **dict.fromkeys(("test", "testing", "te", "2"), "test"),
}


def numbers_of(ratio: str) -> list[int]:
    """Two or three positive whole numbers, from ``"8:1:1"`` or ``"80/20"``.

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
    return numbers


def share_of(share: float, name: str = "valid", what: str = "the share of train that becomes validation") -> Fraction:
    """A share as an exact fraction, so that rounding is the same everywhere.

    Raises:
        InputError: when it does not lie between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(f"{name} = {share!r} must lie between 0 and 1: {what}.")
    return Fraction(share).limit_denominator(10_000)


def pairs_of(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs as user * n_items + item, sorted, and for each row of interactions its place among them."""
    table = data.interactions
    code = table["user"].to_numpy(dtype=np.int64) * max(1, data.n_items) + table["item"].to_numpy(dtype=np.int64)
    return np.unique(code, return_inverse=True)


def sizes(n: np.ndarray, numbers: list[int], valid: Fraction) -> tuple[np.ndarray, np.ndarray]:
    """How many of n interactions go to validation and to test, as ``splits.random_by_user`` says."""
    n_test = np.minimum(rounded(n, Fraction(numbers[-1], sum(numbers))), n - 2)
    three = len(numbers) == 3
    n_valid = rounded(n, Fraction(numbers[1], sum(numbers))) if three else rounded(n - n_test, valid)
    n_valid = np.minimum(n_valid, n - 1 - n_test)
    return np.where(n >= 3, n_valid, 0), np.where(n >= 3, n_test, 0)


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


def places(order: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Each interaction's place (0, 1, ...) among its user's, where ``order`` lists them by user and then as wanted."""
    n = np.bincount(user)
    place = np.empty(len(user), dtype=np.int64)
    place[order] = np.arange(len(user)) - (np.cumsum(n) - n)[user[order]]
    return place


def random_places(user: np.ndarray, seed: int) -> np.ndarray:
    """Each pair's place (0, 1, ...) in a random order of its user's pairs."""
    return places(np.lexsort((drawn(len(user), seed), user)), user)


def cut(place: np.ndarray, train_end: np.ndarray, valid_end: np.ndarray) -> np.ndarray:
    """The part of each interaction: train below ``train_end``, valid below ``valid_end``, test from there on."""
    codes = (place >= train_end).astype(int) + (place >= valid_end)
    return np.array(PARTS, dtype=object)[codes]


def made_valid(numbers: list[int], valid: float) -> str:
    """What a protocol says of a validation part that came from train."""
    return "" if len(numbers) == 3 else f", {100 * valid:.3g}% of train for validation"


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
