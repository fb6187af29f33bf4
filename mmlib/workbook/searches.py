"""Searches that all runs share, such as the nearest neighbours of a catalogue's items."""

import torch

from ..core.files import digest
from ..core.neighbours import NeighbourLists, Search
from .cache import cached


def cached_search(search: Search) -> NeighbourLists:
    """What a search finds, from the cache where it was made before: by all runs that read the same content."""
    inputs = {
        name: digest(value.cpu().numpy()) if isinstance(value, torch.Tensor) else value
        for name, value in search.inputs.items()
    }
    return cached(search.name, inputs, lambda folder: search.run().save(folder), NeighbourLists.load, code=[search.run])
