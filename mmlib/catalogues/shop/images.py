"""Drawn product images of the generated shop: a silhouette, a colour and a pattern before some clutter.

Everything is drawn with numpy's +, -, *, / and comparisons, which IEEE 754 rounds the same way everywhere, and
written as PNG without compression. So the bytes of a file depend on the seed alone, not on the machine or on the
versions of an imaging or compression library. (PIL.ImageDraw was weighed: its edges are other pixels, and so other
results.)
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.files import read_json

Mask = NDArray[np.bool_]

SHAPES: dict[str, dict[str, list[str]]] = read_json(Path(__file__).with_name("silhouettes.json"))
FINE = 3  # each pixel is the mean of FINE x FINE points
COLOURS = {
    "red": (206, 48, 48),
    "blue": (48, 92, 196),
    "green": (58, 150, 76),
    "yellow": (236, 190, 46),
    "purple": (132, 74, 172),
    "orange": (236, 124, 38),
    "pink": (238, 138, 176),
    "grey": (128, 132, 138),
}


def draw(rng: np.random.Generator, category: str, colour: str, pattern: str, *, size: int, noise: float) -> np.ndarray:
    """Draw one product: [size, size, 3] uint8.

    Args:
        category, colour, pattern: names from ``SHAPES``, ``COLOURS`` and ``PATTERNS``.
        noise: 0 for a clean studio picture, 1 for one that is hard to read: turned by up to 28 degrees, shifted and
            scaled, 6 pieces of clutter behind and one before the product, its colour and light off by up to 30 %,
            grain with a standard deviation of 28 of 255.
    """
    x, y = _grid(size)
    turn = noise * 0.25 * (2 * rng.random() - 1)  # tangent of half the angle
    c, s = (1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn)
    scale = 1.12 + noise * 0.45 * rng.random()
    left, up = noise * 0.35 * (2 * rng.random(2) - 1)
    u, v = scale * (c * x + s * y) + left, scale * (c * y - s * x) + up
    body, trim = silhouette(u, v, category)
    marks = PATTERNS[pattern](u + 0.3 * rng.random(), v + 0.3 * rng.random()) & body

    picture = _background(rng, x, y, noise)
    shadow = _ellipse(u, v, 0.08, 0.86, 0.75, 0.14) & ~body
    _paint(picture, shadow, np.array([60, 60, 70]), 0.25)
    base = np.array(COLOURS[colour]) * (1 + noise * 0.3 * (2 * rng.random(3) - 1))
    _paint(picture, body, base, 1.0)
    light = rng.random() < 0.7
    _paint(picture, marks, base + 0.72 * (255 - base) if light else base * 0.42, 1.0)
    _paint(picture, trim, np.array([70, 62, 58]) + 20 * rng.random(3), 1.0)
    _paint(picture, _edge(body | trim), base * 0.35, 0.75)
    _paint(picture, body & (u > 0.25), base * 0.2, 0.14)
    if rng.random() < noise:
        _clutter(rng, picture, x, y, 0.16)
    gain = 1 + noise * 0.3 * (2 * rng.random() - 1)
    grain = rng.integers(-48, 49, size=(4, size, size, 3)).sum(axis=0)  # standard deviation 56
    return np.clip(np.floor(picture * gain + 0.5 * noise * grain + 0.5), 0, 255).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """Write [height, width, 3] uint8 as an uncompressed PNG."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1).tobytes()
    blocks = [rows[start : start + 65535] for start in range(0, len(rows), 65535)]
    stored = b"".join(
        struct.pack("<BHH", number == len(blocks) - 1, len(block), 65535 - len(block)) + block
        for number, block in enumerate(blocks)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The points' x (to the right) and y (down), each [size * FINE, size * FINE], from -1 to 1."""
    line = (2 * np.arange(size * FINE) + 1) / (size * FINE) - 1
    return np.broadcast_to(line, (len(line), len(line))), np.broadcast_to(line[:, None], (len(line), len(line)))


def _paint(picture: np.ndarray, mask: Mask, colour: np.ndarray, opacity: float) -> None:
    size = len(picture)
    cover = mask.reshape(size, FINE, size, FINE).sum(axis=(1, 3)) / FINE**2 * opacity
    picture += cover[:, :, None] * (colour - picture)


def _edge(mask: Mask) -> Mask:
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-FINE, FINE):
            inner &= np.roll(mask, step, axis)
    return mask & ~inner


def _background(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, noise: float) -> np.ndarray:
    size = len(x) // FINE
    top, bottom = 226 + 24 * rng.random((2, 3)) - noise * 70 * rng.random((2, 1))
    down = ((np.arange(size) + 0.5) / size)[:, None, None]
    picture = np.broadcast_to(top + down * (bottom - top), (size, size, 3)).copy()
    for _ in range(int(6 * noise * rng.random() + 0.5)):
        _clutter(rng, picture, x, y, 0.35)
    return picture


