"""Searches that all runs share, such as the nearest neighbours of a catalogue's items."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ..core.files import digest, whole
from ..core.kept import Results
from .cache import cached


def cached_search(name: str, inputs: Mapping[str, Any], search: Callable[[], Results]) -> Results:
    """Answer a search, see ``core.kept``: all runs that read the same vectors or purchases share what it found."""
    found = {key: value for key, value in inputs.items() if isinstance(value, torch.Tensor)}
    plain = {key: value for key, value in inputs.items() if key not in found}
    plain |= {key: digest(value.cpu().numpy()) for key, value in found.items()}
    device = next(iter(found.values())).device

    def build(folder: Path) -> None:
        parts = {str(place): part.cpu().contiguous() for place, part in enumerate(search())}
        with whole(folder / "found.safetensors") as partial:
            save_file(parts, partial)

    def back(folder: Path) -> Results:
        parts = load_file(folder / "found.safetensors")
        return tuple(parts[str(place)].to(device) for place in range(len(parts)))

    return cached(name, plain, build, back, code=[search])
