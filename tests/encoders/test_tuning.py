"""Tuning learns what belongs together, says how well on items it has not seen, and is the same each time."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.errors import InputError
from mmlib.encoders import ContrastiveTuning, load
from mmlib.encoders.catalogue_pairs import cropped
from mmlib.encoders.tuning import HOTTEST
from mmlib.encoders.windows import Windows

from .shop import catalogue, tiny

cuda = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    return catalogue(tmp_path_factory.mktemp("things"), copies=8)  # 128 items


def learn(tuning, epochs, lr=3e-3, batch_size=16, seed=0):
    optimiser = torch.optim.AdamW([value for value in tuning.parameters() if value.requires_grad], lr=lr)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(epochs):
        tuning.train()
        for batch in tuning.batches(batch_size, generator):
            loss = tuning.loss(batch)["contrastive"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    tuning.eval()
    return losses


@pytest.mark.parametrize("device", ["cpu", cuda])
def test_it_learns_and_generalises_to_items_held_out(things, device):
    tuning = ContrastiveTuning(tiny(device=device), things, held_out=0.5, crop=0.1)
    before = tuning.validate()
    losses = learn(tuning, epochs=12)
    after = tuning.validate()
    assert sum(losses[-4:]) < 0.75 * sum(losses[:4])
    assert set(after) == {"retrieval@10", "mrr"}
    assert after["retrieval@10"] > before["retrieval@10"] + 0.3  # 64 pictures, 4 of each kind; by chance 0.16


def test_the_same_seed_gives_the_same_weights(things):
    checkpoints = []
    for seed in (0, 0, 1):
        tuning = ContrastiveTuning(tiny(), things)
        learn(tuning, epochs=1, seed=seed)
        checkpoints.append(tuning.encoder.checkpoint)
    assert checkpoints[0] == checkpoints[1] != checkpoints[2]
    assert tuning.encoder.about["origin"] == "random weights, seed 0, tuned on things"


def test_an_epoch_holds_every_training_item_once_and_none_held_out(things):
    tuning = ContrastiveTuning(tiny(), things, held_out=0.25, seed=4)
    batches = list(tuning.batches(10, torch.Generator().manual_seed(0)))
    assert [len(batch.pixels) for batch in batches] == [10] * 6 + [9] * 4  # no runt at the end
    pixels = torch.cat([batch.pixels for batch in batches])
    items = [item for item in range(128) if item not in tuning.held.tolist()]
    assert len(tuning.held) == 32
    expected = {tuning.encoder.pixels(things_picture(things, item)).numpy().tobytes() for item in items}
    assert {picture.numpy().tobytes() for picture in pixels} == expected
    assert len(expected) == len(pixels) == 96
    assert not torch.equal(tuning.held, ContrastiveTuning(tiny(), things, held_out=0.25, seed=5).held)
    assert torch.equal(tuning.held, ContrastiveTuning(tiny(), things, held_out=0.25, seed=4).held)


def things_picture(data, item):
    from mmlib.encoders.images import read

    return read(data.image_path(item))


def test_pictures_in_memory_and_from_disk_are_the_same(things, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    items = things.items.assign(image=[f"{things.images}/{name}" for name in things.items["image"]])
    items.loc[5, "image"] = str(tmp_path / "broken.png")
    data = replace(things, items=items, images=things.images.parents[1])
    kept, fresh = (ContrastiveTuning(tiny(), data, memory=memory) for memory in (1, 0))
    assert not fresh.pairs.keeps
    for one, other in zip(*(m.batches(16, torch.Generator().manual_seed(1)) for m in (kept, fresh)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other))
    assert kept.validate() == fresh.validate()


def test_texts_are_seen_window_by_window(things):
    clip = tiny()
    long = replace(things, items=things.items.assign(text="one " * 30 + "two " * 30 + "three " * 30))
    tuning = ContrastiveTuning(clip, long)
    seen = torch.cat([batch.tokens for batch in tuning.batches(32, torch.Generator().manual_seed(0))])
    words = " ".join(clip.tokenizer.decode(row) for row in seen.unique(dim=0)[:, 1:-1].tolist())
    assert all(word in words for word in ("red", "one", "two", "three"))


@torch.no_grad()
def test_validation_is_the_naive_count(things):
    tuning = ContrastiveTuning(tiny(), things, held_out=0.3)
    clip, held = tuning.encoder, tuning.held.tolist()
    images = torch.stack([clip.image(clip.preprocess(things_picture(things, item)).unsqueeze(0))[0] for item in held])
    titles, descriptions = things.items["title"], things.items["text"]
    texts = Windows.of([f"{titles.iat[i]} {descriptions.iat[i]}" for i in held], clip).encode(clip)
    hits, reciprocal = 0, 0.0
    for row in range(len(held)):
        scores = images @ texts[row]
        rank = int((scores >= scores[row] - 1e-6).sum())
        hits, reciprocal = hits + (rank <= 10), reciprocal + 1 / rank
    got = tuning.validate()
    assert got["retrieval@10"] == pytest.approx(hits / len(held), abs=1e-6)
    assert got["mrr"] == pytest.approx(reciprocal / len(held), abs=1e-3)


def test_a_collapsed_encoder_finds_nothing(things):
    tuning = ContrastiveTuning(tiny(), things, held_out=0.5)
    torch.nn.init.zeros_(tuning.encoder.model.visual.proj)
    assert tuning.validate()["retrieval@10"] == 0


def test_the_loss_is_clips(things):
    tuning = ContrastiveTuning(tiny(), things, crop=0)
    batch = next(iter(tuning.batches(8, torch.Generator().manual_seed(0))))
    scale = tuning.encoder.model.logit_scale
    with torch.no_grad():
        logits = scale.exp() * tuning.encoder.image(batch.pixels) @ tuning.encoder.text(batch.tokens).T
    target = torch.arange(8)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    loss = tuning.loss(batch)["contrastive"]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    loss.backward()
    assert scale.grad is not None
    with torch.no_grad():
        scale.fill_(99.0)
    tuning.loss(batch)
    assert scale.item() == pytest.approx(HOTTEST)


@pytest.mark.parametrize(
    ("freeze", "moves", "stays"),
    [
        ("none", ["visual.conv1.weight", "visual.proj", "token_embedding.weight", "text_projection"], []),
        ("image", ["token_embedding.weight", "text_projection", "logit_scale"], ["visual."]),
        (
            "towers",
            ["visual.proj", "text_projection", "logit_scale"],
            ["visual.conv1", "visual.transformer", "token_embedding"],
        ),
    ],
)
def test_freezing(things, freeze, moves, stays):
    tuning = ContrastiveTuning(tiny(), things, freeze=freeze)
    before = {name: value.clone() for name, value in tuning.encoder.model.state_dict().items()}
    learn(tuning, epochs=1)
    changed = {
        name for name, value in tuning.encoder.model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert set(moves) <= changed
    assert not [name for name in changed if any(name.startswith(part) for part in stays)]
    tuning.train()
    assert tuning.encoder.model.visual.training == (freeze == "none")


@pytest.mark.parametrize(("freeze", "moves"), [("none", True), ("image", False), ("towers", False)])
def test_batch_norms_of_a_frozen_tower_stay(things, freeze, moves):
    tuning = ContrastiveTuning(load("small", dim=16), things, freeze=freeze)
    before = tuning.encoder.model.visual.bn1.running_mean.clone()
    tuning.train()
    tuning.loss(next(iter(tuning.batches(8, torch.Generator().manual_seed(0)))))
    assert torch.equal(tuning.encoder.model.visual.bn1.running_mean, before) != moves


def test_crops():
    pixels = torch.rand(3, 3, 16, 16)
    assert torch.equal(cropped(pixels, torch.rand(3, 3), 0), pixels)
    assert torch.allclose(cropped(pixels, torch.zeros(3, 3), 0.5), pixels, atol=1e-5)  # nothing is cut
    corner = cropped(pixels, torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3), 0.5)  # the top left quarter
    expected = F.interpolate(pixels[:, :, :8, :8], size=16, mode="bilinear")
    assert torch.allclose(corner[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-5)
    corner = cropped(pixels, torch.tensor([[1.0, 0.0, 1.0]]).expand(3, 3), 0.5)  # down 0, across 1: the top right
    expected = F.interpolate(pixels[:, :, :8, 8:], size=16, mode="bilinear")
    assert torch.allclose(corner[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-5)


def test_a_tuned_encoder_can_be_kept(things, tmp_path):
    from mmlib.encoders import extract

    tuning = ContrastiveTuning(tiny(), things)
    learn(tuning, epochs=1)
    tuning.encoder.save(tmp_path)
    again = load(f"local-dir:{tmp_path}")
    assert again.origin == "random weights, seed 0, tuned on things"
    assert extract(things, again).key == extract(things, tuning.encoder).key


def test_too_few_pairs_and_bad_options(things, tmp_path):
    with pytest.raises(InputError, match="16 items of things have both"):
        ContrastiveTuning(tiny(), catalogue(tmp_path))
    with pytest.raises(InputError, match="freeze"):
        ContrastiveTuning(tiny(), things, freeze="half")
    with pytest.raises(InputError, match="held_out = 1"):
        ContrastiveTuning(tiny(), things, held_out=1.0)
    with pytest.raises(InputError, match="batch_size"):
        next(iter(ContrastiveTuning(tiny(), things).batches(1, torch.Generator())))
    bad = replace(things, images=tmp_path / "elsewhere")
    with pytest.raises(InputError, match="0 items of things"):
        ContrastiveTuning(tiny(), bad)


def test_a_batch_in_chunks_teaches_the_same(things):
    found = []
    for chunk in (64, 10):
        tuning = ContrastiveTuning(tiny(), things, chunk=chunk)
        loss = tuning.loss(next(iter(tuning.batches(64, torch.Generator().manual_seed(0)))))["contrastive"]
        loss.backward()
        found.append([loss, *(one.grad for one in tuning.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-4)


def test_items_with_the_same_text_have_the_same_number(things):
    tuning = ContrastiveTuning(tiny(), things)
    batch = next(iter(tuning.batches(64, torch.Generator().manual_seed(0))))
    same = (batch.tokens.unsqueeze(1) == batch.tokens).all(2)
    assert torch.equal(batch.texts.unsqueeze(1) == batch.texts, same)
    assert 64 < int(same.sum()) < 64 * 64
