"""Images from disk: read with care, and ahead of the model."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image

from ..core.images import opened

A = TypeVar("A")
B = TypeVar("B")


def read(path: Path, side: int | None = None) -> Image.Image:
    """Read an image wholly, as RGB; the first frame of an animation.

    Args:
        side: what the encoder makes of it has so many pixels each way. A JPEG of several times that is decoded at a
            half, a quarter or an eighth of its size, never at less than twice ``side``, which costs a third of the time
            and changes pixels by about one in 255.

    Raises:
        Unreadable: for a file that is missing, empty, no image, cut off, damaged, or larger than Pillow's limit
            on pixels; see ``core.images.opened``.
    """
    with opened(path, side=side and 2 * side) as image:
        return image.convert("RGB")


def ahead(work: Callable[[A], B], inputs: Iterable[A], *, workers: int | None, most: int) -> Generator[B, None, None]:
    """``map(work, inputs)`` in order, done by threads that run at most ``most`` results ahead of the reader.

    Pillow decodes and resizes without holding Python's lock, so threads run side by side. An exception in ``work``
    is raised here, at its turn. What was not begun is dropped when the reader stops. ``workers=None``: as many threads
    as there are processors, at most 16.
    """
    pool = ThreadPoolExecutor(workers or min(16, os.cpu_count() or 1), thread_name_prefix="ahead")
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
