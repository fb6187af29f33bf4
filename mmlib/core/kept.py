"""Long searches of what does not change, such as an item's nearest neighbours, whose results a caller may keep."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor

Results = tuple[Tensor, ...]
Keep = Callable[[str, Mapping[str, Any], Callable[[], Results]], Results]

_keep: ContextVar[Keep | None] = ContextVar("keep", default=None)


@contextmanager
def keeping(keep: Keep) -> Iterator[None]:
    """Within the block let ``keep(name, inputs, search)`` answer searches: from what it knows, or by ``search()``.

    Args:
        keep: is given the search's name, the tensors and plain values that decide its result, and the search.
    """
    token = _keep.set(keep)
    try:
        yield
    finally:
        _keep.reset(token)


def kept(name: str, inputs: Mapping[str, Any], search: Callable[[], Results]) -> Results:
    """What ``search`` finds, now or, where a caller keeps it, before."""
    keep = _keep.get()
    return search() if keep is None else keep(name, inputs, search)
