"""Item images as an audit sees them: which are the same, nearly the same, of one colour, tiny or broken."""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.images import Unreadable, opened
from ..core.progress import progress

SIDE = 16  # pixels of the small copy
NEAR = 6  # of 64 bits that two difference hashes may differ in
ALIKE = 0.95  # least correlation of two small copies
PLAIN = 0.9  # share of one colour from which an image is called one colour
BLOCK = 128  # rows of the comparison of all images with all


@dataclass(frozen=True, eq=False)
class Seen:
    """One image.

    Args:
        content: hash of the file's bytes; ``""`` when it cannot be read.
        problem: why it cannot be read, or ``""``.
        bits: difference hash, 64 bits: is each of 8 x 8 places brighter than the one to its left?
        small: [SIDE * SIDE * 3] float, the image shrunk.
        plain: share of the small copy in its most frequent colour.
        size: (width, height), pixels.
    """

    content: str = ""
    problem: str = ""
    bits: int = 0
    small: np.ndarray | None = None
    plain: float = 0.0
    size: tuple[int, int] = (0, 0)


def look(data: Dataset) -> dict[int, Seen]:
    """Read every image once: item number -> what it looks like. Items without an image are left out."""
    items = np.flatnonzero(data.items["image"] != "").tolist() if data.images is not None else []
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of files that are looked at anyway
        found = pool.map(lambda item: see(data, item), items)
        return dict(zip(items, progress(found, "looking at images", total=len(items), unit="image")))


def see(data: Dataset, item: int) -> Seen:
    """Read one item's image; a broken one gives its ``problem``."""
    try:
        path = data.image_path(item)
        assert path is not None
        with opened(path, side=4 * SIDE) as image:
            size, colours = image.size, image.convert("RGB")
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except InputError:
        return Seen(problem="it lies outside the folder of images")
    except (Unreadable, OSError) as error:
        return Seen(problem=getattr(error, "strerror", None) or str(error))
    small = np.asarray(colours.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=float).reshape(-1, 3)
    grey = np.asarray(colours.convert("L").resize((9, 8), Image.Resampling.BOX))
    bits = int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")
    plain = float((np.abs(small - np.median(small, axis=0)).max(1) <= 6).mean())  # within 6 of 255 of the middle one
    return Seen(content, "", bits, small.ravel(), plain, size)


def near(seen: dict[int, Seen]) -> list[tuple[int, int]]:
    """Pairs of items whose images differ in their bytes and look the same, ascending.

    Both must hold: difference hashes (as pHash, on gradients) at most ``NEAR`` bits apart, and small copies that
    correlate at least ``ALIKE``. Found are copies of another size, quality or file format; not crops, mirrored or
    recoloured images. Images of one colour have no gradient to compare and are left out. All pairs are compared,
    a block of rows at a time: about 5 s for 60,000 images.
    """
    first: dict[str, int] = {}
    for item, one in sorted(seen.items()):
        if not one.problem and one.plain < PLAIN:
            first.setdefault(one.content, item)
    items = sorted(first.values())
    bits = np.array([seen[item].bits for item in items], dtype=np.uint64)
    found = []
    for start in range(0, len(items), BLOCK):
        apart = np.bitwise_count(bits[start : start + BLOCK, None] ^ bits[None, start:])
        pairs = ((items[start + a], items[start + b]) for a, b in np.argwhere(apart <= NEAR) if a < b)
        found += [(a, b) for a, b in pairs if _alike(seen[a], seen[b])]
    return sorted(found)


def _alike(a: Seen, b: Seen) -> bool:
    return float(np.corrcoef([a.small, b.small])[0, 1]) >= ALIKE
