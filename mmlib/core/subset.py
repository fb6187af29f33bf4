"""A part of a catalogue, with its users and items numbered anew."""

from dataclasses import replace

import numpy as np

from .dataset import Dataset


def subset(
    data: Dataset, rows: np.ndarray, users: np.ndarray | None = None, items: np.ndarray | None = None
) -> Dataset:
    """Keep some interactions, users and items; those that stay keep their order and are numbered 0..n-1.

    An interaction of a user or an item that does not stay is dropped too. The result has no passport.

    Args:
        rows: interactions kept; [n] bool.
        users: users kept; [n_users] bool, default: all.
        items: items kept; [n_items] bool, default: all.
    """
    user, item = (data.interactions[name].to_numpy(dtype=np.int64) for name in ("user", "item"))
    if users is not None:
        rows = rows & users[user]
    if items is not None:
        rows = rows & items[item]
    table = data.interactions if rows.all() else data.interactions[rows].reset_index(drop=True)
    if users is not None and not users.all():
        table = table.assign(user=(np.cumsum(users) - 1)[user[rows]])
        data = replace(data, users=data.users[users].reset_index(drop=True))
    if items is not None and not items.all():
        table = table.assign(item=(np.cumsum(items) - 1)[item[rows]])
        data = replace(data, items=data.items[items].reset_index(drop=True))
    return replace(data, interactions=table, split=None)


def told(before: Dataset, after: Dataset, what: str) -> Dataset:
    """``after`` with a note: what was done, and how many interactions, users and items there were and are."""
    sizes = [(len(one.interactions), one.n_users, one.n_items) for one in (before, after)]
    counts = [f"{name} {n:,} -> {m:,}" for name, n, m in zip(("interactions", "users", "items"), *sizes)]
    return replace(after, notes=(*after.notes, f"{what}: {', '.join(counts)}."))
