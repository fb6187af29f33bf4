"""Two encoders side by side: each modality is its own encoder's, and nobody compares the two."""

import pytest
import timm
import torch

from mmlib.core.encoder_names import check_named, named_content, only, shares_space
from mmlib.core.errors import InputError
from mmlib.encoders import ContrastiveTuning, Projected, extract, load
from mmlib.encoders.pair import Pair
from mmlib.evaluation import text_to_image
from mmlib.evaluation.probes import agreement
from mmlib.pretrainers import MMCPR

from .shop import catalogue, tiny

pytest.importorskip("sentence_transformers")
from .sentence_models import bert

NAME = "test_vit.r160_in1k"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    torch.manual_seed(0)
    torch.save(timm.create_model(NAME, pretrained=False, num_classes=0).state_dict(), folder / "image.pth")
    return {"image": f"timm:{NAME}@{folder / 'image.pth'}", "text": f"st:{bert(folder)}"}


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    return catalogue(tmp_path_factory.mktemp("things"), copies=2, reviews=True)


def test_each_modality_is_its_own_encoders(names, things):
    features = extract(things, load(names))
    alone = {side: extract(things, load(name)) for side, name in names.items()}
    for side, one in alone.items():
        torch.testing.assert_close(features.item[side], one.item[side], atol=1e-6, rtol=0)
    torch.testing.assert_close(features.user["review"], alone["text"].user["review"], atol=1e-6, rtol=0)
    assert features.about["widths"] == {"image": 64, "text": 16}
    assert features.about["encoder"] == " + ".join(names.values())


def test_what_needs_one_space_is_left_out_and_said(names, things):
    features = extract(things, load(names))
    assert not features.shares_space
    assert "do not share a space" in features.space
    assert agreement(features) == {}
    model = MMCPR(things, features, neighbours=3)
    assert list(text_to_image(features, {"model": model})) == ["model"]  # MMCPR maps both to one space
    shared = extract(things, tiny())
    assert shared.shares_space
    assert set(agreement(shared)) == {"pairs", "random"}
    assert "raw encoder" in text_to_image(shared)


def test_equal_widths_are_no_shared_space(things):
    """Two encoders of one width would pass any check of shapes."""
    features = extract(things, tiny())
    apart = type(features)(features.item, features.present, about=features.about | {"shares_space": False})
    assert text_to_image(apart) == {}
    assert agreement(apart) == {}


def test_a_pair_has_the_checkpoints_of_both(names):
    pair, same = load(names), load(names)
    assert pair.checkpoint == same.checkpoint
    with torch.no_grad():
        next(same.parts["text"].model.parameters()).add_(1)
    assert pair.checkpoint != same.checkpoint


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"image": "timm:resnet18"}, "give one name, or two"),
        ({"image": "timm:resnet18", "txt": "st:x/y"}, 'Did you mean "text"'),
        ({"image": "timm:resnet18", "text": 3}, "give one name, or two"),
        ({"image": "small", "text": "st:x/y"}, "trained on images and text together"),
        ({"image": "timm:resnet18", "text": "timm:resnet18"}, "text: 'timm:resnet18' gives image vectors"),
    ],
)
def test_a_pair_that_cannot_be_is_refused_before_loading(encoder, message):
    with pytest.raises(InputError, match=message):
        check_named(encoder)
    with pytest.raises(InputError, match=message):
        load(encoder)


def test_what_a_name_says(names, tmp_path):
    assert (only("timm:resnet18"), only("st:x/y"), only("small"), only(names)) == ("image", "text", "", "")
    assert shares_space("ViT-B-32/openai")
    assert not any(map(shares_space, ("timm:resnet18", "st:x/y", "features:here", names)))
    assert named_content("ViT-B-32/openai") == named_content("timm:resnet18") == ""
    (tmp_path / "a.npy").write_bytes(b"1")
    before = named_content(f"features:{tmp_path}")
    (tmp_path / "a.npy").write_bytes(b"2")
    assert before != named_content(f"features:{tmp_path}") != ""


def test_what_cannot_be_compared_is_not_tuned(names, things):
    with pytest.raises(InputError, match=r"image vectors of 64 numbers and text vectors of 16.*Projected"):
        ContrastiveTuning(load(names), things)
    with pytest.raises(InputError, match="gives no text vectors"):
        ContrastiveTuning(load(names["image"]), things)
    loss = ContrastiveTuning(projected := Projected(load(names), 8), things).loss
    batch = next(iter(ContrastiveTuning(projected, things).batches(4, torch.Generator().manual_seed(0))))
    loss(batch)["contrastive"].backward()
    assert all(any(one.grad is not None for one in projected.inner.model[side].parameters()) for side in names)


def test_a_pair_is_tuned_towards_one_space(things):
    tuning = ContrastiveTuning(Projected(Pair(tiny(dim=16), tiny(dim=24, seed=1)), 8), things, chunk=10, crop=0)
    optimiser = torch.optim.AdamW(tuning.parameters(), lr=3e-3)
    before = own_and_other(tuning, things)
    for epoch in range(25):
        for batch in tuning.train().batches(16, torch.Generator().manual_seed(epoch)):
            optimiser.zero_grad()
            tuning.loss(batch)["contrastive"].backward()
            optimiser.step()
    own, other = own_and_other(tuning.eval(), things)
    assert own - other > 0.5 > abs(before[0] - before[1])


@torch.no_grad()
def own_and_other(tuning, things):
    """Mean cosine of an item's image and text, and of those of items of another colour."""
    features = extract(things, tuning.encoder)
    assert features.shares_space
    cosines = features.item["image"] @ features.item["text"].T
    colour = things.items["title"].to_numpy()
    return cosines.diagonal().mean().item(), cosines[torch.from_numpy(colour[:, None] != colour)].mean().item()
