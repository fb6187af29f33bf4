"""Images read with care: of known kinds, not too large, and decoded only where they are wanted."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

PIXELS = 178_956_970 // 2  # the limit where ``PIL.Image.MAX_IMAGE_PIXELS`` sets none: Pillow's own


class Unreadable(Exception):
    """An image that is missing, broken or too large; the message is the reason, without the path."""


class TooLarge(Unreadable):
    """An image with more pixels than the limit."""


@contextmanager
def opened(
    source: Path | bytes, *, pixels: int | None = None, side: int | None = None, formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """An image from a file or from memory, to be decoded in the block; of an animation the first frame.

    Its size is taken from the header and nothing of a larger one is decoded. Formats for which Pillow runs another
    program (EPS) are refused.

    Args:
        pixels: the most that the image may have; default: ``PIL.Image.MAX_IMAGE_PIXELS``.
        side: decode a JPEG at a fraction of its size, if that has at least ``side`` pixels each way.
        formats: names of the formats that are read, such as ``"JPEG"``; default: all but EPS.

    Raises:
        TooLarge: when it has more pixels.
        Unreadable: for a file that is missing, empty, no image, cut off, damaged, or no file at all; also for what
            goes wrong with it in the block.
    """
    limit = pixels or Image.MAX_IMAGE_PIXELS or PIXELS
    try:
        if isinstance(source, Path):
            known = source.stat()
            if not stat.S_ISREG(known.st_mode):  # opening a named pipe would wait for ever
                raise Unreadable("it is a directory or a device, not a file")
        if (len(source) if isinstance(source, bytes) else known.st_size) == 0:
            raise Unreadable("the file is empty")
        with Image.open(
            BytesIO(source) if isinstance(source, bytes) else source, formats=formats or _formats()
        ) as image:
            if image.width * image.height > limit:
                raise TooLarge(f"{image.width} x {image.height} pixels are more than the limit of {limit:,}")
            if side:
                image.draft("RGB", (side, side))
            yield image
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable("there is no such file") from None
    except UnidentifiedImageError:
        raise Unreadable("not an image that can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"it has more pixels than the limit of {limit:,}") from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreadable(said.replace(str(source), source.name) if isinstance(source, Path) else said) from None


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.ID if name != "EPS")
