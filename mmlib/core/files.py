"""Files appear whole or not at all, and are known by their content."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write a file or a folder to; move it into place at the end.

    A block that raises, or a process that is killed, leaves ``path`` as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        if partial.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as readable JSON, whole or not at all. NaN and infinity are refused."""
    with whole(path) as partial:
        partial.write_text(json.dumps(value, indent=2, allow_nan=False, default=_plain) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        InputError: if the file is missing or damaged, with its path.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except RecursionError:
        raise InputError(f"{path} is damaged: it is nested too deeply. Delete it and make it again.") from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise InputError(f"{path} is damaged: {error}. Delete it and make it again.") from None


def read_tensors(path: str | Path) -> "dict[str, Tensor]":
    """Read a safetensors file.

    Raises:
        InputError: if the file is missing or damaged, with its path.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged: {error}. Delete it and make it again.") from None


def digest(*parts: Any) -> str:
    """Return a short hash (16 hex digits) of arrays, bytes, paths' contents and plain values.

    Equal values give equal digests on every machine and Python version.
    """
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.ascontiguousarray(part)
            sha.update(f"{part.dtype.newbyteorder('<').str}{part.shape}".encode())
            sha.update(part.astype(part.dtype.newbyteorder("<"), copy=False).tobytes())
        elif isinstance(part, bytes):
            sha.update(part)
        elif isinstance(part, Path):
            sha.update(part.read_bytes())
        else:
            sha.update(json.dumps(part, sort_keys=True, default=_plain).encode())
        sha.update(b"\0")
    return sha.hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
