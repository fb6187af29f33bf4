"""Encoders of sentence-transformers: text (all-MiniLM-L6-v2, E5, BGE), or images and text (CLIP, Qwen3-VL)."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..core.errors import InputError
from .contract import DTYPES, Encoder, Pixels
from .hub import cached_first, first_line, licence_of

PAD = -1  # no token of any model: where it stands there is no text
LONGEST = 8192  # tokens of a window, where a model names no limit


class Sentences(Encoder):
    """A model of sentence-transformers (Reimers and Gurevych, EMNLP 2019), with the prompt that it uses by default.

    Its own preprocessing and pooling make the vectors, as ``encode`` of that package does, brought to length 1.
    Text, and images or both as one message, where the model reads them.

    Args:
        model: a ``SentenceTransformer``.
        about: name, origin, revision, licence and remarks, see ``Encoder``.
    """

    def __init__(self, model: Any, **about: Any) -> None:
        prompt = model.prompts.get(model.default_prompt_name or "", "") or None
        reads = {"text": "text", "image": "image", "fused": ("image", "text")}
        found = [modality for modality, asked in reads.items() if model.supports(asked)]
        width = int(model.get_embedding_dimension())
        super().__init__(
            model,
            widths={modality: width for modality in ("image", "text", "fused") if modality in found},
            shares_space={"image", "text"} <= set(found),
            context=_limit(model),
            pad=PAD,
            config={"modules": [type(module).__name__ for module in model], "prompt": prompt},
            preprocessing={"images": "the model's own processor"} if "image" in found else {},
            **about,
        )
        self.prompt = prompt
        made = model.preprocess(["a"], prompt=prompt)  # what goes with any text beside its tokens, as a prompt's length
        self.room = max(1, self.context - self.tokenize([""]).shape[1])
        self._beside = {name: value for name, value in made.items() if not isinstance(value, Tensor)}

    def normalise(self, pixels: Tensor) -> Tensor:
        """As they are, in bytes: the model's own processor normalises them."""
        return pixels.round().clamp(0, 255).to(torch.uint8)

    def image(self, pixels: Pixels) -> Tensor:
        if "image" not in self.widths:
            raise self._lacks("images")
        return self._forward(self.model.preprocess([_picture(one) for one in pixels]))

    def text(self, tokens: Tensor) -> Tensor:
        here = tokens != PAD
        return self._forward(self._beside | {"input_ids": tokens.clamp(min=0), "attention_mask": here.long()})

    def fused(self, pixels: Pixels, tokens: Tensor) -> Tensor:
        if "fused" not in self.widths:
            raise self._lacks("an image and its text together")
        texts = [self.model.tokenizer.decode(row[row != PAD], skip_special_tokens=True) for row in tokens]
        pairs = [{"text": text, "image": _picture(one)} for text, one in zip(texts, pixels)]
        return self._forward(self.model.preprocess(pairs, prompt=self.prompt))

    def tokenize(self, texts: list[str]) -> Tensor:
        made = self.model.preprocess(texts, prompt=self.prompt)
        ids = made["input_ids"]
        here = made.get("attention_mask", torch.ones_like(ids)).bool()
        rows = [row[kept] for row, kept in zip(ids, here)]
        return pad_sequence(rows, batch_first=True, padding_value=PAD)

    def count(self, text: str) -> int:
        return len(self.model.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _forward(self, given: dict[str, Any]) -> Tensor:
        moved = {name: value.to(self.device) if isinstance(value, Tensor) else value for name, value in given.items()}
        return F.normalize(self.model(moved)["sentence_embedding"].float(), dim=-1)


def load_sentences(encoder: str, precision: str) -> Sentences:
    """``"st:FOLDER"`` or ``"st:OWNER/NAME"``, fetched once. Code that comes with a model is never run.

    Raises:
        InputError: without the package, for a model that is no text model of transformers, and one that is neither here
            nor can be fetched.
    """
    if find_spec("sentence_transformers") is None:
        raise InputError(
            f"The encoder {encoder} needs the package sentence-transformers: pip install 'mmlib[sentences]'. Nothing "
            "was fetched."
        )
    name = encoder.removeprefix("st:")
    folder = Path(os.path.expanduser(name))
    if not name or (name[0] in "./~" and not folder.is_dir()):
        raise InputError(f"There is no folder {name!r} (encoder = {encoder!r}); give 'st:FOLDER' or 'st:OWNER/NAME'.")
    if folder.is_dir():
        try:
            model = _open(str(folder), precision, here=True)
        except Exception as error:  # transformers, safetensors and torch each raise their own types
            raise InputError(
                f"{encoder} cannot be loaded: {first_line(error)}. It must be a folder that sentence-transformers "
                "wrote, with its weights."
            ) from error
    else:
        model = cached_first(encoder, f"the model {name}", lambda here: _open(name, precision, here=here))
    if getattr(model, "tokenizer", None) is None or not model.supports("text"):
        raise InputError(f"{encoder} is no text model of transformers, which is all that is read here.")
    origin = f"a folder of the user's, {folder.name}" if folder.is_dir() else "pretrained, from the Hugging Face hub"
    card = model.model_card_data
    licence = licence_of(folder) if folder.is_dir() else str(card.license or "")
    return Sentences(model, name=encoder, origin=origin, revision=card.base_model_revision or "", licence=licence)


def _open(name: str, precision: str, *, here: bool) -> Any:
    """The model; refuses weights that the checkpoint lacks, which transformers would draw at random and only log."""
    from sentence_transformers import SentenceTransformer

    options, heard = {"dtype": DTYPES[precision]}, _Heard()
    logger = logging.getLogger("transformers")
    logger.addHandler(heard)
    try:
        model = SentenceTransformer(
            name, device="cpu", local_files_only=here, model_kwargs=options, trust_remote_code=False
        )
    finally:
        logger.removeHandler(heard)
    if lost := [key for key in heard.missing if "pooler" not in key]:  # the pooler is BERT's, and not used here
        raise InputError(f"its checkpoint lacks {len(lost)} weights, such as {lost[0]}")
    return model


class _Heard(logging.Handler):
    """Keeps the names of weights that transformers says are missing from a checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        rows = (line.split("|") for line in record.getMessage().splitlines() if "MISSING" in line and "|" in line)
        self.missing += [row[0].strip() for row in rows]


def _limit(model: Any) -> int:
    """The most tokens of a text that the model reads."""
    limits = (model.get_max_seq_length(), getattr(model.tokenizer, "model_max_length", None), LONGEST)
    return min(int(limit) for limit in limits if limit)


def _picture(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
