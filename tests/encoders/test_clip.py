"""Loading: what is asked for, with its preprocessing, or an error that says what to do; never random by accident."""

import json
import os
import pickle

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from safetensors.torch import load_file, save_file

from mmlib.core.errors import InputError
from mmlib.encoders import Clip, clip_loading, load
from mmlib.encoders.clip import CONFIG, WEIGHTS

from .shop import draw, tiny

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PICTURES = [draw("red", "boxes"), draw("blue", "halves", size=48)]


@torch.no_grad()
def vectors(clip):
    pixels = torch.stack([clip.preprocess(picture) for picture in PICTURES])
    return torch.cat([clip.image(pixels), clip.text(clip.tokenize(["a red thing", "blue"]))])


@pytest.fixture
def saved(tmp_path):
    """A small encoder with weights and preprocessing of its own, and its folder."""
    clip = tiny(seed=5)
    clip.preprocessing.update(mean=[0.1, 0.2, 0.3], resize_mode="longest", fill_color=7)
    clip = type(clip)(
        clip.model, clip.tokenizer, clip.config, clip.preprocessing, name="small", origin="random weights, then tuned"
    )
    clip.save(tmp_path / "encoder")
    return clip, tmp_path / "encoder"


@pytest.fixture
def tagged(tmp_path, monkeypatch):
    """open_clip with one more model, whose weights are fetched from a local file."""
    torch.manual_seed(1)
    model = open_clip.CLIP(**TINY, quick_gelu=True)
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    tag = {
        "hf_hub": "nobody/tiny",
        "quick_gelu": True,
        "mean": (0.4,) * 3,
        "std": (0.2,) * 3,
        "interpolation": "bilinear",
    }
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny-8", TINY)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny-8", {"openai": tag})
    monkeypatch.setattr(clip_loading, "hub_file", lambda *asked: tmp_path / "tiny.safetensors")
    return model.eval()


