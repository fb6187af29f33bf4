"""What every recommender and pre-trainer must do; a new one joins by its constructor."""

import json
from dataclasses import replace
from functools import partial
from inspect import signature

import numpy as np
import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.evaluation import evaluate
from mmlib.pretrainers import MMCPR
from mmlib.recommenders import (
    BM3,
    BPR,
    FREEDOM,
    GRCN,
    LATTICE,
    MGCN,
    MICRO,
    MMGCL,
    MMGCN,
    NGCF,
    VBPR,
    AlignRec,
    DualGNN,
    LightGCN,
    MixGCF,
    SLMRec,
)
from mmlib.training import fit
from mmlib.training.learner import Batch

from ..conftest import make_dataset

MODELS = {
    "BPR": partial(BPR, dim=8),
    "LightGCN": partial(LightGCN, dim=8, layers=2),
    "LATTICE": partial(LATTICE, dim=8, neighbours=4),
    "LATTICE, as the official code": partial(
        LATTICE, dim=8, neighbours=4, normalisation="row", self_loops=True, normalise="sum", learn_features=True
    ),
    "LATTICE, on NGCF, a graph a batch": partial(
        LATTICE, dim=8, neighbours=4, backbone="ngcf", message_dropout=0.0, graph_gradient="every", include_self=False
    ),
    "MICRO": partial(MICRO, dim=8, neighbours=4),
    "MICRO, on BPR, two item layers, one-way": partial(
        MICRO, dim=8, neighbours=4, backbone="mf", item_layers=2, contrast="one-way", contrast_items="batch"
    ),
    "MICRO, without contrast": partial(MICRO, dim=8, neighbours=4, **MICRO.variants()["MICRO w/o contrast"]),
    "MICRO/feats": partial(MICRO, dim=8, neighbours=4, **MICRO.variants()["MICRO/feats"]),
    "MICRO, features without graphs": partial(MICRO, dim=8, **MICRO.variants()["CF+feats"]),
    "MixGCF": partial(MixGCF, dim=8, layers=2, candidates=4),
    "MixGCF, on NGCF": partial(MixGCF, backbone="ngcf", dim=8, layers=2, candidates=4, message_dropout=0.0),
    "NGCF": partial(NGCF, dim=8, layers=2),
    "NGCF, as the official code": partial(
        NGCF,
        dim=8,
        layers=2,
        node_dropout=0.1,
        dropout_of="elements",
        activation="separate",
        self_messages="matrix",
        normalisation="row",
        bias=True,
        unit_outputs=True,
        l2_on="final",
    ),
    "NGCF, mean of layers": partial(NGCF, dim=8, layers=2, pool="mean", self_messages="none", message_dropout=0.0),
    "BM3": partial(BM3, dim=8, dropout=0.2, l2=0.01),  # nothing else holds the lengths of a world this small
    "BM3, as the official code": partial(BM3, dim=8, dropout=0.2, align_weight=2.0, l2_on="all", l2_reading="norm"),
    "FREEDOM": partial(FREEDOM, dim=8, neighbours=4),
    "FREEDOM, cosine edges, mild pruning": partial(FREEDOM, dim=8, neighbours=4, edge_weight="cosine", pruning=0.1),
    "MGCN": partial(MGCN, dim=8, neighbours=4),
    "MGCN, as the official code": partial(MGCN, dim=8, neighbours=4, fusion="average", repeats=True),
    "VBPR": partial(VBPR, dim=8),
    "VBPR, as the usual toolbox": partial(VBPR, dim=8, biases=False, l2_on="final", l2_reading="norm"),
    "MMGCN": partial(MMGCN, dim=8, content_dim=8),
    "MMGCN, as the official code": partial(
        MMGCN,
        dim=8,
        content_dim=0,
        layers=3,
        combination="concat",
        fusion="mean",
        bias=True,
        unit_inputs=True,
        frozen_ids=True,
        square=True,
    ),
    "GRCN": partial(GRCN, dim=8, content_dim=8),
    "GRCN, as the usual toolbox": partial(
        GRCN, dim=8, content_dim=8, iterations=0, pruning="hard", unit_vectors=True, l2_reading="mean"
    ),
    "DualGNN": partial(DualGNN, dim=8, hidden=16),
    "DualGNN, as the official code": partial(
        DualGNN, dim=8, hidden=16, attention="free", unit_inputs=True, l2_reading="mean"
    ),
    "AlignRec": partial(AlignRec, dim=8, neighbours=4),
    "AlignRec, as the released code": partial(
        AlignRec,
        dim=8,
        neighbours=4,
        cca="cosine",
        gram="inner",
        reg_reading="norm per item",
        repeats=True,
        l2=1e-4,
        learn_features=True,
    ),
    "AlignRec, attention": partial(
        AlignRec, dim=8, neighbours=4, fuser="attention", activation="relu", reg_reading="squared", combine="mean"
    ),
    "MMGCL": partial(MMGCL, dim=8, layers=2),
    "MMGCL, as the official code": partial(MMGCL, dim=8, layers=2, contrast="official", edges="shared"),
    "SLMRec": partial(SLMRec, dim=8, layers=2),
    "SLMRec, as the official code": partial(SLMRec, dim=8, layers=2, fac_cosine=False, repeats=True),
    "SLMRec, FD+FM, BPR": partial(SLMRec, dim=8, layers=2, tasks="FD+FM", main="bpr", sides="both"),
    "MMCPR": partial(MMCPR, dim=8, graph_dim=8),
    "MMCPR, softmax, adapted": partial(MMCPR, dim=8, graph_dim=8, contrast="softmax", aligned="adapted"),
    "MMCPR, attention over reviews": partial(MMCPR, dim=8, graph_dim=8, aggregation="attention", missing="mask"),
}


