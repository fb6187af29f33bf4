"""Where a recommender's ID vectors start: Xavier's random values, or what a pre-trainer learnt."""

import math

import torch
from torch import Tensor

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..training.learner import xavier

SCALES = ("keep", "xavier")


def start_table(
    data: Dataset, dim: int, start: Embeddings | None = None, *, scale: str = "keep", centre: bool = False
) -> Tensor:
    """The layer-0 vectors of users and items, stacked: [n_users + n_items, dim].

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
    one_of("start_scale", scale, SCALES)
    if start is None:
        return torch.cat([xavier(data.n_users, dim), xavier(data.n_items, dim)])
    for name, table, n in (("users", start.users, data.n_users), ("items", start.items, data.n_items)):
        if table.shape != (n, dim):
            raise InputError(
                f"The start has {name} of shape {tuple(table.shape)}, but {data.name} and dim={dim} need ({n}, {dim}). "
                "Pre-train with the same dataset and dim."
            )
    return torch.cat([_prepared(table.detach().cpu().float(), scale, centre) for table in (start.users, start.items)])


def _prepared(table: Tensor, scale: str, centre: bool) -> Tensor:
    if centre:
        table = table - table.mean(0)
    if scale == "xavier":
        rms = table.pow(2).mean().sqrt().clamp(min=1e-12)
        table = table * (math.sqrt(2 / sum(table.shape)) / rms)
    return table.clone()
