"""What is audited: a split dataset and what was made of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ..core.dataset import Dataset
from .images import Seen, look
from .report import Example, NotMade


@dataclass(frozen=True, eq=False)
class Subject:
    """A split dataset and what was made of it.

    Args:
        graphs: name -> anything with ``row``, ``col`` [e], ``n_rows``, ``n_cols``, and maybe ``weight``, ``about``.
        features: anything like ``core.features.Features``, or ``None``.
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

    @property
    def protocol(self) -> str:
        """What the split's passport says was done, in small letters."""
        return self.data.split.protocol.lower() if self.data.split else ""

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
    def images(self) -> dict[int, Seen]:
        """Item number -> what its image looks like; each file is read once.

        Raises:
            NotMade: when no item has an image.
        """
        seen = look(self.data)
        if not seen:
            raise NotMade("the items have no images")
        return seen

    def example(self, text: str, items: Iterable[int] = (), users: Iterable[int] = ()) -> Example:
        """A case of a finding, with the original ids."""
        of_items, of_users = self.data.items["id"], self.data.users["id"]
        ids = (tuple(str(of_items.iat[int(item)]) for item in items), tuple(str(of_users.iat[int(u)]) for u in users))
        return Example(text, *ids)

    def items(self, items: Iterable[int], text: Callable[[int], str] | None = None) -> Iterable[Example]:
        """One example an item; its title unless ``text`` says more."""
        said = text or (lambda item: str(self.data.items["title"].iat[item]))
        return (self.example(said(int(item)), [item]) for item in items)

    def pairs(self, pairs: Iterable[Sequence[int]], text: str) -> Iterable[Example]:
        """One example a (user, item) pair."""
        return (self.example(text, [item], [user]) for user, item in pairs)


def array(values: Any) -> np.ndarray:
    """A numpy array of an array, a sequence, or a tensor on any device."""
    for step in ("detach", "cpu"):
        values = getattr(values, step)() if hasattr(values, step) else values
    return np.asarray(values)
