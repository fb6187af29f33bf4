"""What everything that learns from interactions shares: batches, options, and being movable."""

import functools
import inspect
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError
from ..core.features import Features
from ..core.graph import Graph
from ..core.neighbours import Search
from ..kernels import sample
from .arguments import Arguments, options_of, recorded


@dataclass(frozen=True)
class Batch:
    """Training interactions with sampled items that their users have not.

    Args:
        users: [b] int64.
        positives: [b] int64, the items of the interactions.
        negatives: [b, count] int64, uniform over the items that the user has not in the training part.
    """

    users: Tensor
    positives: Tensor
    negatives: Tensor

    @property
    def items(self) -> Tensor:
        """The positives above the first negatives: [2, b]."""
        return torch.stack([self.positives, self.negatives[:, 0]])


class Recommender(nn.Module):
    """Learns vectors of users and items from training interactions; the base of every recommender and pre-trainer.

    A subclass calls ``super().__init__(data)`` and gives ``embed()``, the vectors that are ranked: score(u, i) =
    <u, i>, and ``loss(batch)``, a dictionary of named terms to be summed. Every argument of its constructor is
    recorded.

    Args:
        data: a split dataset; only its training part is learnt from.
        negatives: sampled items per interaction.

    Raises:
        InputError: where no user has an item left to rank below its own.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = recorded(cls.__init__, cls.__name__)  # type: ignore[method-assign]

    def __init__(self, data: Dataset, *, negatives: int = 1) -> None:
        super().__init__()
        self.data = data
        self.negatives = negatives
        pairs = torch.from_numpy(data.train)
        self.seen = sample.Seen.from_pairs(pairs[:, 0], pairs[:, 1], data.n_users, data.n_items)
        pairs = pairs[self.seen.counts[pairs[:, 0]] < data.n_items]  # who has every item has no negative
        self.register_buffer("_train_pairs", pairs, persistent=False)
        if len(pairs) == 0:
            raise InputError(
                f"{data.name} leaves nothing to learn from: every user of the training part bought all "
                f"{data.n_items} items, so none is left to rank below them. Bring more items or fewer interactions."
            )

    _train_pairs: Tensor

    def embed(self) -> Embeddings:
        """The vectors of all users and items, with gradients where they are enabled."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms; the trainer sums and logs them."""
        raise NotImplementedError

    def start_epoch(self, epoch: int) -> None:
        """Called before each epoch (1, 2, ...): to prune, to mine, to do nothing."""

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch: every training interaction once, in random order, with fresh negatives.

        Interactions of users who have every item are left out: no negative is left for them.
        """
        order = torch.randperm(len(self._train_pairs), generator=generator).to(self._train_pairs.device)
        for rows in order.split(batch_size):
            users, positives = self._train_pairs[rows].T
            yield Batch(users, positives, sample.uniform(self.seen, users, self.negatives, generator=generator))

    @classmethod
    def options(cls, **chosen: Any) -> dict[str, inspect.Parameter]:
        """Every option by name, with type and default; inherited ones that the constructor hands on among them.

        Args:
            chosen: options that decide what others there are, such as a backbone.
        """
        return options_of(cls)

    @classmethod
    def in_force(cls, **chosen: Any) -> dict[str, Any]:
        """The value of every option when some are ``chosen``."""
        return {name: one.default for name, one in cls.options(**chosen).items()} | chosen

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        """The long searches that the constructor makes with these arguments, by name.

        Their results may be made before, kept, and given to it as ``neighbour_lists``.
        """
        return {}

    def describe(self) -> dict[str, Any]:
        """The model's name and every argument of its constructor, plain or as a hash of its content; stored with runs.

        What :meth:`unknown_arguments` lists is named by its type alone.
        """
        inner = [one.describe() for one in self.children() if isinstance(one, Recommender)]
        return functools.reduce(operator.or_, [*inner, {"model": type(self).__name__}, self._arguments.described()])

    def unknown_arguments(self) -> list[str]:
        """Those whose content cannot be told, such as functions: two models may differ in them alone."""
        return [name for one in self.modules() if isinstance(one, Recommender) for name in one._arguments.unknown()]

    _arguments: Arguments  # see ``recorded``

    def read_graphs(self) -> dict[str, Graph]:
        """Every graph that the model holds as an attribute, alone or in a dictionary, by name; for the audit."""
        found: dict[str, Graph] = {}
        for inner in (one for one in self.modules() if isinstance(one, Recommender)):
            for name in inner._moving:
                held = _movable(getattr(inner, name))
                found |= {f"{name} {key}".strip(): one for key, one in held.items() if isinstance(one, Graph)}
        return found

    _moving: dict[str, None]  # names of attributes that hold graphs and the like

    def __setattr__(self, name: str, value: Any) -> None:
        """As ``nn.Module`` notes parameters: graphs, alone or in a dictionary, go along to a device."""
        names = self.__dict__.setdefault("_moving", {})
        names.pop(name, None)
        names |= dict.fromkeys([name] if _movable(value) else [])
        super().__setattr__(name, value)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Recommender":
        super()._apply(fn, recurse)
        for name in list(self._moving):
            value = getattr(self, name)
            moved = {key: one.to(self._train_pairs.device) for key, one in _movable(value).items()}
            setattr(self, name, moved if isinstance(value, dict) else moved[""])
        return self


Recommender.__init__ = recorded(Recommender.__init__, "Recommender")  # type: ignore[method-assign]


def _movable(value: Any) -> dict[str, Graph | sample.Seen]:
    """What goes along to a device of an attribute's value, a dictionary or one thing, named ""."""
    several = value if isinstance(value, dict) else {"": value}
    return several if all(isinstance(one, Graph | sample.Seen) for one in several.values()) else {}
