"""Vectors that somebody else extracted, as ``Features``: published folders, and arrays of one's own."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..catalogues.published.numbered import FEATURES, originals
from ..catalogues.reading import Reading
from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.files import content

ROWS = ("all", "some")
TABLES = ("i_id_mapping*.csv", "item_list*.txt")  # which id has which number


@dataclass(frozen=True)
class Published:
    """``"features:FOLDER"``: vectors that were extracted elsewhere, in the place of an encoder; see ``features``.

    Args:
        folder, rows: as ``features`` takes them.
    """

    folder: Path
    rows: str = "all"
    context: None = None  # nobody knows how much of a text was read

    @property
    def name(self) -> str:
        return f"features:{self.folder.name}"

    @property
    def about(self) -> dict[str, Any]:
        """What is known of the vectors, in plain values, with a hash of every file that is read."""
        files = {path.name: content(path) for path in [*_arrays(self.folder).values(), *_table_files(self.folder)]}
        return {
            "encoder": self.name,
            "origin": "extracted elsewhere",
            "shares_space": False,
            "remarks": ["Whether image and text vectors share a space is not known; they are taken not to."],
            "files": files,
        }


def load_published(encoder: str, rows: str = "all") -> Published:
    """``"features:FOLDER"``. Raises InputError where the folder holds no arrays of features."""
    folder = Path(os.path.expanduser(encoder.removeprefix("features:")))
    if encoder == "features:" or not folder.is_dir():
        raise InputError(f"There is no folder {folder} (encoder = {encoder!r}); give 'features:FOLDER'.")
    _arrays(folder)
    return Published(folder.resolve(), one_of("rows", rows, ROWS))


def features(folder: str | Path, data: Dataset, *, rows: str = "all") -> Features:
    """Read ``image_feat.npy`` and ``text_feat.npy`` of a folder, those that are there.

    Which row is an item's is said by a list of ids in the folder (``i_id_mapping.csv`` or ``item_list.txt``, two
    columns: id and number) where it names items of the catalogue, else by the items' ``number``, which catalogues read
    from an MMRec or LATTICE folder have. An item that the list does not name has no vector, and so has one whose row
    holds zeros: they are not ``present``. Published text and image arrays are often filled with a mean or random vector
    instead, which cannot be told from a real one.

    Args:
        rows: ``"all"``: the arrays must have as many rows as there are numbers; ``"some"``: they may have more,
            because items were dropped after reading.

    Raises:
        InputError: when no array is there, one is damaged, holds NaN or infinity, or does not fit the catalogue.
    """
    published = Published(Path(folder), one_of("rows", rows, ROWS))
    files, (numbers, needed) = _arrays(published.folder), _numbers(data, published.folder)
    item = {modality: _rows(path, numbers, needed, rows, data.name) for modality, path in files.items()}
    about = published.about | {"dataset": data.key, "widths": {name: one.shape[1] for name, one in item.items()}}
    if lost := int((numbers < 0).sum()):
        about["remarks"].append(
            f"{lost:,} of {data.n_items:,} items of {data.name} are not in the folder's list of ids."
        )
        print(about["remarks"][-1])
    present = {modality: (vectors != 0).any(dim=1) for modality, vectors in item.items()}
    return Features(item=item, present=present, n_users=data.n_users, about=about)


def _arrays(folder: Path) -> dict[str, Path]:
    """The arrays that are there, by modality."""
    files = {modality: folder / file for modality, file in FEATURES.items() if (folder / file).is_file()}
    if not files:
        raise InputError(f"{folder} has none of {', '.join(FEATURES.values())}.")
    return files


def _table_files(folder: Path) -> list[Path]:
    return [path for pattern in TABLES for path in sorted(folder.glob(pattern))][:1]


def _numbers(data: Dataset, folder: Path) -> tuple[np.ndarray, int]:
    """The items' rows, [n_items] int64, -1 for none, and how many rows the arrays need."""
    own = data.items.get("number")
    has_own = own is not None and own.astype(str).str.fullmatch(r"[0-9]{1,18}").all()
    listed = {name: int(row) for path in _table_files(folder) for row, name in originals(path, Reading()).items()}
    ids = data.items["id"].astype(str)
    if ids.isin(listed).any() and not (has_own and _agree(ids, own, listed)):
        return np.array([listed.get(name, -1) for name in ids], dtype=np.int64), max(listed.values()) + 1
    if own is None or not has_own:
        raise InputError(
            f"The items of {data.name} have no published numbers, and {folder} has no list of ids that names them, so "
            "nobody knows which row is whose. Read the folder with mmlib.load (ids in its .inter file must be whole "
            "numbers), or put i_id_mapping.csv with two columns, id and number, beside the arrays."
        )
    numbers = own.to_numpy(dtype=object).astype(np.int64)
    return numbers, int(numbers.max(initial=-1)) + 1


def _agree(ids: Any, own: Any, listed: dict[str, int]) -> bool:
    """Whether the list gives the items that it names the numbers that they have anyway."""
    return all(listed.get(name, number) == number for name, number in zip(ids, own.astype("int64")))


def _rows(path: Path, numbers: np.ndarray, needed: int, rows: str, name: str) -> torch.Tensor:
    """The rows of the items: [n_items, d] float32, zeros for none. Only these are read from the disk."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise InputError(f"{path} is damaged or not an array of numbers: {error}. Get it again.") from None
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu":
        shape = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
        raise InputError(f"{path} must hold an array [items, d] of numbers, but it holds {shape}.")
    if len(values) < needed or (rows == "all" and len(values) > needed):
        more = " If items were dropped on purpose, rows='some' reads it." if len(values) > needed else ""
        raise InputError(
            f"{path} has {len(values):,} rows, but the items of {name} are numbered from 0 to {needed - 1:,}: it "
            f"belongs to another catalogue.{more}"
        )
    known = numbers >= 0
    taken = np.zeros((len(numbers), values.shape[1]), dtype=np.float32)
    with np.errstate(over="ignore"):  # beyond float32 becomes infinity, which is refused
        taken[known] = values[numbers[known]]
    wrong = np.flatnonzero(~np.isfinite(taken).all(axis=1))
    if len(wrong):
        some = ", ".join(map(str, numbers[wrong[:5]]))
        raise InputError(f"{path} holds NaN or infinity in {len(wrong):,} rows, such as {some}. Extract it again.")
    return torch.from_numpy(taken)
