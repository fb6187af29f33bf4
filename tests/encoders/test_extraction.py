"""Extraction: what is missing is said, what was done is kept, and nothing of the answer is read."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.encoders import Clip, ContrastiveTuning, extract, load
from mmlib.encoders.images import read
from mmlib.encoders.windows import Windows
from mmlib.pretrainers import MMCPR

from .shop import break_pictures, catalogue, tiny

module = sys.modules["mmlib.encoders.encoding"]
cuda = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))


@pytest.fixture(scope="module")
def small():
    return tiny()


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    return catalogue(tmp_path_factory.mktemp("things"), copies=2, reviews=True)


@pytest.fixture
def shards(monkeypatch):
    """Small shards, and a list of what the encoder was given."""
    monkeypatch.setattr(module, "SHARD", 8)


class Counting:
    """Count the rows that pass the towers; raise once ``stop`` rows were encoded."""

    def __init__(self, clip, monkeypatch, stop=10**9):
        self.rows = 0
        for name in ("image", "text"):
            monkeypatch.setattr(clip, name, self.wrapped(getattr(type(clip), name).__get__(clip), stop))

    def wrapped(self, tower, stop):
        def count(batch):
            if self.rows >= stop:
                raise RuntimeError("killed")
            self.rows += len(batch)
            return tower(batch)

        return count


def same(one: Features, other: Features) -> bool:
    return one.key == other.key and one.about == other.about


@pytest.mark.parametrize("device", ["cpu", cuda])
def test_vectors_are_those_of_the_encoder_one_by_one(things, device):
    clip = tiny(device=device)
    features = extract(things, clip, batch_size=5, workers=3, precision="fp32")
    with torch.no_grad():
        for item in (0, 7, 31):
            pixels = clip.preprocess(module.read(things.image_path(item))).unsqueeze(0).to(device)
            assert torch.allclose(features.item["image"][item], clip.image(pixels)[0].cpu(), atol=1e-5)
            words = f"{things.items['title'].iat[item]} {things.items['text'].iat[item]}"
            assert torch.allclose(
                features.item["text"][item], Windows.of([words], clip).encode(clip)[0].cpu(), atol=1e-5
            )
    for name in ("image", "text"):
        assert features.item[name].device.type == "cpu"
        assert features.item[name].dtype == torch.float32
        assert torch.allclose(features.item[name].norm(dim=1), torch.ones(32), atol=1e-5)
        assert features.present[name].all()
    assert features.about["problems"] == []
    assert features.about["dataset"] == things.key
    mixed = extract(things, clip, precision="bf16")
    assert torch.allclose(mixed.item["image"], features.item["image"], atol=0.05)
    assert mixed.about["precision"] == "bf16"


def test_features_can_be_trained_on_and_saved(things, small, tmp_path):
    small.train()
    features = extract(things, small)
    assert small.training
    small.eval()
    layer = torch.nn.Linear(16, 1)
    layer(features.item["image"]).sum().backward()
    features.save(tmp_path)
    assert same(Features.load(tmp_path), features)


def test_an_encoder_in_training_is_used_as_it_is_and_left_so(things):
    clip = load("small", dim=16)
    expected, checkpoint = extract(things, clip).key, clip.checkpoint
    clip.train()  # its batch norms would now follow the batch
    assert extract(things, clip).key == expected
    assert clip.checkpoint == checkpoint
    assert clip.training


def test_reviews_are_those_of_the_training_part(things, small):
    features = extract(things, small, reviews="each")
    assert features.review_users.tolist() == [0, 1]  # one of ann, one of bob; the third is blank
    with torch.no_grad():
        expected = Windows.of(["lovely", "so " * 60 + "good"], small).encode(small)
    assert torch.allclose(features.reviews, expected, atol=1e-5)
    assert features.user["review"].shape == (2, 16)


def test_missing_and_broken_are_recorded(small, tmp_path, capsys):
    data = catalogue(tmp_path)
    broken = break_pictures(tmp_path)
    items = data.items.copy()
    items.loc[: len(broken) - 1, "image"] = list(broken)
    items.loc[10, "image"] = ""
    items.loc[[3, 12], ["title", "text"]] = ["", " "]
    items.loc[4, "text"] = ""
    data = replace(data, items=items)
    features = extract(data, small, batch_size=3)
    gone = [*range(len(broken)), 10]
    assert (~features.present["image"]).nonzero().flatten().tolist() == gone
    assert (~features.present["text"]).nonzero().flatten().tolist() == [3, 12]
    assert not features.item["image"][gone].any()
    problems = features.about["problems"]
    assert [problem["item"] for problem in problems] == [
        f"i{item}" for item in range(len(broken))
    ]  # not the item without
    assert [problem["path"] for problem in problems] == list(broken)
    for problem, reason in zip(problems, broken.values()):
        assert any(word in problem["reason"].lower() for word in reason.split("|"))
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 1
    assert "8 of 15 images of things cannot be read" in lines[0]
    assert "i0" in lines[0]

    clean = extract(catalogue(tmp_path / "clean"), small, batch_size=3)
    assert torch.allclose(features.item["image"][11:], clean.item["image"][11:], atol=1e-5)


@pytest.mark.parametrize("name", ["n" * 5000 + ".png", "loop.png", "zero\0.png"])
def test_names_that_lead_nowhere_are_missing_images(small, tmp_path, name):
    data = catalogue(tmp_path, copies=2, reviews=True)
    (tmp_path / "loop.png").symlink_to("loop.png")
    items = data.items.copy()
    items.loc[4, "image"] = name
    data = replace(data, items=items)
    features = extract(data, small, folder=tmp_path / "shards")
    assert (~features.present["image"]).nonzero().flatten().tolist() == [4]
    assert features.about["problems"][0]["item"] == "i4"
    assert len(features.about["problems"][0]["reason"]) < 100
    assert same(extract(data, small, folder=tmp_path / "shards"), features)
    tuning = ContrastiveTuning(small, data)
    assert 4 not in tuning.pairs.items
    assert len(tuning.pairs.items) == 31
    assert torch.isfinite(tuning.loss(next(tuning.batches(8, torch.Generator())))["contrastive"])


def test_without_pictures_or_words_the_modality_is_left_out(things, small):
    features = extract(replace(things, items=things.items.assign(image="")), small)
    assert set(features.item) == {"text"}
    features = extract(replace(things, items=things.items.assign(title="", text="")), small)
    assert set(features.item) == {"image"}
    nothing = things.items.assign(title="", text="", image="")
    with pytest.raises(InputError, match="neither images nor texts"):
        extract(replace(things, items=nothing), small)


def test_a_wrong_folder_of_pictures_is_an_error(things, small, tmp_path):
    with pytest.raises(InputError, match=r"None of the 32 images of things can be read.*0\.png: there is no such file"):
        extract(replace(things, images=tmp_path), small)


def test_nan_names_modality_and_row(things, monkeypatch):
    clip = tiny()
    seen = []

    def broken(batch):
        seen.append(len(batch))
        vectors = type(clip).image(clip, batch)
        if len(seen) == 2:
            vectors[1] = torch.nan
        return vectors

    monkeypatch.setattr(clip, "image", broken)
    with pytest.raises(InputError, match="NaN or infinity for the image of item i6"):
        extract(things, clip, batch_size=5)
    assert len(seen) == 2

    clip = tiny()
    torch.nn.init.constant_(clip.model.text_projection, torch.inf)
    with pytest.raises(InputError, match="for the text of item i0"):
        extract(things, clip)


@pytest.mark.usefixtures("shards")
def test_a_stopped_run_continues_with_the_same_result(things, small, tmp_path, monkeypatch):
    expected = extract(things, small, batch_size=3)
    with monkeypatch.context() as patch:
        Counting(small, patch, stop=20)
        with pytest.raises(RuntimeError, match="killed"):
            extract(things, small, batch_size=3, folder=tmp_path)
    done = sorted(path.name for path in tmp_path.glob("image-*.safetensors"))
    assert len(done) == 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in done}
    with monkeypatch.context() as patch:
        counted = Counting(small, patch)
        assert same(extract(things, small, batch_size=3, folder=tmp_path), expected)
    windows = 32 + 1 + 3  # one of each text; one and three of the reviews
    assert counted.rows == 32 - 16 + windows
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in done} == before
    with monkeypatch.context() as patch:
        counted = Counting(small, patch)
        assert same(extract(things, small, batch_size=3, folder=tmp_path), expected)
        assert counted.rows == 0


@pytest.mark.usefixtures("shards")
def test_problems_survive_a_restart(small, tmp_path):
    data = catalogue(tmp_path / "pictures")
    (tmp_path / "pictures" / "9.png").write_bytes(b"")
    first = extract(data, small, folder=tmp_path / "shards")
    again = extract(data, small, folder=tmp_path / "shards")
    assert again.about["problems"] == first.about["problems"] != []
    assert again.about["problems"][0]["item"] == "i9"


@pytest.mark.usefixtures("shards")
def test_shards_of_other_encoders_or_rows_are_not_used(things, small, tmp_path, monkeypatch):
    extract(things, small, folder=tmp_path)
    other = tiny(seed=1)
    assert same(extract(things, other, folder=tmp_path), extract(things, other))

    extract(things, small, folder=tmp_path)
    items = things.items.copy()
    items.loc[9, "title"] = "another thing"
    changed = replace(things, items=items)
    with monkeypatch.context() as patch:
        counted = Counting(small, patch)
        got = extract(changed, small, folder=tmp_path)
    assert counted.rows == 8  # the shard of the changed text alone
    assert same(got, extract(changed, small))

    extract(things, small, folder=tmp_path)
    right = extract(things, small)
    damages = (lambda held: held[:100], lambda held: held[:-40] + bytes([held[-40] ^ 64]) + held[-39:])
    for damage in damages:  # cut short; one bit flipped in a vector
        for path in tmp_path.glob("image-*"):
            path.write_bytes(damage(path.read_bytes()))
        assert same(extract(things, small, folder=tmp_path), right)


@pytest.mark.usefixtures("shards")
def test_other_images_of_the_same_size_and_time_give_other_features(small, tmp_path):
    """Two files change places: names, sizes and times say nothing of it."""
    data = catalogue(tmp_path / "images")
    paths = [data.image_path(item) for item in (0, 1)]
    held = [path.read_bytes().ljust(4096, b"\0") for path in paths]

    def write(contents):
        for path, content in zip(paths, contents):
            path.write_bytes(content)
            os.utime(path, ns=(10**18, 10**18))

    write(held)
    first = extract(data, small, folder=tmp_path / "shards")
    write(reversed(held))
    again = extract(replace(data), small, folder=tmp_path / "shards")
    assert torch.equal(again.item["image"][[1, 0]], first.item["image"][[0, 1]])
    assert not torch.equal(again.item["image"][0], first.item["image"][0])


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.encoders.shop import catalogue, tiny
from mmlib.encoders import extract
module = sys.modules["mmlib.encoders.encoding"]
module.SHARD = 8
clip, calls = tiny(), []
tower = clip.image
def image(batch):
    calls.append(1)
    if len(calls) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return tower(batch)
clip.image = image
extract(catalogue(Path(sys.argv[1]), copies=2, reviews=True), clip, batch_size=3, folder=sys.argv[2])
"""