def test_small_is_the_same_each_time_and_leaves_the_random_state_alone():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    one, same, other = (load("small", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(vectors(one), vectors(same))
    assert one.about == same.about
    assert one.checkpoint != other.checkpoint
    assert "random" in one.about["origin"]
    json.dumps(one.about)


@pytest.mark.parametrize("dim", [16, 128])
def test_shapes_and_lengths(dim):
    clip = tiny(dim)
    got = vectors(clip)
    assert got.shape == (4, clip.widths["text"]) == (4, dim)
    assert got.dtype == torch.float32
    assert torch.allclose(got.norm(dim=1), torch.ones(4), atol=1e-6)
    assert clip.tokenize(["a", "b " * 999]).shape == (2, clip.context)


def test_bytes_are_normalised_as_preprocess_does(saved):
    clip, _ = saved
    pixels = torch.stack([clip.pixels(picture) for picture in PICTURES])
    ready = torch.stack([clip.preprocess(picture) for picture in PICTURES])
    assert pixels.dtype == torch.uint8
    assert torch.allclose(clip.normalise(pixels), ready, atol=1e-6)
    with torch.no_grad():
        assert torch.allclose(clip.image(pixels), clip.image(ready), atol=1e-6)


def test_save_and_load_keep_vectors_and_preprocessing(saved):
    clip, folder = saved
    again = load(f"local-dir:{folder}")
    assert torch.equal(vectors(again), vectors(clip))
    assert again.preprocessing == clip.preprocessing
    assert {**again.about, "encoder": ""} == {**clip.about, "encoder": ""}
    assert all(not path.name.startswith(".") for path in folder.iterdir())
    again.save(folder)  # in place
    assert torch.equal(vectors(load(f"local-dir:{folder}")), vectors(clip))


def test_open_clip_reads_what_save_wrote(saved):
    clip, folder = saved
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    with torch.no_grad():
        image = model.eval().encode_image(preprocess(PICTURES[0]).unsqueeze(0), normalize=True)
    assert torch.allclose(image[0], vectors(clip)[0], atol=1e-6)


def test_a_tag_brings_weights_activation_and_preprocessing(tagged, tmp_path):
    clip = load("Tiny-8/openai")
    assert any(isinstance(part, QuickGELU) for part in clip.model.modules())
    assert clip.preprocessing["mean"] == [0.4] * 3
    assert clip.preprocessing["interpolation"] == "bilinear"
    with torch.no_grad():
        expected = tagged.encode_text(clip.tokenize(["a red thing"]), normalize=True)
    assert torch.allclose(vectors(clip)[2], expected[0], atol=1e-6)
    assert "openai" in clip.about["origin"]
    clip.save(tmp_path / "tiny")
    assert torch.equal(vectors(load(f"local-dir:{tmp_path / 'tiny'}")), vectors(clip))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_close_and_still_gives_float32(saved, precision):
    clip, folder = saved
    low = load(f"local-dir:{folder}", precision=precision)
    assert low.model.visual.transformer.resblocks[0].mlp[0].weight.dtype == low.dtype != torch.float32
    assert vectors(low).dtype == torch.float32
    assert torch.allclose(vectors(low), vectors(clip), atol=0.05)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smal", "small"),
        ("ViT-B-32", "needs a pretrained tag.*ViT-B-32/openai"),
        ("ViT-B/32", "needs a pretrained tag"),
        ("ViT-B-32/opnai", "no pretrained tag 'opnai'.*Did you mean \"openai\""),
        ("ViT-B-23/openai", 'Did you mean "ViT-B-32/openai"'),
        ("", "not known"),
        ("local-dir:nowhere", "There is no folder nowhere"),
        ("local-dir:", "give 'local-dir:FOLDER'"),
        ("n" * 5000, "is not known"),
        ("coca_base", "has none|pretrained tag"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        load(name)


def test_bad_options_are_refused(saved):
    with pytest.raises(InputError, match="precision"):
        load("small", precision="int8")
    with pytest.raises(InputError, match="dim = 0"):
        load("small", dim=0)
    for device in ("gpu", "meta:x", "cuda:99"):
        with pytest.raises(InputError, match=f"device = '{device}' cannot be used"):
            load("small", device=device)
    with pytest.raises(InputError, match=r"seed = .* too large"):
        load("small", seed=2**64)
    with pytest.raises(InputError, match=r'Did you mean "local-dir:'):
        load(str(saved[1]))


def cut(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:5000])


def other_architecture(folder):
    config = json.loads((folder / CONFIG).read_text())
    config["model_cfg"]["vision_cfg"]["layers"] += 1
    (folder / CONFIG).write_text(json.dumps(config))


def other_weights(folder):
    weights = load_file(folder / WEIGHTS)
    weights["logit_scale"] = weights["logit_scale"] + 1
    save_file(weights, folder / WEIGHTS)


def no_preprocessing(folder):
    config = json.loads((folder / CONFIG).read_text())
    del config["preprocess_cfg"]
    (folder / CONFIG).write_text(json.dumps(config))


def nonsense(folder):
    (folder / CONFIG).write_text(json.dumps({"model_cfg": {"layers": 3}, "preprocess_cfg": {}}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "cannot be loaded"),
        (other_architecture, "cannot be loaded"),
        (other_weights, "not the ones"),
        (no_preprocessing, "preprocess_cfg"),
        (nonsense, "cannot be loaded"),
        (lambda folder: (folder / WEIGHTS).unlink(), "holds no weights"),
        (lambda folder: (folder / CONFIG).unlink(), "There is no file"),
        (lambda folder: (folder / CONFIG).write_text("{"), "damaged"),
    ],
)
def test_wrong_checkpoints_are_refused(saved, damage, message):
    _, folder = saved
    damage(folder)
    with pytest.raises(InputError, match=message):
        load(f"local-dir:{folder}")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickled_code_is_not_run(saved, tmp_path):
    _, folder = saved
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(InputError, match="cannot be loaded"):
        load(f"local-dir:{folder}")
    assert not (tmp_path / "ran").exists()


def needing_transformers():
    """Every model of open_clip with weights whose text the package transformers reads, as SigLIP's."""
    models = {model: tag for model, tag in open_clip.list_pretrained()}
    texts = {model: open_clip.get_model_config(model)["text_cfg"] for model in models}
    keys = ("hf_tokenizer_name", "hf_model_name")
    return [f"{name}/{tag}" for name, tag in models.items() if any(texts[name].get(key) for key in keys)]


def test_a_missing_package_is_named_before_anything_is_fetched(saved, monkeypatch):
    fetched = []
    monkeypatch.setattr(clip_loading, "hub_file", lambda *asked: fetched.append(asked))
    monkeypatch.setattr(clip_loading, "find_spec", lambda name: None)
    names = needing_transformers()
    assert len(names) > 30
    assert any("SigLIP" in name for name in names)
    _, folder = saved
    config = json.loads((folder / CONFIG).read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "somebody/tokenizer"
    (folder / CONFIG).write_text(json.dumps(config))
    for name in [*names, f"local-dir:{folder}"]:
        with pytest.raises(InputError, match="transformers, which is not installed: pip install"):
            load(name)
    assert fetched == []


def test_the_hub_is_asked_only_when_named(saved, monkeypatch):
    clip, folder = saved
    asked = []

    def fetch(encoder, name, files):
        asked.append((name, files[0]))
        return folder / files[0]

    monkeypatch.setattr(clip_loading, "hub_file", fetch)
    load("small")
    load(f"local-dir:{folder}")
    assert asked == []
    assert torch.equal(vectors(load("hf-hub:nobody/tiny")), vectors(clip))
    assert asked == [("nobody/tiny", CONFIG), ("nobody/tiny", WEIGHTS)]


def test_a_hub_entry_without_weights_is_an_error(saved, monkeypatch):
    (saved[1] / WEIGHTS).unlink()
    monkeypatch.setattr(clip_loading, "hub_file", lambda encoder, name, files: saved[1] / files[0])
    with pytest.raises(InputError, match="holds no weights"):
        load("hf-hub:nobody/without-weights")  # open_clip alone would go on with random weights


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A red thing.",
        "it's 3x5cm, isn't it?",
        "Tom &amp; Jerry",
        "naïve café — “quoted”",
        "a\tb\nc",
        "ﬁne",
        "x" * 90,
    ],
)
def test_words_from_memory_are_the_tokenizers_own(text):
    clip = tiny()
    for _ in range(2):  # the second time from memory
        assert torch.equal(clip.tokenize([text, text + " end"]), clip.tokenizer([text, text + " end"]))
        assert clip.count(text) == len(clip.tokenizer.encode(text))


