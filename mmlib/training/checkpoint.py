"""A training under way in one file, whole or not at all, with a hash of its bytes at the end."""

import io
from pathlib import Path
from typing import Any

import torch

from ..core.errors import InputError
from ..core.files import digest, whole

HASH = 8  # bytes of the hash


def write(path: Path, key: str, state: dict[str, Any]) -> None:
    """Write tensors and plain values; ``key`` says of which training they are."""
    with whole(path) as partial:
        torch.save(state | {"key": key}, partial)
        with partial.open("ab") as file:
            file.write(bytes.fromhex(digest(partial)))


def read(path: Path, key: str) -> dict[str, Any] | None:
    """What ``write`` wrote; ``None``, and a line in print, where the bytes are others.

    Raises:
        InputError: for the checkpoint of another training.
    """
    held = path.read_bytes()
    if bytes.fromhex(digest(held[:-HASH])) != held[-HASH:]:
        print(f"{path} is damaged, so the training starts anew", flush=True)
        return None
    saved = torch.load(io.BytesIO(held[:-HASH]), map_location="cpu", weights_only=True)
    if saved["key"] != key:
        raise InputError(
            f"{path} is the checkpoint of a training with other options, data or features; delete it to start anew."
        )
    return saved
