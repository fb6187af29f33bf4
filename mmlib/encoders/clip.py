"""CLIP: one encoder for images and texts, through open_clip."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from ..core.files import whole, write_json
from .contract import DTYPES, Encoder, Pixels

MEMORY = 1_000_000  # words whose tokens are kept
WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"  # the names that open_clip looks for


class Clip(Encoder):
    """An image tower and a text tower that share one space: similar things have a high inner product.

    Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021. Both towers
    give float32 vectors of length 1. Made by ``load``; what ``save`` writes, ``load("local-dir:...")`` reads.

    Args:
        model: an open_clip model.
        tokenizer: its tokenizer.
        config: open_clip's ``model_cfg``, enough to build the model again.
        preprocessing: open_clip's ``preprocess_cfg``: size, mean, std, interpolation, resize_mode, fill_color, mode.
        precision: of the weights: ``"fp32"``, ``"bf16"``, ``"fp16"``.
        about: name, origin, revision, licence and remarks, see ``Encoder``.

    Attributes:
        preprocess: PIL image -> [3, h, w] float32, as open_clip does it for the checkpoint.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        config: dict[str, Any],
        preprocessing: dict[str, Any],
        *,
        precision: str = "fp32",
        **about: Any,
    ) -> None:
        from open_clip.transform import PreprocessCfg, image_transform_v2

        cfg, width = PreprocessCfg(**preprocessing), int(config["embed_dim"])
        preprocess = image_transform_v2(cfg, is_train=False)
        super().__init__(
            model,
            widths={"image": width, "text": width},
            shares_space=True,
            steps=preprocess.transforms[:-2],  # the last two make numbers of them and normalise
            mean=cfg.mean,
            std=cfg.std,
            context=int(tokenizer.context_length),
            pad=int(tokenizer([""])[0, -1]) if _causal(model) else None,
            config=config,
            preprocessing={key: list(v) if isinstance(v, tuple) else v for key, v in preprocessing.items()},
            **about,
        )
        self.tokenizer, self.preprocess, self.dtype = tokenizer, preprocess, DTYPES[precision]
        self._words: dict[str, list[int]] = {}

    def image(self, pixels: Pixels) -> Tensor:
        assert isinstance(pixels, Tensor)
        pixels = pixels if pixels.is_floating_point() else self.normalise(pixels)
        return F.normalize(self.model.encode_image(pixels.to(self.dtype)).float(), dim=-1)

    def text(self, tokens: Tensor) -> Tensor:
        vectors = self.model.encode_text(tokens) if tokens.shape[1] == self.context else self._short(tokens)
        return F.normalize(vectors.float(), dim=-1)

    def _short(self, tokens: Tensor) -> Tensor:
        """``encode_text`` of fewer tokens than the context: what comes later never reaches the last token."""
        from open_clip.transformer import text_global_pool

        model, n = self.model, tokens.shape[1]
        dtype = model.transformer.get_cast_dtype()
        x = model.token_embedding(tokens).to(dtype) + model.positional_embedding[:n].to(dtype)  # [b, n, width]
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:n, :n]))
        x = text_global_pool(x, tokens, model.text_pool_type)
        head = model.text_projection
        return head(x) if isinstance(head, nn.Linear) else x if head is None else x @ head

    def tokenize(self, texts: list[str]) -> Tensor:
        if not self._by_words:
            return self.tokenizer(texts)
        end, most = self.tokenizer.eot_token_id, self.context
        found = torch.zeros(len(texts), most, dtype=torch.int64)
        for row, text in zip(found, texts):
            ids = [self.tokenizer.sot_token_id, *self._ids(text)[: most - 2], end]
            row[: len(ids)] = torch.tensor(ids)
        return found

    def count(self, text: str) -> int:
        if self._by_words:
            return len(self._ids(text))
        return len(self.tokenizer.tokenizer(self.tokenizer.clean_fn(text), add_special_tokens=False)["input_ids"])

    @property
    def _by_words(self) -> bool:
        """Whether the tokenizer is CLIP's own, which never joins what blanks keep apart."""
        from open_clip import SimpleTokenizer

        return type(self.tokenizer) is SimpleTokenizer and self.tokenizer.reduction_fn is None

    def _ids(self, text: str) -> list[int]:
        """The tokens of a text; of plain English word by word from memory, which is ten times as fast."""
        if not (text.isascii() and text.isprintable() and "&" not in text):  # others are mended first, as a whole
            return self.tokenizer.encode(text)
        if len(self._words) > MEMORY:
            self._words.clear()
        found: list[int] = []
        for word in text.split():
            if word not in self._words:
                self._words[word] = self.tokenizer.encode(word)
            found += self._words[word]
        return found

    def save(self, folder: str | Path) -> None:
        """Write weights (safetensors), architecture, preprocessing and, where it has files, the tokenizer.

        The folder is in open_clip's own layout and can be read by ``load("local-dir:FOLDER")`` and by open_clip.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / WEIGHTS) as partial:
            save_file({name: value.contiguous() for name, value in self.model.state_dict().items()}, partial)
        if hasattr(self.tokenizer, "save_pretrained"):
            self.tokenizer.save_pretrained(folder)
        config = {"model_cfg": self.config, "preprocess_cfg": self.preprocessing}
        write_json(folder / CONFIG, config | {"origin": self.origin, "checkpoint": self.checkpoint})


def _causal(model: nn.Module) -> bool:
    """Whether a text's vector is that of its last token, which sees nothing of what comes after it."""
    from open_clip import CLIP

    return type(model) is CLIP and model.attn_mask is not None and model.text_pool_type == "argmax"
