"""Slices: which positives, or which users, a mean is over.

A slice of items counts only positives among its items, and the users who have any; the lists are ranked over the
whole catalogue all the same. A slice of users counts all positives of its users.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of

FEW = "few purchases"
TAIL = 3  # training purchases of a long-tail item, at most
HISTORY = {
    "history 0": (0, 0),
    "history 1-5": (1, 5),
    "history 6-10": (6, 10),
    "history 11-20": (11, 20),
    "history >20": (21, np.iinfo(np.int64).max),
}


@dataclass(frozen=True, eq=False)
class Slice:
    """A name and a rule.

    Args:
        name: shown in tables and figures.
        rule: what counts, in words, without a full stop.
        items: [n_items] bool, or ``None`` for all: only positives among these count.
        users: [n_users] bool, or ``None`` for all: only these users count.
    """

    name: str
    rule: str
    items: np.ndarray | None = None
    users: np.ndarray | None = None


def _named(data: Dataset, few: int) -> dict[str, Slice]:
    """Every slice that has a name of its own."""
    bought, own = data.purchases(), np.bincount(data.train[:, 0], minlength=data.n_users)
    words = (data.items["title"] + data.items["text"]).str.strip()
    where = "in the training part"
    found = [
        Slice("all", "every positive of every user"),
        Slice(FEW, f"items bought at most {few} times {where}", bought <= few),
        Slice("head", f"items bought {TAIL + 1} times or more {where}", bought > TAIL),
        # AlignRec, section 5.5: "items in testing set that have been interacted with less than four times"
        Slice("tail", f"items bought fewer than {TAIL + 1} times {where}", bought <= TAIL),
        Slice("cold items", f"items that nobody bought {where}", bought == 0),
    ]
    for name, (low, high) in HISTORY.items():
        said = name.removeprefix("history ").replace("-", " to ").replace(f">{low - 1}", f"{low} or more")
        found.append(Slice(name, f"users with {said} training purchases", users=(own >= low) & (own <= high)))
    without = (data.items["image"] == "").to_numpy(dtype=bool), (words == "").to_numpy(dtype=bool)
    found.append(Slice("no picture", "items without a picture", without[0]))
    found.append(Slice("no text", "items without title and description", without[1]))
    return {one.name: one for one in found}


def chosen(data: Dataset, names: Sequence[str | Slice] | None = None, few: int = 5) -> tuple[Slice, ...]:
    """The slices of a dataset, in the order of ``names``.

    - ``"all"``; ``"few purchases"``: items bought at most ``few`` times in training.
    - ``"tail"``: long-tail items as AlignRec (2024, section 5.5) has them, "interacted with less than four times",
      which is read as fewer than four training purchases; cold items are among them. ``"head"``: all other items.
    - ``"cold items"``: items without a training purchase.
    - ``"history 0"``, ``"history 1-5"``, ``"history 6-10"``, ``"history 11-20"``, ``"history >20"``: users by their
      training purchases; ``"history"`` means all five. The bounds are fixed, not quartiles, so that the same name
      means the same users on every dataset.
    - ``"no picture"``: items without a picture; ``"no text"``: items with neither title nor description.

    Args:
        names: names, and ``Slice`` objects for rules of your own; ``None`` for every name above.
        few: bound of "few purchases".

    Raises:
        InputError: for unknown names, two slices of one name, and masks of the wrong length.
    """
    known = _named(data, few)
    given = [names] if isinstance(names, str | Slice) else list(known if names is None else names)
    if not given:
        raise InputError(f"slices is empty; give at least one, such as 'all'. There are {', '.join(known)}.")
    flat = [one for name in given for one in (HISTORY if name == "history" else [name])]
    every = [*known, "history"]
    found = tuple(one if isinstance(one, Slice) else known[one_of("slices", one, every)] for one in flat)
    labels = [one.name for one in found]
    if twice := [name for name in dict.fromkeys(labels) if labels.count(name) > 1]:
        raise InputError(f"slices has {', '.join(map(repr, twice))} more than once; give each slice a name of its own.")
    for one in found:
        for what, mask, n in (("items", one.items, data.n_items), ("users", one.users, data.n_users)):
            if mask is not None and (mask.dtype != bool or mask.shape != (n,)):
                raise InputError(
                    f"The slice {one.name!r} has {what} of type {mask.dtype} and shape {list(mask.shape)}; "
                    f"give a bool for each of the {n:,} {what} of {data.name}."
                )
    return found
