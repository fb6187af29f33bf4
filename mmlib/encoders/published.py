"""Arrays of features that come with published folders, as ``Features``."""

from pathlib import Path

import numpy as np
import torch

from ..catalogues.published.numbered import FEATURES
from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..core.features import Features

ROWS = ("all", "some")


def features(folder: str | Path, data: Dataset, *, rows: str = "all") -> Features:
    """Read ``image_feat.npy`` and ``text_feat.npy`` of an MMRec or LATTICE folder, those that are there.

    A row belongs to the item with that ``number``. A row of zeros stands for an item without the modality: it is not
    ``present``. Published text and image arrays are often filled with a mean or random vector instead, which cannot
    be told from a real one.

    Args:
        folder: the folder that ``data`` was read from.
        rows: ``"all"``: the arrays must have as many rows as the catalogue has numbers; ``"some"``: they may have
            more, because items were dropped after reading.

    Raises:
        InputError: when no array is there, one is damaged, holds NaN or infinity, or does not fit the catalogue.
    """
    one_of("rows", rows, ROWS)
    folder = Path(folder)
    files = {modality: folder / file for modality, file in FEATURES.items() if (folder / file).is_file()}
    if not files:
        raise InputError(f"{folder} has none of {', '.join(FEATURES.values())}.")
    numbers = _numbers(data)
    item = {modality: _rows(path, numbers, rows, data.name) for modality, path in files.items()}
    return Features(
        item=item,
        present={modality: (vectors != 0).any(dim=1) for modality, vectors in item.items()},
        n_users=data.n_users,
        about={"encoder": "published", "files": [path.name for path in files.values()], "dataset": data.key},
    )


def _numbers(data: Dataset) -> np.ndarray:
    """The items' published numbers; [n_items] int64."""
    numbers = data.items.get("number")
    if numbers is None or not numbers.astype(str).str.fullmatch(r"[0-9]{1,18}").all():
        raise InputError(
            f"The items of {data.name} have no published numbers, so nobody knows which row is whose. Read the folder "
            "with mmlib.load; ids in its .inter file must be whole numbers."
        )
    return numbers.to_numpy(dtype=object).astype(np.int64)


def _rows(path: Path, numbers: np.ndarray, rows: str, name: str) -> torch.Tensor:
    """The rows of the items: [n_items, d] float32. Only these are read from the disk."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise InputError(f"{path} is damaged or not an array of numbers: {error}. Get it again.") from None
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu":
        shape = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
        raise InputError(f"{path} must hold an array [items, d] of numbers, but it holds {shape}.")
    needed = int(numbers.max(initial=-1)) + 1
    if len(values) < needed or (rows == "all" and len(values) > needed):
        more = " If items were dropped on purpose, rows='some' reads it." if len(values) > needed else ""
        raise InputError(
            f"{path} has {len(values):,} rows, but the items of {name} are numbered from 0 to {needed - 1:,}: it "
            f"belongs to another catalogue.{more}"
        )
    with np.errstate(over="ignore"):  # beyond float32 becomes infinity, which is refused
        taken = np.ascontiguousarray(values[numbers], dtype=np.float32)
    wrong = np.flatnonzero(~np.isfinite(taken).all(axis=1))
    if len(wrong):
        some = ", ".join(map(str, numbers[wrong[:5]]))
        raise InputError(f"{path} holds NaN or infinity in {len(wrong):,} rows, such as {some}. Extract it again.")
    return torch.from_numpy(taken)
