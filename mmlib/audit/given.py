"""What an audit is given, and the small things that all its checks share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ..core.dataset import Dataset
from .findings import SHOWN, Example
from .pictures import Seen, look


@dataclass(frozen=True, eq=False)
class Given:
    """A split dataset and what was made of it.

    Args:
        graphs: name -> anything with ``row``, ``col`` [e], ``n_rows``, ``n_cols``, and maybe ``weight``, ``about``.
        features: anything like ``vectors.Features``, or ``None``.
        user_texts: [n_users], a text or a list of texts each, or ``None``.
        context: tokens that the encoder reads of a text, or ``None``.
        tokens: text -> number of tokens.
        facts: numbers that the checks leave for the report.
    """

    data: Dataset
    graphs: Mapping[str, Any] = field(default_factory=dict)
    features: Any = None
    user_texts: Sequence[Any] | None = None
    context: int | None = None
    tokens: Callable[[str], int] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def train(self) -> csr_matrix:
        """[n_users, n_items], float32."""
        return self.data.matrix("train")

    @cached_property
    def held_out(self) -> csr_matrix:
        """Validation and test pairs that are not in train too: [n_users, n_items], float32, binary."""
        both = self.data.matrix("valid").maximum(self.data.matrix("test"))
        return (both - both.multiply(self.train)).tocsr()

    @cached_property
    def full(self) -> csr_matrix:
        """All parts: [n_users, n_items], float32, binary."""
        return self.train.maximum(self.held_out).tocsr()

    @cached_property
    def pictures(self) -> dict[int, Seen]:
        """Item number -> what its picture looks like; each file is read once."""
        return look(self.data)

    def item_ids(self, items: Iterable[int]) -> tuple[str, ...]:
        return tuple(str(self.data.items["id"].iat[int(item)]) for item in items)

    def user_ids(self, users: Iterable[int]) -> tuple[str, ...]:
        return tuple(str(self.data.users["id"].iat[int(user)]) for user in users)

    def items(self, items: Iterable[int], text: str | Callable[[int], str] = "") -> tuple[Example, ...]:
        """One example an item; its title unless ``text`` says more."""
        said = text if callable(text) else lambda item: text or str(self.data.items["title"].iat[item])
        return tuple(Example(said(int(item)), self.item_ids([item])) for item in list(items)[:SHOWN])

    def pairs(self, pairs: Iterable[Sequence[int]], text: str) -> tuple[Example, ...]:
        """One example a (user, item) pair."""
        some = list(pairs)[:SHOWN]
        return tuple(Example(text, self.item_ids([item]), self.user_ids([user])) for user, item in some)


def array(values: Any) -> np.ndarray:
    """A numpy array of an array, a sequence, or a tensor on any device."""
    for step in ("detach", "cpu"):
        values = getattr(values, step)() if hasattr(values, step) else values
    return np.asarray(values)