@pytest.mark.usefixtures("shards")
def test_kill_9_and_start_again(small, tmp_path, monkeypatch):
    pictures, folder = tmp_path / "pictures", tmp_path / "shards"
    command = [sys.executable, "-c", KILLED, str(pictures), str(folder), str(Path(__file__).parents[2])]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    assert subprocess.run(command, env=os.environ | threads, check=False).returncode == -signal.SIGKILL
    data = catalogue(pictures.with_name("same"), copies=2, reviews=True)
    data = replace(data, images=pictures)
    with monkeypatch.context() as patch:
        counted = Counting(small, patch)
        got = extract(data, small, batch_size=3, folder=folder)
    assert 0 < len(list(folder.glob("image-*"))) <= 4
    assert counted.rows == 32 - 16 + 36
    assert same(got, extract(data, small, batch_size=3))


@pytest.mark.parametrize(
    ("option", "message"), [({"precision": "int8"}, "precision"), ({"batch_size": 0}, "batch_size")]
)
def test_bad_options(things, small, option, message):
    with pytest.raises(InputError, match=message):
        extract(things, small, **option)


def reviewers(folder, counts):
    """A catalogue whose users wrote so many reviews each, of many lengths."""
    data = catalogue(folder)
    writers = np.repeat(np.arange(len(counts)), counts)
    table = pd.DataFrame({"user": writers, "item": np.arange(len(writers)) % 14, "part": "train"})
    table["review"] = [f"word{row} " * (1 + row % 40) for row in range(len(writers))]
    held = pd.DataFrame({"user": 0, "item": [14, 15], "part": ["valid", "test"], "review": "held out"})
    table = pd.concat([table, held], ignore_index=True)
    users = pd.DataFrame({"id": [f"u{user}" for user in range(len(counts))]})
    data = replace(data, users=users, interactions=table.assign(part=""), split=None)
    return data.with_parts(table["part"], "by hand", None)


