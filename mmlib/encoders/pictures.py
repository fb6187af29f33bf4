"""Pictures from disk: read with care, and ahead of the model."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

A = TypeVar("A")
B = TypeVar("B")


class Unreadable(Exception):
    """A picture that is missing or broken; the message is the reason, without the path."""


def read(path: Path) -> Image.Image:
    """Read a picture wholly, as RGB; the first frame of an animation.

    Raises:
        Unreadable: for a file that is missing, empty, no picture, cut off, damaged, or larger than Pillow's limit
            on pixels (``PIL.Image.MAX_IMAGE_PIXELS``; the size is taken from the header, nothing is decoded).
    """
    try:
        if path.stat().st_size == 0:
            raise Unreadable("the file is empty")
        with Image.open(path) as picture:
            limit = Image.MAX_IMAGE_PIXELS
            if limit and picture.width * picture.height > limit:
                raise Unreadable(f"{picture.width} x {picture.height} pixels are more than the limit of {limit:,}")
            return picture.convert("RGB")
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable("there is no such file") from None
    except UnidentifiedImageError:
        raise Unreadable("not a picture that can be read") from None
    except Image.DecompressionBombError as error:
        raise Unreadable(str(error)) from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        raise Unreadable(f"{error or type(error).__name__}".replace(str(path), path.name)) from None


def ahead(work: Callable[[A], B], inputs: Iterable[A], *, workers: int, most: int) -> Generator[B, None, None]:
    """``map(work, inputs)`` in order, done by threads that run at most ``most`` results ahead of the reader.

    Pillow decodes and resizes without holding Python's lock, so threads run side by side. An exception in ``work``
    is raised here, at its turn. What was not begun is dropped when the reader stops.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    waiting: deque[Future[B]] = deque()
    try:
        for value in inputs:
            waiting.append(pool.submit(work, value))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
