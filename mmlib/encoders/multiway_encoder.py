"""VLMo and BEiT-3 as encoders: with their tokenizers and preprocessing, from a checkpoint or small and random."""

import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..core.encoder_names import BESIDE
from ..core.errors import InputError
from .clip_loading import check_small
from .contract import DTYPES, MODALITIES, Encoder, Pixels
from .multiway import BEIT3_BASE, VLMO_BASE, MultiwayTransformer
from .multiway_checkpoints import load_beit3, load_vlmo

SMALL_SIZES: dict[str, Any] = {"layers": 3, "heads": 4, "size": 64, "patch": 8, "vocabulary": 49408, "context": 48}
SMALL = {
    "small-vlmo": replace(VLMO_BASE, **SMALL_SIZES, vl_layers=1, reach=48, layer_scale=None),
    "small-beit3": replace(BEIT3_BASE, **SMALL_SIZES),
}


@dataclass(frozen=True)
class Tokenizer:
    """Text to ids of tokens; what it begins with, ends with and is filled up with; how many ids there are."""

    encode: Callable[[str], list[int]]
    first: int
    last: int
    pad: int
    size: int

    def __call__(self, texts: list[str], context: int) -> Tensor:
        """[n, context] int64; longer texts are cut."""
        rows = torch.full((len(texts), context), self.pad)
        for row, text in zip(rows, texts):
            ids = [self.first, *self.encode(text)[: context - 2], self.last]
            row[: len(ids)] = torch.tensor(ids)
        return rows

    @classmethod
    def bert(cls, path: Path) -> "Tokenizer":
        """WordPiece of lower-case BERT, from its vocabulary, a token a line."""
        from tokenizers import BertWordPieceTokenizer

        words = BertWordPieceTokenizer(str(path), lowercase=True)
        first, last, pad = (words.token_to_id(name) for name in ("[CLS]", "[SEP]", "[PAD]"))
        return cls(
            lambda text: words.encode(text, add_special_tokens=False).ids, first, last, pad, words.get_vocab_size()
        )

    @classmethod
    def beit3(cls, path: Path) -> "Tokenizer":
        """SentencePiece with fairseq's ids: <s>, <pad>, </s> and <unk> come first, all others move up by one."""
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(model_file=str(path))
        unknown = pieces.unk_id()
        return cls(
            lambda text: [3 if piece == unknown else piece + 1 for piece in pieces.encode(text)],
            first=0,
            last=2,
            pad=1,
            size=pieces.get_piece_size() + 1,
        )

    @classmethod
    def clip(cls) -> "Tokenizer":
        """CLIP's byte pairs, which come with open_clip."""
        from open_clip import SimpleTokenizer

        words = SimpleTokenizer()
        return cls(words.encode, words.sot_token_id, words.eot_token_id, 0, words.vocab_size)


class MultiwayEncoder(Encoder):
    """VLMo or BEiT-3 with its tokenizer; images are squashed to a square.

    Args:
        model: with its weights.
        tokenizer: the one that they were trained with.
        context: the most tokens of one window of text.
        fuses: whether the vectors of pairs are trained. Until then ``widths`` holds no ``"fused"``, and what trains
            them puts it there.
        about: name, origin, licence and remarks, see ``Encoder``.
    """

    def __init__(
        self, model: MultiwayTransformer, tokenizer: Tokenizer, context: int, *, fuses: bool, **about: Any
    ) -> None:
        c = model.config
        super().__init__(
            model,
            widths=dict.fromkeys(MODALITIES if fuses else ("image", "text"), c.width),
            shares_space=bool(c.projections),
            steps=[lambda image: image.resize((c.size, c.size), Image.Resampling.BICUBIC)],
            context=context,
            pad=tokenizer.pad,
            config=asdict(c),
            preprocessing={"size": [c.size] * 2, "mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"},
            **about,
        )
        self.tokenizer = tokenizer

    def image(self, pixels: Pixels) -> Tensor:
        return self.model.image(self._normalised(pixels))

    def text(self, tokens: Tensor) -> Tensor:
        return self.model.text(tokens, self._present(tokens))

    def fused(self, pixels: Pixels, tokens: Tensor) -> Tensor:
        return self.model.fused(self._normalised(pixels), tokens, self._present(tokens))

    def tokenize(self, texts: list[str]) -> Tensor:
        return self.tokenizer(texts, self.context)

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))

    def _normalised(self, pixels: Pixels) -> Tensor:
        assert isinstance(pixels, Tensor)
        return pixels if pixels.is_floating_point() else self.normalise(pixels)

    def _present(self, tokens: Tensor) -> Tensor:
        """False at what fills up the end: [b, n]. The same id inside a text is a word."""
        return (tokens != self.tokenizer.pad).flip(1).cumsum(1).flip(1) > 0


