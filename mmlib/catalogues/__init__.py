"""Catalogues: where they come from, how they are read, and what is cleaned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.dataset import Dataset
from ..core.errors import InputError, closest

__all__ = ["Dataset", "bring", "place"]


def bring(
    dataset: str | Path,
    *,
    columns: dict[str, Any] | None = None,
    reader: dict[str, Any] | None = None,
    clean: Sequence[str] = (),
    shop: dict[str, Any] | None = None,
    folder_for_toy: str | Path | None = None,
) -> Dataset:
    """Bring a catalogue in and clean it; it is not split yet.

    Args:
        dataset: ``"toy"`` for the generated shop; the name of a public catalogue that ``mmlib data fetch`` has brought,
            such as ``"amazon-2014/Baby"``; or a folder in any form that ``formats.read`` knows, such as a user's own
            tables. A folder that is itself called toy is ``"./toy"``.
        columns: which column means what; for a user's own tables only, see ``tables.read``.
        reader: options of the form's reader, such as ``{"text": "micro", "core": 5}`` or ``{"on_bad": "skip"}``; the
            key ``"form"`` names the form where it is not recognised.
        clean: steps such as ``["unescape", "core=5"]``; see ``clean.clean``.
        shop: options of the generated shop; for ``"toy"`` only, see ``shop.generator.Options``.
        folder_for_toy: where the generated shop is written; a temporary folder without it.

    Raises:
        InputError: when nothing is found, or what is found cannot be used.
    """
    from . import clean as cleaning
    from . import formats
    from .shop import generate

    for step in clean:
        cleaning.parse(step)  # before any long work
    if str(dataset) == "toy":
        data = generate(folder_for_toy, **{str(name): value for name, value in (shop or {}).items()})
    else:
        data = formats.read(place(dataset), columns=columns, **(reader or {}))
    return cleaning.clean(data, clean) if clean else data


def place(dataset: str | Path) -> Path:
    """The folder of a catalogue: as given, or where ``fetch`` put the public one of that name.

    Raises:
        InputError: when there is none, with the command that brings it or the folder meant.
    """
    from . import fetch
    from .fetch.public import PUBLIC

    folder = Path(dataset).expanduser()
    if folder.is_dir():
        return folder
    if str(dataset) in PUBLIC:
        if not fetch.is_there(str(dataset)):
            raise InputError(f"{dataset} is not on this machine yet; bring it with: mmlib data fetch {dataset}")
        return fetch.place(str(dataset))
    parent = folder.absolute().parent
    beside = [path.name for path in parent.glob("*/")] if parent.is_dir() else []
    near = closest(folder.name, beside) or closest(str(dataset), PUBLIC)
    raise InputError(
        f"dataset = {str(dataset)!r}: there is no folder {folder.absolute()}.{near} Give 'toy' for the generated shop, "
        "the folder of a catalogue, or the name of a public one (mmlib data fetch lists them)."
    )
