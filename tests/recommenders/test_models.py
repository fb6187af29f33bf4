"""Each model's loss against a naive loop over its paper's equations."""

import math

import pytest
import torch

from mmlib.graphs import bipartite
from mmlib.recommenders import BPR, LightGCN, MixGCF


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
        l2 += 0.1 / 2 * float(sum(model.table[row].pow(2).sum() for row in (u, n + i, n + j)))
    terms = model.loss(batch)
    assert float(terms["bpr"]) == pytest.approx(bpr / 9, rel=1e-5)
    assert float(terms["l2"]) == pytest.approx(l2 / 9, rel=1e-5)


@pytest.mark.parametrize("mix_hops", [True, False])
@pytest.mark.parametrize("mix_positive", [True, False])
def test_mixgcf_follows_its_equations(blocks, mix_hops: bool, mix_positive: bool) -> None:
    model = MixGCF(blocks, dim=4, layers=2, candidates=5, l2=0.1, mix_hops=mix_hops, mix_positive=mix_positive)
    model.table.data.normal_()
    hops, n = hops_of(model, 2), blocks.n_users
    batch = batch_of(model)
    torch.manual_seed(7)
    share = torch.rand(3, 9, 1) if mix_positive else torch.zeros(3, 9, 1)
    bpr = l2 = 0.0
    for row, (u, i) in enumerate(zip(batch.users.tolist(), batch.positives.tolist())):
        user = sum(hop[u] for hop in hops) / 3
        chosen = []
        for layer, hop in enumerate(hops):  # eq. 5 on every candidate, then eq. 6-7: the hardest of the mixed ones
            alpha = share[layer, row]
            mixed = [alpha * hop[n + i] + (1 - alpha) * hop[n + m] for m in batch.negatives[row].tolist()]
            chosen.append(max(mixed, key=lambda vector: float(user @ vector)) if mix_hops else mixed[0])
        negative = sum(chosen) / 3
        positive = sum(hop[n + i] for hop in hops) / 3
        bpr += softplus(float(user @ negative - user @ positive))
        l2 += 0.1 / 2 * float(hops[0][u].pow(2).sum() + hops[0][n + i].pow(2).sum() + chosen[0].pow(2).sum())
    torch.manual_seed(7)
    terms = model.loss(batch)
    assert float(terms["bpr"]) == pytest.approx(bpr / 9, rel=1e-5)
    assert float(terms["l2"]) == pytest.approx(l2 / 9, rel=1e-5)


def test_mixing_through_the_positive_is_an_option(blocks) -> None:
    gradients = []
    for through in (True, False):
        torch.manual_seed(0)
        model = MixGCF(blocks, dim=4, layers=1, candidates=3, l2=0, mix_through=through)
        torch.manual_seed(1)
        model.loss(batch_of(model))["bpr"].backward()
        gradients.append(model.table.grad)
    assert not torch.allclose(*gradients)


def test_no_candidates_is_refused(blocks) -> None:
    with pytest.raises(ValueError, match="candidates = 0"):
        MixGCF(blocks, candidates=0)
