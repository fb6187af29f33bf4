"""Broken pictures are named, good ones come in order and not too far ahead."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

from mmlib.core.images import Unreadable
from mmlib.encoders.images import ahead, read

from .shop import break_pictures, draw


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_every_kind_of_broken_picture_has_its_reason(tmp_path):
    for name, reason in break_pictures(tmp_path).items():
        with pytest.raises(Unreadable, match=reason) as caught:
            read(tmp_path / name)
        assert str(caught.value)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "CMYK", "LA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    draw("red", "plain").convert(mode).save(path)
    assert read(path).mode == "RGB"
    assert read(path).size == (32, 32)


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "moving.gif").getpixel((0, 0)) == (255, 0, 0)


def test_ahead_keeps_the_order_and_its_bound():
    begun, taken, most = [], 0, 0

    def work(value):
        begun.append(value)
        time.sleep(0.001 * (value % 3))
        return value * 10

    for value in ahead(work, range(50), workers=4, most=7):
        assert value == taken * 10
        most = max(most, len(begun) - taken)
        taken += 1
    assert taken == 50
    assert 1 < most <= 7


def test_ahead_runs_side_by_side():
    meeting = threading.Barrier(3, timeout=5)  # passes only when three threads are at it together
    assert len(list(ahead(lambda _: meeting.wait(), range(6), workers=3, most=6))) == 6


def test_ahead_raises_at_the_turn_and_stops_with_the_reader():
    stream = ahead(lambda value: 1 // value, [2, 1, 0, 5], workers=2, most=4)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(stream)

    begun = []
    stream = ahead(lambda value: begun.append(value), range(1000), workers=1, most=3)
    next(stream)
    stream.close()
    assert len(begun) < 10


def test_a_large_jpeg_is_read_at_a_fraction_that_an_encoder_does_not_see(tmp_path):
    path, generator = tmp_path / "large.jpg", np.random.default_rng(0)
    coarse = Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    coarse.resize((480, 640), Image.Resampling.BICUBIC).save(path, quality=95)
    whole, part = read(path), read(path, 64)
    assert (whole.size, part.size) == ((480, 640), (240, 320))  # at an eighth it would be 60 wide
    small = [np.asarray(one.resize((64, 64), Image.Resampling.BICUBIC), dtype=float) for one in (whole, part)]
    assert abs(small[0] - small[1]).mean() < 1
    assert read(path, 300).size == whole.size
