"""Progress of long work: live bars for people, plain lines for logs."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def progress(items: Iterable[T], label: str, *, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Pass ``items`` through and show how far along they are.

    In JupyterLab and in a terminal a live bar; elsewhere (papermill, logs, pipes) one plain line every ten
    seconds with the rate and the time left, and nothing at all for work that ends sooner.
    ``MMLIB_PROGRESS`` = ``bar``, ``lines`` or ``off`` overrides the choice.
    """
    how = os.environ.get("MMLIB_PROGRESS") or ("bar" if _someone_watches() else "lines")
    total = len(items) if total is None and isinstance(items, Sized) else total
    if how == "bar":
        from tqdm.auto import tqdm

        bar = tqdm(desc=label, total=total, unit=unit, leave=False)
        try:
            for item in items:
                yield item
                bar.update()
        finally:
            bar.total = bar.n  # whoever takes fewer, as an early stop does, leaves no bar that says it failed
            bar.close()
    elif how == "lines":
        yield from _lines(items, label, total, unit)
    else:
        yield from items


def _lines(items: Iterable[T], label: str, total: int | None, unit: str, every: float = 10.0) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            last, rate = now, done / (now - start)
            left = f"/{total} {unit}, {(total - done) / rate:.0f} s left" if total else f" {unit}"
            print(f"{label}: {done}{left}, {rate:.3g} {unit}/s", flush=True)


def _someone_watches() -> bool:
    if "ipykernel" in sys.modules:  # JupyterLab and VS Code name their session; papermill does not
        return "JPY_SESSION_NAME" in os.environ or any(name.startswith("VSCODE_") for name in os.environ)
    return sys.stderr is not None and sys.stderr.isatty()
