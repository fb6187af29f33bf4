"""The best items of every user, without a users x items matrix.

Letters used below: n = users, m = items, d = width, k = places, b = block, z = pairs to mask, g = ``GROUP``.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .sample import Seen, check_ids

GROUP = 8  # scores that one maximum stands for; measured best of 4, 8, 16 on CPU


@torch.no_grad()
def top_k(
    users: Tensor,
    items: Tensor,
    k: int,
    *,
    seen: Seen | None = None,
    rows: Tensor | None = None,
    block: int = 512,
) -> tuple[Tensor, Tensor]:
    """Rank all items for each user by dot product and keep the ``k`` best that the user has not seen.

    Blocks of users share one score buffer. O(n m d) time, O(b m + n k + z) memory. No gradient.

    Args:
        users: [n, d] floating point.
        items: [m, d], same type and device.
        k: places; may exceed m.
        seen: items to leave out; moved to the device of ``users`` if it is elsewhere.
        rows: [n] the user ids, in ``seen``, of the rows of ``users``; 0..n-1 if ``None``.
        block: users at a time.

    Returns:
        ``indices`` [n, k] int64 and ``scores`` [n, k], best first. Where fewer than k items are left the index
        is -1 and the score -inf. Equal scores come in a fixed order, not in that of their ids.

    Raises:
        ValueError: on mismatched shapes or types, ``k`` or ``block`` below 1, NaN or infinite vectors, or
            ``rows`` missing though ``users`` are not all users of ``seen``.
    """
    _check_vectors(users, items)

    def score(start: int, stop: int, out: Tensor) -> None:
        torch.mm(users[start:stop], items.T, out=out)

    return _ranked(score, len(users), len(items), k, seen, rows, block, users)


@torch.no_grad()
def top_k_by(
    score: Callable[[Tensor], Tensor],
    rows: Tensor,
    n_items: int,
    k: int,
    *,
    seen: Seen | None = None,
    block: int = 512,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """The same for scores that are no dot product: ``score`` gives those of a block of users.

    Args:
        score: from user ids [b] to [b, n_items], on the device of ``rows``.
        rows: [n] user ids.
        k, seen, block: as in :func:`top_k`.
        dtype: of the scores.

    Returns:
        As :func:`top_k`.

    Raises:
        ValueError: on ``k`` or ``block`` below 1, and on scores of another shape or that hold NaN.
    """

    def fill(start: int, stop: int, out: Tensor) -> None:
        found = score(rows[start:stop])
        if found.shape != out.shape or found.isnan().any():
            what = "hold NaN" if found.shape == out.shape else f"have the shape {list(found.shape)}"
            raise ValueError(f"the scores of {stop - start} users {what}; they must be {list(out.shape)} numbers")
        out.copy_(found)

    return _ranked(fill, len(rows), n_items, k, seen, rows, block, torch.empty(0, device=rows.device, dtype=dtype))


Score = Callable[[int, int, Tensor], None]  # of users start to stop, written into [stop - start, m]


def _ranked(
    score: Score, n: int, m: int, k: int, seen: Seen | None, rows: Tensor | None, block: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The places of ``n`` users, on the device and in the type of ``like``."""
    check_positive(k=k, block=block)
    device, dtype = like.device, like.dtype
    kept, width = min(k, m), -(-m // GROUP) * GROUP
    indices = torch.full((n, k), -1, device=device)
    scores = torch.full((n, k), -torch.inf, device=device, dtype=dtype)
    buffer = torch.full((min(block, n), width), -torch.inf, device=device, dtype=dtype)  # columns m.. stay -inf
    masks = _masks(seen, rows, n, m, width, block, device)
    for start, mask in zip(range(0, n, block), masks) if kept else ():
        stop = min(start + block, n)
        z = buffer[: stop - start]  # [b, width]
        score(start, stop, z[:, :m])
        z.view(-1).index_fill_(0, mask, -torch.inf)
        scores[start:stop, :kept], indices[start:stop, :kept] = _largest(z, kept)
    return indices.masked_fill_(scores == -torch.inf, -1), scores


def hits(indices: Tensor, truth: Seen, rows: Tensor | None = None) -> Tensor:
    """Whether each ranked item is one of the user's true ones. O(n k log z) time.

    Args:
        indices: [n, k] item ids; -1, an empty place, is never a hit.
        truth: the (user, item) pairs to find.
        rows: [n] the user ids of the rows; 0..n-1 if ``None``.

    Returns:
        [n, k] bool, on the device of ``indices``.

    Raises:
        ValueError: when an id is out of range or ``rows`` is missing though ``indices`` are not all users' rows.
    """
    if indices.ndim != 2:
        raise ValueError(f"indices {list(indices.shape)} must be [n, k]")
    indices, truth = check_ids("indices", indices, truth.n_items, lowest=-1), truth.to(indices.device)
    return truth.contains(_rows(rows, len(indices), truth).unsqueeze(1), indices)


def check_positive(**values: int) -> None:
    """Raise a ``ValueError`` that names the first value below 1."""
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} = {value} must be at least 1")


