"""Image networks of timm: their own preprocessing, every weight from the checkpoint, or an error."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config

from mmlib.core.errors import InputError
from mmlib.encoders import extract, load

from .shop import catalogue, draw

NAME = "test_vit.r160_in1k"  # 0.4 million weights


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(4)
    return timm.create_model(NAME, pretrained=False).eval()


@pytest.fixture
def headless(network, tmp_path):
    """A checkpoint without a classifier, and with one."""
    state = network.state_dict()
    save_file(
        {key: value for key, value in state.items() if not key.startswith("head.")}, tmp_path / "body.safetensors"
    )
    torch.save(state, tmp_path / "all.pth")
    return tmp_path


@torch.no_grad()
@pytest.mark.parametrize("file", ["body.safetensors", "all.pth"])
def test_vectors_are_the_networks_own_with_timms_preprocessing(network, headless, file):
    encoder = load(f"timm:{NAME}@{headless / file}")
    pictures = [draw("red", "boxes", size=200), draw("blue", "halves", size=90)]
    transform = create_transform(**resolve_model_data_config(network))
    expected = network.forward_head(
        network.forward_features(torch.stack([transform(one) for one in pictures])), pre_logits=True
    )
    got = encoder.image(torch.stack([encoder.pixels(one) for one in pictures]))
    torch.testing.assert_close(got, torch.nn.functional.normalize(expected, dim=1), atol=1e-5, rtol=0)
    assert encoder.widths == {"image": expected.shape[1]}
    assert not encoder.shares_space
    assert list(encoder.about["preprocessing"]["mean"]) == pytest.approx(
        list(resolve_model_data_config(network)["mean"])
    )


def test_features_of_a_catalogue_are_images_alone(headless, tmp_path):
    features = extract(catalogue(tmp_path / "images", reviews=True), load(f"timm:{NAME}@{headless / 'all.pth'}"))
    assert list(features.item) == ["image"]
    assert features.user == {}
    assert "gives no image and text vectors" in features.space
    with pytest.raises(InputError, match="does not encode text; it gives image vectors"):
        load(f"timm:{NAME}@{headless / 'all.pth'}").tokenize(["a"])


def test_a_missing_weight_is_never_random(network, headless):
    """timm itself fills it at random and only logs it."""
    state = dict(network.state_dict())
    del state["blocks.1.mlp.fc1.weight"]
    torch.save({key: value for key, value in state.items() if not key.startswith("head.")}, headless / "lacking.pth")
    with pytest.raises(InputError, match=r"cannot be loaded.*lacking\.pth is whole and of test_vit"):
        load(f"timm:{NAME}@{headless / 'lacking.pth'}")


def test_what_cannot_be_loaded_is_said(headless):
    with pytest.raises(InputError, match=r'Did you mean "resnet18"'):
        load("timm:resnet81")
    with pytest.raises(InputError, match="there is no file"):
        load(f"timm:{NAME}@{headless / 'nowhere.pth'}")
    (headless / "words.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"words\.pth is whole"):
        load(f"timm:{NAME}@{headless / 'words.pth'}")
    with pytest.raises(InputError, match="random ones say nothing"):
        load("timm:beit3_giant_patch14_224")


def test_without_weights_or_network_the_file_is_named():
    with pytest.raises(InputError, match=r"model\.safetensors or pytorch_model\.bin of timm/resnet18.*does not answer"):
        load("timm:resnet18")


def test_another_mean_than_the_authors_is_said(monkeypatch, headless):
    from mmlib.encoders import timm_images

    monkeypatch.setitem(timm_images.AUTHORS, "test_vit", ((0.1,) * 3, (0.1,) * 3))
    with pytest.warns(UserWarning, match="these vectors differ from theirs"):
        encoder = load(f"timm:{NAME}@{headless / 'all.pth'}")
    assert "the authors of the checkpoint with (0.1, 0.1, 0.1)" in encoder.about["remarks"][0]


def test_timm_does_not_normalise_beit3_as_its_authors_do():
    """What the warning is for: when timm changes, it can go."""
    cfg = timm.models.get_pretrained_cfg("beit3_base_patch16_224")
    assert tuple(cfg.mean) != (0.5, 0.5, 0.5)
