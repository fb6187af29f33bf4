"""One process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .files import writable


@contextmanager
def alone(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock file ``path``; where another process holds it, print ``waiting`` and wait.

    The system frees the lock of a process that dies.
    """
    lock = FileLock(path)
    try:
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
    except Timeout:
        print(waiting, flush=True)
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()
