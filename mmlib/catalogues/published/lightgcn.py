"""Folders as LightGCN and NGCF publish them: one line a user, with the numbers of the items."""

import re
from pathlib import Path

from ...core.dataset import Dataset
from ...core.errors import InputError
from ..text_files import BadLines, lines
from . import numbered

FILES = {"train.txt": "train", "valid.txt": "valid", "val.txt": "valid", "test.txt": "test"}
_LINE = re.compile(r"[0-9]{1,18}(\s+[0-9]{1,18})*\s*", re.ASCII)


def read(folder: str | Path, *, on_bad: str = "stop", unmatched: str = "stop", name: str | None = None) -> Dataset:
    """Read ``train.txt`` and ``test.txt``, each line a user's number and those of the items, apart by blanks.

    The published split stays as it is (``split="given"``); a ``valid.txt`` or ``val.txt`` is read where there is one.
    A user without items is a user all the same. ``user_list.txt`` and ``item_list.txt`` give the original ids.
    Source: He et al., LightGCN, SIGIR 2020, and its public data.

    Args:
        on_bad: ``"stop"`` at a line that cannot be read, or ``"skip"`` and count such lines.
        unmatched: what becomes of a list or table that has none of the ids of the interactions, ``"stop"`` or
            ``"keep"``; see ``ids.unmatched``.
        name: of the dataset; default: the folder's.

    Raises:
        InputError: naming file, line and remedy.
    """
    folder, bad, histories = Path(folder), BadLines(on_bad), numbered.Histories()
    _check(folder)
    for file, part in FILES.items():
        if file in ("train.txt", "test.txt") or (folder / file).is_file():
            for number, text in lines(folder / file, bad):
                if _LINE.fullmatch(text):
                    user, *bought = map(int, text.split())
                    histories.add(user, bought)
                else:
                    bad.add(folder / file, number, _why(text))
            histories.close(part)
    users = numbered.originals(numbered.there(folder, "user_list.txt"), bad)
    items = numbered.originals(numbered.there(folder, "item_list.txt"), bad)
    notes = list(bad.notes())
    table = histories.table(folder)
    return numbered.dataset(
        folder,
        table,
        notes,
        source="train.txt",
        users=users,
        items=items,
        listed=histories.listed,
        unmatched=unmatched,
        name=name,
    )


def _check(folder: Path) -> None:
    missing = [file for file in ("train.txt", "test.txt") if not (folder / file).is_file()]
    if missing:
        raise InputError(f"{folder} has no {' and no '.join(missing)}; LightGCN's form needs train.txt and test.txt.")


def _why(text: str) -> str:
    wrong = next((word for word in text.split() if not numbered.NUMBER.fullmatch(word)), text)
    return f"{wrong[:40]!r} is not the number of a user or an item"