@pytest.mark.usefixtures("shards")
def test_means_of_reviews_are_the_means_of_each(small, tmp_path):
    data = reviewers(tmp_path, [3, 0, 20, 1, 7, 0])  # the third user alone fills more than a shard
    means, each = extract(data, small), extract(data, small, reviews="each")
    torch.testing.assert_close(means.user["review"], each.user["review"], atol=1e-6, rtol=0)
    assert means.reviews_by_user.tolist() == each.reviews_by_user.tolist() == [3, 0, 20, 1, 7, 0]
    assert torch.equal(means.user_present["review"], each.user_present["review"])
    assert (means.reviews, means.about["reviews"], each.about["reviews"]) == (None, "mean", "each")
    means.save(tmp_path / "saved")
    assert same(Features.load(tmp_path / "saved"), means)
    assert means.summary() == each.summary()
    with pytest.raises(InputError, match="reviews='each'"):
        MMCPR(data, means, aggregation="max", neighbours=2)
    MMCPR(data, each, aggregation="max", neighbours=2)


@pytest.mark.usefixtures("shards")
def test_shards_of_reviews_keep_users_whole():
    owners = np.repeat([0, 2, 3, 4, 7], [3, 20, 1, 7, 2])
    shards = module.whole_shards(owners)
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 23), (23, 31), (31, 33)]
    assert module.whole_shards(owners[:0]) == []


