"""End-to-end training: the gradients of plain back-propagation, in chunks, and an encoder that learns by them."""

import math
import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.encoders import extract
from mmlib.encoders.inputs import inputs
from mmlib.recommenders import FREEDOM, LATTICE, MGCN, MMGCL, VBPR, AlignRec, LightGCN
from mmlib.recommenders.end_to_end import EndToEnd
from mmlib.training import fit

from .tiny_encoder import TinyEncoder, catalogue


@pytest.fixture
def things(tmp_path):
    return catalogue(tmp_path)


def made(data, model=VBPR, *, seed=0, kinds=("image", "text"), options=None, **how):
    encoder = TinyEncoder(kinds=kinds)
    features = extract(data, encoder)
    torch.manual_seed(seed)
    return EndToEnd(model(data, features, dim=8, **(options or {})), encoder, **how)


def batch_of(learner, size=40):
    return next(iter(learner.batches(size, torch.Generator().manual_seed(1))))


def gradients(learner, loss):
    """The loss, and the gradient of every parameter of the recommender and the encoder."""
    learner.zero_grad()
    torch.manual_seed(3)
    value = sum(loss().values())
    value.backward()
    named = dict(learner.named_parameters())
    return value.detach(), {name: one.grad.clone() for name, one in named.items() if one.grad is not None}


def plainly(learner, batch):
    """The loss with every item encoded at once in one graph: the slow twin."""
    item = {}
    for kind, values in learner.features.item.items():
        held, encoder = learner.inputs[kind], learner.encoder
        rows = []
        for index in range(learner.data.n_items):
            row = torch.zeros_like(values[0])
            if held.counts[index]:
                start = int(held.counts[:index].sum())
                total = 0
                for place in range(start, start + int(held.counts[index])):
                    window = held.windows[place]
                    if kind == "fused":
                        one = encoder.fused(window[0].unsqueeze(0), window[1].unsqueeze(0))
                    else:
                        one = getattr(encoder, kind)(window.unsqueeze(0))
                    total = total + held.weights[place] * one[0]
                row = total / total.norm()
            rows.append(row)
        item[kind] = torch.stack(rows)
    learner.recommender.read(replace(learner.features, item=item))
    return learner.recommender.loss(batch)


@pytest.mark.parametrize("missing", ["mean", "zero"])
@pytest.mark.parametrize("kinds", [("image", "text"), ("fused",)])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_gradients_are_those_of_plain_back_propagation(things, chunk, kinds, missing) -> None:
    learner = made(things, kinds=kinds, options={"missing": missing}, chunk=chunk).double()
    batch = batch_of(learner)
    expected, wanted = gradients(learner, lambda: plainly(learner, batch))
    found, got = gradients(learner, lambda: learner.loss(batch))
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)
    assert set(got) >= set(wanted)
    reached = [name for name in wanted if name.startswith("encoder.")]
    assert len(reached) == 7  # two linear layers of the image tower, one and a table of the text tower
    for name, one in wanted.items():
        assert one.any(), name
        assert torch.allclose(got[name], one, rtol=0, atol=1e-8 * one.abs().max().clamp(max=1).item()), name


@pytest.mark.parametrize(
    ("model", "options"),
    [(LATTICE, {"graph_gradient": "every"}), (MGCN, {}), (MMGCL, {}), (FREEDOM, {}), (AlignRec, {}), (VBPR, {})],
)
def test_other_recommenders_give_the_same_gradients_too(things, model, options) -> None:
    learner = made(things, model, options=options, chunk=7)
    batch = batch_of(learner)
    torch.manual_seed(2)  # an epoch draws graphs and masks
    learner.start_epoch(1)
    expected, wanted = gradients(learner, lambda: plainly(learner, batch))
    torch.manual_seed(2)
    learner.start_epoch(1)
    found, got = gradients(learner, lambda: learner.loss(batch))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert any(name.startswith("encoder.") for name in wanted)
    for name, one in wanted.items():
        assert torch.allclose(got[name], one, rtol=1e-3, atol=1e-5 * one.abs().max().item() + 1e-9), name


