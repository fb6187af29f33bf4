from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mmlib.kernels import co_occurrence as cooccur
from mmlib.kernels.co_occurrence import top_k

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])


def slow_top_k(rows: list[set[int]], k: int | None, minimum: int) -> list[tuple[int, int, int]]:
    edges = []
    for r, mine in enumerate(rows):
        shared = [(-len(mine & other), s) for s, other in enumerate(rows) if s != r and len(mine & other) >= minimum]
        edges += [(r, s, -count) for count, s in sorted(shared)[:k]]
    return edges


def csr(rows: list[set[int]], device: str = "cpu") -> tuple[Tensor, Tensor]:
    indptr = torch.tensor([0] + [len(r) for r in rows]).cumsum(0)
    return indptr.to(device), torch.tensor([c for r in rows for c in r], dtype=torch.long, device=device)


def random_rows(n: int, n_cols: int, seed: int = 0) -> list[set[int]]:
    """Long-tailed columns; every fifth row is empty."""
    g = torch.Generator().manual_seed(seed)
    weight = 1 / torch.arange(1, n_cols + 1)
    return [set() if r % 5 == 4 else set(weight.multinomial(6, generator=g).tolist()) for r in range(n)]


def edges(*args, **options) -> list[tuple[int, int, int]]:
    found = top_k(*args, **options)
    assert all(x.dtype == torch.int64 for x in found)
    return list(zip(*(x.tolist() for x in found)))


@DEVICES
@pytest.mark.parametrize("pairs", [1, 60, 1 << 20])
@pytest.mark.parametrize("block", [1, 7, 4096])
@pytest.mark.parametrize(("k", "minimum"), [(1, 1), (3, 2), (100, 1), (None, 1), (None, 3)])
def test_equals_the_slow_twin(k, minimum, block, pairs, device, monkeypatch):
    monkeypatch.setattr(cooccur, "PAIRS", pairs)
    rows = random_rows(33, 20)
    assert edges(*csr(rows, device), 20, k, minimum=minimum, block=block) == slow_top_k(rows, k, minimum)


@given(st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=8), st.integers(1, 4), st.integers(1, 3))
def test_any_small_matrix(rows, k, minimum):
    assert edges(*csr(rows), 7, k, minimum=minimum) == slow_top_k(rows, k, minimum)


@DEVICES
def test_counts_equal_a_dense_product(device):
    g = torch.Generator().manual_seed(0)
    dense = (torch.rand(300, 80, generator=g) < 0.1).float().to(device)
    indptr = torch.nn.functional.pad(dense.sum(1).long().cumsum(0), (1, 0))
    row, col, count = top_k(indptr, dense.nonzero()[:, 1], 80, None)
    rebuilt = torch.zeros(300, 300, device=device)
    rebuilt[row, col] = count.float()
    assert torch.equal(rebuilt, (dense @ dense.T).fill_diagonal_(0))


@DEVICES
def test_ties_go_to_the_smaller_row(device):
    indptr, indices = csr([{0}, {0}, {0}, {0, 1}, {1}], device)
    assert edges(indptr, indices, 2, 2) == [
        (0, 1, 1), (0, 2, 1), (1, 0, 1), (1, 2, 1), (2, 0, 1), (2, 1, 1), (3, 0, 1), (3, 1, 1), (4, 3, 1)
    ]  # fmt: skip


@DEVICES
def test_nothing_shared_gives_no_edges(device):
    assert edges(*csr([{0}, {1}, set()], device), 2, 3) == []
    assert edges(*csr([set(), set()], device), 2, 3) == []
    assert (
        edges(torch.zeros(1, dtype=torch.long, device=device), torch.empty(0, dtype=torch.long, device=device), 0, 3)
        == []
    )


def test_popular_columns_do_not_exceed_the_pairs_held_at_once(monkeypatch):
    """All 60 rows share a column, so 3,600 pairs arise; no more than one row's beyond the limit are sorted together."""
    held = []
    strongest = cooccur._strongest
    monkeypatch.setattr(cooccur, "PAIRS", 200)
    monkeypatch.setattr(cooccur, "_strongest", lambda keys, *rest: held.append(len(keys)) or strongest(keys, *rest))
    assert Counter(r for r, _, _ in edges(*csr([{0}] * 60), 1, 5)) == dict.fromkeys(range(60), 5)
    assert sum(held) == 3600
    assert max(held) <= 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k = 0"),
        ({"minimum": 0}, "minimum = 0"),
        ({"block": 0}, "block = 0"),
        ({"n_cols": 1}, "indices must lie in"),
        ({"indptr": torch.tensor([0, 1])}, "indptr must rise"),
        ({"indptr": torch.tensor([0, 2, 1, 2])}, "indptr must rise"),
        ({"indptr": torch.tensor([0, 9])}, "indptr must lie in"),
        ({"indptr": torch.tensor(2)}, "indptr"),
        ({"indices": torch.tensor([1, 1])}, "names column 1 twice in row 0"),
    ],
)
def test_bad_arguments_are_named(change, message):
    good = {"indptr": torch.tensor([0, 2, 2]), "indices": torch.tensor([1, 0]), "n_cols": 2, "k": 1}
    with pytest.raises(ValueError, match=message):
        top_k(**{**good, **change})
