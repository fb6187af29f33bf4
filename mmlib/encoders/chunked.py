"""Large batches in bounded memory: encoded or judged a chunk at a time, with the gradients of the whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint


def in_chunks(encode: Callable[..., Tensor], size: int, module: nn.Module, *inputs: Any) -> Tensor:
    """``encode(*inputs)`` of ``size`` rows at a time, of which only the results are kept until the way back.

    GradCache (Gao et al., "Scaling deep contrastive learning batch size under memory limited setup", RepL4NLP 2021):
    all chunks are encoded without keeping what is inside; a loss of all results gives their gradients; then each chunk
    is encoded again, with the same random draws, to receive its part. Values and gradients are those of one batch,
    apart from batch norms, which see a chunk at a time, and once. Costs a second forward pass; a batch of one chunk
    is encoded once.

    Args:
        encode: rows of inputs -> [m, d].
        size: rows of a chunk.
        module: that ``encode`` runs.
        inputs: tensors or sequences of b rows.

    Returns:
        [b, d].
    """
    chunks = list(_cut(inputs, size))
    if len(chunks) == 1 or not torch.is_grad_enabled():
        return torch.cat([encode(*chunk) for chunk in chunks])
    again: Any = partial(checkpoint, encode, use_reentrant=False, context_fn=partial(_seen_once, module))
    return torch.cat([again(*chunk) for chunk in chunks])


def accumulated(
    share_of: Callable[..., Tensor], chunks: Iterable[Sequence[Any]], parameters: Iterable[nn.Parameter]
) -> Tensor:
    """The sum of ``share_of(*chunk)`` over the chunks of a batch; each chunk's gradient is taken at once and added up.

    For losses that are sums over rows: the memory of one chunk and of one gradient more, at no further cost.

    Args:
        share_of: a chunk -> its share of the loss, a scalar.
        chunks: its arguments.
        parameters: all that the loss depends on.
    """
    learnt = [one for one in parameters if one.requires_grad] if torch.is_grad_enabled() else []
    value = torch.zeros(())
    gradients: list[Tensor | None] = [None] * len(learnt)
    for chunk in chunks:
        share = share_of(*chunk)
        value = value.to(share) + share.detach()
        if share.requires_grad:
            with torch.autocast(share.device.type, enabled=False):
                found = torch.autograd.grad(share, learnt, allow_unused=True)
            gradients = [_sum(a, b) for a, b in zip(gradients, found)]
    return _Known.apply(value, gradients, *learnt) if learnt else value


class _Known(torch.autograd.Function):
    """A value whose gradients are known already: going back only scales them."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor | None], *inputs: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(None if one is None else grad * one for one in ctx.gradients)


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


def _cut(inputs: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(inputs[0]), size):
        yield [one[start : start + size] for one in inputs]


def _seen_once(module: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Around the first encoding of a chunk, and the second."""
    return nullcontext(), _still(module)


@contextmanager
def _still(module: nn.Module) -> Iterator[None]:
    """Batch norms work as ever, but do not count what they see towards their running statistics."""
    norms = [one for one in module.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    before = [(one.momentum, one.num_batches_tracked) for one in norms]
    for one in norms:
        one.momentum, one.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for one, (momentum, counted) in zip(norms, before):
            one.momentum, one.num_batches_tracked = momentum, counted
