"""CLIP: one encoder for images and texts, through open_clip."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ..core.files import digest, whole, write_json

WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"  # the names that open_clip looks for
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Clip(nn.Module):
    """An image tower and a text tower that share one space: similar things have a high inner product.

    Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021. Both towers
    give float32 vectors of length 1. Made by ``load``; what ``save`` writes, ``load("local-dir:...")`` reads.

    Args:
        model: an open_clip model.
        tokenizer: its tokenizer.
        config: open_clip's ``model_cfg``, enough to build the model again.
        preprocessing: open_clip's ``preprocess_cfg``: size, mean, std, interpolation, resize_mode, fill_color, mode.
        name: what the user asked for, such as ``"ViT-B-32/openai"``.
        origin: where the weights come from, in words.
        precision: of the weights: ``"fp32"``, ``"bf16"``, ``"fp16"``.

    Attributes:
        preprocess: PIL image -> [3, h, w] float32, as for the checkpoint; ``preprocess_train`` crops at random.
        dim: length of a vector.
        context: tokens in one window of text, start and end among them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        config: dict[str, Any],
        preprocessing: dict[str, Any],
        *,
        name: str,
        origin: str,
        precision: str = "fp32",
    ) -> None:
        super().__init__()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self.model: Any = model
        self.tokenizer, self.config = tokenizer, config
        self.preprocessing = {key: list(v) if isinstance(v, tuple) else v for key, v in preprocessing.items()}
        self.name, self.origin, self.dtype = name, origin, DTYPES[precision]
        self.dim, self.context = int(config["embed_dim"]), int(tokenizer.context_length)
        cfg = PreprocessCfg(**preprocessing)
        self.preprocess = image_transform_v2(cfg, is_train=False)
        self.preprocess_train = image_transform_v2(cfg, is_train=True)
        for stat in ("mean", "std"):
            self.register_buffer(stat, torch.tensor(getattr(cfg, stat)).reshape(3, 1, 1), persistent=False)
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def pixels(self, image: Image.Image) -> Tensor:
        """The image resized and cropped as by ``preprocess``, not yet normalised: [3, h, w] uint8."""
        values: Any = image
        for step in self.preprocess.transforms[:-1]:  # the last one normalises
            values = step(values)
        return (values * 255).round().to(torch.uint8)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Values 0 to 255 as the image tower wants them: [..., 3, h, w] float32."""
        return (pixels / 255 - self.mean) / self.std

    def image(self, pixels: Tensor) -> Tensor:
        """Encode images.

        Args:
            pixels: [b, 3, h, w]; float32 from ``preprocess``, or uint8 from ``pixels`` (normalised here).

        Returns:
            [b, d] float32, length 1.
        """
        if pixels.dtype == torch.uint8:
            pixels = self.normalise(pixels)
        return F.normalize(self.model.encode_image(pixels.to(self.dtype)).float(), dim=-1)

    def text(self, tokens: Tensor) -> Tensor:
        """Encode windows of text: tokens [b, context] int64 -> [b, d] float32, length 1."""
        return F.normalize(self.model.encode_text(tokens).float(), dim=-1)

    def tokenize(self, texts: list[str]) -> Tensor:
        """Tokens [n, context] int64, padded. Longer texts are cut: use ``windows.windows`` to keep all of them."""
        return self.tokenizer(texts)

    def count(self, text: str) -> int:
        """How many tokens a text has, start and end not counted."""
        if hasattr(self.tokenizer, "encode"):
            return len(self.tokenizer.encode(text))
        return len(self.tokenizer.tokenizer(self.tokenizer.clean_fn(text), add_special_tokens=False)["input_ids"])

    @property
    def checkpoint(self) -> str:
        """A short hash of the architecture and of every weight as it is now."""
        parts: list[Any] = []
        for name, value in sorted(self.model.state_dict().items()):
            raw = value.detach().cpu().contiguous().flatten().view(torch.uint8)
            parts += [name, list(value.shape), raw.numpy().tobytes()]
        return digest(self.config, *parts)

    @property
    def about(self) -> dict[str, Any]:
        """What made the vectors, in plain values: name, origin, checkpoint hash, preprocessing, sizes."""
        return {
            "encoder": self.name,
            "origin": self.origin,
            "checkpoint": self.checkpoint,
            "preprocessing": self.preprocessing,
            "dim": self.dim,
            "context": self.context,
        }

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
