"""A tiny encoder, and a handful of items with drawn pictures, some of them broken in every way that pictures break."""

import struct
import zlib
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from PIL import Image

from mmlib.core.dataset import Dataset
from mmlib.encoders import Clip, clip_loading, load

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 220), "yellow": (230, 220, 40)}
SHAPES = ("stripes", "boxes", "plain", "halves")


def tiny(dim: int = 16, seed: int = 0, device: str = "cpu") -> Clip:
    """Smaller than the small encoder: a ViT of one layer on 16 x 16 pictures, and windows of 24 tokens."""
    vision = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8}
    text = {"context_length": 24, "width": 16, "layers": 1, "heads": 2}
    with patch.dict(clip_loading.SMALL_VISION, vision), patch.dict(clip_loading.SMALL_TEXT, text):
        return load("small", dim=dim, seed=seed, device=device)


def draw(colour: str, shape: str, size: int = 32, noise: int = 0) -> Image.Image:
    """A coloured pattern on grey."""
    values = np.full((size, size, 3), 128, dtype=np.uint8)
    rows, cols = np.indices((size, size))
    mask = {
        "stripes": rows // 4 % 2 == 0,
        "boxes": (rows // 8 + cols // 8) % 2 == 0,
        "plain": rows >= 0,
        "halves": cols < size // 2,
    }[shape]
    values[mask] = COLOURS[colour]
    jitter = np.random.default_rng(noise).integers(-20, 20, values.shape)
    return Image.fromarray((values + jitter).clip(0, 255).astype(np.uint8))


def catalogue(folder: Path, copies: int = 1, reviews: bool = False) -> Dataset:
    """16 x ``copies`` items, every colour with every shape, and a few purchases."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [(colour, shape) for _ in range(copies) for colour in COLOURS for shape in SHAPES]
    for item, (colour, shape) in enumerate(kinds):
        draw(colour, shape, noise=item).save(folder / f"{item}.png")
    items = pd.DataFrame(
        {
            "id": [f"i{item}" for item in range(len(kinds))],
            "title": [f"{colour} thing" for colour, _ in kinds],
            "text": [f"A fine thing with {shape}." for _, shape in kinds],
            "image": [f"{item}.png" for item in range(len(kinds))],
            "category": [shape for _, shape in kinds],
        }
    )
    table = pd.DataFrame({"user": [0, 0, 0, 1, 1, 1], "item": [0, 1, 2, 3, 4, 5]})
    table["part"] = ["train", "valid", "test", "train", "train", "test"]
    if reviews:
        table["review"] = ["lovely", "the answer", "secret", "  ", "so " * 60 + "good", "hidden"]
    users = pd.DataFrame({"id": ["ann", "bob"]})
    data = Dataset("things", users, items, table.drop(columns="part").assign(part=""), images=folder)
    return data.with_parts(table["part"], "by hand", None)


def claiming(png: bytes, side: int) -> bytes:
    """The same PNG with a header that says ``side`` x ``side`` pixels."""
    header = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def break_pictures(folder: Path) -> dict[str, str]:
    """Write broken pictures; their names and a word of the reason to expect."""
    good = folder / "good.jpg"
    Image.effect_noise((64, 64), 90).convert("RGB").save(good, quality=95)
    whole = good.read_bytes()
    good.unlink()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "words.png").write_text("this is no picture")
    (folder / "folder.png").mkdir()
    for name, side in (("bomb.png", 11_000), ("huge.png", 20_000)):
        draw("red", "plain").save(folder / name)
        (folder / name).write_bytes(claiming((folder / name).read_bytes(), side))
    picture = folder / "damaged.png"
    draw("red", "boxes", size=64).save(picture)
    data = bytearray(picture.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    picture.write_bytes(bytes(data))
    return {
        "cut.jpg": "truncated",
        "empty.png": "empty",
        "words.png": "not an image",
        "folder.png": "directory",
        "bomb.png": "pixels",
        "huge.png": "pixels",
        "damaged.png": "broken|corrupt|checksum|decod|unrecognized",
        "gone.png": "no such file",
    }
