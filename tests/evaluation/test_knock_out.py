"""Knocked-out features hold what they say, and the comparison of models with them is one family with a known answer."""

from dataclasses import replace

import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.evaluation import evaluate
from mmlib.evaluation.knock_out import knock_out, knock_out_pairs, parse, with_weights_of
from mmlib.recommenders import FREEDOM, LATTICE, VBPR
from mmlib.training import fit

from .made import method


def made(n: int = 50) -> Features:
    generator = torch.Generator().manual_seed(0)
    item = {"text": torch.randn(n, 4, generator=generator), "image": torch.randn(n, 7, generator=generator)}
    present = {name: torch.ones(n, dtype=torch.bool) for name in item}
    present["image"][3] = False
    return Features(item, present, about={"encoder": "made up"})


def test_a_permutation_keeps_every_row_and_gives_none_to_its_own_item() -> None:
    whole = made()
    found = knock_out(whole, "permute", seed=4)
    places = [whole.item["text"].tolist().index(row) for row in found.item["text"].tolist()]
    assert sorted(places) == list(range(50))
    assert all(place != item for item, place in enumerate(places))
    assert torch.equal(found.item["image"], whole.item["image"][places])  # the same other item's
    assert torch.equal(found.present["image"], whole.present["image"][places])
    assert torch.equal(knock_out(whole, "permute", seed=4).item["text"], found.item["text"])
    assert not torch.equal(knock_out(whole, "permute", seed=5).item["text"], found.item["text"])


@pytest.mark.parametrize("modality", ["text", "image"])
@pytest.mark.parametrize("way", ["permute", "noise", "constant", "zero", "drop"])
def test_one_modality_is_replaced_and_the_other_stays(way: str, modality: str) -> None:
    whole = made()
    found, other = knock_out(whole, way, modality), {"text": "image", "image": "text"}[modality]
    assert torch.equal(found.item[other], whole.item[other])
    assert torch.equal(found.present[other], whole.present[other])
    assert (modality in found.item) == (way != "drop")
    if way == "noise":
        assert found.item[modality].mean() == pytest.approx(1, abs=0.03)
        assert found.item[modality].std() == pytest.approx(0.1, abs=0.02)
    if way in ("constant", "zero"):
        assert set(found.item[modality].flatten().tolist()) == {float(way == "constant")}
    assert found.about["knock_out"] == f"{way} {modality}, seed 0"
    assert "knock_out" not in whole.about


def test_what_cannot_be_knocked_out_is_refused() -> None:
    for given, says in ((("blur", None), "way"), (("zero", "audio"), "'audio'"), (("drop", None), "leaves nothing")):
        with pytest.raises(InputError, match=says):
            knock_out(made(), *given)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("none", None),
        ("permute", ("permute", None)),
        ("zero text", ("zero", "text")),
        (" noise  text+image ", ("noise", "text+image")),
    ],
)
def test_the_parameter_is_read(text: str, meant) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize("text", ["", "permutate", "none text", "zero audio", "text"])
def test_a_slip_in_the_parameter_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="knock_out"):
        parse(text)


def test_a_model_that_lives_on_content_loses_by_every_knock_out_after_training(blocks, features) -> None:
    """In the world of two blocks, content alone tells the blocks apart: VBPR without ID vectors lives on it."""
    options = dict(epochs=30, lr=0.05, batch_size=64, patience=None, seed=0)

    def trained(given: Features):
        torch.manual_seed(0)
        return fit(VBPR(blocks, given, dim=1), **options)

    whole = trained(features)
    best = evaluate(whole, k=(3,)).mean("recall@3")
    for way in ("permute", "noise", "constant", "zero"):
        torch.manual_seed(1)
        gone = with_weights_of(VBPR(blocks, knock_out(features, way), dim=1), whole.model)
        assert torch.equal(gone.table, whole.model.table)
        assert evaluate(gone, k=(3,)).mean("recall@3") < best - 0.1
    torch.manual_seed(1)
    same = with_weights_of(VBPR(blocks, features, dim=1), whole.model)
    assert evaluate(same, k=(3,)).mean("recall@3") == best


@pytest.mark.parametrize("model", [FREEDOM, LATTICE])
def test_item_graphs_follow_the_content_that_is_there_at_test_time(blocks, features, model) -> None:
    torch.manual_seed(0)
    whole = fit(model(blocks, features, neighbours=3), epochs=3, lr=0.01, batch_size=64, patience=None, seed=0)
    torch.manual_seed(9)
    gone = with_weights_of(model(blocks, knock_out(features, "permute"), neighbours=3), whole.model)
    with torch.no_grad():
        before, after = whole.model.embed(), gone.embed()
    assert not torch.allclose(before.items, after.items)
    assert all(torch.equal(values, gone.state_dict()[name]) for name, values in whole.model.state_dict().items())


def test_weights_that_do_not_fit_or_hold_the_features_are_refused(blocks, features) -> None:
    whole = VBPR(blocks, features, dim=4)
    with pytest.raises(InputError, match="none can be dropped after training"):
        with_weights_of(VBPR(blocks, knock_out(features, "drop", "text"), dim=4), whole)
    learnt = VBPR(blocks, features, dim=4, learn_features=True)
    with pytest.raises(InputError, match="has learnt its features"):
        with_weights_of(VBPR(blocks, features, dim=4, learn_features=True), learnt)


def runs(recommender: str, knocked: str, mean: float, **more):
    label = f"{recommender}, {knocked}"
    return method(label, mean, users=200, recommender=recommender, knock_out=knocked, **more)


def test_the_family_compares_each_with_itself_and_with_interactions_alone() -> None:
    """One model uses its text alone, the other nothing; both are told from LightGCN as they should be."""
    every = [
        runs("reader", "none", 0.50), runs("reader", "permute text", 0.40), runs("reader", "permute image", 0.50),
        runs("blind", "none", 0.40), runs("blind", "permute text", 0.40), runs("blind", "permute image", 0.40),
        runs("lightgcn", "none", 0.40),
    ]  # fmt: skip
    found = knock_out_pairs({one.label: one for one in every}, "lightgcn")
    pairs = found.pairs()
    assert found.tests == len(found) == 10
    assert pairs["reader, none", "reader, permute text"].better == "reader, none"
    assert pairs["reader, none", "lightgcn, none"].better == "reader, none"
    for a, b in (
        ("reader, none", "reader, permute image"),
        ("blind, none", "blind, permute text"),
        ("blind, none", "lightgcn, none"),
        ("reader, permute text", "lightgcn, none"),
    ):
        assert not pairs[a, b].significant
    assert all("blind" in one.b or "lightgcn" in one.b or "reader" in one.a for one in found)


def test_only_like_is_compared_with_like() -> None:
    """Another start or encoder is another method; when knocked out after training, the partner is the whole one."""
    every = [
        runs("reader", "none", 0.5, start="random"), runs("reader", "zero", 0.4, start="random"),
        replace(runs("reader", "none", 0.5, start="mmcpr"), label="other start"),
        replace(runs("reader", "zero", 0.3, start="random", knock_out_at="test"), label="at test"),
    ]  # fmt: skip
    found = knock_out_pairs({one.label: one for one in every}).pairs()
    assert set(found) == {
        ("reader, none", "reader, zero"), ("reader, zero", "reader, none"),
        ("reader, none", "at test"), ("at test", "reader, none"),
    }  # fmt: skip
    with pytest.raises(InputError, match="nothing to compare"):
        knock_out_pairs({one.label: one for one in every[:1]})
