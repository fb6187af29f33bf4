"""A chunk at a time gives the loss and the gradients of the whole batch, and holds a chunk of it in memory."""

import pytest
import torch
from torch import nn

from mmlib.encoders.chunked import accumulated, in_chunks
from mmlib.kernels.contrast import info_nce


def towers(dropout: float = 0.0) -> nn.ModuleDict:
    torch.manual_seed(0)
    made = {
        name: nn.Sequential(nn.Linear(9, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, 8)) for name in ("a", "b")
    }
    return nn.ModuleDict(made).double()


def contrast(model: nn.ModuleDict, x: torch.Tensor, y: torch.Tensor, size: int, chunked=in_chunks) -> torch.Tensor:
    return info_nce(*(chunked(model[name], size, model, one) for name, one in (("a", x), ("b", y))), temperature=0.1)


def with_graph(encode, size, module, x):
    """The twin: the same chunks, all that is inside them kept."""
    return torch.cat([encode(part) for part in x.split(size)])


def step(model, loss):
    model.zero_grad()
    value = loss()
    value.backward()
    return value.item(), [one.grad.clone() for one in model.parameters()]


@pytest.mark.parametrize("size", [1, 7, 16, 50, 51])
def test_loss_and_gradients_are_those_of_one_batch(size):
    model, (x, y) = towers(), torch.randn(2, 50, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    value, expected = step(model, lambda: contrast(model, x, y, 50, with_graph))
    got, gradients = step(model, lambda: contrast(model, x, y, size))  # the last chunk of 7 is one row, of 16 two
    assert got == pytest.approx(value, abs=1e-12)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)


def test_the_second_pass_draws_what_the_first_drew():
    model, (x, y) = towers(dropout=0.5), torch.randn(2, 50, 9, dtype=torch.float64)
    found = []
    for chunked in (with_graph, in_chunks):
        torch.manual_seed(5)
        found.append((*step(model, lambda one=chunked: contrast(model, x, y, 16, one)), torch.rand(3)))
    (value, expected, after), (got, gradients, then) = found
    assert got == pytest.approx(value, abs=1e-12)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)
    assert torch.equal(then, after)  # the way back leaves the random state alone


def test_batch_norms_count_a_chunk_once():
    x = torch.randn(40, 6)
    found = []
    for chunked in (with_graph, in_chunks):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))
        chunked(model, 16, model, x).square().sum().backward()
        found.append([*model.buffers(), model[0].weight.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    assert found[1][2] == 3  # chunks
    assert model[1].track_running_stats


def test_only_a_chunk_is_kept_for_the_way_back():
    model, x, held = towers(), torch.randn(64, 9, dtype=torch.float64), []
    for size in (64, 8):
        kept: list[int] = []

        def pack(value, kept=kept):
            kept.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            in_chunks(model["a"], size, model, x)
        held.append(sum(kept))
    assert held[0] > 64 * 16
    assert held[1] < held[0] / 3


def test_accumulated_gradients_are_those_of_the_sum():
    model, x = towers(), torch.randn(50, 9, dtype=torch.float64)

    def share(part):
        return model["a"](part).square().sum() / 50  # tower b takes no part

    value, expected = step_of(model, lambda: share(x))
    got, gradients = step_of(
        model, lambda: 3 * accumulated(share, [[part] for part in x.split(16)], model.parameters())
    )
    assert got == pytest.approx(3 * value)
    for one, other in zip(gradients, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, 3 * other)
    with torch.no_grad():
        assert accumulated(share, [[x]], model.parameters()).item() == pytest.approx(value)


def step_of(model, loss):
    model.zero_grad(set_to_none=True)
    value = loss()
    value.backward()
    return value.item(), [None if one.grad is None else one.grad.clone() for one in model.parameters()]
