"""One catalogue while it is read: what becomes of flaws, what was found, and the last steps of every reader."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.dataset import PARTS, Dataset
from ..core.errors import InputError, one_of
from ..splits import first_rows

MUCH = 0.1  # a larger share of unmatched ids, or of their interactions, is a warning


@dataclass
class Reading:
    """One catalogue while it is read.

    Args:
        on_bad: ``"stop"`` at a line that cannot be read, or ``"skip"``: such lines are counted, the first few kept as
            examples.
        unmatched: what becomes of a list or table that has none of the ids of the interactions, ``"stop"`` or
            ``"keep"``; see ``match``.
        folder: where the catalogue lies.
        name: of the dataset; default: the folder's.
        notes: what was found on the way; for ``Dataset.notes``.
    """

    on_bad: str = "stop"
    unmatched: str = "stop"
    folder: Path = Path()
    name: str = ""
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        one_of("on_bad", self.on_bad, ("stop", "skip"))
        one_of("unmatched", self.unmatched, ("stop", "keep"))

    def bad(self, path: Path, line: int, why: str, unit: str = "line") -> None:
        """Report one line (or row of parquet), counted from 1, that cannot be read.

        Raises:
            InputError: when bad lines are to stop the reading.
        """
        if self.on_bad == "stop":
            raise InputError(
                f"{path}, {unit} {line:,}: {why}. Mend the {unit}, or leave such {unit}s out with on_bad='skip' "
                "(their number is then reported)."
            )
        self.counts[str(path)] = self.counts.get(str(path), 0) + 1
        if len(self.examples) < 5:
            self.examples.append(f"{path.name}, {unit} {line:,}: {why}")

    def bad_lines(self) -> tuple[str, ...]:
        """One sentence on the bad lines of each file, with examples."""
        said = []
        for path, count in self.counts.items():
            name = Path(path).name
            examples = "; ".join(example for example in self.examples if example.startswith(f"{name}, "))
            said.append(f"{name}: unreadable lines left out: {count:,}" + (f" ({examples})." if examples else "."))
        return tuple(said)

    def first_rows(self, table: pd.DataFrame, path: Path) -> pd.DataFrame:
        """The first row of each item in a table with a column ``id``; the others are counted."""
        again = table.duplicated("id")
        if again.any():
            some = ", ".join(table.loc[again, "id"].unique()[:3])
            self.notes.append(
                f"{path.name}: rows that repeat an item: {int(again.sum())}, such as {some}; its first row is kept."
            )
        return table[~again].reset_index(drop=True)

    def match(self, used: pd.Series, listed: pd.Index, what: str, files: tuple[Path, Path]) -> None:
        """Note the ids in interactions that a table or list of users or items does not have.

        The note begins with ``Warning:`` where they are more than ``MUCH`` of the ids or of the interactions.

        Args:
            used: interactions by id, such as ``table["item"].value_counts()``.
            what: whose ids, ``"users"`` or ``"items"``.
            files: where the interactions and the list were read.

        Raises:
            InputError: when none of the ids is listed, unless they are to be kept all the same.
        """
        used = used[used > 0]
        lost = used[~used.index.isin(listed)]
        if lost.empty or len(listed) == 0:
            return
        here, there = (", ".join(map(str, in_order(map(str, ids))[:3])) for ids in (lost.index, listed))
        shown = f"{files[0].name} has {what} such as {here}; {files[1].name} such as {there}"
        if len(lost) == len(used) and self.unmatched == "stop":
            raise InputError(
                f"No id of {what} in {files[0]} is in {files[1]}. {shown}. Bring the files that belong together, or "
                "write the ids in one way; reader = {'unmatched': 'keep'} keeps them, without anything known of them."
            )
        share, rows = len(lost) / len(used), lost.sum() / used.sum()
        self.notes.append(
            f"{'Warning: ' if max(share, rows) > MUCH else ''}{what.capitalize()} with interactions but no row of "
            f"their own: {len(lost):,} of {len(used):,}, with {rows:.1%} of the interactions; kept with nothing known "
            f"of them. {shown}."
        )

    def dataset(
        self,
        table: pd.DataFrame,
        source: str,
        users: pd.DataFrame,
        items: pd.DataFrame,
        *,
        ids: tuple[pd.Index | None, pd.Index | None] = (None, None),
        images: Path | None = None,
        file_order: bool = False,
    ) -> Dataset:
        """A dataset without a split from interactions whose users and items are still ids; each pair once.

        Args:
            table: columns ``user`` and ``item`` (categories of ids), ``part``, and where known ``time``, ``rating``.
            source: the file of the interactions, for the notes.
            users: column ``id``, in the order in which they are to be numbered; ``items`` likewise.
            ids: what ``table`` calls each row of ``users`` and of ``items``, if not by its ``id``.
            file_order: leave interactions in their order; else they are sorted by user and item, so that it does not
                matter.
        """
        sides = (("user", users, ids[0]), ("item", items, ids[1]))
        user, item = (_places(table[role], pd.Index(rows["id"]) if own is None else own) for role, rows, own in sides)
        pair = user * len(items) + item
        order = np.argsort(pair, kind="stable")
        table = table.assign(user=user, item=item)
        table = table if file_order else table.iloc[order].reset_index(drop=True)
        if (np.diff(pair[order]) == 0).any():
            table = once(table, source, self.notes)
        for what, rows, own in (("users", users, user), ("items", items, item)):
            self.notes.extend(case_twins(rows["id"], what))
            never = np.flatnonzero(np.bincount(own, minlength=len(rows)) == 0)
            if len(never):
                some = ", ".join(rows["id"].iloc[never[:3]])
                self.notes.append(f"{what.capitalize()} without an interaction: {len(never):,}, such as {some}; kept.")
        name = self.name or self.folder.resolve().name
        return Dataset(name, users, items, table, images, notes=tuple(self.notes))


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


def described(known: pd.DataFrame, items: pd.Index) -> pd.DataFrame:
    """What is known of ``items``, by the column ``id`` of ``known``; ``""`` in every column for the others."""
    return known.set_index("id").reindex(items, fill_value="").rename_axis("id").reset_index()


def _places(values: pd.Series, ids: pd.Index) -> np.ndarray:
    """The place of each value among ``ids``; [n] int64."""
    return ids.get_indexer(values.cat.categories)[values.cat.codes.to_numpy()].astype(np.int64)


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
