"""The item-CF score against plain loops, and its nearest others; ``tests/recommenders`` has item-kNN on top of it."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from mmlib.core import item_cf
from mmlib.core.item_cf import by_purchases, most_alike


def naive(bought: np.ndarray) -> np.ndarray:
    n = bought.shape[1]
    scores = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            shared = sum(a and b for a, b in zip(bought[:, i], bought[:, j]))
            if i != j and shared:
                scores[i, j] = shared / np.sqrt(bought[:, i].sum() * bought[:, j].sum())
    return scores


@pytest.fixture
def bought() -> np.ndarray:
    """30 users x 12 items; nobody bought item 5."""
    table = (np.random.default_rng(1).random((30, 12)) < 0.2).astype(np.float32)
    table[:, 5] = 0
    return table


@pytest.mark.parametrize("block", [1, 5, 1024])
def test_scores_and_nearest_are_the_naive_ones(bought, monkeypatch, block: int) -> None:
    monkeypatch.setattr(item_cf, "BLOCK", block)
    expected = naive(bought)
    np.testing.assert_allclose(by_purchases(csr_matrix(bought), 12).toarray(), expected, rtol=1e-6)
    items, others = most_alike(csr_matrix(bought))
    assert items.tolist() == [i for i in range(12) if expected[i].any()]
    assert 5 not in items
    for item, other in zip(items, others):
        assert expected[item, other] == pytest.approx(expected[item].max())


def test_equal_scores_are_drawn_evenly() -> None:
    """Item 0 shares its one user with three others alike."""
    bought = csr_matrix(np.ones((1, 4), dtype=np.float32))
    drawn = [most_alike(bought, seed=seed)[1][0] for seed in range(300)]
    assert set(drawn) == {1, 2, 3}
    assert min(np.bincount(drawn)[1:]) > 70


def test_no_pair_at_all() -> None:
    items, others = most_alike(csr_matrix(np.eye(3, dtype=np.float32)))
    assert len(items) == len(others) == 0
