"""Wide dense products on the CPU through oneDNN, in half the time of the default library on some processors."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

WIDE = 256  # narrower products gain nothing


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``torch.nn.functional.linear``: x [n, m] times weight [d, m] transposed, plus bias [d]: [n, d].

    Wide float32 matrices on the CPU go through oneDNN, forward and backward; measured on 7,050 x 4,096 x 64 with two
    cores of an AMD EPYC: 51 ms instead of 95 forward, 72 instead of 116 for the weight's gradient. Everything else,
    autocast and other shapes included, is left to PyTorch.
    """
    if _gains(x, weight):
        return _Linear.apply(x, weight, bias)
    return F.linear(x, weight, bias)


def _gains(x: Tensor, weight: Tensor) -> bool:
    return (
        x.ndim == 2
        and x.shape[1] >= WIDE
        and len(x) > 0
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and not torch.is_autocast_enabled("cpu")
    )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x = gradient @ weight if ctx.needs_input_grad[0] else None
        of_weight = _product(gradient.T.contiguous(), x.T) if ctx.needs_input_grad[1] else None
        of_bias = gradient.sum(0) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x [n, m], weight [d, m] -> [n, d]."""
    return torch.ops.mkldnn._linear_pointwise(x.detach(), weight.detach(), bias, "none", [], "")
