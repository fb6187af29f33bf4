"""Drawn pictures: the same bytes everywhere, and what differs can be seen."""

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from mmlib.catalogues.shop.images import COLOURS, PATTERNS, SHAPES, draw, png, silhouette
from mmlib.core.files import digest


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_the_pixels_are_the_same_on_every_machine():
    pixels = [draw(stream(), shape, "red", "zigzag", size=32, noise=0.7) for shape in SHAPES]
    pixels += [draw(stream(1), "mug", colour, "dotted", size=32, noise=0.3) for colour in COLOURS]
    pixels += [draw(stream(2), "hat", "blue", pattern, size=32, noise=0.0) for pattern in PATTERNS]
    assert digest(np.stack(pixels)) == "9e231f9d23c1ae89"


@pytest.mark.parametrize(("height", "width"), [(1, 1), (64, 64), (3, 50), (200, 130)])
def test_pillow_reads_what_png_writes(height, width):
    pixels = stream().integers(256, size=(height, width, 3)).astype(np.uint8)
    with Image.open(io.BytesIO(png(pixels))) as picture:
        picture.load()
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(picture), pixels)


def test_each_fact_changes_the_product_and_not_its_surroundings():
    """Without noise two pictures of the same stream differ in the fact alone, and differ a lot."""

    def plain(shape="mug", colour="red", pattern="plain") -> np.ndarray:
        return draw(stream(5), shape, colour, pattern, size=48, noise=0.0).astype(int)

    for name, values in (("shape", SHAPES), ("colour", COLOURS), ("pattern", PATTERNS)):
        pictures = [plain(**{name: value}) for value in values]
        for one, other in product(range(len(values)), repeat=2):
            if one < other:
                change = np.abs(pictures[one] - pictures[other]).max(axis=2) > 30
                assert change.mean() > 0.03, (name, one, other)
                assert not change[:2].any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_fills_a_good_part_of_its_picture(shape):
    line = (np.arange(90) + 0.5) / 45 - 1
    x, y = np.broadcast_to(line, (90, 90)), np.broadcast_to(line[:, None], (90, 90))
    body, trim = silhouette(1.12 * x, 1.12 * y, shape)
    assert 0.1 < body.mean() < 0.7
    assert 0 < trim.mean() < 0.2
    border = np.ones_like(body)
    border[1:-1, 1:-1] = False
    assert not ((body | trim) & border).any()


def test_noise_grows_with_its_option():
    clean = draw(stream(3), "vase", "green", "plain", size=48, noise=0.0).astype(int)
    errors = [
        np.mean([np.abs(draw(stream(s), "vase", "green", "plain", size=48, noise=n) - clean).mean() for s in range(8)])
        for n in (0.0, 0.2, 0.5, 1.0)
    ]
    assert errors == sorted(errors)
    assert errors[-1] > 4 * errors[0]
