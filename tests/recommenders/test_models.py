"""Each model's loss against a naive loop over its paper's equations."""

import math

import pytest
import torch

from mmlib.core.graph import bipartite
from mmlib.recommenders import BPR, NGCF, LightGCN


def batch_of(model, size: int = 9):
    return next(model.batches(size, torch.Generator().manual_seed(0)))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def hops_of(model, layers: int) -> list[torch.Tensor]:
    """Layer by layer with a dense matrix: [n, d] each."""
    graph = bipartite(model.data)
    matrix = torch.zeros(graph.n_rows, graph.n_cols)
    matrix[graph.row, graph.col] = graph.weight
    hops = [model.table.detach()]
    for _ in range(layers):
        hops.append(matrix @ hops[-1])
    return hops


@pytest.mark.parametrize("layers", [None, 0, 2])
def test_bpr_and_lightgcn_follow_their_equations(blocks, layers) -> None:
    model = BPR(blocks, dim=4, l2=0.1) if layers is None else LightGCN(blocks, dim=4, layers=layers, l2=0.1)
    model.table.data.normal_()
    final = torch.stack(hops_of(model, layers or 0)).mean(0)
    batch, n = batch_of(model), blocks.n_users
    bpr = l2 = 0.0
    for u, i, j in zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist()):
        bpr += softplus(float(final[u] @ final[n + j] - final[u] @ final[n + i]))
        l2 += 0.1 / 2 * float(sum(model.table[row].detach().pow(2).sum() for row in (u, n + i, n + j)))
    terms = model.loss(batch)
    assert float(terms["bpr"]) == pytest.approx(bpr / 9, rel=1e-5)
    assert float(terms["l2"]) == pytest.approx(l2 / 9, rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"backbone": BPR}, {"backbone": LightGCN}, {"backbone": NGCF, "message_dropout": 0.0}]
)
def test_l2_may_be_read_as_norms(blocks, options) -> None:
    """The usual toolbox's reading: the root of each part's sum of squares, divided by the batch's size."""
    options = dict(options)
    model = options.pop("backbone")(blocks, dim=4, l2=0.1, l2_reading="norm", **options)
    batch = batch_of(model)
    held = [model.table[rows].detach() for rows in model.rows(batch)]
    if isinstance(model, NGCF):
        held += [linear.weight.detach() for linear in (*model.w1, *model.w2)]
    expected = 0.1 * sum(math.sqrt(float((x * x).sum())) for x in held) / 9
    assert float(model.loss(batch)["l2"].detach()) == pytest.approx(expected, rel=1e-5)