@pytest.fixture(params=MODELS)
def make(request, blocks, features):
    def build(data=blocks, seed: int = 0, given=None):
        torch.manual_seed(seed)
        fitting = features if data.n_items == blocks.n_items else vectors_for(data.n_items, data.n_users)
        return MODELS[request.param](data, fitting if given is None else given)

    return build


def vectors_for(n_items: int, n_users: int) -> Features:
    """Random text and image vectors for a catalogue of another size; one text is missing, and there are reviews."""
    generator = torch.Generator().manual_seed(0)
    item = {name: torch.randn(n_items, 6, generator=generator) for name in ("text", "image")}
    present = {name: torch.ones(n_items, dtype=torch.bool) for name in item}
    present["text"][0] = False
    return Features(item, present, torch.randn(n_users, 6, generator=generator), torch.arange(n_users), n_users)


def first_batch(model):
    return next(model.batches(64, torch.Generator().manual_seed(0)))


def test_learns_the_block_world(make, blocks) -> None:
    model = make()
    start = evaluate(model, k=[3])["recall@3"]
    done = fit(model, epochs=60, lr=0.02, batch_size=64, metric="recall@3", patience=None, device="cpu")
    assert start < 1  # content and interactions tell much by themselves
    assert evaluate(done, k=[3])["recall@3"] == 1  # two items of the own block are left: both before all others
    assert evaluate(done.embeddings, blocks, k=[3])["recall@3"] == 1


def test_terms_are_finite_and_train_every_parameter_and_nothing_else(make, blocks) -> None:
    """Without the L2 terms, which reach also what no other loss does. Content learns only where it is asked for."""
    model = make()
    terms = {name: term for name, term in model.loss(first_batch(model)).items() if not name.startswith("l2")}
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    parameters = dict(model.named_parameters())
    total: dict[str, torch.Tensor] = {}
    for name, term in terms.items():
        found = torch.autograd.grad(term, list(parameters.values()), retain_graph=True, allow_unused=True)
        assert any(one is not None and one.any() for one in found), f"{name} trains nothing"
        total |= {key: total.get(key, 0) + one for key, one in zip(parameters, found) if one is not None}
    for name, gradient in total.items():
        halves = gradient.split([24, 20]) if len(gradient) == blocks.n_users + blocks.n_items else [gradient]
        assert all(half.any() for half in halves), name
    assert set(total) == set(parameters)
    learnt = [name for name in parameters if "content" in name and name.endswith("vectors")]
    assert bool(learnt) == bool(model.describe().get("learn_features"))


def test_only_training_purchases_are_learnt_from(make, blocks) -> None:
    model = make()
    train = {tuple(pair) for pair in blocks.train.tolist()}
    seen = []
    for batch in model.batches(50, torch.Generator().manual_seed(1)):
        seen += list(zip(batch.users.tolist(), batch.positives.tolist()))
        drawn = {(u, i) for u, row in zip(batch.users.tolist(), batch.negatives.tolist()) for i in row}
        assert not drawn & train
    assert sorted(seen) == sorted(train)


