import pytest
import torch
from torch import Tensor

from mmlib.kernels.neighbours import top_k, unit

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])


def slow_top_k(x: Tensor, k: int, include_self: bool) -> tuple[list, list]:
    indices, cosines = [], []
    for i in range(len(x)):
        others = [j for j in range(len(x)) if include_self or j != i]
        best = sorted((-float(torch.cosine_similarity(x[i], x[j], dim=0)), j) for j in others)[:k]
        indices.append([j for _, j in best] + [-1] * (k - len(best)))
        cosines.append([-c for c, _ in best] + [float("-inf")] * (k - len(best)))
    return indices, cosines


@DEVICES
@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (9, 3), (9, 8), (9, 9), (9, 12)])
def test_equals_the_slow_twin(n, k, block, include_self, device):
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(n)).double().to(device)
    indices, cosine = top_k(x, k, block=block, include_self=include_self)
    slow_indices, slow_cosine = slow_top_k(x, k, include_self)
    assert indices.tolist() == slow_indices
    torch.testing.assert_close(cosine.cpu(), torch.tensor(slow_cosine).double())


@DEVICES
def test_many_rows_equal_a_dense_matrix(device):
    x = torch.randn(900, 16, generator=torch.Generator().manual_seed(0)).to(device)
    y = torch.nn.functional.normalize(x)
    values, indices = (y @ y.T).fill_diagonal_(-2).topk(10)
    found, cosine = top_k(x * torch.rand(900, 1, device=device).add(0.1), 10, block=128)
    torch.testing.assert_close(cosine, values)
    assert (found == indices).float().mean() > 0.999  # nearly equal cosines may swap


@DEVICES
def test_a_row_of_zeros_has_cosine_zero_with_all(device):
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]], device=device)
    indices, cosine = top_k(x, 3, include_self=True)
    assert cosine.tolist() == [[1, 0, -1], [0, 0, 0], [1, 0, -1]]
    assert indices[0].tolist() == [0, 1, 2]


@DEVICES
def test_cosines_never_leave_their_range(device):
    x = torch.randn(500, 300, generator=torch.Generator().manual_seed(0)).to(device)
    x = torch.cat([x, -x])
    assert (unit(x) @ unit(x).T).abs().max() > 1  # rounding
    assert top_k(x, 1000, include_self=True)[1].abs().max() == 1


@DEVICES
def test_half_precision_is_compared_in_float32(device):
    x = (torch.randn(20, 8, device=device) * 3000).half()
    assert torch.equal(top_k(x, 3)[0], top_k(x.float(), 3)[0])
    assert top_k(x, 3)[1].dtype == torch.float32


@DEVICES
def test_unit_has_the_gradient_of_normalize_and_a_tame_one_at_zero(device):
    x = torch.randn(4, 3, device=device).double().requires_grad_()
    assert torch.autograd.gradcheck(unit, x)
    torch.testing.assert_close(unit(x), torch.nn.functional.normalize(x))
    zero = torch.zeros(1, 3, device=device, requires_grad=True)
    unit(zero).sum().backward()
    assert zero.grad.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k = 0"),
        ({"block": 0}, "block = 0"),
        ({"x": torch.ones(3)}, "x must be"),
        ({"x": torch.ones(3, 2).long()}, "floating point"),
        ({"x": torch.full((3, 2), torch.inf)}, "NaN or infinity"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        top_k(**{"x": torch.ones(3, 2), "k": 1, **change})
