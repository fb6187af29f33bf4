from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlib.kernels.contrast import exp_sums, info_nce, pairwise_bce

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])
RAGGED = pytest.mark.parametrize(("n", "block"), [(1, 1), (1, 8), (7, 1), (7, 3), (7, 7), (7, 64), (32, 5)])


def slow_logits(a: Tensor, b: Tensor, temperature: float | Tensor, product: torch.dtype | None) -> Tensor:
    """The whole n x n matrix; ``product`` is the type to multiply in."""
    return (a.to(product or a.dtype) @ b.to(product or b.dtype).T).to(a.dtype) / temperature


def slow_info_nce(a, b, *, temperature=0.1, symmetric=True, normalise=True, product=None) -> Tensor:
    if normalise:
        a, b = F.normalize(a), F.normalize(b)
    z = slow_logits(a, b, temperature, product)
    own = torch.arange(len(a), device=a.device)
    there = F.cross_entropy(z, own)
    return (there + F.cross_entropy(z.T, own)) / 2 if symmetric else there


def slow_pairwise_bce(a, b, *, temperature=0.1, bias=0.0, reduction="mean", product=None) -> Tensor:
    z = slow_logits(F.normalize(a), F.normalize(b), temperature, product) + bias
    return F.binary_cross_entropy_with_logits(z, torch.eye(len(a), device=a.device).to(z), reduction=reduction)


TWINS = [
    pytest.param(partial(fast, **options), partial(slow, **options), id=name)
    for name, fast, slow, options in [
        ("info_nce", info_nce, slow_info_nce, {}),
        ("one-way", info_nce, slow_info_nce, {"symmetric": False}),
        ("dot", info_nce, slow_info_nce, {"normalise": False}),
        ("bce-mean", pairwise_bce, slow_pairwise_bce, {}),
        ("bce-sum", pairwise_bce, slow_pairwise_bce, {"reduction": "sum"}),
        ("bce-bias", pairwise_bce, slow_pairwise_bce, {"bias": torch.tensor(-2.0)}),
    ]
]
PAIRS = pytest.mark.parametrize(("fast", "slow"), TWINS)


def batch(n: int, device: str, dtype: torch.dtype = torch.float64, d: int = 5) -> list[Tensor]:
    """a, b and a temperature, as leaves that learn."""
    g = torch.Generator().manual_seed(n)
    leaves = [torch.randn(n, d, generator=g), torch.randn(n, d, generator=g), torch.tensor(0.3)]
    return [x.to(device, dtype).requires_grad_() for x in leaves]


def value_and_gradients(loss, a: Tensor, b: Tensor, t: Tensor, **options) -> list[Tensor]:
    value = loss(a, b, temperature=t, **options)
    return [value.detach(), *torch.autograd.grad(3 * value, (a, b, t))]


@DEVICES
@PAIRS
@RAGGED
def test_value_and_gradients_equal_the_slow_twin(fast, slow, n, block, device):
    leaves = batch(n, device)
    torch.testing.assert_close(value_and_gradients(fast, *leaves, block=block), value_and_gradients(slow, *leaves))


@DEVICES
@pytest.mark.parametrize("block", [2, 64])
def test_a_bias_is_learnt(block, device):
    a, b, t = batch(7, device)
    bias = torch.tensor([-1.5], dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *x: pairwise_bce(x[0], x[1], temperature=x[2], bias=x[3], block=block), [a, b, t, bias]
    )
    frozen = [x.detach() for x in (a, b, t)]  # the bias alone
    (alone,) = torch.autograd.grad(pairwise_bce(*frozen[:2], temperature=frozen[2], bias=bias, block=block), bias)
    (twin,) = torch.autograd.grad(slow_pairwise_bce(*frozen[:2], temperature=frozen[2], bias=bias), bias)
    torch.testing.assert_close(alone, twin)


@DEVICES
@PAIRS
def test_gradcheck(fast, slow, device):
    assert torch.autograd.gradcheck(lambda a, b, t: fast(a, b, temperature=t, block=2), batch(5, device))


@DEVICES
@PAIRS
def test_one_block_equals_many_in_float32(fast, slow, device):
    leaves = batch(50, device, torch.float32)
    plain = value_and_gradients(slow, *leaves)
    for block in 50, 7:
        for got, wanted in zip(value_and_gradients(fast, *leaves, block=block), plain):
            assert (got - wanted).norm() < 1e-5 * wanted.norm()