def test_no_array_grows_with_the_number_of_reviews(small, tmp_path, monkeypatch):
    """The largest table of vectors that is ever made has as many rows as a shard, however many reviews there are."""
    monkeypatch.setattr(module, "SHARD", 8)
    largest = []
    pool = module.pool
    monkeypatch.setattr(module, "pool", lambda *given: largest.append(given[-1]) or pool(*given))
    extract(reviewers(tmp_path / "few", [4] * 8), small)
    few = max(largest)
    extract(reviewers(tmp_path / "many", [4] * 80), small)
    assert max(largest) == few == 8


@torch.no_grad()
def test_texts_of_like_length_go_together_and_come_back_in_order(small, tmp_path, monkeypatch):
    data = reviewers(tmp_path, [37])
    widths = []
    text = type(small).text
    monkeypatch.setattr(small, "text", lambda tokens: widths.append(tuple(tokens.shape)) or text(small, tokens))
    features = extract(data, small, batch_size=4, reviews="each")
    given = data.reviews["review"].tolist()
    monkeypatch.undo()
    torch.testing.assert_close(features.reviews, Windows.of(given, small).encode(small), atol=1e-6, rtol=0)
    assert len({width for _, width in widths}) > 3
    assert sum(rows * width for rows, width in widths) < 0.8 * small.context * sum(rows for rows, _ in widths)


class Both(Clip):
    """A CLIP that reads pairs too: the sum of both vectors."""

    def fused(self, pixels, tokens):
        return torch.nn.functional.normalize(self.image(pixels) + self.text(tokens), dim=1)


@torch.no_grad()
def test_fused_vectors_are_of_items_that_have_both(tmp_path):
    data = catalogue(tmp_path)
    items = data.items.copy()
    items.loc[3, ["title", "text"]] = ""
    items.loc[5, "image"] = ""
    items.loc[6, "text"] = "boxes " * 60  # several windows, each with the image
    data = replace(data, items=items)
    clip = tiny()
    clip.__class__ = Both
    clip.widths = clip.widths | {"fused": 16}
    features = extract(data, clip, batch_size=3)
    assert (~features.present["fused"]).nonzero().flatten().tolist() == [3, 5]
    expected = torch.nn.functional.normalize(features.item["image"] + features.item["text"], dim=1)
    rows = [0, 1, 2, 4, 15]
    torch.testing.assert_close(features.item["fused"][rows], expected[rows], atol=1e-6, rtol=0)
    pixels = clip.pixels(read(data.image_path(6))).unsqueeze(0)
    cut = Windows.of([f"{items['title'][6]} {items['text'][6]}".strip()], clip)
    total = sum(w * clip.fused(pixels, row.unsqueeze(0))[0] for row, w in zip(cut.tokens, cut.weights))
    torch.testing.assert_close(features.item["fused"][6], total / total.norm(), atol=1e-6, rtol=0)