@pytest.mark.parametrize("n_items", [20, 200])
def test_one_chunk_has_a_graph_at_a_time_however_many_items(tmp_path, n_items) -> None:
    learner = made(catalogue(tmp_path, n_items, gaps=False), kinds=("image",), chunk=8)
    encoder, held, most = learner.encoder, Counter(), []

    def kept(values):
        """Bytes of what graphs hold of the encoder's layers, counted while they hold it."""
        held[values.untyped_storage().data_ptr()] += 1
        return Held(values, held)

    noted = encoder.noted

    def counted(vectors):
        most.append(sum(held.values()))
        return noted(vectors)

    encoder.noted = counted
    encoder.with_graph.clear()
    encoder.without_graph.clear()
    batch = batch_of(learner, 2000)
    value = sum(learner.loss(batch).values())
    before = len(most)
    assert not any(most)
    with torch.autograd.graph.saved_tensors_hooks(kept, lambda one: one.values):
        value.backward()
    assert sum(encoder.without_graph) == n_items
    assert sum(encoder.with_graph) == len(batch.items.unique()) > 0.8 * n_items
    assert max(encoder.with_graph) == 8
    assert len(most) - before == math.ceil(len(batch.items.unique()) / 8) > 2
    assert most[before] > 0
    assert len(set(most[before:])) == 1  # each chunk finds the graph of none before it


class Held:
    """A tensor that a graph holds; it is counted until the graph lets it go."""

    def __init__(self, values, held) -> None:
        self.values = values
        weakref.finalize(self, held.subtract, {values.untyped_storage().data_ptr(): 1})


def test_items_without_a_gradient_are_not_encoded_again(things) -> None:
    learner = made(things, kinds=("image",), options={"missing": "zero"}, chunk=8)
    learner.encoder.with_graph.clear()
    batch = batch_of(learner, 2)
    sum(learner.loss(batch).values()).backward()
    items = set(batch.items.flatten().tolist()) - {3}
    assert sum(learner.encoder.with_graph) == len(items) < 19


def test_refreshing_the_batch_alone_is_exact_when_it_holds_all_items(things) -> None:
    every, some = (made(things, refresh=refresh, chunk=7) for refresh in ("all", "batch"))
    batch = batch_of(every, 200)
    assert len(batch.items.unique()) == 20
    first, second = (gradients(one, lambda one=one: one.loss(batch)) for one in (every, some))
    assert first[0] == second[0]
    assert first[1].keys() == second[1].keys()
    assert all(torch.equal(first[1][name], second[1][name]) for name in first[1])


def test_rows_outside_the_batch_stay_as_they_were_until_the_next_epoch(things) -> None:
    learner = made(things, refresh="batch", kinds=("image",), options={"missing": "zero"})
    before = learner.recommender.content["image"]().clone()
    with torch.no_grad():
        for one in learner.encoder.parameters():
            one.add_(0.5)
    batch = batch_of(learner, 2)
    learner.loss(batch)
    now = learner.recommender.content["image"]()
    changed = set((now != before).any(1).nonzero().flatten().tolist())
    assert changed == set(batch.items.flatten().tolist()) - {3}
    learner.start_epoch(2)
    assert torch.allclose(learner.recommender.content["image"](), extract(things, learner.encoder).item["image"])


def test_the_table_is_what_extraction_gives(things) -> None:
    encoder = TinyEncoder(kinds=("image", "text", "fused"))
    features = extract(things, encoder)
    for kind in ("image", "text", "fused"):
        held = inputs(things, encoder, kind)
        assert torch.equal(held.present, features.present[kind])
        rows = held.present.nonzero().flatten()
        assert torch.allclose(held.encode(encoder, rows), features.item[kind][rows], atol=1e-6)
        assert torch.equal(torch.cat([*held.chunks(rows, 3)]), rows)
    assert inputs(things, encoder, "text").counts.max() > 1


def pixel_world(folder, n_items=240):
    """Which block an item belongs to is in one of 48 numbers of its image, the others are noise."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (n_items, 4, 4, 3), dtype=np.uint8)
    pixels[:, 1, 2, 0] = np.where(np.arange(n_items) >= n_items // 2, 255, 0)
    return catalogue(folder, n_items, pixels=pixels, gaps=False)


def test_it_learns_what_a_frozen_random_encoder_does_not_say(tmp_path) -> None:
    """Of the first 20 items that nobody has in the training part, the share of the user's own block; chance is 0.5."""
    data = pixel_world(tmp_path)
    cold = torch.from_numpy(np.setdiff1d(np.arange(240), data.train[:, 1]))
    own = (cold >= 120) == (torch.arange(24) >= 12).unsqueeze(1)  # [users, cold items]
    found = {"pretrained": [], "end to end": []}
    for seed in range(3):
        for paradigm, shares in found.items():
            encoder = TinyEncoder(width=2, seed=seed, kinds=("image",))
            model = VBPR(data, extract(data, encoder), dim=1, content_dim=4, l2=0.0, biases=False)
            if paradigm == "end to end":
                model = EndToEnd(model, encoder, encoder_lr=0.01)
            options = {"epochs": 40, "lr": 0.02, "batch_size": 64, "device": "cpu", "evaluate_every": 0, "keep": "last"}
            vectors = fit(model, **options).embeddings
            first = (vectors.users @ vectors.items[cold].T).topk(20).indices
            shares.append(own.gather(1, first).float().mean().item())
    gains = [after - before for before, after in zip(found["pretrained"], found["end to end"], strict=True)]
    assert min(gains) > 0.15, found  # one of the random encoders happens to see something of that number
    assert min(found["end to end"]) > 0.9


