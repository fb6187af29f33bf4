"""What everything that learns from interactions shares: batches, options, and being movable."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError
from ..core.files import digest
from ..core.graph import Graph
from ..kernels import sample


@dataclass(frozen=True)
class Batch:
    """Training purchases with sampled items that their users did not buy.

    Args:
        users: [b] int64.
        positives: [b] int64, the items bought.
        negatives: [b, count] int64, uniform over the items not bought in the training part.
    """

    users: Tensor
    positives: Tensor
    negatives: Tensor


class Learner(nn.Module):
    """Learns vectors of users and items from training purchases.

    A subclass gives ``loss(batch)``, a dictionary of named terms to be summed, and ``embed()``, the vectors
    that are ranked: score(u, i) = <u, i>. ``start_epoch(epoch)`` may be overridden.

    Args:
        data: a split dataset; only its training part is learnt from.
        negatives: sampled items per purchase.
    """

    def __init__(self, data: Dataset, *, negatives: int = 1) -> None:
        super().__init__()
        self.data = data
        self.negatives = negatives
        pairs = torch.from_numpy(data.train)
        self.seen = sample.Seen.from_pairs(pairs[:, 0], pairs[:, 1], data.n_users, data.n_items)
        self._pairs = pairs[self.seen.counts[pairs[:, 0]] < data.n_items]  # who has every item has no negative
        if len(self._pairs) == 0:
            raise InputError(
                f"{data.name} leaves nothing to learn from: every user of the training part bought all "
                f"{data.n_items} items, so none is left to rank below them. Bring more items or fewer interactions."
            )

    def embed(self) -> Embeddings:
        """The vectors of all users and items, with gradients where they are enabled."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms; the trainer sums and logs them."""
        raise NotImplementedError

    def start_epoch(self, epoch: int) -> None:
        """Called before each epoch (1, 2, ...): to prune, to mine, to do nothing."""

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch: every training purchase once, in random order, with fresh negatives.

        Purchases of users who bought every item are left out: no negative is left for them.
        """
        order = torch.randperm(len(self._pairs), generator=generator).to(self._pairs.device)
        for rows in order.split(batch_size):
            users, positives = self._pairs[rows].T
            yield Batch(users, positives, sample.uniform(self.seen, users, self.negatives, generator=generator))

    def read_graphs(self) -> dict[str, Graph]:
        """Every graph that the model reads, by name; for the audit."""
        found: dict[str, Graph] = {}
        for inner in self.modules():
            for name, value in vars(inner).items():
                several = value if isinstance(value, dict) else {"": value}
                named = {" ".join(filter(None, (name, str(key)))): one for key, one in several.items()}
                found |= {key: one for key, one in named.items() if isinstance(one, Graph)}
        return found

    def describe(self) -> dict[str, Any]:
        """The model's name and every option of its constructor with the value in force; stored with each run."""
        names = [name for name in inspect.signature(type(self)).parameters if name not in ("data", "features", "start")]
        return {"model": type(self).__name__} | {name: getattr(self, name) for name in names if hasattr(self, name)}

    redrawn: tuple[str, ...] = ()  # buffers that an epoch draws anew

    def reads(self) -> str:
        """A short hash of what is learnt from: the data, and what is held beside the weights, such as content."""
        saved = self.state_dict()
        held = {name: values for name, values in self.named_buffers() if name not in saved and name not in self.redrawn}
        return digest(self.data.key, *[part for name in sorted(held) for part in (name, _array(held[name]))])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Learner":
        """Let ``model.to(device)`` take graphs and index tensors along with the parameters."""
        super()._apply(fn, recurse)
        device = next((parameter.device for parameter in self.parameters()), torch.device("cpu"))
        for name, value in list(vars(self).items()):
            if isinstance(value, Graph | sample.Seen):
                setattr(self, name, value.to(device))
            elif isinstance(value, dict) and any(isinstance(one, Graph) for one in value.values()):
                setattr(self, name, {key: one.to(device) for key, one in value.items()})
        self._pairs = self._pairs.to(device)
        return self


def _array(values: Tensor) -> np.ndarray:
    return (values.float() if values.dtype == torch.bfloat16 else values).detach().cpu().numpy()


def xavier(n: int, d: int) -> Tensor:
    """A table [n, d] from Xavier's uniform distribution (Glorot and Bengio 2010): variance 2 / (n + d)."""
    return nn.init.xavier_uniform_(torch.empty(n, d))
