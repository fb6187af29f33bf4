"""MixGCF on both backbones against a loop over the paper's equations."""

import math

import pytest
import torch

from mmlib.recommenders import NGCF, LightGCN, MixGCF

BACKBONES = ["lightgcn", "ngcf"]
MORE = {"lightgcn": {}, "ngcf": {"message_dropout": 0.0}}


def batch_of(model, size: int = 9):
    return next(model.batches(size, torch.Generator().manual_seed(0)))


def build(data, backbone: str, **options) -> MixGCF:
    torch.manual_seed(0)
    model = MixGCF(data, backbone=backbone, **({"dim": 4, "layers": 2, "l2": 0.1} | MORE[backbone] | options))
    model.network.table.data.normal_()
    return model


def detached(terms: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(term.detach()) for name, term in terms.items()}


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("mix_hops", [True, False])
@pytest.mark.parametrize("mix_positive", [True, False])
@pytest.mark.parametrize("reading", ["squared", "norm"])
def test_mixgcf_follows_its_equations(blocks, backbone, mix_hops: bool, mix_positive: bool, reading: str) -> None:
    model = build(blocks, backbone, candidates=5, mix_hops=mix_hops, mix_positive=mix_positive, l2_reading=reading)
    hops, n = [hop.detach() for hop in model.network.hops()], blocks.n_users
    batch = batch_of(model)
    torch.manual_seed(7)
    share = torch.rand(3, 9, 1) if mix_positive else torch.zeros(3, 9, 1)
    bpr, squares = 0.0, [0.0] * 3  # of users, positives and mixed negatives
    for row, (u, i) in enumerate(zip(batch.users.tolist(), batch.positives.tolist())):
        chosen = []
        for layer, hop in enumerate(hops):  # eq. 5 on every candidate, then eq. 6-7: the hardest of the mixed ones
            asking = sum(one[u] for one in hops) / 3 if backbone == "lightgcn" else hop[u]
            alpha = share[layer, row]
            mixed = [alpha * hop[n + i] + (1 - alpha) * hop[n + m] for m in batch.negatives[row].tolist()]
            chosen.append(max(mixed, key=lambda vector: float(asking @ vector)) if mix_hops else mixed[0])
        user, positive = [hop[u] for hop in hops], [hop[n + i] for hop in hops]
        if backbone == "lightgcn":  # eq. 8 averages
            margin = float((sum(user) / 3) @ (sum(positive) / 3 - sum(chosen) / 3))
        else:  # or concatenates
            margin = sum(float(x @ (y - z)) for x, y, z in zip(user, positive, chosen))
        bpr += math.log1p(math.exp(-margin))
        held = hops[0][u], hops[0][n + i], chosen[0]
        squares = [total + float(vector.pow(2).sum()) for total, vector in zip(squares, held)]
    torch.manual_seed(7)
    terms = detached(model.loss(batch))
    assert terms["bpr"] == pytest.approx(bpr / 9, rel=1e-5)
    read = [math.sqrt(total) if reading == "norm" else total / 2 for total in squares]
    assert terms["l2"] == pytest.approx(0.1 * sum(read) / 9, rel=1e-5)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_mixing_through_the_positive_is_an_option(blocks, backbone: str) -> None:
    gradients = []
    for through in (True, False):
        model = build(blocks, backbone, layers=1, candidates=3, l2=0, mix_through=through)
        torch.manual_seed(1)
        model.loss(batch_of(model))["bpr"].backward()
        gradients.append(model.network.table.grad)
    assert not torch.allclose(*gradients)


@pytest.mark.parametrize(("backbone", "plain"), [("lightgcn", LightGCN), ("ngcf", NGCF)])
def test_one_unmixed_candidate_is_the_backbone_itself(blocks, backbone: str, plain: type) -> None:
    mixing = build(blocks, backbone, candidates=1, mix_positive=False)
    alone = plain(blocks, dim=4, layers=2, l2=0.1, **MORE[backbone])
    alone.load_state_dict(mixing.network.state_dict())
    batch = batch_of(mixing)
    torch.testing.assert_close(mixing.loss(batch)["bpr"], alone.loss(batch)["bpr"])
    torch.testing.assert_close(mixing.embed().items, alone.embed().items)


def test_options_of_the_backbone_are_passed_on_and_described(blocks) -> None:
    model = build(blocks, "ngcf", bias=True, self_messages="none", pool="mean")
    described = model.describe()
    assert described["model"] == "MixGCF"
    assert (described["backbone"], described["candidates"], described["self_messages"]) == ("ngcf", 16, "none")
    assert model.embed().dim == 4
