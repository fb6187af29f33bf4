"""What every recommender and pre-trainer must do; a new one joins by its constructor."""

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
from mmlib.training import fit, rules
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
PROPAGATE_CONTENT = {"DualGNN", "GRCN", "MMGCL", "SLMRec"}  # untrained, these rank much better than chance
MASK_ITEMS = {"MMGCL", "MMGCL, as the official code"}  # in its loss, also outside training
DRAW_BY_ITEM = {"NGCF", "NGCF, as the official code", "SLMRec, FD+FM, BPR"} | MASK_ITEMS  # dropout of the items' rows


@pytest.fixture(params=MODELS)
def name(request) -> str:
    return request.param


@pytest.fixture
def make(name, blocks, features):
    def build(data=blocks, seed: int = 0, given=None):
        torch.manual_seed(seed)
        fitting = features if data.n_items == blocks.n_items else vectors_for(data.n_items, data.n_users)
        return MODELS[name](data, fitting if given is None else given)

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


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda one: one.__name__)
def test_follows_the_rule(name, rule) -> None:
    given = MODELS[name].keywords if rule is rules.records_its_options else {}
    rule(MODELS[name], **given)


def test_knows_less_than_the_block_world_before_it_learns(make) -> None:
    """Or the world would show nothing; content that is propagated tells much by itself, and so do interactions."""
    model = make()
    assert evaluate(model, k=[3])["recall@3"] < (1 if type(model).__name__ in PROPAGATE_CONTENT else 0.6)


def test_content_learns_only_where_it_is_asked_for(make) -> None:
    model = make()
    learnt = [name for name, _ in model.named_parameters() if "content" in name and name.endswith("vectors")]
    assert bool(learnt) == bool(model.describe().get("learn_features"))


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


def test_embeddings_survive_a_round_trip(make, tmp_path) -> None:
    vectors = fit(make(), epochs=1, device="cpu").embeddings
    vectors.save(tmp_path)
    back = Embeddings.load(tmp_path)
    assert torch.equal(back.users, vectors.users)
    assert back.about["model"] == vectors.about["model"]


def test_renamed_items_give_the_same_vectors(make, name, blocks, features) -> None:
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
    if name in DRAW_BY_ITEM:  # under other names, the same draws fall on other items
        before, after = before.eval(), after.eval()
    losses = []
    for model, one in ((before, batch), (after, renamed)):
        torch.manual_seed(3)
        losses.append({name: float(term.detach()) for name, term in model.loss(one).items()})
    if name not in MASK_ITEMS:
        assert losses[1] == pytest.approx(losses[0], rel=1e-4, abs=1e-6)


def moved(values: torch.Tensor, old: torch.Tensor, n_users: int) -> torch.Tensor:
    """The rows of an item table, or of the items' half of a joint table, under their new names."""
    if values.ndim and len(values) == len(old):
        return values[old]
    if values.ndim and len(values) == n_users + len(old):
        return torch.cat([values[:n_users], values[n_users:][old]])
    return values


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
def test_a_modality_without_items_and_items_without_a_modality(gone, missing) -> None:
    for build in MODELS.values():
        if (
            "missing" not in build.keywords
            and "missing" in signature(build.func).parameters
            and build.func is not MMCPR
        ):
            rules.missing_content_is_finite(partial(build, missing=missing), **gone)
