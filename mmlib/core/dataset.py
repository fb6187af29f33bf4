"""A catalogue: users, items, interactions and the parts they are split into."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from .errors import InputError, one_of
from .files import content, digest, read_json, whole, write_json

PARTS = ("train", "valid", "test")
COLUMNS = {  # that every dataset has
    "users": ("id",),
    "items": ("id", "title", "text", "image", "category"),
    "interactions": ("user", "item", "part"),
}


@dataclass(frozen=True)
class SplitPassport:
    """How a dataset was split, so that anyone can check that two splits are the same.

    Args:
        protocol: what was done, in words, such as ``"random per user, 8:1:1"``.
        seed: the seed, or ``None`` for a split that came with the data.
        counts: interactions per part.
        unseen: users and items of ``valid`` and ``test`` that have no training interaction,
            such as ``{"test users": 0, "test items": 3}``.
        hashes: a short hash of each part's sorted (user, item) pairs.
    """

    protocol: str
    seed: int | None
    counts: dict[str, int] = field(default_factory=dict)
    unseen: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Dataset:
    """Users, items and interactions; ids are 0..n-1 and the original ones stay in the column ``id``.

    Args:
        name: shown in titles and reports.
        users: one row a user; column ``id`` (str).
        items: one row an item; columns ``id``, ``title``, ``text`` (description; ``""`` when there is none),
            ``image`` (path inside ``images``; ``""`` when there is none), ``category`` (``""`` when unknown).
        interactions: columns ``user``, ``item`` (int64) and ``part`` (``"train"``, ``"valid"``, ``"test"``, or ``""``
            before the split); where known also ``time`` (seconds), ``rating`` and ``review``.
        images: the folder that pictures are relative to, or ``None``.
        split: the passport, or ``None`` before the split.
        notes: what reading the catalogue found, one sentence each; shown in reports.
    """

    name: str
    users: pd.DataFrame
    items: pd.DataFrame
    interactions: pd.DataFrame
    images: Path | None = None
    split: SplitPassport | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    def part(self, part: str) -> np.ndarray:
        """The (user, item) pairs of ``"train"``, ``"valid"`` or ``"test"``: [n, 2], int64, in a fixed order."""
        one_of("part", part, PARTS)
        if self.split is None:
            raise InputError(f"{self.name} is not split yet: use mmlib.load(..., split=...) or splits.random_by_user.")
        return self._parts[part]

    @property
    def train(self) -> np.ndarray:
        return self.part("train")

    @property
    def valid(self) -> np.ndarray:
        return self.part("valid")

    @property
    def test(self) -> np.ndarray:
        return self.part("test")

    def matrix(self, part: str = "train") -> csr_matrix:
        """The part as a binary users x items CSR matrix (float32, column indices sorted)."""
        pairs = self.part(part)
        ones = np.ones(len(pairs), dtype=np.float32)
        return csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(self.n_users, self.n_items))

    @property
    def reviews(self) -> pd.DataFrame:
        """The training reviews that have text: columns ``user``, ``item``, ``review``.

        A review of a validation or test interaction would tell the answer, so it is never given out.
        """
        if "review" not in self.interactions:
            return pd.DataFrame({"user": [], "item": [], "review": []}).astype({"user": "int64", "item": "int64"})
        self.part("train")  # refuses a dataset without a split
        table = self.interactions[(self.interactions["part"] == "train") & (self.interactions["review"] != "")]
        return table[["user", "item", "review"]].sort_values(["user", "item"], kind="stable").reset_index(drop=True)

    def image_path(self, item: int) -> Path | None:
        """The item's image, or ``None`` when it has none; it need not exist. The path never leaves ``images``."""
        name = str(self.items["image"].iat[item])
        if not name or self.images is None:
            return None
        try:
            path = (self.images / name).resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte: nothing that could be opened
            return self.images / name
        if not path.is_relative_to(self.images.resolve()):
            raise InputError(f"The picture of item {self.items['id'].iat[item]} lies outside {self.images}: {name}")
        return path

    def purchases(self) -> np.ndarray:
        """How often each item was bought in the training part: [n_items], int64."""
        return np.bincount(self.train[:, 1], minlength=self.n_items)

    def with_parts(self, parts: Iterable[str], protocol: str, seed: int | None) -> "Dataset":
        """The same dataset with each interaction put into a part, and the passport that says so.

        Args:
            parts: ``"train"``, ``"valid"`` or ``"test"`` for each row of ``interactions``.

        Raises:
            InputError: when a part is empty.
        """
        table = self.interactions.assign(part=np.asarray(list(parts), dtype=object))
        split = replace(self, interactions=table, split=SplitPassport(protocol, seed))
        pairs = split._parts
        if empty := [part for part in PARTS if len(pairs[part]) == 0]:
            if self.n_items < 2:
                raise InputError(f"{self.name} has {self.n_items} item, so there is nothing to rank: bring more items.")
            raise InputError(
                f"The {empty[0]} part of {self.name} is empty after the split '{protocol}' of {len(table)} "
                "interactions. Users need at least three interactions each for 8:1:1, time splits "
                "several moments, cold items several items; bring more data or choose another split."
            )
        counts = {part: len(pairs[part]) for part in PARTS}
        hashes = {part: digest(pairs[part]) for part in PARTS}
        unseen = {}
        for part in ("valid", "test"):
            for column, (name, n) in enumerate((("users", self.n_users), ("items", self.n_items))):
                here, known = (np.bincount(pairs[one][:, column], minlength=n) > 0 for one in (part, "train"))
                unseen[f"{part} {name}"] = int((here & ~known).sum())
        done = replace(split, split=SplitPassport(protocol, seed, counts, unseen, hashes))
        done.__dict__["_parts"] = pairs  # cut already
        return done

    def _check_numbers(self) -> list[np.ndarray]:
        """The interactions' users and items, [n] each, which must be numbers of rows of the other tables."""
        numbers = [self.interactions[name].to_numpy(dtype=np.int64) for name in ("user", "item")]
        for what, ids, known in zip(("users", "items"), numbers, (self.n_users, self.n_items)):
            if len(ids) and not 0 <= ids.min() <= ids.max() < known:
                raise InputError(
                    f"{self.name}: interactions name {what} from {ids.min()} to {ids.max()}, but there are {known}; "
                    f"their numbers must be 0 to {known - 1}."
                )
        return numbers

    @cached_property
    def _parts(self) -> dict[str, np.ndarray]:
        found = {}
        user, item = self._check_numbers()
        n = max(1, self.n_items)
        names = self.interactions["part"].to_numpy()
        for part in PARTS:
            own = names == part
            code = np.sort(user[own] * n + item[own])
            code = code[np.diff(code, prepend=-1) > 0]  # sorted, each pair once
            found[part] = np.stack(np.divmod(code, n), axis=1)
        return found

    @cached_property
    def key(self) -> str:
        """A short hash of all tables and of the bytes of all images."""
        paths = map(self.image_path, range(self.n_items))
        images = [content(path) if path and os.path.isfile(path) else "" for path in paths]
        return digest(*self._tables, images)

    @cached_property
    def _tables(self) -> list[str]:
        tables = [self.users, self.items, self.interactions]
        return [digest(part) for table in tables for part in _columns(table)]

    def save(self, folder: str | Path) -> None:
        """Write ``dataset.json`` and three parquet tables to ``folder``, each whole or not at all.

        Pictures are not copied: ``dataset.json`` keeps the path of their folder, relative when they lie inside.
        """
        folder = Path(folder).resolve()
        images = self.images and self.images.resolve()
        if images and images.is_relative_to(folder):
            images = images.relative_to(folder)
        for name in ("users", "items", "interactions"):
            with whole(folder / f"{name}.parquet") as partial:
                getattr(self, name).to_parquet(partial, index=False)
        about = {"format": 1, "name": self.name, "images": images and str(images), "notes": list(self.notes)}
        write_json(folder / "dataset.json", about | {"split": self.split and asdict(self.split)})

    @classmethod
    def load(cls, folder: str | Path) -> "Dataset":
        """Read what ``save`` wrote.

        Raises:
            InputError: when a file is missing or damaged.
        """
        folder = Path(folder)
        about = read_json(folder / "dataset.json")
        try:
            passport = about["split"] and SplitPassport(**about["split"])
            name, images, notes = about["name"], about["images"] and folder / about["images"], tuple(about["notes"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{folder / 'dataset.json'} is no saved dataset ({error}). Save it again.") from None
        tables = {}
        for table, columns in COLUMNS.items():
            path = folder / f"{table}.parquet"
            try:
                tables[table] = pd.read_parquet(path)
            except (OSError, ValueError) as error:
                raise InputError(f"{path} cannot be read: {error}. Save the dataset again.") from None
            if lacking := [column for column in columns if column not in tables[table]]:
                raise InputError(f"{path} has no column {lacking[0]!r}. Save the dataset again.")
        data = cls(name, images=images or None, split=passport or None, notes=notes, **tables)
        data._check_numbers()
        return data

    def summary(self) -> dict[str, Any]:
        """The facts that everyone asks for first, in reading order."""
        n = len(self.interactions)
        facts: dict[str, Any] = {"users": self.n_users, "items": self.n_items, "interactions": n}
        facts["density"] = f"{n / max(1, self.n_users * self.n_items):.3%}"
        for what, column in (("picture", "image"), ("description", "text")):
            facts[f"items with a {what}"] = int((self.items[column] != "").sum())
        if "review" in self.interactions:
            facts["interactions with a review"] = int((self.interactions["review"] != "").sum())
        if self.split:
            facts["split"] = self.split.protocol
            facts |= self.split.counts
            facts |= {f"{name} unseen in train": count for name, count in self.split.unseen.items() if count}
        return facts

    def __repr__(self) -> str:
        split = self.split.protocol if self.split else "no split"
        rows = len(self.interactions)
        return f"Dataset({self.name!r}, {self.n_users} users, {self.n_items} items, {rows} rows, {split})"

    def _repr_html_(self) -> str:
        facts = [(name, f"{one:,}" if isinstance(one, int) else str(one)) for name, one in self.summary().items()]
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<h4>{escape(self.name)}</h4><table>{rows}</table>" + (f"<ul>{notes}</ul>" if notes else "")


def _columns(table: pd.DataFrame) -> Iterable[Any]:
    for name in table.columns:
        values = table[name].to_numpy()
        yield name
        if values.dtype.kind in "iufb":
            yield values
            continue
        for start in range(0, len(values), 100_000):  # reviews are many and long: never all as Python's texts
            yield [str(value) for value in values[start : start + 100_000]]
