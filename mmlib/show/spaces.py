"""Item vectors, whatever holds them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError
from ..core.features import Features

Vectors = Features | Embeddings | Mapping[str, Any] | Any


def item_spaces(data: Dataset, vectors: Vectors) -> dict[str, tuple[Tensor, Tensor]]:
    """name -> (vectors [n_items, d] float32 on the CPU, present [n_items] bool).

    Args:
        vectors: ``Features``, ``Embeddings``, name -> [n_items, d], or one array or tensor.

    Raises:
        InputError: when the number of rows is not the number of items.
    """
    known = vectors.present if isinstance(vectors, Features) else {}
    if isinstance(vectors, Features):
        vectors = vectors.item
    elif isinstance(vectors, Embeddings):
        vectors = {"purchases": vectors.items}
    elif not isinstance(vectors, Mapping):
        vectors = {"vectors": vectors}
    spaces = {}
    for name, values in vectors.items():
        x = torch.as_tensor(values).detach().float().cpu()
        if len(x) != data.n_items:
            raise InputError(f"{name} has {len(x)} rows; {data.name} has {data.n_items} items.")
        spaces[str(name)] = (x, known.get(name, torch.ones(len(x), dtype=torch.bool)).cpu())
    return spaces