def small(name: str, dim: int, seed: int) -> MultiwayEncoder:
    """``"small-vlmo"`` or ``"small-beit3"``: three layers on 64 x 64 images, with random weights, to be trained."""
    check_small(dim, seed)
    config = replace(SMALL[name], width=dim)
    if dim % config.heads:
        raise InputError(f"dim = {dim} must be a multiple of {config.heads}, the heads of {name}; such as 64 or 128.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MultiwayTransformer(config)
    about = {"name": name, "origin": f"random weights, seed {seed}"}
    return MultiwayEncoder(model, Tokenizer.clip(), config.context, fuses=False, **about)


@dataclass(frozen=True)
class Family:
    """What VLMo's and BEiT-3's files need to be read: a loader, a tokenizer's file, package and tokens of a text."""

    label: str
    load: Callable[..., MultiwayTransformer]
    words: Callable[[Path], Tokenizer]
    file: str
    package: str
    context: int


FAMILIES = {
    "vlmo": Family("VLMo", load_vlmo, Tokenizer.bert, BESIDE["vlmo"], "tokenizers", 40),
    "beit3": Family("BEiT-3", load_beit3, Tokenizer.beit3, BESIDE["beit3"], "sentencepiece", 64),
}


def from_file(encoder: str, *, precision: str = "fp32", tokenizer: str | Path | None = None) -> MultiwayEncoder:
    """``"vlmo:FILE"`` or ``"beit3:FILE"``, an official checkpoint; with ``@384`` behind it for images of 384 pixels.

    Args:
        encoder: as above. VLMo's text is read with ``vocab.txt`` of bert-base-uncased, BEiT-3's with ``beit3.spm``,
            which lie beside FILE.
        precision: of the weights.
        tokenizer: that file, if it lies elsewhere.

    Raises:
        InputError: for a file that is missing, and a package that is not installed, before the checkpoint is read; for
            a tokenizer that is not this checkpoint's; and as ``load_vlmo``.
    """
    name, _, rest = encoder.partition(":")
    family, found = FAMILIES[name], re.fullmatch(r"(.+?)(?:@(\d+))?", rest)
    path = Path(os.path.expanduser(found[1] if found else ""))
    file = Path(tokenizer) if tokenizer else path.parent / family.file
    if not path.is_file():
        raise InputError(
            f"There is no file {path} (encoder = {encoder!r}); give '{name}:FILE', a checkpoint of its authors."
        )
    if not file.is_file():
        raise InputError(f"{encoder} reads text with {family.file}, which its authors publish: put it beside {path}.")
    if find_spec(family.package) is None:
        raise InputError(
            f"{encoder} reads text with the package {family.package}, which is not installed: "
            "pip install 'mmlib[encoders]'."
        )
    try:
        words = family.words(file)
    except Exception as error:  # tokenizers and sentencepiece raise types of their own
        raise InputError(f"{file} cannot be read as {family.file}: {error}") from None
    model = family.load(path, size=int(found[2]) if found and found[2] else None)
    if words.size > model.config.vocabulary:
        raise InputError(
            f"{file} has {words.size:,} tokens, {path} vectors of {model.config.vocabulary:,}: take its own."
        )
    remark = f"{path.name} has no projections: image and text vectors are its [CLS] and share no space."
    return MultiwayEncoder(
        model.to(DTYPES[precision]),
        words,
        min(family.context, model.config.context),
        fuses=True,
        name=encoder,
        origin=f"{family.label} of its authors, {path.name}",
        licence="MIT",
        remarks=() if model.config.projections else (remark,),
    )
