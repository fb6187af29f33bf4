import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmlib.kernels.segments import segments

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_segments_are_listed_in_order_and_empty_ones_left_out(device):
    owner, position = segments(torch.tensor([5, 9, 0], device=device), torch.tensor([2, 0, 3], device=device))
    assert owner.tolist() == [0, 0, 2, 2, 2]
    assert position.tolist() == [5, 6, 0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), max_size=12))
def test_segments_equal_a_loop(pairs):
    starts, counts = (torch.tensor([p[i] for p in pairs], dtype=torch.long) for i in (0, 1))
    owner, position = segments(starts, counts)
    expected = [(s, first + j) for s, (first, count) in enumerate(pairs) for j in range(count)]
    assert list(zip(owner.tolist(), position.tolist())) == expected
