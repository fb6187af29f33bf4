"""What every recommender and pre-trainer must do; a new one joins by its constructor."""

from functools import partial

import pytest
import torch

from mmlib.evaluation import evaluate
from mmlib.pretrainers import MMCPR
from mmlib.recommenders import BPR, LightGCN, MixGCF
from mmlib.training import fit
from mmlib.vectors import Embeddings

MODELS = {
    "BPR": partial(BPR, dim=8),
    "LightGCN": partial(LightGCN, dim=8, layers=2),
    "MixGCF": partial(MixGCF, dim=8, layers=2, candidates=4),
    "MMCPR": partial(MMCPR, dim=8, graph_dim=8),
    "MMCPR, softmax, adapted": partial(MMCPR, dim=8, graph_dim=8, contrast="softmax", aligned="adapted"),
    "MMCPR, attention over reviews": partial(MMCPR, dim=8, graph_dim=8, aggregation="attention", missing="mask"),
}


@pytest.fixture(params=MODELS)
def make(request, blocks, features):
    def build(data=blocks, seed: int = 0):
        torch.manual_seed(seed)
        return MODELS[request.param](data, features)

    return build


def first_batch(model):
    return next(model.batches(64, torch.Generator().manual_seed(0)))


def test_learns_the_block_world(make, blocks) -> None:
    model = make()
    start = evaluate(model, k=[3])["recall@3"]
    done = fit(model, epochs=60, lr=0.02, batch_size=64, metric="recall@3", patience=None, device="cpu")
    assert start < 0.6
    assert evaluate(done, k=[3])["recall@3"] == 1  # two items of the own block are left: both before all others
    assert evaluate(done.embeddings, blocks, k=[3])["recall@3"] == 1


def test_terms_are_finite_and_train_every_parameter(make) -> None:
    model = make()
    terms = model.loss(first_batch(model))
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_only_training_purchases_are_learnt_from(make, blocks) -> None:
    model = make()
    train = {tuple(pair) for pair in blocks.train.tolist()}
    seen = []
    for batch in model.batches(50, torch.Generator().manual_seed(1)):
        seen += list(zip(batch.users.tolist(), batch.positives.tolist()))
        drawn = {(u, i) for u, row in zip(batch.users.tolist(), batch.negatives.tolist()) for i in row}
        assert not drawn & train
    assert sorted(seen) == sorted(train)


def test_same_seed_same_result(make) -> None:
    first, second, other = (
        fit(make(seed=s), epochs=3, batch_size=32, seed=s, device="cpu").embeddings for s in (0, 0, 1)
    )
    assert torch.equal(first.users, second.users)
    assert torch.equal(first.items, second.items)
    assert not torch.equal(first.items, other.items)


def test_describe_names_every_option(make) -> None:
    described = make().describe()
    assert described["model"] in ("BPR", "LightGCN", "MixGCF", "MMCPR")
    assert described["dim"] == 8
    assert all(isinstance(value, str | int | float | bool | type(None)) for value in described.values())


def test_devices_agree(make, device) -> None:
    on_cpu, there = make(), make().to(device)
    vectors = there.embed()
    assert vectors.items.device.type == device
    torch.testing.assert_close(vectors.items.cpu(), on_cpu.embed().items, atol=1e-5, rtol=1e-4)
    if there.negatives > 1:
        there.mix_positive = on_cpu.mix_positive = False  # the share is drawn on the device
    batch = first_batch(on_cpu)
    moved = type(batch)(*(getattr(batch, name).to(device) for name in ("users", "positives", "negatives")))
    for name, term in there.loss(moved).items():
        torch.testing.assert_close(term.cpu(), on_cpu.loss(batch)[name], atol=1e-5, rtol=1e-4)


def test_embeddings_survive_a_round_trip(make, tmp_path) -> None:
    vectors = fit(make(), epochs=1, device="cpu").embeddings
    vectors.save(tmp_path)
    back = Embeddings.load(tmp_path)
    assert torch.equal(back.users, vectors.users)
    assert back.about["model"] == vectors.about["model"]