@torch.no_grad()
def test_fewer_tokens_than_the_context_give_the_same_vectors():
    clip = tiny()
    tokens = clip.tokenize(["a red thing", "blue", "a fine thing with boxes and halves"])
    short = tokens[:, : int((tokens != 0).sum(1).max())]
    assert short.shape[1] < clip.context
    torch.testing.assert_close(clip.text(short), clip.text(tokens), atol=1e-6, rtol=0)


def test_a_text_tower_that_reads_what_fills_up_keeps_all_of_it():
    """SigLIP's sees its padding: rows must keep their length."""
    config = TINY | {"text_cfg": TINY["text_cfg"] | {"no_causal_mask": True, "pool_type": "last"}}
    for settings, cut in ((TINY, True), (config, False)):
        model = open_clip.CustomTextCLIP(**settings) if not cut else open_clip.CLIP(**settings)
        tokenizer = open_clip.SimpleTokenizer(context_length=12)
        preprocessing = {"size": (16, 16), "mode": "RGB", "mean": (0.5,) * 3, "std": (0.5,) * 3}
        preprocessing |= {"interpolation": "bicubic", "resize_mode": "squash", "fill_color": 0}
        clip = Clip(model, tokenizer, settings, preprocessing, name="tiny", origin="random")
        assert (clip.pad is not None) is cut
