"""What published folders share: whole numbers for ids, lists of the original ids, and arrays of features."""

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from ..reading import Reading, all_numbers, described, in_order
from ..tables.content import COLUMNS
from ..tables.roles import plain
from ..text_files import lines

FEATURES = {"image": "image_feat.npy", "text": "text_feat.npy"}
NUMBER = re.compile(r"[0-9]{1,18}")
_NUMBERED = ("remapid", "userid", "itemid", "iid", "uid")  # what the column of numbers is called in a list of ids


def dataset_of_lists(
    reading: Reading,
    place: Path,
    parts: Iterable[tuple[str, Iterable[tuple[int, list[int]]]]],
    *,
    source: str,
    known: pd.DataFrame | None = None,
) -> Dataset:
    """The dataset of a list of items a user, with ``user_list.txt`` and ``item_list.txt`` beside the lists.

    Args:
        place: where the lists lie.
        parts: each part with its users and their items; a user without items is one all the same.

    Raises:
        InputError: when no user has an item, and as ``dataset``.
    """
    users, items, listed, part_of = array("q"), array("q"), array("q"), list[np.ndarray]()
    for part, lists in parts:
        before = len(users)
        for user, own in lists:
            listed.append(user)
            users.extend([user] * len(own))
            items.extend(own)
        part_of.append(np.full(len(users) - before, part, dtype=object))
    if not users:
        raise InputError(f"{place} has users, but none of them has an item.")
    columns = {"user": _categories(users), "item": _categories(items), "part": np.concatenate(part_of)}
    names = [originals(there(place, f"{what}_list.txt"), reading) for what in ("user", "item")]
    listed_users = _categories(listed).categories
    return dataset(reading, pd.DataFrame(columns), source, names, listed=listed_users, known=known)


def _categories(numbers: array) -> pd.Categorical:
    values, codes = np.unique(np.frombuffer(numbers, dtype=np.int64), return_inverse=True)
    return pd.Categorical.from_codes(codes, pd.Index([str(value) for value in values], dtype=object))


def originals(path: Path | None, reading: Reading) -> dict[str, str]:
    """The original ids by number, from a file with two columns, such as ``user_list.txt`` or ``i_id_mapping.csv``.

    The columns stand apart by a tab, a comma or blanks, with or without their names above. The numbers are in the
    column that is called so (``remap_id``, ``itemID`` ...), else in the second.

    Raises:
        InputError: as ``reading.bad`` says; a number or an id that comes twice is bad too.
    """
    found: dict[str, str] = {}
    back: dict[str, str] = {}
    mark, place = None, 1
    for at, (number, text) in enumerate(lines(path, reading) if path else ()):
        assert path is not None
        if at == 0:
            mark = next((mark for mark in "\t," if mark in text), None)
            names = [plain(name) for name in _cells(text, mark)]
            place = max((place for place, name in enumerate(names[:2]) if name in _NUMBERED), default=1)
            if not any(NUMBER.fullmatch(cell) for cell in _cells(text, mark)):
                continue  # the columns' names
        cells = _cells(text, mark)
        if len(cells) < 2 or not NUMBER.fullmatch(cells[place]) or not cells[1 - place]:
            reading.bad(path, number, f"no original id with its number: {text[:60]!r}")
            continue
        key, value = str(int(cells[place])), cells[1 - place]
        if found.get(key, value) != value:
            reading.bad(path, number, f"number {key} stands for {value[:40]!r}, and further up for {found[key][:40]!r}")
        elif back.get(value, key) != key:
            reading.bad(path, number, f"{value[:40]!r} has number {key}, and further up {back[value]}")
        else:
            found[key], back[value] = value, key
    return found


def there(folder: Path, file: str) -> Path | None:
    """The file in the folder, if there is one."""
    return folder / file if (folder / file).is_file() else None


def _cells(text: str, mark: str | None) -> list[str]:
    return [cell.strip() for cell in text.split(mark)]


def dataset(
    reading: Reading,
    table: pd.DataFrame,
    source: str,
    names: Sequence[Mapping[str, str]],
    *,
    listed: Iterable[str] = (),
    known: pd.DataFrame | None = None,
    images: Path | None = None,
) -> Dataset:
    """The dataset of a published folder, users and items in the order of their numbers.

    The items' column ``number`` keeps the number, as text: the row of the item in the folder's arrays of features.

    Args:
        table: columns ``user``, ``item`` (categories of numbers as text), ``part``, and more where known.
        names: the original ids of users and of items by number, nothing where they are not known.
        listed: users to keep even without an interaction.
        known: what is known of items, its column ``id`` being the number or the original id.
    """
    folder, notes = reading.folder, reading.notes
    notes += reading.bad_lines()
    users, items = (in_order([*table[role].cat.categories, *names[at]]) for at, role in enumerate(("user", "item")))
    users = in_order([*users, *listed])
    known = pd.DataFrame(columns=list(COLUMNS), dtype=object) if known is None else known
    known = _by_number(known, items, names[1], notes)
    for role, ids, what in (
        ("user", names[0], "the list of original ids of users"),
        ("item", names[1], "that of items"),
        ("item", known["id"], "the texts of items"),
    ):
        reading.match(table[role].value_counts(), pd.Index(ids), f"{role}s", (folder / source, folder / what))
    catalogue = described(known, items).assign(id=_named(items, names[1], "items", notes), number=items)
    people = pd.DataFrame({"id": _named(users, names[0], "users", notes)})
    notes += [*_gaps(items, "items"), *_gaps(users, "users"), *_features(folder)]
    return reading.dataset(table, source, people, catalogue, ids=(users, items), images=images)


def _by_number(known: pd.DataFrame, numbers: pd.Index, items: Mapping[str, str], notes: list[str]) -> pd.DataFrame:
    """The rows of the items that there are, by their number."""
    back = {name: number for number, name in items.items()}
    if known["id"].isin(back).sum() > known["id"].isin(numbers).sum():
        known = known.assign(id=[back.get(name, name) for name in known["id"]])
    there = known["id"].isin(numbers) & ~known["id"].duplicated()
    lost = known["id"][~there]
    if len(lost):
        notes.append(f"Texts of items that occur nowhere else: {len(lost):,}, such as {lost.iloc[0]}; left out.")
    return known[there]


def _named(numbers: pd.Index, originals: Mapping[str, str], what: str, notes: list[str]) -> list[str]:
    """The original ids, or the numbers where there is no list; what a list leaves out is called ``#number``."""
    if not originals:
        return numbers.tolist()
    lost = [number for number in numbers if number not in originals]
    if lost:
        notes.append(
            f"Numbers of {what} that the list of original ids does not have: {len(lost):,}, such as "
            f"{', '.join(lost[:3])}; called #{lost[0]} ..."
        )
    names = [originals.get(number, f"#{number}") for number in numbers]
    if len(set(names)) < len(names):
        raise InputError(f"The list of original ids of {what} holds ids such as #{lost[0]}, which stand for numbers.")
    return names


def _gaps(numbers: pd.Index, what: str) -> list[str]:
    if not all_numbers(numbers):
        return []
    gaps = int(numbers[-1]) + 1 - len(numbers)
    if gaps <= 0:
        return []
    return [
        f"Numbers below the largest of the {what} that occur nowhere: {gaps:,}; left out here, while published code "
        f"counts them as {what}."
    ]


def _features(folder: Path) -> list[str]:
    files = [file for file in FEATURES.values() if (folder / file).is_file()]
    return [f"Published features: {', '.join(files)}; encoders.published reads them."] if files else []
