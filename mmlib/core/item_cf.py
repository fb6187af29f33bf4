"""Item-CF: how alike two items are by who interacted with both."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix, vstack

BLOCK = 1024  # items at a time


def by_purchases(bought: csr_matrix, k: int, shrink: float = 0.0) -> csr_matrix:
    r"""Each item's k nearest others by the item-CF score (Sarwar et al. 2001; Deshpande and Karypis 2004).

    .. math:: s_{ji} = |U_j \cap U_i| / (\sqrt{|U_j| |U_i|} + h)

    Args:
        bought: [n_users, n_items], binary.
        k: entries a row at most.
        shrink: h; 0 is the cosine.

    Returns:
        [n_items, n_items] sparse, each row's entries the largest first.
    """
    rows = []
    for _, n, row, col, value in _scores(bought, shrink):
        order = np.lexsort((-value, row))
        row, col, value = row[order], col[order], value[order]
        first = np.searchsorted(row, np.arange(n))
        kept = np.arange(len(row)) - first[row] < k
        rows.append(csr_matrix((value[kept], (row[kept], col[kept])), shape=(n, bought.shape[1])))
    return vstack(rows, format="csr")


def most_alike(bought: csr_matrix, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The items that share a user with another one, and for each the other one with the highest item-CF score.

    Args:
        bought: [n_users, n_items], binary.
        seed: of the draw among equal scores, of which sparse data have many.

    Returns:
        Items and their nearest others, [n] int64 each, items ascending.
    """
    rng, items, others = np.random.default_rng(seed), [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start, n, row, col, value in _scores(bought, 0.0):
        best = np.zeros(n, dtype=value.dtype)
        np.maximum.at(best, row, value)
        top = rng.permutation(np.flatnonzero(value >= best[row] * (1 - 1e-6)))
        own, first = np.unique(row[top], return_index=True)  # the first of each row in the drawn order
        items.append(own.astype(np.int64) + start)
        others.append(col[top[first]].astype(np.int64))
    return np.concatenate(items), np.concatenate(others)


def _scores(bought: csr_matrix, shrink: float) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """A block of items at a time: its first item, its size, and the rows, columns and scores of its pairs."""
    buyers = bought.T.tocsr()  # [n_items, n_users]
    degree = np.sqrt(np.diff(buyers.indptr)).astype(np.float32)
    for start in range(0, len(degree), BLOCK):
        shared = (buyers[start : start + BLOCK] @ bought).tocoo()
        other = shared.row + start != shared.col
        row, col, count = shared.row[other], shared.col[other], shared.data[other]
        yield start, shared.shape[0], row, col, count / (degree[row + start] * degree[col] + shrink)
