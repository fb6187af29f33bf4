"""Where ID vectors start: Xavier's random values, or what a pre-trainer learnt."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, number, one_of

Scale = Literal["keep", "xavier"]


def start_table(
    data: Dataset, dim: int = 64, start: Embeddings | None = None, *, scale: Scale = "keep", centre: bool = False
) -> nn.Parameter:
    """The layer-0 vectors of users and items, users above items: [n_users + n_items, dim].

    Users and items are two tables: each is drawn, centred and scaled by itself.

    Args:
        start: ``None`` draws both tables from Xavier's uniform distribution (Glorot and Bengio 2010), as MMCPR
            section 3.6 does for its random baseline.
        scale: ``"keep"`` leaves the vectors as long as the pre-trainer made them (MMCPR section 3.6);
            ``"xavier"`` rescales each table so that its root mean square is Xavier's. Pre-trained vectors are
            easily thirty times longer than Xavier's, and Adam's steps then hardly move them.
        centre: subtract each table's mean vector first, which takes out the direction that all share.

    Raises:
        InputError: when the vectors do not fit the dataset or ``dim``.
    """
    one_of("start_scale", scale, ("keep", "xavier"))
    number("dim", dim, whole=True, least=1)
    if start is None:
        return nn.Parameter(torch.cat([xavier(data.n_users, dim), xavier(data.n_items, dim)]))
    for name, table, n in (("users", start.users, data.n_users), ("items", start.items, data.n_items)):
        if table.shape != (n, dim):
            raise InputError(
                f"The start has {name} of shape {tuple(table.shape)}, but {data.name} and dim={dim} need ({n}, {dim}). "
                "Pre-train with the same dataset and dim."
            )
    parts = []
    for given in (start.users, start.items):
        table = given.detach().cpu().float()
        table = table - table.mean(0) if centre else table
        rms = table.pow(2).mean().sqrt().clamp(min=1e-12)
        parts.append(table * (math.sqrt(2 / sum(table.shape)) / rms) if scale == "xavier" else table)
    return nn.Parameter(torch.cat(parts))


def xavier(n: int, d: int) -> Tensor:
    """A table [n, d] from Xavier's uniform distribution (Glorot and Bengio 2010): variance 2 / (n + d)."""
    return nn.init.xavier_uniform_(torch.empty(n, d))
