"""Original ids of users and items: their order, those that are easily taken for one another, and those that match
nothing."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..core.errors import InputError

UNMATCHED = ("stop", "keep")
MUCH = 0.1  # a larger share of unmatched ids, or of their interactions, is a warning


def in_order(values: Iterable[str]) -> pd.Index:
    """The distinct ids, by number if all are whole numbers, else by letters."""
    unique = pd.Index(values).unique()
    if all_numbers(unique):
        return pd.Index(sorted(unique, key=lambda value: (int(value), value)), dtype=unique.dtype)
    return pd.Index(sorted(unique), dtype=unique.dtype)


def all_numbers(ids: pd.Index) -> bool:
    """Whether there are ids, and all of them are whole numbers from 0 that fit into 64 bits."""
    return len(ids) > 0 and bool(ids.str.fullmatch(r"[0-9]{1,18}").all())


def case_twins(ids: Iterable[str], what: str) -> tuple[str, ...]:
    """One sentence on the ids that differ in upper and lower case alone, or nothing; for ``Dataset.notes``.

    Such ids stay apart, because some catalogues mean it; mostly they are one and the same thing, written twice.

    Args:
        ids: distinct ids; the examples come in their order.
        what: whose ids, in the plural, such as ``"users"``.
    """
    first: dict[str, str] = {}
    twins = [(first[low], one) for one in ids if first.setdefault(low := one.casefold(), one) != one]
    if not twins:
        return ()
    some = ", ".join(f"{one} and {other}" for one, other in twins[:3])
    return (
        f"Ids of {what} that differ from another in upper and lower case alone: {len(twins):,}, such as {some}; kept "
        "apart.",
    )


def unmatched(
    used: pd.Series, listed: pd.Index, what: str, files: tuple[Path, Path], choice: str = "stop"
) -> tuple[str, ...]:
    """One sentence on the ids in interactions that a table or list of users or items does not have, or nothing.

    It begins with ``Warning:`` where they are more than ``MUCH`` of the ids or of the interactions.

    Args:
        used: interactions by id, such as ``table["item"].value_counts()``.
        what: whose ids, ``"users"`` or ``"items"``.
        files: where the interactions and the list were read.
        choice: what becomes of a list that has none of the ids, ``"stop"`` or ``"keep"``.

    Raises:
        InputError: when none of the ids is listed, unless they are to be kept all the same.
    """
    used = used[used > 0]
    lost = used[~used.index.isin(listed)]
    if lost.empty or len(listed) == 0:
        return ()
    here, there = (", ".join(map(str, in_order(map(str, ids))[:3])) for ids in (lost.index, listed))
    shown = f"{files[0].name} has {what} such as {here}; {files[1].name} such as {there}"
    if len(lost) == len(used) and choice == "stop":
        raise InputError(
            f"No id of {what} in {files[0]} is in {files[1]}. {shown}. Bring the files that belong together, or "
            "write the ids in one way; reader = {'unmatched': 'keep'} keeps them, without anything known of them."
        )
    share, rows = len(lost) / len(used), lost.sum() / used.sum()
    return (
        f"{'Warning: ' if max(share, rows) > MUCH else ''}{what.capitalize()} with interactions but no row of their "
        f"own: {len(lost):,} of {len(used):,}, with {rows:.1%} of the interactions; kept with nothing known of them. "
        f"{shown}.",
    )
