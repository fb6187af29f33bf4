"""Folders as LightGCN and NGCF publish them: one line a user, with the numbers of the items."""

import re
from collections.abc import Iterator
from pathlib import Path

from ...core.dataset import Dataset
from ...core.errors import InputError
from ..reading import Reading
from ..text_files import lines
from . import numbered

FILES = {"train.txt": "train", "valid.txt": "valid", "val.txt": "valid", "test.txt": "test"}
_LINE = re.compile(r"[0-9]{1,18}(\s+[0-9]{1,18})*\s*", re.ASCII)


def read(reading: Reading) -> Dataset:
    """Read ``train.txt`` and ``test.txt``, each line a user's number and those of the items, apart by blanks.

    The published split stays as it is (``split="given"``); a ``valid.txt`` or ``val.txt`` is read where there is one.
    A user without items is a user all the same. ``user_list.txt`` and ``item_list.txt`` give the original ids.
    Source: He et al., LightGCN, SIGIR 2020, and its public data.

    Raises:
        InputError: naming file, line and remedy.
    """
    folder = reading.folder
    missing = [file for file in ("train.txt", "test.txt") if not (folder / file).is_file()]
    if missing:
        raise InputError(f"{folder} has no {' and no '.join(missing)}; LightGCN's form needs train.txt and test.txt.")
    parts = ((part, _lists(folder / file, reading)) for file, part in FILES.items() if (folder / file).is_file())
    return numbered.dataset_of_lists(reading, folder, parts, source="train.txt")


def _lists(path: Path, reading: Reading) -> Iterator[tuple[int, list[int]]]:
    for number, text in lines(path, reading):
        if _LINE.fullmatch(text):
            user, *own = map(int, text.split())
            yield user, own
        else:
            wrong = next((word for word in text.split() if not numbered.NUMBER.fullmatch(word)), text)
            reading.bad(path, number, f"{wrong[:40]!r} is not the number of a user or an item")
