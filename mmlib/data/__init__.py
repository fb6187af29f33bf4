"""Catalogues: the generated shop, a user's own tables, and how they are split."""

from pathlib import Path
from typing import Any

from ..errors import InputError, closest, one_of
from . import splits
from .dataset import Dataset, SplitPassport

__all__ = ["Dataset", "SplitPassport", "load"]


def load(
    dataset: str | Path = "toy",
    *,
    split: str = "8:1:1",
    split_seed: int = 0,
    columns: dict[str, Any] | None = None,
    shop: dict[str, Any] | None = None,
    folder_for_toy: str | Path | None = None,
) -> Dataset:
    """Bring a catalogue in and split it.

    Args:
        dataset: ``"toy"`` for the generated shop, or a folder: one that ``Dataset.save`` wrote (it has a
            ``dataset.json``), or one with a user's own tables, read by ``tables.read``. A folder that is itself called
            toy is ``"./toy"``.
        split: ``"8:1:1"``, ``"80/20"`` or ``"given"``; see ``splits``.
        split_seed: draws the split.
        columns: which column means what; for a user's own tables only, see ``tables.read``.
        shop: options of the generated shop; for ``"toy"`` only, see ``toy.shop``.
        folder_for_toy: where the generated shop is written; a temporary folder without it.

    Raises:
        InputError: when nothing is found, or what is found cannot be used.
    """
    one_of("split", split, splits.NAMES)  # before any long work
    return splits.by_name(_unsplit(dataset, columns or {}, shop or {}, folder_for_toy), split, split_seed)


def _unsplit(dataset: str | Path, columns: dict[str, Any], shop: dict[str, Any], place: str | Path | None) -> Dataset:
    if str(dataset) == "toy":
        from . import toy

        for name in shop:
            if name not in toy.DEFAULTS:
                raise InputError(
                    f"shop: there is no option {name!r}.{closest(name, toy.DEFAULTS)} "
                    f"Options: {', '.join(toy.DEFAULTS)}."
                )
        return toy.shop(place, **shop)
    folder = Path(dataset).expanduser()
    if not folder.is_dir():
        beside = (
            [path.name for path in folder.absolute().parent.glob("*/")] if folder.absolute().parent.is_dir() else []
        )
        raise InputError(
            f"dataset = {str(dataset)!r}: there is no folder {folder.absolute()}.{closest(folder.name, beside)} "
            "Give 'toy' for the generated shop, or the folder of a catalogue (tables, or a saved dataset)."
        )
    if (folder / "dataset.json").is_file():
        return Dataset.load(folder)
    from . import tables

    return tables.read(folder, columns)
