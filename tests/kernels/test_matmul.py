import pytest
import torch
import torch.nn.functional as F

from mmlib.kernels import matmul as dense

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("n", "m", "d"), [(1, 256, 1), (7, 300, 5), (65, 1021, 64), (3, 10, 4), (0, 300, 4), (5, 9, 1030)]
)
def test_linear_and_its_gradients(device: str, bias: bool, n: int, m: int, d: int) -> None:
    generator = torch.Generator().manual_seed(n + m)
    shapes = [(n, m), (d, m)] + [(d,)] * bias
    slow = [torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    fast = [x.detach().float().to(device).requires_grad_() for x in slow]
    upstream = torch.randn(n, d, generator=generator, dtype=torch.float64)
    F.linear(*slow).backward(upstream)
    made = dense.linear(*fast)
    made.backward(upstream.float().to(device))
    torch.testing.assert_close(made.cpu().double(), F.linear(*slow), atol=1e-4, rtol=1e-4)
    for one, twin in zip(fast, slow):
        torch.testing.assert_close(one.grad.cpu().double(), twin.grad, atol=1e-4, rtol=1e-4)


def test_the_fast_way_is_taken_where_it_gains() -> None:
    x, w = torch.randn(9, 300), torch.randn(4, 300, requires_grad=True)
    if torch.backends.mkldnn.is_available():
        assert type(dense.linear(x, w).grad_fn).__name__ == "_LinearBackward"
        many = torch.randn(1024, 5, requires_grad=True)
        assert type(dense.linear(x[:, :5], many).grad_fn).__name__ == "_LinearBackward"
        assert type(dense.linear(x[:, :5], many[:1023]).grad_fn).__name__ != "_LinearBackward"
        assert type(dense.linear(x[:, :255], w[:, :255]).grad_fn).__name__ != "_LinearBackward"
    for other in (x.bfloat16(), x.double()):
        assert dense.linear(other, w.to(other.dtype)).dtype == other.dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert dense.linear(x, w).dtype == torch.bfloat16


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("n", [0, 1, 4, 7, 11])
def test_gram_is_the_whole_product(device: str, n: int) -> None:
    x = torch.randn(n, 300, generator=torch.Generator().manual_seed(n)).to(device)
    made = dense.gram(x, block=4)
    torch.testing.assert_close(made.double(), x.double() @ x.double().T, atol=1e-3, rtol=1e-4)
    assert torch.equal(made, made.T)
    assert dense.gram(x.bfloat16()).dtype == torch.bfloat16


def test_what_needs_no_gradient_gets_none() -> None:
    x, w = torch.randn(9, 300), torch.randn(4, 300, requires_grad=True)
    dense.linear(x, w).sum().backward()
    assert x.grad is None
    assert w.grad is not None
