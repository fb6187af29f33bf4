"""What published folders share: whole numbers for ids, lists of the original ids, and arrays of features."""

import re
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from .. import assemble
from ..ids import all_numbers, in_order
from ..ids import unmatched as unmatched_notes
from ..tables.content import COLUMNS
from ..tables.roles import plain
from ..text_files import BadLines, lines

FEATURES = {"image": "image_feat.npy", "text": "text_feat.npy"}
NUMBER = re.compile(r"[0-9]{1,18}")
_NUMBERED = ("remapid", "userid", "itemid", "iid", "uid")  # what the column of numbers is called in a list of ids


def dataset_of_lists(
    folder: Path,
    parts: Iterable[tuple[str, Iterable[tuple[int, list[int]]]]],
    bad: BadLines,
    *,
    source: str,
    place: Path | None = None,
    described: pd.DataFrame | None = None,
    unmatched: str = "stop",
    name: str | None = None,
) -> Dataset:
    """The dataset of a folder with a list of items a user, ``user_list.txt`` and ``item_list.txt`` beside the lists.

    Args:
        parts: each part with its users and their items; a user without items is one all the same.
        place: where the lists lie, if not in ``folder``.

    Raises:
        InputError: when no user has an item, and as ``dataset``.
    """
    place, users, items, listed, sizes = place or folder, array("q"), array("q"), array("q"), list[tuple[str, int]]()
    for part, lists in parts:
        before = len(users)
        for user, own in lists:
            listed.append(user)
            users.extend([user] * len(own))
            items.extend(own)
        sizes.append((part, len(users) - before))
    if not users:
        raise InputError(f"{place} has users, but none of them has an item.")
    part_of = np.repeat(np.array([part for part, _ in sizes], dtype=object), [size for _, size in sizes])
    table = pd.DataFrame({"user": _categories(users), "item": _categories(items), "part": part_of})
    user_names, item_names = (originals(there(place, f"{what}_list.txt"), bad) for what in ("user", "item"))
    notes = list(bad.notes())
    return dataset(
        folder,
        table,
        notes,
        source=source,
        listed=_categories(listed).categories,
        described=described,
        unmatched=unmatched,
        name=name,
        users=user_names,
        items=item_names,
    )


def _categories(numbers: array) -> pd.Categorical:
    values, codes = np.unique(np.frombuffer(numbers, dtype=np.int64), return_inverse=True)
    return pd.Categorical.from_codes(codes, pd.Index([str(value) for value in values], dtype=object))


def originals(path: Path | None, bad: BadLines) -> dict[str, str]:
    """The original ids by number, from a file with two columns, such as ``user_list.txt`` or ``i_id_mapping.csv``.

    The columns stand apart by a tab, a comma or blanks, with or without their names above. The numbers are in the
    column that is called so (``remap_id``, ``itemID`` ...), else in the second.

    Raises:
        InputError: as ``bad`` says; a number or an id that comes twice is bad too.
    """
    found: dict[str, str] = {}
    back: dict[str, str] = {}
    mark, place = None, 1
    for at, (number, text) in enumerate(lines(path, bad) if path else ()):
        assert path is not None
        if at == 0:
            mark = next((mark for mark in "\t," if mark in text), None)
            names = [plain(name) for name in _cells(text, mark)]
            place = max((place for place, name in enumerate(names[:2]) if name in _NUMBERED), default=1)
            if not any(NUMBER.fullmatch(cell) for cell in _cells(text, mark)):
                continue  # the columns' names
        cells = _cells(text, mark)
        if len(cells) < 2 or not NUMBER.fullmatch(cells[place]) or not cells[1 - place]:
            bad.add(path, number, f"no original id with its number: {text[:60]!r}")
            continue
        key, value = str(int(cells[place])), cells[1 - place]
        if found.get(key, value) != value:
            bad.add(path, number, f"number {key} stands for {value[:40]!r}, and further up for {found[key][:40]!r}")
        elif back.get(value, key) != key:
            bad.add(path, number, f"{value[:40]!r} has number {key}, and further up {back[value]}")
        else:
            found[key], back[value] = value, key
    return found


def there(folder: Path, file: str) -> Path | None:
    """The file in the folder, if there is one."""
    return folder / file if (folder / file).is_file() else None


def _cells(text: str, mark: str | None) -> list[str]:
    return [cell.strip() for cell in text.split(mark)]


def dataset(
    folder: Path,
    table: pd.DataFrame,
    notes: list[str],
    *,
    source: str,
    users: Mapping[str, str],
    items: Mapping[str, str],
    listed: Iterable[str] = (),
    described: pd.DataFrame | None = None,
    images: Path | None = None,
    unmatched: str = "stop",
    name: str | None = None,
) -> Dataset:
    """The dataset of a published folder, users and items in the order of their numbers.

    The items' column ``number`` keeps the number, as text: the row of the item in the folder's arrays of features.

    Args:
        table: columns ``user``, ``item`` (categories of numbers as text), ``part``, and more where known.
        users: the original ids by number, nothing where they are not known; ``items`` likewise.
        listed: users to keep even without an interaction.
        described: what is known of items, its column ``id`` being the number or the original id.
    """
    user_ids = in_order([*table["user"].cat.categories, *listed, *users])
    item_ids = in_order([*table["item"].cat.categories, *items])
    if described is None:
        described = pd.DataFrame({column: pd.Series([], dtype=object) for column in COLUMNS})
    described = _by_number(described, item_ids, items, notes)
    lists = (("users", users), ("items", items), ("items", described["id"]))
    for (what, listed), place in zip(
        lists, ("the list of original ids of users", "that of items", "the texts of items")
    ):
        used = table[what[:-1]].value_counts()
        notes += unmatched_notes(used, pd.Index(listed), what, (folder / source, folder / place), unmatched)
    catalogue = described.set_index("id").reindex(item_ids, fill_value="").rename_axis("id").reset_index()
    catalogue["id"] = _named(item_ids, items, "items", notes)
    catalogue["number"] = item_ids
    people = pd.DataFrame({"id": _named(user_ids, users, "users", notes)})
    notes += [*_gaps(item_ids, "items"), *_gaps(user_ids, "users"), *_features(folder)]
    name = name or folder.resolve().name
    return assemble.dataset(
        name, table, people, catalogue, notes, source=source, images=images, user_ids=user_ids, item_ids=item_ids
    )


def _by_number(described: pd.DataFrame, numbers: pd.Index, items: Mapping[str, str], notes: list[str]) -> pd.DataFrame:
    """The rows of the items that there are, by their number."""
    back = {name: number for number, name in items.items()}
    if described["id"].isin(back).sum() > described["id"].isin(numbers).sum():
        described = described.assign(id=[back.get(name, name) for name in described["id"]])
    known = described["id"].isin(numbers) & ~described["id"].duplicated()
    lost = described["id"][~known]
    if len(lost):
        notes.append(f"Texts of items that occur nowhere else: {len(lost):,}, such as {lost.iloc[0]}; left out.")
    return described[known]


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
