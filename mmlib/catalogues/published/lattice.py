"""Folders as LATTICE and MICRO publish them: ``train.json``, ``val.json`` and ``test.json``, each a user's items."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from ..reading import Reading
from ..tables.content import COLUMNS
from ..text_files import lines, opened
from . import numbered

FILES = {"train.json": "train", "val.json": "valid", "test.json": "test"}
LARGEST = 512 << 20  # bytes of one file; the largest published one has 20 MB


def read(reading: Reading) -> Dataset:
    """Read the three files from the folder or from its one subfolder called ``5-core`` or the like.

    Each file is one object, ``{"user": [item, item ...]}``, of whole numbers; it is read whole or not at all. The
    published split stays as it is (``split="given"``). ``user_list.txt`` and ``item_list.txt`` beside them give the
    original ids, and ``raw_text.txt``, one line an item, the texts. Source: Zhang et al., Mining Latent Structures for
    Multimedia Recommendation, MM 2021, and its public data.

    Raises:
        InputError: naming file, place and remedy.
    """
    place = place_of(reading.folder)
    if place is None:
        raise InputError(f"{reading.folder} has no {', '.join(FILES)}, and no subfolder such as 5-core that has them.")
    parts = ((part, _lists(place / file)) for file, part in FILES.items())
    texts = _texts(numbered.there(place, "raw_text.txt"), reading)
    return numbered.dataset_of_lists(reading, place, parts, source="train.json", known=texts)


def place_of(folder: Path) -> Path | None:
    """The folder with the three files: ``folder`` itself, or the first of its subfolders ``5-core``, ``0-core`` ..."""
    places = [folder, folder / "5-core", *sorted(folder.glob("*-core"))]
    return next((place for place in places if all((place / file).is_file() for file in FILES)), None)


def _object(path: Path) -> tuple[tuple[str, Any], ...]:
    """The pairs of the one object in the file, a key that comes twice included."""
    with opened(path) as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise InputError(f"{path} is larger than {LARGEST >> 20} MiB, which no published file is.")
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=tuple)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line:,}: not UTF-8 text: byte 0x{data[error.start]:02x}.") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno:,}, column {error.colno:,}: {error.msg}. The file is damaged, or was not "
            "downloaded to its end; get it again."
        ) from None
    except (RecursionError, ValueError) as error:  # brackets within brackets; numbers of thousands of digits
        raise InputError(f"{path} is damaged: {error}. Get it again.") from None
    if not isinstance(found, tuple):
        raise InputError(f'{path} must hold one object such as {{"0": [3, 7]}}, but holds a {type(found).__name__}.')
    return found


def _lists(path: Path) -> Iterator[tuple[int, list[int]]]:
    for user, items in _object(path):
        yield _numbers(user, items, path)


def _numbers(user: str, items: Any, path: Path) -> tuple[int, list[int]]:
    if not numbered.NUMBER.fullmatch(user):
        raise InputError(f"{path}: user {user[:40]!r} is not a whole number. Number the users from 0.")
    wrong = [items] if not isinstance(items, list) else [item for item in items if not _is_number(item)]
    if wrong:
        raise InputError(
            f"{path}: user {user} must have a list of whole numbers, but it holds {str(wrong[0])[:40]!r}. Number the "
            "items from 0."
        )
    return int(user), items


def _is_number(item: Any) -> bool:
    return type(item) is int and 0 <= item < 10**18


def _texts(path: Path | None, reading: Reading) -> pd.DataFrame | None:
    if path is None:
        return None
    texts = {str(number - 1): text.strip() for number, text in lines(path, reading)}
    table = pd.DataFrame({"id": list(texts), "text": list(texts.values())}, dtype=object)
    return table.reindex(columns=COLUMNS, fill_value="")
