"""VLMo and BEiT-3 as encoders: their tokens, their preprocessing, what they lack said in time; small ones learn."""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmlib.catalogues.shop import generate
from mmlib.core.encoder_names import named_content
from mmlib.core.errors import InputError
from mmlib.encoders import ContrastiveTuning, extract, load
from mmlib.encoders.multiway_checkpoints import load_beit3, load_vlmo
from mmlib.encoders.multiway_encoder import Tokenizer
from mmlib.training import fit

from . import official
from .shop import catalogue, draw

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "thing", "##s", "blue", ",", "cafe", "!", "fine"]
WORDS += ["with", "stripes", ".", "green", "yellow", "boxes", "plain", "hal", "##ves"]
TEXTS = ["A Red things, café!", "blue ☃ thing", "", "red " * 50]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Both checkpoints, each with its tokenizer beside it."""
    folder = tmp_path_factory.mktemp("official")
    torch.save({"state_dict": official.vlmo_state(side=3, patch=8)}, folder / "vlmo.pt")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    torch.save({"model": official.beit3_state(side=3, patch=8)}, folder / "beit3.pth")
    return folder


@pytest.fixture(scope="module")
def pieces(files):
    """beit3.spm, of a few pieces that are learnt here."""
    sentencepiece = pytest.importorskip("sentencepiece")
    lines = ["a red thing", "blue things are fine", "a fine thing with stripes, boxes and halves", "green café!"] * 20
    with (files / "beit3.spm").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2
        )
    return sentencepiece.SentencePieceProcessor(model_file=str(files / "beit3.spm"))


def tokens_by_hand(pieces, text):
    """XLM-R's table: <s> 0, <pad> 1, </s> 2, <unk> 3; from ',' on it is SentencePiece's number and one."""
    table = {"<s>": 0, "</s>": 2, "<unk>": 3}
    names = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    table |= {name: number + 1 for number, name in enumerate(names) if number >= 3}
    return [table.get(name, 3) for name in pieces.encode(text, out_type=str)]


def test_vlmo_reads_text_as_lower_case_bert(files):
    pytest.importorskip("tokenizers")
    tokenizer = Tokenizer.bert(files / "vocab.txt")
    assert tokenizer.encode(TEXTS[0]) == [5, 6, 7, 8, 10, 11, 12]
    assert tokenizer.encode(TEXTS[1]) == [9, 1, 7]
    rows = tokenizer(TEXTS, 12)
    assert rows[0].tolist() == [2, 5, 6, 7, 8, 10, 11, 12, 3, 0, 0, 0]
    assert rows[2].tolist() == [2, 3] + [0] * 10
    assert rows[3].tolist() == [2] + [6] * 10 + [3]
    transformers = pytest.importorskip("transformers")
    other = transformers.BertTokenizerFast(str(files / "vocab.txt"))
    for text in TEXTS:
        assert other.encode(text) == [2, *tokenizer.encode(text), 3]


def test_beit3_reads_text_as_xlm_roberta(files, pieces):
    tokenizer = Tokenizer.beit3(files / "beit3.spm")
    for text in TEXTS:
        assert tokenizer.encode(text) == tokens_by_hand(pieces, text)
    assert 3 in tokenizer.encode("☃")
    row = tokenizer(["red"], 9)[0].tolist()
    n = len(tokenizer.encode("red"))
    assert (row[0], row[n + 1], row[n + 2 :]) == (0, 2, [1] * (7 - n))
    assert max(max(tokenizer.encode(pieces.id_to_piece(i)), default=0) for i in range(3, len(pieces))) < tokenizer.size


def test_small_ones_read_text_as_clip():
    import open_clip

    texts = ["A red thing!!", "wow!!ok ☃", "", "red " * 90]
    assert torch.equal(Tokenizer.clip()(texts, 48), open_clip.SimpleTokenizer(context_length=48)(texts))


@pytest.mark.parametrize("name", ["vlmo:vlmo.pt", "vlmo:vlmo.pt@40", "beit3:beit3.pth"])
def test_from_a_file_vectors_are_the_networks(files, pieces, name, device):
    family, _, file = name.partition(":")
    encoder = load(f"{family}:{files}/{file}", device=device)
    size = 40 if "@" in file else 24
    other = (load_vlmo if family == "vlmo" else load_beit3)(files / file.partition("@")[0], size=size).to(device)
    picture = draw("red", "boxes", size=50).resize((50, 80))
    pixels = encoder.pixels(picture).unsqueeze(0).to(device)
    assert pixels.shape == (1, 3, size, size)
    squashed = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    ready = torch.from_numpy((squashed / 255 - 0.5) / 0.5).permute(2, 0, 1).unsqueeze(0).float().to(device)
    tokens = encoder.tokenize(["a red thing", "fine!"]).to(device)
    present = tokens != encoder.pad
    with torch.no_grad():
        assert torch.allclose(encoder.image(pixels), other.image(ready), atol=1e-6)
        assert torch.allclose(encoder.image(ready), encoder.image(pixels), atol=1e-6)
        assert torch.allclose(encoder.text(tokens), other.text(tokens, present), atol=1e-6)
        short = tokens[1:, : int(present[1].sum())]
        assert torch.allclose(encoder.text(tokens)[1:], other.text(short), atol=1e-6)
        assert torch.allclose(encoder.fused(pixels, tokens[1:]), other.fused(ready, short), atol=1e-6)
    assert encoder.widths == dict.fromkeys(("image", "text", "fused"), other.config.width)
    assert encoder.context == (10 if family == "vlmo" else 20)
    assert encoder.shares_space
    assert encoder.about["licence"] == "MIT"
    assert not encoder.remarks


def test_what_fills_up_the_end_is_not_seen_but_the_same_token_inside_a_text_is():
    encoder = load("small-beit3", dim=16)
    tokens = encoder.tokenize(["a red thing"])
    inside = tokens.clone()
    inside[0, 2] = encoder.pad
    with torch.no_grad():
        whole = encoder.text(tokens)
        assert torch.allclose(whole, encoder.text(tokens[:, :5]), atol=1e-6)
        assert torch.allclose(whole, encoder.text(F.pad(tokens[:, :5], (0, 9), value=encoder.pad)), atol=1e-6)
        assert not torch.allclose(encoder.text(inside), encoder.text(tokens[:, [0, 1, 3, 4]]), atol=1e-3)
        assert not torch.allclose(encoder.text(inside), whole, atol=1e-3)


def test_what_is_not_there_is_asked_for_before_the_checkpoint_is_read(files, pieces, tmp_path, monkeypatch):
    for name in ("vlmo", "beit3"):
        with pytest.raises(InputError, match=r"no file .*gone\.pt"):
            load(f"{name}:{tmp_path}/gone.pt")
    with pytest.raises(InputError, match="give 'vlmo:FILE'"):
        load("vlmo:")
    for name, file in (("vlmo", "vocab.txt"), ("beit3", "beit3.spm")):
        (tmp_path / "lonely.pt").write_bytes(b"not read")
        with pytest.raises(InputError, match=rf"reads text with {file}.*put it beside"):
            load(f"{name}:{tmp_path}/lonely.pt")
        (tmp_path / file).write_bytes(b"")
    for name, file, package in (("vlmo", "vlmo.pt", "tokenizers"), ("beit3", "beit3.pth", "sentencepiece")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            patch.setattr("mmlib.encoders.multiway_encoder.find_spec", lambda name: None)
            with pytest.raises(InputError, match=f"package {package}, which is not installed: pip install"):
                load(f"{name}:{files}/{file}")
    for name, file in (("vlmo", "vocab.txt"), ("beit3", "beit3.spm")):
        with pytest.raises(InputError, match=rf"{file} cannot be read"):
            load(f"{name}:{tmp_path}/lonely.pt")
    (tmp_path / "vocab.txt").write_text("\n".join([*WORDS, *map(str, range(60))]))
    (tmp_path / "vlmo.pt").write_bytes((files / "vlmo.pt").read_bytes())
    with pytest.raises(InputError, match=r"vocab.txt has 83 tokens, .* vectors of 50"):
        load(f"vlmo:{tmp_path}/vlmo.pt")


def test_without_projections_it_says_that_nothing_is_shared(files, pieces, tmp_path):
    torch.save({"model": official.beit3_state(itc=False)}, tmp_path / "base.pth")
    (tmp_path / "beit3.spm").write_bytes((files / "beit3.spm").read_bytes())
    encoder = load(f"beit3:{tmp_path}/base.pth", precision="bf16")
    assert not encoder.shares_space
    assert "base.pth has no projections" in encoder.about["remarks"][0]
    assert {value.dtype for value in encoder.model.parameters()} == {torch.bfloat16}
    assert encoder.image(encoder.pixels(draw("red", "plain")).unsqueeze(0)).dtype == torch.float32


@pytest.mark.parametrize("name", ["small-vlmo", "small-beit3"])
def test_small_is_the_same_each_time_and_leaves_the_random_state_alone(name):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    one, same, other = (load(name, dim=16, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.about == same.about
    assert one.checkpoint != other.checkpoint
    assert "random" in one.about["origin"]
    with pytest.raises(InputError, match="dim = 18"):
        load(name, dim=18)


def test_features_of_a_catalogue(files, pieces, tmp_path):
    data = catalogue(tmp_path)
    for name, width, kinds in (
        (f"vlmo:{files}/vlmo.pt", 32, {"image", "text", "fused"}),
        (f"beit3:{files}/beit3.pth", 128, {"image", "text", "fused"}),
        ("small-vlmo", 16, {"image", "text"}),  # vectors of pairs are not trained yet
        ("small-beit3", 16, {"image", "text"}),
    ):
        encoder = load(name, dim=16)
        found = extract(data, encoder)
        assert {kind: tuple(value.shape) for kind, value in found.item.items()} == dict.fromkeys(kinds, (16, width))
        assert all(found.present[kind].all() for kind in kinds)
        assert found.about["encoder"] == name
        half = extract(data, encoder, precision="bf16")
        assert all((half.item[kind] * found.item[kind]).sum(dim=1).min() > 0.98 for kind in kinds)


@pytest.mark.parametrize("freeze", ["image", "towers"])
def test_no_tower_of_its_own_can_be_frozen(tmp_path, freeze):
    with pytest.raises(InputError, match=r"small-vlmo has no .* freeze='none'"):
        ContrastiveTuning(load("small-vlmo", dim=16), catalogue(tmp_path, copies=2), freeze=freeze)


@pytest.mark.parametrize("name", ["small-vlmo", "small-beit3"])
def test_small_ones_learn_which_text_belongs_to_which_image(tmp_path, name, device):
    data = catalogue(tmp_path, copies=12)
    tuning = ContrastiveTuning(load(name, dim=64, device=device), data, held_out=0.3)
    before = tuning.validate()
    optimiser = torch.optim.AdamW(tuning.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    tuning.train()
    for _ in range(10):
        for batch in tuning.batches(16, generator):
            optimiser.zero_grad()
            tuning.loss(batch)["contrastive"].backward()
            optimiser.step()
    tuning.eval()
    after = tuning.validate()
    assert before["retrieval@10"] < 0.4  # 58 images; by chance 0.17
    assert after["retrieval@10"] > 0.9
    assert after["mrr"] > before["mrr"] + 0.2
    assert own_pairs_stand_out(tuning.encoder, data, tuning.held.tolist())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small-vlmo", "small-beit3"])
def test_small_ones_learn_the_shop(tmp_path, name):
    """Twenty epochs, half a minute of one core: held-out texts find their image among the ten nearest of 57."""
    data = generate(tmp_path, users=50, purchases=600)
    tuning = ContrastiveTuning(load(name), data)
    before = tuning.validate()
    after = fit(tuning, epochs=20, lr=1e-3, batch_size=32, metric="mrr", patience=None, seed=0).model.validate()
    assert before["retrieval@10"] < 0.3
    assert after["retrieval@10"] > before["retrieval@10"] + 0.2
    assert after["mrr"] > 2 * before["mrr"]
    assert own_pairs_stand_out(tuning.encoder, data, tuning.held.tolist(), by=0.2)


@torch.no_grad()
def own_pairs_stand_out(encoder, data, items, by=0.3):
    """Whether own image and text are closer than those of items of another name and kind, on average and by far."""
    kinds = [(data.items["title"][item], data.items["category"][item]) for item in items]
    images = torch.stack([encoder.pixels(Image.open(data.image_path(item)).convert("RGB")) for item in items])
    images = encoder.image(images.to(encoder.device))
    texts = encoder.text(
        encoder.tokenize([data.items["title"][i] + " " + data.items["text"][i] for i in items]).to(encoder.device)
    )
    close = (images @ texts.T).cpu()
    own = close.diagonal().mean()
    other = close[[[a[0] != b[0] and a[1] != b[1] for b in kinds] for a in kinds]].mean()
    return own > other + by


def test_a_name_leads_to_the_checkpoint_and_its_tokenizer(files, pieces, tmp_path):
    named = set()
    for folder in (files, tmp_path):
        for name in ("vlmo:{}/vlmo.pt", "vlmo:{}/vlmo.pt@40", "beit3:{}/beit3.pth"):
            named.add(named_content(name.format(folder)))
    assert len(named) == 3  # VLMo's files, BEiT-3's, and none
    for file in ("vlmo.pt", "vocab.txt"):
        (tmp_path / file).write_bytes((files / file).read_bytes())
    assert named_content(f"vlmo:{tmp_path}/vlmo.pt") in named
    (tmp_path / "vocab.txt").write_text("other")
    assert named_content(f"vlmo:{tmp_path}/vlmo.pt") not in named
    with pytest.raises(InputError, match="a small one is trained on images and text together"):
        load({"image": "small-vlmo", "text": "st:x"})
