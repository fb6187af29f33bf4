"""Original ids of users and items: their order, and those that are easily taken for one another."""

from collections.abc import Iterable

import pandas as pd


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
