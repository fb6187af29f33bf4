"""Files appear whole or not at all, and are known by their content."""

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


_FULL, _CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), (errno.EROFS, errno.EACCES, errno.EPERM)
_SHORT = "inline_container.cc"  # all that PyTorch says of a write that fell short
_SETTLED = 2_000_000_000  # ns; file systems stamp changes in steps of up to two seconds


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write a file or a folder to; move it into place at the end.

    A block that raises, or a process that is killed, leaves ``path`` as it was. What is in place is on the disk: it
    outlives a power cut.

    Raises:
        InputError: when the disk is full or nothing may be written there.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            for file in [*partial.rglob("*"), partial] if partial.is_dir() else [partial]:
                to_disk(file)
            if partial.is_dir() and path.is_dir():
                shutil.rmtree(path)
            os.replace(partial, path)
            to_disk(path.parent)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        elif partial.exists():
            partial.unlink()


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Within the block, say of a full disk and of a folder that is closed to writers what to do about it.

    Raises:
        InputError: instead of the system's error, which libraries pass on in many forms.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # PyTorch and safetensors have types of their own
        code, text, named = getattr(error, "errno", None), str(error), getattr(error, "filename", None)
        elsewhere = "or name another place: MMLIB_OUTPUTS is that of results, MMLIB_DATA that of downloads"
        if named and not (str(named).startswith(str(path.parent)) or path.is_relative_to(str(named))):
            raise
        if code in _FULL or any(said in text for said in (*map(os.strerror, _FULL), _SHORT)):
            remedy = f"the disk is full. Free some space, {elsewhere}. The same command goes on from what is done."
        elif code in _CLOSED or any(os.strerror(one) in text for one in _CLOSED):
            remedy = f"{os.strerror(code or errno.EACCES)}. Open {path.parent} to writing, {elsewhere}."
        elif code in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            remedy = f"{named or path}: {os.strerror(code)}. Move what is there out of the way, {elsewhere}."
        else:
            raise
        raise InputError(f"{path} cannot be written: {remedy}") from error


def to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's list of names, are on the disk."""
    if path.is_dir() and os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def content(path: Path) -> str:
    """A short hash of a file's bytes.

    The same process reads a file once more only if it may have changed: when its size, its times or its place on the
    disk are others, or when the last change, whose time no program can set, was too recent to be told from the next.
    """
    facts = path.stat()
    stamp = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    settled = time.time_ns() - facts.st_ctime_ns > _SETTLED and os.name != "nt"
    return _content(path, stamp) if settled else digest(path)


@lru_cache(maxsize=1 << 20)
def _content(path: Path, stamp: tuple[int, ...]) -> str:
    return digest(path)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as readable JSON, whole or not at all. NaN and infinity are refused."""
    with whole(path) as partial:
        partial.write_text(json.dumps(value, indent=2, allow_nan=False, default=_plain) + "\n", encoding="utf-8")


def read_text(path: str | Path) -> str:
    """Read UTF-8 text.

    Raises:
        InputError: if the file is missing, closed or something else, with its path.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is damaged, it is no UTF-8 text: {error}. Make it again.") from None


def read_json(path: str | Path, **needs: type) -> Any:
    """Read JSON.

    Args:
        needs: keys that its object must have, and of what type their values must be.

    Raises:
        InputError: if the file is missing, damaged or of another shape, with its path.
    """
    try:
        found = json.loads(read_text(path))
    except RecursionError:
        raise InputError(f"{path} is damaged: it is nested too deeply. Delete it and make it again.") from None
    except InputError:
        raise
    except ValueError as error:  # no JSON, or a number of thousands of digits
        raise InputError(f"{path} is damaged: {error}. Delete it and make it again.") from None
    return shaped(found, path, **needs)


def shaped(value: Any, path: str | Path, **needs: type) -> Any:
    """Return ``value``, read from ``path``, if it is an object with these keys and types; see ``read_json``."""
    for name, kind in needs.items():
        if not isinstance(value, dict) or not isinstance(value.get(name), kind):
            raise InputError(f"{path} is damaged: it has no {name} ({kind.__name__}). Delete it and make it again.")
    return value


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


def write_tensors(path: str | Path, tensors: "Mapping[str, Tensor]", about: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all, with ``about`` as its metadata. No two may share memory."""
    from safetensors.torch import save_file

    plain = {name: values.detach().cpu().contiguous() for name, values in tensors.items()}
    with whole(path) as partial:
        save_file(plain, partial, None if about is None else dict(about))


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
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    sha.update(block)
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
