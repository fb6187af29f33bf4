"""Cleaning as named steps; each says what it dropped.

The steps run in the order in which they are named, before the split. A usual order: ``["unescape", "same", "described",
"once", "rated=4", "core=5"]``, since each may leave users or items with fewer interactions than the next one counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.dataset import Dataset
from ..core.errors import InputError, closest
from ..core.subset import subset, told
from ..splits import first_rows
from .clean_items import same, unescape

__all__ = ["STEPS", "clean", "core", "described", "k_core", "once", "parse", "rated", "same", "unescape"]


def k_core(users: np.ndarray, items: np.ndarray, core: int | tuple[int, int]) -> np.ndarray:
    """The interactions left when users and items with too few of them are taken out again and again.

    The k-core of the bipartite graph (Seidman 1983, Network structure and minimum degree): the largest set of rows in
    which every user has at least ``core[0]`` rows and every item at least ``core[1]``. A repeated row counts each time.
    Memory: four arrays of n numbers beside the input.

    Args:
        users, items: [n] integers from 0.
        core: the least number of rows of a user and of an item; one number is for both.

    Returns:
        [n] bool, true where the row is kept; all false where nothing is left.

    Raises:
        InputError: when ``core`` is not one or two whole numbers of at least 0, or the arrays are not [n] each.
    """
    least_user, least_item = _core(core)
    users, items = np.asarray(users), np.asarray(items)
    if users.shape != items.shape or users.ndim != 1:
        raise InputError(f"k_core: users {users.shape} and items {items.shape} must be two lists of the same length.")
    if any(len(ids) and (ids.dtype.kind not in "iu" or ids.min() < 0) for ids in (users, items)):
        raise InputError(
            "k_core: users and items must be whole numbers from 0; give the numbers, not the original ids."
        )
    users, items = users.astype(np.int64, copy=False), items.astype(np.int64, copy=False)
    kept, left = np.zeros(len(users), dtype=bool), np.arange(len(users))
    while True:
        enough = np.bincount(users)[users] >= least_user
        enough &= np.bincount(items)[items] >= least_item
        if enough.all():
            kept[left] = True
            return kept
        users, items, left = users[enough], items[enough], left[enough]


def clean(data: Dataset, steps: Sequence[str]) -> Dataset:
    """Run named steps in order; each appends one note with what it did and the counts before and after.

    A dataset that is split already is returned as it is where the steps would change nothing, and refused otherwise:
    its passport would no longer be true, and steps such as ``core`` count validation and test interactions too.

    Args:
        steps: such as ``["unescape", "once", "core=5,3", "rated=4"]``; see ``STEPS``.

    Raises:
        InputError: for a step that is not known, before any work; when a step cannot be done or leaves nothing; when
            a split dataset would change.
    """
    if isinstance(steps, str) or not isinstance(steps, Sequence):
        raise InputError(f"clean = {steps!r} is not a list of steps; write it as ['once', 'core=5'].")
    todo = [parse(step) for step in steps]
    cleaned = replace(data, split=None)
    for run, values in todo:
        cleaned = run(cleaned, *values)
        if len(cleaned.interactions) == 0:
            raise InputError(
                f"Cleaning leaves nothing of {data.name}. {cleaned.notes[-1]} Ask for less, or leave the step out."
            )
    if data.split is None:
        return cleaned
    tables = ("users", "items", "interactions")
    if all(getattr(data, table).equals(getattr(cleaned, table)) for table in tables):
        return data
    raise InputError(
        f"{data.name} is already split ('{data.split.protocol}'), and cleaning would change it: "
        f"{' '.join(cleaned.notes[len(data.notes) :])} Clean the catalogue that it was made from, then split that."
    )


def core(data: Dataset, core: int | tuple[int, int]) -> Dataset:
    """Keep the k-core, as in ``k_core``, and take out all users and items that have no interaction.

    Args:
        core: the least number of interactions of a user and of an item; one number is for both.
    """
    least = _core(core)
    user, item = (data.interactions[name].to_numpy(dtype=np.int64) for name in ("user", "item"))
    rows = k_core(user, item, least)
    users, items = np.zeros(data.n_users, dtype=bool), np.zeros(data.n_items, dtype=bool)
    users[user[rows]], items[item[rows]] = True, True
    return told(data, subset(data, rows, users, items), f"Cleaning, {core_name(least)}")


def core_name(core: int | tuple[int, int]) -> str:
    """What a core is called, such as ``"5-core"``."""
    user, item = _core(core)
    return f"{user}-core" if user == item else f"core of {user} a user and {item} an item"


def once(data: Dataset) -> Dataset:
    """Keep each pair of user and item once: in the first part that has it (train, valid, test), there the earliest.

    Rows without a time come last; among equals the first row stays.
    """
    rows = first_rows(data.interactions)
    return told(data, subset(data, rows), "Cleaning, repeated interactions once")


def rated(data: Dataset, least: float) -> Dataset:
    """Keep the interactions that are rated ``least`` or better; those without a rating are dropped and counted.

    Raises:
        InputError: when no interaction has a rating.
    """
    if "rating" not in data.interactions or data.interactions["rating"].isna().all():
        raise InputError(f"{data.name} has no ratings, so rated={least:g} cannot be done; leave that step out.")
    rating = data.interactions["rating"].to_numpy(dtype=np.float64, na_value=np.nan)
    silent = int(np.isnan(rating).sum())
    what = f"Cleaning, rated {least:g} or better" + (f" ({silent:,} had no rating)" if silent else "")
    return told(data, subset(data, rating >= least), what)


def described(data: Dataset, picture: bool = False) -> Dataset:
    """Drop the items that have neither a title nor a text, and their interactions.

    Args:
        picture: drop the items without a picture too.
    """
    title, text = (data.items[name].str.strip() != "" for name in ("title", "text"))
    items = (title | text).to_numpy(dtype=bool)
    if picture:
        items = items & (data.items["image"] != "").to_numpy(dtype=bool)
    what = "Cleaning, items with a title or a text" + (" and with a picture" if picture else "")
    return told(data, subset(data, np.ones(len(data.interactions), dtype=bool), items=items), what)


def parse(step: str) -> tuple[Callable[..., Dataset], list[Any]]:
    """A step's function and what it takes beside the dataset, from ``"core=5"``, ``"core=5,3"`` or ``"once"``.

    Raises:
        InputError: for a name that is not known, with the closest one, or a value that cannot be.
    """
    if not isinstance(step, str):
        raise InputError(f"clean: {step!r} is not a step; write 'core=5' or 'once'.")
    name, equals, value = (piece.strip() for piece in step.partition("="))
    name = name.lower()
    if name not in STEPS:
        examples = ", ".join(example for *_, example in STEPS.values())
        raise InputError(f"clean: there is no step {name!r}.{closest(name, STEPS)} Steps: {examples}.")
    run, read, example = STEPS[name]
    if equals and read is None:
        raise InputError(f"clean: the step {name!r} takes no option; it was given {step!r}.")
    if read and not equals and run is not described:
        raise InputError(f"clean: the step {name!r} needs a value, as in {example!r}.")
    return run, [read(value)] if read and equals else []


def _core(value: Any) -> tuple[int, int]:
    numbers = value.split(",") if isinstance(value, str) else value if isinstance(value, (tuple, list)) else [value]
    try:
        least = [int(str(number)) for number in numbers]
    except ValueError:
        least = []
    if len(least) not in (1, 2) or min(least) < 0:
        raise InputError(
            f"core = {value!r} must be a whole number of at least 0, or two (users, items), as in 'core=5'."
        )
    return least[0], least[-1]


def _rating(value: str) -> float:
    try:
        least = float(value)
    except ValueError:
        least = np.nan
    if not np.isfinite(least):
        raise InputError(f"rated = {value!r} must be a number, the least rating that stays, as in 'rated=4'.")
    return least


def _picture(value: str) -> bool:
    if value.lower() != "picture":
        raise InputError(f"described = {value!r} is not known; write 'described', or 'described=picture'.")
    return True


STEPS: dict[str, tuple[Callable[..., Dataset], Callable[[str], Any] | None, str]] = {  # what reads the value; example
    "unescape": (unescape, None, "unescape"),
    "same": (same, None, "same"),
    "described": (described, _picture, "described=picture"),
    "once": (once, None, "once"),
    "rated": (rated, _rating, "rated=4"),
    "core": (core, _core, "core=5"),
}