def _largest(z: Tensor, k: int, *, ordered: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest of each row of ``z`` [b, w], as ``topk``: O(w) for the maxima, then few candidates.

    The k largest lie in the k groups whose maxima are largest: were one elsewhere, each of those k groups
    would hold something at least as large. Group i is made of the columns i, i + w/g, i + 2w/g, ..., so that the
    maximum runs over long contiguous rows.
    """
    b, w = z.shape
    if w <= 2 * GROUP * k:
        values, columns = z.topk(k, dim=1, sorted=ordered)
        return values, columns
    z = F.pad(z, (0, -w % GROUP), value=-torch.inf) if w % GROUP else z
    w = z.shape[1] // GROUP
    _, groups = _largest(z.view(b, GROUP, w).amax(1), k, ordered=False)  # [b, k]
    members = torch.arange(0, GROUP * w, w, device=z.device).view(1, GROUP, 1)
    columns = (groups.unsqueeze(1) + members).view(b, GROUP * k)
    values, places = z.gather(1, columns).topk(k, dim=1, sorted=ordered)
    return values, columns.gather(1, places)


def _masks(
    seen: Seen | None, rows: Tensor | None, n: int, m: int, width: int, block: int, device: torch.device
) -> tuple[Tensor, ...]:
    """For each block the flat places of its score buffer that are to be hidden."""
    firsts = torch.arange(0, n, block, device=device)
    if seen is None:
        return (torch.empty(0, dtype=torch.long, device=device),) * len(firsts)
    if seen.n_items != m:
        raise ValueError(f"items has {m} rows, but seen knows {seen.n_items} items")
    seen = seen.to(device)
    row, item = seen.of(_rows(rows, n, seen))  # [z]
    bounds = torch.searchsorted(row, firsts[1:])
    return (row % block * width + item).tensor_split(bounds.cpu())


def _rows(rows: Tensor | None, n: int, seen: Seen) -> Tensor:
    if rows is None:
        if n != seen.n_users:
            raise ValueError(f"there are {n} rows for {seen.n_users} users: give rows, the user id of each")
        return torch.arange(n, device=seen.device)
    if rows.shape != (n,):
        raise ValueError(f"rows {list(rows.shape)} must be [{n}]")
    return check_ids("rows", rows, seen.n_users).to(seen.device)


def _check_vectors(users: Tensor, items: Tensor) -> None:
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
        raise ValueError(f"users {list(users.shape)} and items {list(items.shape)} must be [n, d] and [m, d]")
    if users.dtype != items.dtype or not users.is_floating_point():
        raise ValueError(f"users ({users.dtype}) and items ({items.dtype}) must have one floating-point type")
    for name, x in ("users", users), ("items", items):
        if not x.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity, so nothing can be ranked")