def _clutter(rng: np.random.Generator, picture: np.ndarray, x: np.ndarray, y: np.ndarray, size: float) -> None:
    """Paint a disc, a box or a bar of any colour somewhere near the border."""
    cx, cy = 1.7 * rng.random(2) - 0.85
    r = size * (0.4 + 0.6 * rng.random())
    kind = int(rng.integers(3))
    rx, ry = (r, r) if kind < 2 else (0.25 * r, 2 * r)
    mask = _ellipse(x, y, cx, cy, rx, ry) if kind == 0 else _box(x, y, cx - rx, cy - ry, cx + rx, cy + ry)
    _paint(picture, mask, 90 + 140 * rng.random(3), 0.55)


def _box(x: np.ndarray, y: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> Mask:
    return (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)


def _ellipse(x: np.ndarray, y: np.ndarray, cx: float, cy: float, rx: float, ry: float) -> Mask:
    dx, dy = (x - cx) / rx, (y - cy) / ry
    return dx * dx + dy * dy <= 1


def _ring(x: np.ndarray, y: np.ndarray, cx: float, cy: float, rx: float, ry: float, width: float) -> Mask:
    return _ellipse(x, y, cx, cy, rx, ry) & ~_ellipse(x, y, cx, cy, rx - width, ry - width)


def _wedge(x: np.ndarray, y: np.ndarray, y0: float, y1: float, half0: float, half1: float) -> Mask:
    """A symmetric trapezium from height y0 (half width half0) to y1 (half width half1)."""
    half = half0 + (half1 - half0) * (y - y0) / (y1 - y0)
    return (y >= y0) & (y <= y1) & (x <= half) & (x >= -half)


def _line(x: np.ndarray, y: np.ndarray, x0: float, y0: float, x1: float, y1: float, width: float) -> Mask:
    """A bar between two points."""
    dx, dy = x1 - x0, y1 - y0
    length2 = dx * dx + dy * dy
    along = ((x - x0) * dx + (y - y0) * dy) / length2
    across = (x - x0) * dy - (y - y0) * dx
    return (along >= 0) & (along <= 1) & (across * across <= width * width / 4 * length2)


def _cushion(x: np.ndarray, y: np.ndarray, half2: float, bulge: float) -> Mask:
    """A square of half width sqrt(``half2``) whose sides are drawn in towards their middle."""
    x2, y2 = x * x, y * y
    return (x2 * (1 + bulge * (1 - y2 / half2)) <= half2) & (y2 * (1 + bulge * (1 - x2 / half2)) <= half2)


PIECES: dict[str, Callable[..., Mask]] = {
    "box": _box,
    "ellipse": _ellipse,
    "ring": _ring,
    "wedge": _wedge,
    "line": _line,
    "lines": lambda x, y, *points: _line(np.abs(x), y, *points),  # one on each side
    "cushion": _cushion,
    "left": lambda x, y, end: x < end,
    "right": lambda x, y, end: x > end,
    "below": lambda x, y, end: y > end,
}


def silhouette(u: np.ndarray, v: np.ndarray, category: str) -> tuple[Mask, Mask]:
    """Body (coloured, patterned) and trim (dark) of a product, from the steps of ``silhouettes.json``.

    A step adds a piece to the mask (``+``), takes it out (``-``) or keeps what is inside it (``&``).
    """
    masks: dict[str, Mask] = {}
    for layer in ("body", "trim"):
        mask = np.zeros(u.shape, dtype=bool)
        for step in SHAPES[category][layer]:
            sign, name, *numbers = step.split()
            piece = masks[name] if name in masks else PIECES[name](u, v, *map(float, numbers))
            mask = mask | piece if sign == "+" else mask & (piece if sign == "&" else ~piece)
        masks[layer] = mask
    return masks["body"], masks["trim"]


def _fold(x: np.ndarray, period: float) -> np.ndarray:
    """A triangle wave of x: from 0 up to 1 and back over one period."""
    place = x / period
    return np.abs(2 * (place - np.floor(place)) - 1)


PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray], Mask]] = {
    "plain": lambda x, y: np.zeros(x.shape, dtype=bool),
    "striped": lambda x, y: _fold(y, 0.34) > 0.55,
    "dotted": lambda x, y: (_fold(x, 0.36) - 1) ** 2 + (_fold(y, 0.36) - 1) ** 2 < 0.3,
    "checked": lambda x, y: (_fold(x, 0.5) > 0.5) ^ (_fold(y, 0.5) > 0.5),
    "zigzag": lambda x, y: _fold(y + 0.22 * _fold(x, 0.4), 0.38) > 0.55,
    "diagonal": lambda x, y: _fold(x + y, 0.42) > 0.6,
}