@pytest.mark.parametrize("refresh", ["all", "batch"])
def test_an_interrupted_training_continues_bit_for_bit(things, tmp_path, refresh) -> None:
    options = {"epochs": 5, "batch_size": 50, "device": "cpu", "patience": None, "keep": "last"}
    whole = fit(made(things, refresh=refresh, encoder_lr=0.01), **options)
    stopped = made(things, refresh=refresh, encoder_lr=0.01)
    original, calls = stopped.loss, []

    def loss(batch):
        calls.append(1)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return original(batch)

    stopped.loss = loss
    path = tmp_path / "c.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, **options, checkpoint=path, checkpoint_seconds=0)
    again = fit(made(things, refresh=refresh, encoder_lr=0.01, seed=1), **options, checkpoint=path)
    state = whole.model.state_dict()
    assert all(torch.equal(one, state[name]) for name, one in again.model.state_dict().items())
    assert torch.equal(whole.embeddings.items, again.embeddings.items)
    assert not torch.equal(state["encoder.model.image.0.weight"], TinyEncoder().model["image"][0].weight)
    with pytest.raises(InputError, match="other options"):
        fit(made(things, refresh=refresh, encoder_lr=0.02), **options, checkpoint=path)


def test_the_encoder_has_a_learning_rate_of_its_own_and_frozen_parts_stay(things) -> None:
    learner = made(things, encoder_lr=1e-9)
    learner.encoder.model["text"].requires_grad_(False)
    before = {name: one.clone() for name, one in learner.state_dict().items()}
    done = fit(learner, epochs=2, lr=0.05, device="cpu", keep="last")
    moved = {name: (one - before[name]).abs().max().item() for name, one in done.model.state_dict().items()}
    assert moved["recommender.table"] > 0.01
    assert 0 < moved["encoder.model.image.0.weight"] < 1e-6
    assert moved["encoder.model.text.1.weight"] == 0


def test_the_best_epoch_comes_back_with_its_encoder(things) -> None:
    done = fit(made(things, encoder_lr=0.05), epochs=8, lr=0.05, metric="recall@3", device="cpu")
    best = fit(made(things, encoder_lr=0.05), epochs=done.best_epoch, lr=0.05, metric="recall@3", device="cpu")
    assert torch.equal(done.embeddings.items, best.embeddings.items)
    assert done.model.describe()["paradigm"] == "end to end"


def test_the_encoder_runs_again_in_the_precision_in_which_it_ran(things) -> None:
    learner = made(things, kinds=("image",))
    layer, kinds = learner.encoder.model["image"][0], []
    layer.register_forward_hook(lambda module, given, found: kinds.append((torch.is_grad_enabled(), found.dtype)))
    for mixed, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        kinds.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            value = sum(learner.loss(batch_of(learner)).values())
        value.backward()
        assert set(kinds) == {(False, dtype), (True, dtype)}


def test_what_cannot_be_trained_end_to_end_is_refused(things) -> None:
    encoder = TinyEncoder()
    features = extract(things, encoder)
    with pytest.raises(InputError, match="LightGCN has no layers that read content"):
        EndToEnd(LightGCN(things), encoder)
    with pytest.raises(InputError, match="learn_features"):
        EndToEnd(VBPR(things, features, learn_features=True), encoder)
    with pytest.raises(InputError, match="no gradient reaches the encoder"):
        EndToEnd(FREEDOM(things, features, content_weight=0.0), encoder)
    with pytest.raises(InputError, match="weights that it has now"):
        EndToEnd(VBPR(things, features), TinyEncoder(seed=1))
    with pytest.raises(InputError, match="memory = 1e-09"):
        EndToEnd(VBPR(things, features), encoder, memory=1e-9)
    with pytest.raises(InputError, match="chunk"):
        EndToEnd(VBPR(things, features), encoder, chunk=0)
    (things.images / "7.png").unlink()
    with pytest.raises(InputError, match="1 items of made-up have image now"):
        EndToEnd(VBPR(things, features), encoder)
