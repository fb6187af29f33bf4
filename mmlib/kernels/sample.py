"""What each user has seen, and uniform draws from the rest.

Letters used below: n = users, m = items, z = distinct (user, item) pairs seen, B = users asked about.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .segments import segments


@dataclass(frozen=True, eq=False)
class Seen:
    """The items that each user has seen, as a binary CSR matrix.

    Make one with :meth:`from_pairs`, which sorts and removes repeats. 8 z + 8 n bytes, and 16 z more once
    both look-up tables have been used.

    Args:
        indptr: [n_users + 1] int64; user ``u`` has seen ``items[indptr[u]:indptr[u + 1]]``.
        items: [z] int64, ascending within a user.
        n_users: n, also the users without history.
        n_items: m, also the items that nobody has seen.
    """

    indptr: Tensor
    items: Tensor
    n_users: int
    n_items: int

    @classmethod
    def from_pairs(cls, users: Tensor, items: Tensor, n_users: int, n_items: int) -> "Seen":
        """Sort pairs into a ``Seen`` on their device. O(z log z).

        Args:
            users: [z] integers in 0..n_users-1, in any order, repeats allowed.
            items: [z] integers in 0..n_items-1.

        Raises:
            ValueError: when the shapes differ or an id is out of range.
        """
        if n_users < 0 or n_items < 0 or n_users * n_items >= 2**62:
            raise ValueError(
                f"n_users = {n_users} and n_items = {n_items} must be 0 or more, with a product below 2**62"
            )
        if users.ndim != 1 or users.shape != items.shape:
            raise ValueError(f"users {_shape(users)} and items {_shape(items)} must be two vectors of one length")
        users, items = check_ids("users", users, n_users), check_ids("items", items, n_items).to(users.device)
        keys = torch.unique(users * n_items + items)  # [z], ascending
        indptr = torch.searchsorted(keys, torch.arange(n_users + 1, device=keys.device) * n_items)
        return cls(indptr, keys % max(n_items, 1), n_users, n_items)

    @property
    def device(self) -> torch.device:
        return self.items.device

    def to(self, device: torch.device | str) -> "Seen":
        """The same pairs on ``device``; itself when they are there already."""
        indptr, items = self.indptr.to(device), self.items.to(device)
        return self if items is self.items else Seen(indptr, items, self.n_users, self.n_items)

    @cached_property
    def counts(self) -> Tensor:
        """How many items each user has seen: [n_users] int64."""
        return self.indptr.diff()

    @cached_property
    def keys(self) -> Tensor:
        """``user * n_items + item`` of every pair: [z] int64, ascending."""
        return self._owners * self.n_items + self.items

    @cached_property
    def gaps(self) -> Tensor:
        """``user * n_items + (item_j - j)`` for the j-th seen item of the user: [z] int64, ascending.

        ``item_j - j`` is the number of unseen items below ``item_j``.
        """
        return self.keys - (torch.arange(len(self.items), device=self.device) - self.indptr[self._owners])

    @cached_property
    def anyone_full(self) -> bool:
        """Whether some user has seen every item."""
        return bool((self.counts == self.n_items).any())

    @property
    def _owners(self) -> Tensor:
        return torch.repeat_interleave(torch.arange(self.n_users, device=self.device), self.counts)

    def of(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """List the seen items of ``users`` [B]: ``row`` [e] in 0..B-1, ascending, and ``item`` [e]."""
        row, position = segments(self.indptr[users], self.counts[users])
        return row, self.items[position]

    def contains(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether each (user, item) was seen: bool, in the shape both broadcast to; item -1 never was.

        O(log z) per question: a binary search in the sorted keys.
        """
        asked = users * self.n_items + items.clamp(min=0)
        if not len(self.items):
            return torch.zeros_like(asked, dtype=torch.bool)
        place = torch.searchsorted(self.keys, asked).clamp_(max=len(self.items) - 1)
        return (self.keys[place] == asked) & (items >= 0)


def uniform(seen: Seen, users: Tensor, count: int = 1, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw items uniformly, with replacement, from those that each user has not seen.

    No rejection: r is drawn from the ``n_items - |seen(u)|`` ranks and mapped to the r-th unseen item, which is
    ``r + #{j : item_j - j <= r}``, by one binary search in :attr:`Seen.gaps`. Probabilities are equal up to
    ``n_items / 2**62``. O(B count log z) time, O(B count) memory; the same draws on every device for the same
    generator.

    Args:
        users: [B] integers in 0..n_users-1.
        count: draws for each user.
        generator: drawn from on its own device, then moved; the default generator of ``seen``'s device if ``None``.

    Returns:
        [B, count] int64 on the device of ``seen``.

    Raises:
        ValueError: when ``count`` is not positive, a user id is out of range, or a user has seen every item.
    """
    if count < 1:
        raise ValueError(f"count = {count} must be at least 1")
    if users.ndim != 1:
        raise ValueError(f"users {_shape(users)} must be a vector")
    users = check_ids("users", users, seen.n_users).to(seen.device)
    unseen = seen.n_items - seen.counts[users]  # [B]
    if seen.anyone_full and not unseen.all():
        user = int(users[unseen == 0][0])
        raise ValueError(f"user {user} has seen all {seen.n_items} items, so none is left to draw")
    device = seen.device if generator is None else generator.device
    draw = torch.randint(1 << 62, (len(users), count), generator=generator, device=device).to(seen.device)
    rank = draw % unseen.unsqueeze(1)  # [B, count]
    place = torch.searchsorted(seen.gaps, users.unsqueeze(1) * seen.n_items + rank, right=True)
    return rank + place - seen.indptr[users].unsqueeze(1)


def check_ids(name: str, ids: Tensor, n: int, *, lowest: int = 0) -> Tensor:
    """Return ``ids`` as int64.

    Raises:
        ValueError: naming ``name``, when they are not integers in lowest..n-1.
    """
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise ValueError(f"{name} must hold integers, not {ids.dtype}")
    if ids.numel():
        low, high = torch.stack(ids.aminmax()).tolist()
        if low < lowest or high >= n:
            raise ValueError(f"{name} must lie in {lowest}..{n - 1}, but go from {low} to {high}")
    return ids.long()


def _shape(x: Tensor) -> str:
    return str(list(x.shape))