@DEVICES
@PAIRS
def test_a_number_as_temperature_equals_a_tensor(fast, slow, device):
    a, b, _ = batch(6, device)
    of_number, of_tensor = fast(a, b, temperature=0.25), fast(a, b, temperature=torch.tensor([0.25]))
    torch.testing.assert_close(of_number, of_tensor)
    torch.testing.assert_close(of_number, slow(a, b, temperature=0.25))


@DEVICES
@PAIRS
def test_only_one_side_may_learn(fast, slow, device):
    a, b, _ = batch(6, device)
    for frozen in ((a, b.detach()), (a.detach(), b)):
        learns = next(x for x in frozen if x.requires_grad)
        torch.testing.assert_close(
            torch.autograd.grad(fast(*frozen, temperature=0.3, block=4), learns),
            torch.autograd.grad(slow(*frozen, temperature=0.3), learns),
        )


@DEVICES
@pytest.mark.parametrize("temperature", [2.0, 0.034, 0.033, 0.005])  # to either side of where exponentials get small
def test_info_nce_at_any_temperature_in_float32(temperature, device):
    a, b, t = batch(40, device, torch.float32, d=3)
    with torch.no_grad():
        b.mul_(0.1).sub_(a[0])  # the first row's cosines are all near -1
        t.fill_(temperature)
    exact = value_and_gradients(slow_info_nce, *(x.detach().double().requires_grad_() for x in (a, b, t)))
    for got, wanted in zip(value_and_gradients(info_nce, a, b, t, block=16), exact):
        assert (got.double() - wanted).norm() < 1e-4 * wanted.norm()


@DEVICES
@PAIRS
def test_autocast_reduces_in_float32(fast, slow, device):
    a, b, t = batch(40, device, torch.float32, d=16)
    with torch.autocast(device, dtype=torch.bfloat16):
        value = fast(a, b, temperature=t, block=16)
        gradients = torch.autograd.grad(value, (a, b, t))  # inside, as some loops do
    expected = value_and_gradients(lambda *x, **o: slow(*x, **o) / 3, a, b, t)
    assert all(x.dtype == torch.float32 for x in (value, *gradients))
    torch.testing.assert_close(value, 3 * expected[0], rtol=0.01, atol=0.01)
    for got, wanted in zip(gradients, expected[1:]):
        assert (got - wanted).norm() < 0.03 * wanted.norm()


@DEVICES
@PAIRS
def test_autocast_rounds_the_product_alone(fast, slow, device):
    a, b, t = (x.detach() for x in batch(40, device, torch.float32, d=16))
    with torch.autocast(device, dtype=torch.bfloat16):
        value = fast(a, b, temperature=t)
    torch.testing.assert_close(value, slow(a, b, temperature=t, product=torch.bfloat16), rtol=1e-5, atol=0)
    assert abs(value - fast(a, b, temperature=t)) > 1e-5 * value


@DEVICES
@PAIRS
def test_half_precision_inputs_give_float32(fast, slow, device):
    a, b, _ = batch(9, device, torch.bfloat16)
    value = fast(a, b, temperature=0.3)
    value.backward()
    assert value.dtype == torch.float32
    assert a.grad.dtype == torch.bfloat16
    torch.testing.assert_close(value, slow(a.float(), b.float(), temperature=0.3), rtol=0.03, atol=0.03)


@DEVICES
@PAIRS
def test_tiny_temperatures_stay_finite(fast, slow, device):
    leaves = batch(8, device, torch.float32)
    leaves[2] = torch.tensor(1e-4, device=device, requires_grad=True)
    found = value_and_gradients(fast, *leaves, block=3)
    assert all(x.isfinite().all() for x in found)
    torch.testing.assert_close(found[0], slow(*leaves[:2], temperature=1e-4), rtol=1e-3, atol=1e-3)


@DEVICES
@PAIRS
def test_a_row_of_zeros_keeps_its_gradient_tame(fast, slow, device):
    a, b, t = batch(5, device)
    a = a.detach().clone()
    a[2] = 0
    a.requires_grad_()
    value, grad, _, _ = value_and_gradients(fast, a, b, t)
    torch.testing.assert_close(value, slow(a, b, temperature=t).detach())
    assert grad[2].norm() < 100


