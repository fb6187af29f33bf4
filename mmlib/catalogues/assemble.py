"""The last steps of every reader: users and items numbered, each pair once, and what was found on the way told."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..core.dataset import PARTS, Dataset
from ..splits import first_rows
from .ids import case_twins


def dataset(
    name: str,
    table: pd.DataFrame,
    users: pd.DataFrame,
    items: pd.DataFrame,
    notes: list[str],
    *,
    source: str,
    images: Path | None = None,
    user_ids: pd.Index | None = None,
    item_ids: pd.Index | None = None,
) -> Dataset:
    """A dataset without a split from interactions whose users and items are still ids.

    Its interactions are sorted by user and item, so that their order in the file does not matter.

    Args:
        table: columns ``user`` and ``item`` (categories of ids), ``part``, and where known ``time``, ``rating``.
        users: column ``id``, in the order in which they are to be numbered; ``items`` likewise.
        notes: what reading has found; more is added.
        source: the file of the interactions, for the notes.
        user_ids: what ``table`` calls each row of ``users``, if not by its ``id``; ``item_ids`` likewise.
    """
    user_ids = pd.Index(users["id"]) if user_ids is None else user_ids
    item_ids = pd.Index(items["id"]) if item_ids is None else item_ids
    user, item = places(table["user"], user_ids), places(table["item"], item_ids)
    table = table.assign(user=user, item=item)
    pair = user * len(items) + item
    order = np.argsort(pair, kind="stable")
    if (np.diff(pair[order]) == 0).any():
        table = once(table, source, notes)
        order = np.argsort(table["user"].to_numpy() * len(items) + table["item"].to_numpy(), kind="stable")
    for what, frame in (("users", users), ("items", items)):
        notes.extend(case_twins(frame["id"], what))
    silent = int((np.bincount(user, minlength=len(users)) == 0).sum())
    if silent:
        notes.append(f"Users without an interaction: {silent:,}; kept.")
    never = np.flatnonzero(np.bincount(item, minlength=len(items)) == 0)
    if len(never):
        notes.append(
            f"Items without an interaction: {len(never):,}, such as {', '.join(items['id'].iloc[never[:3]])}; kept."
        )
    table = table.iloc[order].reset_index(drop=True)
    return Dataset(name, users, items, table, images, notes=tuple(notes))


def once(table: pd.DataFrame, source: str, notes: list[str]) -> pd.DataFrame:
    """Keep each pair once: in the first part that has it, and there the earliest."""
    kept = first_rows(table)
    repeated = len(table) - int(kept.sum())
    if repeated == 0:
        return table
    notes.append(f"{source}: repeated interactions of the same user and item: {repeated:,}; the earliest is kept.")
    across = table.drop_duplicates(["user", "item", "part"]).duplicated(["user", "item"]).sum()
    if across:
        notes.append(
            f"{source}: of them in several parts at once: {across:,}; kept in the first of {', '.join(PARTS)} alone."
        )
    return table[kept].reset_index(drop=True)


def places(values: pd.Series, ids: pd.Index) -> np.ndarray:
    """The place of each value among ``ids``; [n] int64."""
    return ids.get_indexer(values.cat.categories)[values.cat.codes.to_numpy()].astype(np.int64)
