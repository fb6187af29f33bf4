"""Catalogues, read once, and known by the content of their files wherever these lie."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import splits
from ..catalogues import bring, place
from ..catalogues.formats import recognise
from ..core.dataset import Dataset
from ..core.errors import InputError, number
from ..core.files import content, digest
from .cache import cached

OPTIONS = ("columns", "reader", "clean", "shop")  # parameters that say how a catalogue is read
TABLES = (".csv", ".tsv", ".txt", ".parquet", ".json", ".jsonl", ".gz", ".inter", ".data", ".item", ".dat", ".user")
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
PLANNED = "MMLIB_PLANNED"  # the variable by which a run tells its pages the key of the data, and its name
MOST = 1_000_000  # files below a catalogue's folder


def read(dataset: str, **options: Any) -> Dataset:
    """What ``catalogues.bring`` gives, from the cache until one of the files that it reads holds something else.

    Args:
        dataset: ``"toy"``, a folder, or the name of a public catalogue.
        options: ``columns``, ``reader``, ``clean`` and ``shop`` of ``bring``.

    Raises:
        InputError: as ``bring``; a folder without a catalogue is refused before it is walked; a catalogue that was
            edited after the run that reads it was planned.
    """
    data = _read(dataset, options)
    key, _, name = os.environ.get(PLANNED, "").partition(" ")
    if name == dataset and key != data.key:
        raise InputError(f"{dataset} was edited after this run was planned. Start the same command again.")
    return data


def _read(dataset: str, options: Mapping[str, Any]) -> Dataset:
    given = {name: options.get(name) or None for name in OPTIONS} | {"clean": options.get("clean") or ()}
    for name in ("columns", "reader", "shop"):
        if not isinstance(given[name], Mapping | None):
            raise InputError(f"{name} = {given[name]!r} must be a dictionary of options by name.")
    if dataset == "toy":
        shop = given["shop"] or {}

        def draw(entry: Path, **more: Any) -> Dataset:
            return bring("toy", shop=shop, folder_for_toy=entry / "shop", **more)

        more = {name: given[name] for name in ("columns", "reader", "clean")}
        return cached("shop", shop, draw, lambda entry: draw(entry, **more), code=[bring])
    folder = place(dataset)
    if (folder / "dataset.json").is_file():
        return bring(folder, **given)
    inputs = given | {"folder": str(folder.resolve()), "files": _files(folder, given["columns"] or {})}
    return cached("dataset", inputs, lambda entry: bring(folder, **given).save(entry), Dataset.load, code=[bring])


def data_key(parameters: Mapping[str, Any]) -> str:
    """A short hash of what a run's catalogue holds, tables and images; empty where its parameters say it all.

    Args:
        parameters: of the run; only ``dataset`` and how it is read matter.

    Raises:
        InputError: as ``read``.
    """
    dataset = str(parameters.get("dataset", "toy"))
    if dataset == "toy":
        return ""
    folder, columns = place(dataset).resolve(), parameters.get("columns") or {}
    options = json.dumps({name: parameters.get(name) for name in OPTIONS}, sort_keys=True)
    data = _known(str(folder), options, _files(folder, columns))
    data.__dict__.pop("key", None)  # looks at the images anew
    return data.key


@lru_cache(maxsize=4)
def _known(folder: str, options: str, files: str) -> Dataset:
    """The runs of a sweep read the same few catalogues."""
    return _read(folder, json.loads(options))


def _files(folder: Path, columns: Mapping[str, Any]) -> str:
    """A hash of the tables that a folder's reader may look at, and of the names of images below.

    Raises:
        InputError: when the folder holds no catalogue, or far more than one.
    """
    if not columns:
        recognise(folder)
    tables = {folder / name for name in columns.values() if isinstance(name, str)}
    for each in (folder, *folder.glob("*-core")):
        tables |= {path for path in each.iterdir() if path.name.lower().endswith(TABLES)}
    tables = {path for path in tables if path.is_file() and path.name[0] != "."}
    named = [part for path in sorted(tables) for part in (str(path.relative_to(folder)), content(path))]
    return digest(*named, sorted(_images(folder)))


def _images(folder: Path) -> Iterator[str]:
    """Names of the images in the folders of ``folder``; each folder once, whatever links say."""
    count, seen, waiting = 0, {os.path.realpath(folder)}, [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                real = os.path.realpath(entry)
                if os.path.isdir(entry.path) and not entry.name.startswith(".") and real not in seen:
                    seen.add(real)
                    waiting.append(entry.path)
                elif entry.name.lower().endswith(IMAGES):
                    yield os.path.relpath(entry.path, folder)
        if count > MOST:
            raise InputError(
                f"{folder} holds more than {MOST:,} files and folders, so it is no catalogue's own. Put the catalogue "
                "into a folder of its own."
            )


def load(
    dataset: str = "toy",
    *,
    split: str = "8:1:1",
    split_seed: int = 0,
    columns: dict[str, Any] | None = None,
    reader: dict[str, Any] | None = None,
    clean: Sequence[str] = (),
    shop: dict[str, Any] | None = None,
) -> Dataset:
    """A catalogue, read, cleaned and split; see ``catalogues.bring`` and ``splits.by_name``.

    What was read is kept until a file changes.
    """
    splits.check(split)  # before any long work
    number("split_seed", split_seed, whole=True, least=0)
    return splits.by_name(read(str(dataset), columns=columns, reader=reader, clean=clean, shop=shop), split, split_seed)
