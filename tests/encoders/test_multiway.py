"""VLMo and BEiT-3, forward and backward, beside timm, torchscale and a VLMo written out token by token."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.errors import InputError
from mmlib.encoders import multiway
from mmlib.encoders.multiway import BEIT3_BASE, VLMO_BASE, MultiwayTransformer, image_index, text_index
from mmlib.encoders.multiway_checkpoints import load_beit3, load_vlmo

from . import official

PRESENT = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])


def inputs(device, size=12, length=7, dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randn(2, 3, size, size, generator=generator).to(device, dtype)
    return pixels, torch.randint(50, (2, length), generator=generator).to(device)


def loaded(state, path, load, device="cpu", **options):
    torch.save({"model": state}, path / "weights.pt")
    return load(path / "weights.pt", **options).to(device, torch.float64)


def flat(parts, image_first=False):
    found = [part for part in (reversed(parts) if image_first else parts) if part is not None]
    return torch.cat(found, dim=1)


def weighted(x, keep=None):
    """A scalar that every kept value has its own part in."""
    factors = torch.linspace(-1, 2, x.numel(), dtype=x.dtype, device=x.device).view_as(x).sin()
    return ((x if keep is None else x * keep) * factors).sum()


def assert_same(found, expected, atol):
    assert set(expected) <= set(found), set(expected) - set(found)
    for name, value in expected.items():
        scale = max(1.0, value.abs().max().item())
        assert (found[name] - value).abs().max().item() <= atol * scale, name


GIVEN = {
    "image": (True, False, False),
    "text": (False, True, False),
    "pair": (True, True, False),
    "image through vl": (True, False, True),
    "text through vl": (False, True, True),
}


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("given", GIVEN)
def test_vlmo_is_the_one_written_out_token_by_token(tmp_path, device, given, relative):
    with_image, with_text, vl = GIVEN[given]
    state = official.vlmo_state(relative=relative, width=32 if relative else 544, heads=4, layers=3 if relative else 2)
    heads = 4 if relative else 16
    model = loaded(state, tmp_path, load_vlmo, device)
    pixels, tokens = inputs(device)
    present = PRESENT.to(device) if with_text else None
    w = {k: v.to(device, torch.float64).requires_grad_() for k, v in state.items() if v.is_floating_point()}
    options = {"pixels": pixels if with_image else None, "tokens": tokens if with_text else None, "present": present}
    expected, kinds = official.vlmo(w, **options, heads=heads, vl=vl)
    found = flat(model(**options, vl=vl))
    keep = torch.ones(found.shape[:2], dtype=torch.float64, device=device)
    if with_text:
        keep[:, :7] = present.double()
    keep = keep.unsqueeze(2)
    assert kinds == ["text"] * (7 * with_text) + ["image"] * (10 * with_image)
    assert (found * keep - expected * keep).abs().max() < 1e-6  # words and BERT's type are added up in float32
    weighted(found, keep).backward()
    weighted(expected, keep).backward()
    got = official.gradients(model)
    biases = [value for name, value in got.items() if name.endswith("k_bias")]
    assert all(value.abs().max() < 1e-9 for value in biases)
    assert_same(got, {k: v.grad for k, v in w.items() if v.grad is not None and "embeddings.token_type" not in k}, 1e-6)
    assert sum(v.grad is not None for v in w.values()) > 20


def test_vectors_are_those_of_the_papers(tmp_path, device):
    state = official.vlmo_state()
    model = loaded(state, tmp_path, load_vlmo, device)
    pixels, tokens = inputs(device)
    w = {k: v.to(device, torch.float64) for k, v in state.items() if v.is_floating_point()}
    for kind, options in (("image", {"pixels": pixels}), ("text", {"tokens": tokens})):
        for vl, head in ((False, f"itc_{kind}_proj"), (True, f"itc_vl_{kind}_proj")):
            first = official.vlmo(w, **options, vl=vl)[0][:, 0]
            expected = F.normalize(first @ w[f"{head}.fc.weight"].T, dim=-1)
            assert torch.allclose(getattr(model, kind)(*options.values(), vl=vl), expected.float(), atol=1e-6)
    first = official.vlmo(w, pixels, tokens)[0][:, 0]
    expected = F.normalize(torch.tanh(first @ w["pooler.dense.weight"].T + w["pooler.dense.bias"]), dim=-1)
    assert torch.allclose(model.fused(pixels, tokens), expected.float(), atol=1e-6)

    model = loaded(official.beit3_state(), tmp_path, load_beit3, device)
    state = {k: v.to(device, torch.float64) for k, v in official.beit3_state().items()}
    for kind, head, options in (
        ("image", "vision_head", {"pixels": pixels}),
        ("text", "language_head", {"tokens": tokens}),
    ):
        first = flat(model(**options))[:, 0]
        expected = F.normalize(first @ state[f"{head}.weight"].T, dim=-1)
        assert torch.allclose(getattr(model, kind)(*options.values()), expected.float(), atol=1e-6)
    expected = F.normalize(model(pixels, tokens).image[:, 0], dim=-1)
    assert torch.allclose(model.fused(pixels, tokens), expected.float(), atol=1e-6)


def test_the_index_of_biases_is_counted_pair_by_pair():
    c = multiway.replace(VLMO_BASE, size=16 * 4, context=9)
    for make, kind, n in ((image_index, "image", 17), (text_index, "text", 9)):
        expected = [[official.row_of((kind, i), (kind, j), 4) for j in range(n)] for i in range(n)]
        assert make(c).tolist() == expected
    c = multiway.replace(VLMO_BASE, context=40)
    assert c.window == 732
    assert MultiwayTransformer(multiway.replace(c, layers=1, width=24, vocabulary=9)).table.shape == (1126, 12)


@pytest.mark.parametrize("size", ["small", "timm's beit3_base_patch16_224"])
def test_the_vision_branch_is_timms(tmp_path, device, size):
    import timm
    from timm.models.vision_transformer import VisionTransformer, _convert_beit3

    options = {"depth": 2, "num_classes": 0, "global_pool": "token"}
    if size == "small":
        options |= {"embed_dim": 128, "num_heads": 2, "img_size": 12, "patch_size": 4}
        options |= {
            "norm_layer": partial(torch.nn.LayerNorm, eps=1e-5),
            "scale_attn_norm": True,
            "scale_mlp_norm": True,
        }
        other, state = VisionTransformer(**options), official.beit3_state()
    else:
        other = timm.create_model("beit3_base_patch16_224", pretrained=False, **options)
        state = official.beit3_state(width=768, side=14, patch=16)
    theirs = _convert_beit3(dict(state), other)
    theirs = {name.replace("layer_norm.", "norm."): value for name, value in theirs.items() if "_head" not in name}
    theirs.pop("logit_scale")
    other.load_state_dict(theirs)
    other.to(device, torch.float64)
    model = loaded(state, tmp_path, load_beit3, device)
    pixels, _ = inputs(device, size=model.config.size)
    found, expected = model(pixels).image, other.forward_features(pixels)
    assert (found - expected).abs().max() < 1e-9
    weighted(found).backward()
    weighted(expected).backward()
    got = _convert_beit3(official.gradients(model), other)
    got = {name.replace("layer_norm.", "norm."): value for name, value in got.items()}
    assert_same(got, {name: value.grad for name, value in other.named_parameters()}, 1e-9)


@pytest.mark.parametrize("given", ["image", "text", "pair", "masked"])
def test_text_and_pairs_are_torchscales(tmp_path, given):
    pytest.importorskip("torchscale.model.BEiT3", exc_type=ImportError)
    from torchscale.architecture.config import EncoderConfig
    from torchscale.model.BEiT3 import BEiT3

    torch.manual_seed(0)
    args = EncoderConfig(
        img_size=12, patch_size=4, vocab_size=50, multiway=True, layernorm_embedding=False, normalize_output=True,
        no_output_layer=True, drop_path_rate=0, encoder_embed_dim=128, encoder_attention_heads=2,
        encoder_ffn_embed_dim=512, encoder_layers=2, max_source_positions=22, checkpoint_activations=None,
    )  # fmt: skip
    other = BEiT3(args).eval()
    with torch.no_grad():
        for value in other.parameters():
            value.add_(0.05 * torch.randn_like(value))  # zero vectors and unit norms would hide exchanges
    state = {f"beit3.{name}": value.detach().clone() for name, value in other.state_dict().items()}
    model = loaded(state, tmp_path, load_beit3).float()
    pixels, tokens = inputs("cpu", dtype=torch.float32)
    pixels, tokens = (None, tokens) if given == "text" else (pixels, None if given == "image" else tokens)
    masked = torch.rand(2, 9, generator=torch.Generator().manual_seed(1)) < 0.4 if given == "masked" else None
    present = None if given == "image" else PRESENT
    found = flat(model(pixels, tokens, present=present, masked=masked), image_first=True)
    padding = None if given == "image" else ~PRESENT
    expected = other(tokens, pixels, text_padding_position=padding, vision_masked_position=masked)["encoder_out"]
    keep = torch.ones(found.shape[:2])
    if given != "image":
        keep[:, -7:] = PRESENT.float()
    keep = keep.unsqueeze(2)
    assert ((found - expected) * keep).abs().max() < 1e-5
    weighted(found, keep).backward()
    weighted(expected, keep).backward()
    expected = {f"beit3.{name}": value.grad for name, value in other.named_parameters() if value.grad is not None}
    got = official.gradients(model)
    for name in [name for name in expected if name not in got]:  # torchscale: zero for what took no part
        assert expected.pop(name).abs().max() == 0, name
    assert len(expected) > 20
    assert_same(got, expected, 1e-5)


@pytest.mark.parametrize("family", ["vlmo", "beit3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_padding_does_not_change_a_texts_vector(tmp_path, device, family, dtype):
    state, load = (official.vlmo_state(), load_vlmo) if family == "vlmo" else (official.beit3_state(), load_beit3)
    model = loaded(state, tmp_path, load, device).to(dtype)
    pixels, tokens = inputs(device, length=5)
    longer = torch.cat([tokens, (7 * tokens + 3) % 50], dim=1)
    present = torch.arange(10, device=device).expand(2, -1) < 5
    atol = 1e-6 if dtype == torch.float32 else 0.03
    for short, padded in (
        (model.text(tokens), model.text(longer, present)),
        (model.fused(pixels, tokens), model.fused(pixels, longer, present)),
    ):
        assert short.dtype == torch.float32
        assert torch.allclose(short, padded, atol=atol)
        assert torch.allclose(short.norm(dim=1), torch.ones(2, device=device), atol=1e-5)
    assert not torch.allclose(model.text(tokens), model.text(longer), atol=0.03)  # the same tokens, attended to
    assert not torch.allclose(model.fused(pixels, tokens), model.fused(pixels.flip(0), tokens), atol=0.03)


@pytest.mark.parametrize("family", ["vlmo", "beit3"])
def test_masked_patches_are_not_seen(tmp_path, device, family):
    state, load = (official.vlmo_state(), load_vlmo) if family == "vlmo" else (official.beit3_state(), load_beit3)
    model = loaded(state, tmp_path, load, device)
    torch.nn.init.normal_(model.mask_token)
    pixels, _ = inputs(device)
    masked = torch.zeros(2, 9, dtype=torch.bool, device=device)
    masked[0, 4] = masked[1, 8] = True  # the middle one; the last one
    other = pixels.clone()
    other[0, :, 4:8, 4:8] = other[1, :, 8:, 8:] = 9.0
    assert torch.equal(model(pixels, masked=masked).image, model(other, masked=masked).image)
    assert not torch.allclose(model(pixels).image, model(other).image, atol=1e-3)
    seen = model(pixels, masked=masked).image
    seen[0, 1 + 4].sum().backward()
    assert model.mask_token.grad.abs().sum() > 0


def test_sizes_are_the_published_ones():
    """Millions of weights; heads apart, which the papers do not count."""
    for name, millions in (
        ("VLMO_BASE", 175),
        ("VLMO_BASE_PLUS", 167),
        ("VLMO_LARGE", 562),
        ("BEIT3_BASE", 222),
        ("BEIT3_LARGE", 674),
    ):
        with torch.device("meta"):
            model = MultiwayTransformer(getattr(multiway, name))
        counted = sum(
            v.numel()
            for k, v in model.named_parameters()
            if "vlmo" not in name.lower() or ("pro" not in k.split(".")[0] and "pool" not in k)
        )
        assert counted / 1e6 == pytest.approx(millions, abs=1.1), name


def test_initial_weights_follow_magneto():
    model = MultiwayTransformer(multiway.replace(BEIT3_BASE, layers=8, width=64, heads=2, vocabulary=30, context=8))
    block, gain = model.blocks[0], torch.tensor(16.0).log().sqrt().item()
    q, _, v = block.attention.qkv["text"].weight.chunk(3)
    assert q.std().item() == pytest.approx((1 / 64) ** 0.5, rel=0.1)
    assert v.std().item() == pytest.approx(gain * (1 / 64) ** 0.5, rel=0.1)
    assert block.ffn["image"].fc1.weight.std().item() == pytest.approx(gain * (2 / 320) ** 0.5, rel=0.1)
    assert model.words.weight.std().item() == pytest.approx(0.02 * (768 / 64) ** 0.5, rel=0.1)
    with torch.no_grad():
        assert model(torch.randn(2, 3, 224, 224)).image.isfinite().all()


def test_wrong_inputs_are_named():
    model = MultiwayTransformer(multiway.replace(VLMO_BASE, layers=1, width=24, vocabulary=9, size=32))
    with pytest.raises(InputError, match=r"\[b, 3, 32, 32\], not \[1, 3, 64, 64\]"):
        model(torch.zeros(1, 3, 64, 64))
    with pytest.raises(InputError, match="41 tokens do not fit the context of 40"):
        model(tokens=torch.zeros(1, 41, dtype=torch.int64))
