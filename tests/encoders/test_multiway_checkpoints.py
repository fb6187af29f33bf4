"""Checkpoints of VLMo and BEiT-3 by their official names: read whole, or refused with what does not fit."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmlib.core.errors import InputError
from mmlib.encoders.multiway_checkpoints import load_beit3, load_vlmo, resized_positions, resized_table

from . import official


def written(path, value):
    torch.save(value, path / "weights.pt")
    return path / "weights.pt"


def wrapped(state, how):
    if how == "flat":
        return state
    if how == "module":
        return {"module": {f"module.{name}": value for name, value in state.items()}, "epoch": 3}
    return {how: state, "epoch": 3, "global_step": 10}


@pytest.mark.parametrize("how", ["state_dict", "module", "model", "flat"])
def test_every_weight_of_vlmo_arrives_however_it_is_wrapped(tmp_path, how, capsys):
    state = official.vlmo_state()
    model = load_vlmo(written(tmp_path, wrapped(state, how)))
    found = official.named(model, model.state_dict())
    state["text_embeddings.word_embeddings.weight"] += state["text_embeddings.token_type_embeddings.weight"][0]
    unread = {"text_embeddings.token_type_embeddings.weight", "text_embeddings.position_embeddings.weight"}
    unread |= {"text_embeddings.position_ids", "relative_position_index"}
    heads = {"mlm_score.decoder.weight", "itm_score.fc.weight", "logit_vl_scale"}
    assert set(state) - set(found) == unread | heads
    assert all(torch.equal(found[name], state[name]) for name in set(state) & set(found))
    assert {name for name in found if name not in state} == {
        "mask_token",
        *(f"transformer.blocks.{n}.attn.k_bias" for n in range(3)),
    }
    assert all(not found[name].any() for name in found if name not in state)
    told = capsys.readouterr().out
    assert all(head in told for head in heads)


def test_every_weight_of_beit3_arrives(tmp_path, capsys):
    state = official.beit3_state()
    heads = {"mlm_head.weight": torch.zeros(50, 128), "head.bias": torch.zeros(3)}
    model = load_beit3(written(tmp_path, {"model": state | heads}))
    found = official.named(model, model.state_dict())
    for name in ("A", "B"):
        state[f"beit3.encoder.embed_positions.{name}.weight"][:2] = 0  # never read: fairseq counts from 2
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert "heads that are not used: mlm_head.weight, head.bias." in capsys.readouterr().out
    assert not model.training


def test_safetensors_and_half_precision(tmp_path):
    state = {name: value.half() for name, value in official.beit3_state().items()}
    save_file(state, tmp_path / "weights.safetensors")
    model = load_beit3(tmp_path / "weights.safetensors")
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert torch.equal(model.words.weight, state["beit3.text_embed.weight"].float())


@pytest.mark.parametrize("relative", [True, False])
def test_the_configuration_is_read_off_the_shapes_vlmo(tmp_path, relative):
    sizes = {"layers": 4, "width": 64 if relative else 544, "heads": 8, "vl": 2, "side": 5, "context": 30}
    c = load_vlmo(written(tmp_path, official.vlmo_state(**sizes, relative=relative))).config
    assert (c.layers, c.width, c.heads, c.vl_layers) == (4, sizes["width"], 8 if relative else 16, 2)
    assert (c.size, c.patch, c.context, c.vocabulary) == (20, 4, 30, 50)
    assert (c.relative, c.layer_scale) == ((True, 0.1) if relative else (False, None))
    text_only = official.vlmo_state(vl=0, itc=False)
    for name in ("pooler.dense.weight", "pooler.dense.bias"):
        text_only.pop(name)
    c = load_vlmo(written(tmp_path, text_only)).config
    assert (c.vl_layers, c.projections, c.pooler) == (0, (), False)


def test_the_configuration_is_read_off_the_shapes_beit3(tmp_path):
    state = official.beit3_state(layers=3, width=192, side=5, context=33, words=70)
    c = load_beit3(written(tmp_path, {"model": state})).config
    assert (c.layers, c.width, c.heads, c.size, c.patch) == (3, 192, 3, 20, 4)
    assert (c.context, c.vocabulary, c.final_norm, c.projections) == (33, 70, True, ("text", "image"))
    model = load_beit3(written(tmp_path, {"model": official.beit3_state(itc=False, norm=False)}))
    assert (model.config.final_norm, model.config.projections) == (False, ())
    assert model.logit_scale.item() == pytest.approx(np.log(1 / 0.07))
    with torch.no_grad():  # without projections the [CLS] is the vector
        pixels = torch.randn(1, 3, 12, 12)
        assert torch.allclose(model.image(pixels)[0], torch.nn.functional.normalize(model(pixels).image[0, 0], dim=0))


@pytest.mark.parametrize("family", ["vlmo", "beit3"])
def test_what_is_missing_and_what_is_left_over_are_named(tmp_path, family):
    state, load = (official.vlmo_state(), load_vlmo) if family == "vlmo" else (official.beit3_state(), load_beit3)
    names = {
        "vlmo": ("transformer.blocks.1.mlp_text.fc2.bias", "transformer.blocks.1.mlp_audio.fc2.bias"),
        "beit3": ("beit3.encoder.layers.1.ffn.B.fc2.bias", "beit3.encoder.layers.1.ffn.C.fc2.bias"),
    }[family]
    lost, new = names
    state[new] = state.pop(lost)
    with pytest.raises(InputError) as found:
        load(written(tmp_path, {"model": state}))
    assert f"Missing: {lost}. Left over: {new}" in str(found.value)
    state[lost] = state[new]
    with pytest.raises(InputError, match=r"Missing: nothing. Left over: .*fc2.bias"):
        load(written(tmp_path, {"model": state}))
    state.pop(new)
    state[lost] = state[lost][:-1]
    with pytest.raises(InputError, match=r"other shapes.*size mismatch"):
        load(written(tmp_path, {"model": state}))


class Dangerous:
    def __reduce__(self):
        return (open, ("executed", "w"))


def test_what_is_no_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no file .*gone\.pt"):
        load_vlmo(tmp_path / "gone.pt")
    with pytest.raises(InputError, match=r"is not a checkpoint of VLMo: it has no text_embeddings.word"):
        load_vlmo(written(tmp_path, {"model": official.beit3_state()}))
    with pytest.raises(InputError, match=r"is not a checkpoint of BEiT-3: it has no beit3"):
        load_beit3(written(tmp_path, official.vlmo_state()))
    for value in ([], {}, torch.zeros(3), {"model": 4}):
        with pytest.raises(InputError, match="It has no tensors"):
            load_beit3(written(tmp_path, value))
    whole = written(tmp_path, official.vlmo_state()).read_bytes()
    for content in (b"", b"words", whole[: len(whole) // 2], pickle.dumps(Dangerous())):
        (tmp_path / "bad.pt").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as tensors alone"):
            load_vlmo(tmp_path / "bad.pt")
    with pytest.raises(InputError, match="cannot be read as tensors alone"):
        load_vlmo(written(tmp_path, {"state_dict": official.vlmo_state(), "trainer": Dangerous()}))
    assert not (tmp_path / "executed").exists()


def test_absolute_positions_for_other_sizes_follow_a_smooth_surface():
    def surface(side):
        y, x = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")  # middles of patches
        return torch.tensor(np.stack([np.sin(3 * x + y), x * y], axis=-1).reshape(-1, 2), dtype=torch.float32)

    old = torch.cat([torch.tensor([[7.0, -7.0]]), surface(14)])
    new = resized_positions(old, 24)
    assert new.shape == (1 + 24 * 24, 2)
    assert torch.equal(new[0], old[0])
    inner = torch.zeros(24, 24, dtype=torch.bool)
    inner[3:-3, 3:-3] = True  # at the rim bicubic repeats the last value
    assert (new[1:] - surface(24))[inner.flatten()].abs().max() < 0.02
    assert (new[1:] - surface(24)).abs().max() < 0.1


@pytest.mark.parametrize("new", [24, 7, 14])
def test_relative_biases_for_other_sizes_follow_a_smooth_surface(new):
    """A polynomial of third degree in the geometric distance, which a cubic spline repeats exactly."""

    def surface(places):
        y, x = np.meshgrid(places, places, indexing="ij")
        y, x = y / 10, x / 10
        return np.stack([1 + x - 2 * y**2 + x**3, x * y**2], axis=-1).reshape(-1, 2)

    low, high = 0.0, 4.0  # by bisection, as the official code finds it
    for _ in range(100):
        q = (low + high) / 2
        low, high = (q, high) if sum(q**n for n in range(13)) < new - 1 else (low, q)
    far = [sum(q**n for n in range(k)) for k in range(1, 14)]
    places = np.array([-d for d in reversed(far)] + [0] + far)
    assert places[-1] == pytest.approx(new - 1)
    extra = torch.arange(10.0).reshape(5, 2).double()
    table = torch.cat([torch.from_numpy(surface(places)), extra])
    found = resized_table(table, 14, new)
    assert torch.equal(found[-5:], extra)
    assert found[:-5].numpy() == pytest.approx(surface(np.arange(1 - new, new)), abs=1e-6)
    if new == 14:
        assert torch.allclose(found, table, atol=1e-6)


@pytest.mark.parametrize("name", ["vlmo", "vlmo absolute", "beit3"])
def test_a_checkpoint_for_another_size_of_images(tmp_path, name):
    load = load_beit3 if name == "beit3" else load_vlmo
    state = (
        official.beit3_state(side=6)
        if name == "beit3"
        else official.vlmo_state(side=6, width=544, relative=name == "vlmo", heads=16)
    )
    path = written(tmp_path, state)
    one, same, larger, smaller = (load(path, size=size) for size in (None, 24, 40, 12))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    picture = torch.nn.functional.interpolate(torch.randn(1, 3, 3, 3, generator=torch.Generator().manual_seed(0)), 120)
    with torch.no_grad():
        for model, size in ((one, 24), (larger, 40), (smaller, 12)):
            assert model.config.size == size
            assert model.image(torch.nn.functional.interpolate(picture, size)).isfinite().all()
        assert torch.allclose(
            one.text(torch.arange(9).unsqueeze(0)), larger.text(torch.arange(9).unsqueeze(0)), atol=1e-6
        )
    for size in (25, 4):
        with pytest.raises(InputError, match=f"size = {size} is not a multiple"):
            load(path, size=size)
