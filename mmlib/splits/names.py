"""Splits by name, as the parameter ``split`` gives them: "8:1:1", "leave-one-out", "cold items 20%"."""

import re
from collections.abc import Callable
from typing import Any

from ..core.dataset import Dataset
from ..core.errors import InputError, closest
from .protocols import cold_items, given, global_time, leave_one_out, random_by_user, temporal_by_user

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
WITH_RATIO: dict[str | None, Callable[..., Dataset]] = {
    None: random_by_user,
    "time per user": temporal_by_user,
    "global time": global_time,
}


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
    protocol, options = _meant(split)
    drawn = {} if protocol in (temporal_by_user, global_time) else {"seed": seed}
    return protocol(data, **options, **drawn)


def check(split: str) -> str:
    """Return ``split`` if ``by_name`` knows it.

    Raises:
        InputError: naming the choices and the closest of them.
    """
    _meant(split)
    return split


def _meant(split: str) -> tuple[Callable[..., Dataset], dict[str, Any]]:
    """The function that a name stands for, and its options."""
    name = re.sub(r"[\s_-]+", " ", str(split)).strip().lower()
    if name == "given":
        return given, {}
    if found := re.fullmatch(r"leave one out(?: (time|random))?", name):
        return leave_one_out, {"order": found[1] or "time"}
    if (found := re.fullmatch(r"cold items(?: (\d{1,2}) ?%)?", name)) and (share := int(found[1] or 20)):
        return cold_items, {"share": share / 100}
    if found := re.fullmatch(rf"(?:(time per user|global time) )?{RATIO}", name, re.ASCII):
        ratio = re.sub(r"\s", "", found[2])
        numbers = [int(number) for number in re.split("[:/]", ratio)]
        if 0 not in numbers and sum(numbers) in (10, 100):
            return WITH_RATIO[found[1]], {"ratio": ratio}
    raise InputError(
        f"split = {split!r} is not known; choose one of {', '.join(map(repr, NAMES))}, or another ratio that adds up "
        f"to 10 or 100.{closest(str(split), NAMES)}"
    )