def test_held_out_purchases_reach_no_graph(make, blocks) -> None:
    """Users of one block exchange what is held out of them: nothing may change."""
    table = blocks.interactions
    held = table["part"] != "train"
    turned = table["item"].where(~held, table["item"].groupby(table["user"] // 12 * 2 + held).shift(-2))
    turned = turned.fillna(table["item"]).astype(int)
    pairs = np.stack([table["user"], turned], 1)
    data = make_dataset(pairs, list(table["part"]), 24, 20, review=table["review"])
    assert not np.array_equal(data.test, blocks.test)
    for part in ("users", "items"):
        assert torch.equal(getattr(make(data).embed(), part), getattr(make().embed(), part))


def test_same_seed_same_result(make) -> None:
    first, second, other = (
        fit(make(seed=s), epochs=3, batch_size=32, seed=s, device="cpu").embeddings for s in (0, 0, 1)
    )
    assert torch.equal(first.users, second.users)
    assert torch.equal(first.items, second.items)
    assert not torch.equal(first.items, other.items)


def test_describe_names_every_option_with_its_value(make, request) -> None:
    model = make()
    described = model.describe()
    assert described["model"] == type(model).__name__
    for name, value in MODELS[request.node.callspec.params["make"]].keywords.items():
        assert described[name] == value
    options = [one for one in signature(type(model)).parameters.values() if one.kind == one.KEYWORD_ONLY]
    assert {option.name for option in options} - {"start"} <= set(described)
    assert json.loads(json.dumps(described)) == described
    assert not model.unknown_arguments()


def test_devices_agree(make, device) -> None:
    on_cpu, there = make(), make().to(device)
    vectors = there.embed()
    assert vectors.items.device.type == device
    torch.testing.assert_close(vectors.items.cpu(), on_cpu.embed().items, atol=1e-5, rtol=1e-4)
    there, on_cpu = there.eval(), on_cpu.eval()  # dropout is drawn on the device
    if there.negatives > 1:
        there.mix_positive = on_cpu.mix_positive = False  # the share is drawn on the device
    batch = first_batch(on_cpu)
    moved = type(batch)(*(getattr(batch, name).to(device) for name in ("users", "positives", "negatives")))
    torch.manual_seed(2)
    for name, term in there.loss(moved).items():
        torch.manual_seed(2)
        torch.testing.assert_close(term.cpu(), on_cpu.loss(batch)[name], atol=1e-5, rtol=1e-4)


def test_trains_and_goes_on_on_every_device(make, device, tmp_path) -> None:
    options = {"batch_size": 64, "device": device, "patience": None, "checkpoint_seconds": 0.0}
    fit(make(), epochs=1, checkpoint=tmp_path / "c.pt", **options)
    done = fit(make(seed=1), epochs=2, checkpoint=tmp_path / "c.pt", **options)
    assert done.history["epoch"].tolist() == [1, 2]
    assert torch.isfinite(done.embeddings.items).all()


def test_weights_make_another_model_the_same(make) -> None:
    model, other = make(), make(seed=1)
    fit(model, epochs=1, batch_size=64, device="cpu")
    other.load_state_dict(model.state_dict())
    for part in ("users", "items"):
        torch.testing.assert_close(getattr(other.embed(), part), getattr(model.embed(), part), rtol=0, atol=0)


def test_embeddings_survive_a_round_trip(make, tmp_path) -> None:
    vectors = fit(make(), epochs=1, device="cpu").embeddings
    vectors.save(tmp_path)
    back = Embeddings.load(tmp_path)
    assert torch.equal(back.users, vectors.users)
    assert back.about["model"] == vectors.about["model"]


def test_training_goes_on_from_a_checkpoint(make, tmp_path) -> None:
    options = {"batch_size": 32, "device": "cpu", "patience": None, "checkpoint_seconds": 0.0, "keep": "last"}
    straight = fit(make(), epochs=4, **options).embeddings

    class Killed(RuntimeError):
        pass

    def killed_after_two(epoch: int) -> float:
        if epoch > 2:
            raise Killed
        return 1.0

    with pytest.raises(Killed):
        fit(make(), epochs=4, schedule=killed_after_two, checkpoint=tmp_path / "c.pt", **options)
    assert torch.load(tmp_path / "c.pt", weights_only=True)["state"]["epoch"] == 2
    again = make(seed=1)  # what it starts from must not matter
    resumed = fit(again, epochs=4, schedule=lambda epoch: 1.0, checkpoint=tmp_path / "c.pt", **options).embeddings
    assert torch.equal(resumed.items, straight.items)
    assert torch.equal(resumed.users, straight.users)


def test_renamed_items_give_the_same_vectors(make, blocks, features) -> None:
    """Item i becomes item new[i]: every table moves along, and so must all vectors and losses."""
    new = np.random.default_rng(1).permutation(blocks.n_items)
    table = blocks.interactions.assign(item=new[blocks.interactions["item"]])
    data = make_dataset(
        table[["user", "item"]].to_numpy(), list(table["part"]), blocks.n_users, blocks.n_items, review=table["review"]
    )
    old = torch.from_numpy(np.argsort(new))  # old[j]: what item j was called
    item = {name: values[old] for name, values in features.item.items()}
    present = {name: values[old] for name, values in features.present.items()}
    before, after = make(), make(data, given=replace(features, item=item, present=present))
    state = {name: moved(values, old, blocks.n_users) for name, values in before.state_dict().items()}
    after.load_state_dict(state)
    torch.testing.assert_close(after.embed().items, before.embed().items[old], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(after.embed().users, before.embed().users, atol=1e-5, rtol=1e-4)
    batch = first_batch(before)
    to_new = torch.from_numpy(new)
    renamed = Batch(batch.users, to_new[batch.positives], to_new[batch.negatives])
    losses = []
    for model, one, seed in ((before, batch, 3), (after, renamed, 3), (before, batch, 4)):
        torch.manual_seed(seed)
        losses.append({name: float(term.detach()) for name, term in model.eval().loss(one).items()})
    alike = losses[1] == pytest.approx(losses[0], rel=1e-4, abs=1e-6)
    assert alike or (losses[0] != losses[2] and type(before).__name__ in ("MMGCL", "MMCPR"))  # these draw items


def moved(values: torch.Tensor, old: torch.Tensor, n_users: int) -> torch.Tensor:
    """The rows of an item table, or of the items' half of a joint table, under their new names."""
    if values.ndim and len(values) == len(old):
        return values[old]
    if values.ndim and len(values) == n_users + len(old):
        return torch.cat([values[:n_users], values[n_users:][old]])
    return values


def test_a_user_without_history_has_a_finite_vector(make, blocks) -> None:
    table = blocks.interactions
    kept = table[(table["user"] != 5) | (table["part"] == "test")]
    data = make_dataset(
        kept[["user", "item"]].to_numpy(), list(kept["part"]), blocks.n_users, blocks.n_items, review=kept["review"]
    )
    vectors = fit(make(data), epochs=2, batch_size=64, device="cpu").embeddings
    assert torch.isfinite(vectors.users[5]).all()
    assert 5 in evaluate(vectors, data, k=[3]).per_user["user"].to_numpy()


def test_one_user(make) -> None:
    data = make_dataset(np.array([(0, i) for i in range(5)]), ["train"] * 3 + ["valid", "test"], 1, 7, review=["x"] * 5)
    done = fit(make(data), epochs=2, batch_size=2, device="cpu")
    assert done.embeddings.users.shape[0] == 1
    assert torch.isfinite(done.embeddings.items).all()


def test_one_item_is_refused_with_a_reason(make) -> None:
    data = make_dataset(np.array([(0, 0), (1, 0), (2, 0)]), ["train", "valid", "test"], 3, 1, review=["x"] * 3)
    with pytest.raises(InputError, match=r"nothing to learn from|at least two"):
        make(data)


def test_two_items(make) -> None:
    pairs = np.array([(0, 0), (1, 1), (2, 0), (0, 1), (1, 0)])
    data = make_dataset(pairs, ["train"] * 3 + ["valid", "test"], 3, 2, review=["x"] * 5)
    done = fit(make(data), epochs=2, batch_size=2, device="cpu")
    assert torch.isfinite(done.embeddings.items).all()


@pytest.mark.parametrize("missing", ["mean", "zero"])
@pytest.mark.parametrize("gone", [{"text": slice(None)}, {"text": slice(0, 3), "image": slice(0, 3)}], ids=str)
def test_a_modality_without_items_and_items_without_a_modality(request, blocks, features, gone, missing) -> None:
    for name in ("text", "image"):
        features.present[name][gone.get(name, slice(0, 0))] = False
    for name, build in MODELS.items():
        if (
            "missing" not in build.keywords
            and "missing" in signature(build.func).parameters
            and build.func is not MMCPR
        ):
            torch.manual_seed(0)
            done = fit(partial(build, missing=missing)(blocks, features), epochs=2, batch_size=64, device="cpu")
            vectors = done.embeddings
            assert torch.isfinite(vectors.items).all(), name
            assert torch.isfinite(vectors.users).all(), name
            assert np.isfinite(done.history["loss"]).all(), name


def test_features_stay_as_they_are(make, features) -> None:
    """None is missing here, so that nothing is copied on the way to be filled."""
    whole = {name: torch.ones_like(has) for name, has in features.present.items()}
    given = replace(features, present=whole)
    before = {name: values.clone() for name, values in given.item.items()}
    fit(make(given=given), epochs=2, batch_size=64, device="cpu")
    assert all(torch.equal(given.item[name], values) for name, values in before.items())