def largest_saved(loss, n: int, **options) -> int:
    """The largest number of elements in a tensor that the forward pass keeps for the backward pass."""
    sizes = []
    a, b, t = batch(n, "cpu", torch.float32)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        loss(a, b, temperature=t, **options)
    return max(sizes)


@PAIRS
def test_nothing_of_size_n_by_n_is_kept(fast, slow):
    assert largest_saved(fast, 100, block=10) <= 100 * 5
    assert largest_saved(slow, 100) >= 100 * 100


@DEVICES
def test_matched_pairs_cost_less_than_shuffled_ones(device):
    a, _, _ = batch(20, device)
    for loss in info_nce, pairwise_bce:
        assert loss(a, a) < loss(a, a.roll(1, 0))


@PAIRS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, "temperature = 0"),
        ({"temperature": -0.1}, "temperature = -0.1"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"temperature": torch.tensor(-1.0)}, "temperature = -1 must be above 0"),
        ({"temperature": torch.ones(2)}, r"temperature \[2\] must have one element"),
        ({"block": 0}, "block = 0"),
        ({"b": torch.ones(4, 2)}, r"a \[3, 2\] and b \[4, 2\]"),
        ({"a": torch.ones(0, 2), "b": torch.ones(0, 2)}, "n > 0"),
        ({"a": torch.ones(3, 2).long()}, "floating point"),
    ],
)
def test_bad_arguments_are_named(fast, slow, change, message):
    with pytest.raises(ValueError, match=message):
        fast(**{"a": torch.ones(3, 2), "b": torch.ones(3, 2), **change})


def test_an_unknown_reduction_is_named():
    with pytest.raises(ValueError, match="reduction = 'none'"):
        pairwise_bce(torch.ones(3, 2), torch.ones(3, 2), reduction="none")


@DEVICES
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("block", [1, 3, 64])
def test_sums_of_exponentials_match_the_whole_matrix(device: str, same: bool, own: bool, block: int) -> None:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(n, 3, generator=generator, dtype=torch.float64).to(device).requires_grad_() for n in (7, 5)]
    a, b = (made[0], made[0]) if same else made
    whole = torch.exp(2.5 * (a @ b.T - 1)) * (1 - (not own) * torch.eye(len(a), len(b), device=device))
    rows, columns = exp_sums(a, b, 2.5, own=own, block=block)
    torch.testing.assert_close(rows, whole.sum(1))
    torch.testing.assert_close(columns, whole.sum(0))
    weight_a, weight_b = (torch.randn(len(x), generator=generator).double().to(device) for x in (a, b))
    ours = torch.autograd.grad((weight_a * rows).sum() + (weight_b * columns).sum(), {a, b}, retain_graph=True)
    theirs = torch.autograd.grad((weight_a * whole.sum(1)).sum() + (weight_b * whole.sum(0)).sum(), {a, b})
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other)
    if not same:
        (only,) = torch.autograd.grad(exp_sums(a, b, 2.5, block=3)[0].sum(), [b])
        torch.testing.assert_close(only, torch.autograd.grad(torch.exp(2.5 * (a @ b.T - 1)).sum(), [b])[0])


@DEVICES
@pytest.mark.parametrize("autocast", [False, True])
def test_sums_of_exponentials_are_of_float32(device: str, autocast: bool) -> None:
    """Also where wide blocks go another way, and under autocast, which would round cosines before they are blown up."""
    generator = torch.Generator().manual_seed(0)
    a, b = (F.normalize(torch.randn(n, 8, generator=generator)).to(device).requires_grad_() for n in (40, 1100))
    with torch.autocast(device, torch.bfloat16, enabled=autocast):
        rows, columns = exp_sums(a, b, 20.0, block=16)
        ours = torch.autograd.grad(rows.log().sum() + columns.log().sum(), [a, b])
    whole = torch.exp(20 * (a.double() @ b.double().T - 1))
    torch.testing.assert_close(rows.double(), whole.sum(1), rtol=1e-4, atol=0)
    theirs = torch.autograd.grad(whole.sum(1).log().sum() + whole.sum(0).log().sum(), [a, b])
    for one, other in zip(ours, theirs):
        assert (one - other).norm() < 1e-4 * other.norm()
