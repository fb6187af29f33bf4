"""Pictures as an audit sees them: which are the same, nearly the same, empty, tiny or broken."""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from ..core.dataset import Dataset
from ..core.progress import progress

SIDE = 16  # pixels of the small copy
NEAR = 6  # of 64 bits that two difference hashes may differ in
ALIKE = 0.95  # least correlation of two small copies
PLAIN = 0.9  # share of one colour from which a picture is called one colour
TINY = 32  # pixels: a shorter side below it is tiny
BLOCK = 128  # rows of the comparison of all pictures with all


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture.

    Args:
        content: hash of the file's bytes; ``""`` when it cannot be read.
        problem: why it cannot be read, or ``""``.
        bits: difference hash, 64 bits: is each of 8 x 8 places brighter than the one to its left?
        small: [SIDE * SIDE * 3] uint8, the picture shrunk.
        plain: share of the small copy in its most frequent colour.
        size: (width, height), pixels.
    """

    content: str
    problem: str = ""
    bits: int = 0
    small: np.ndarray | None = None
    plain: float = 0.0
    size: tuple[int, int] = (0, 0)


def look(data: Dataset) -> dict[int, Seen]:
    """Read every picture once: item number -> what it looks like. Items without a picture are left out."""
    paths = {item: path for item in range(data.n_items) if (path := data.image_path(item)) is not None}
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of files that are looked at anyway
        found = progress(pool.map(see, paths.values()), "looking at pictures", total=len(paths), unit="picture")
        return dict(zip(paths, found))


def see(path: Path) -> Seen:
    """Read one picture; a broken one gives its ``problem``."""
    try:
        content = path.read_bytes()
        with Image.open(BytesIO(content)) as picture:
            size, limit = picture.size, Image.MAX_IMAGE_PIXELS
            if limit and size[0] * size[1] > limit:
                return Seen("", f"{size[0]} x {size[1]} pixels are more than the limit of {limit:,}")
            picture.draft("RGB", (4 * SIDE, 4 * SIDE))  # a JPEG is decoded at a fraction of its size
            colours = picture.convert("RGB")
    except FileNotFoundError:
        return Seen("", "there is no such file")
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        return Seen("", f"{error or type(error).__name__}".replace(str(path), path.name)[:200])
    small = np.asarray(colours.resize((SIDE, SIDE), Image.Resampling.BOX)).reshape(-1, 3)
    grey = np.asarray(colours.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")
    return Seen(hashlib.sha256(content).hexdigest(), "", bits, small.ravel(), _plain(small), size)


def _plain(small: np.ndarray) -> float:
    """Share of the places [n, 3] whose colour is, within 6 of 255, the middle one."""
    return float((np.abs(small.astype(int) - np.median(small, axis=0)).max(1) <= 6).mean())


def same(seen: dict[int, Seen]) -> list[list[int]]:
    """Groups of items whose pictures have the same bytes, each group and all of them in ascending order."""
    groups: dict[str, list[int]] = {}
    for item, one in seen.items():
        if not one.problem:
            groups.setdefault(one.content, []).append(item)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def near(seen: dict[int, Seen]) -> list[tuple[int, int]]:
    """Pairs of items whose pictures differ in their bytes and look the same, ascending.

    Both must hold: difference hashes (as pHash, on gradients) at most ``NEAR`` bits apart, and small copies that
    correlate at least ``ALIKE``. Found are copies of another size, quality or file format; not crops, mirrored or
    recoloured pictures. Pictures of one colour have no gradient to compare and are left out. All pairs are compared,
    a block of rows at a time: about 5 s for 60,000 pictures.
    """
    first: dict[str, int] = {}
    for item, one in seen.items():
        if not one.problem and one.plain < PLAIN:
            first.setdefault(one.content, item)
    items = sorted(first.values())
    bits = np.array([seen[item].bits for item in items], dtype=np.uint64)
    found = []
    for start in range(0, len(items), BLOCK):
        apart = np.bitwise_count(bits[start : start + BLOCK, None] ^ bits[None, start:])
        for a, b in np.argwhere(apart <= NEAR):
            if a < b and _alike(seen[items[start + a]], seen[items[start + b]]):
                found.append((items[start + a], items[start + b]))
    return sorted(found)


def _alike(a: Seen, b: Seen) -> bool:
    assert a.small is not None
    assert b.small is not None
    return float(np.corrcoef(a.small.astype(float), b.small.astype(float))[0, 1]) >= ALIKE
