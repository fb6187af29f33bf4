"""What every encoder answers: extraction, tuning, pages and reports know no more of it than this."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.files import digest

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MODALITIES = ("image", "text", "fused")
Modality = Literal["image", "text", "fused"]
Pixels = Tensor | Sequence[Tensor]  # [b, 3, h, w] uint8; or b images [3, h, w] where the model takes any size


class Encoder(nn.Module):
    """Turns images and texts into vectors of length 1.

    A kind of encoder implements what it can of :meth:`image`, :meth:`text`, :meth:`fused`, :meth:`tokenize` and
    :meth:`count`, and gives ``widths`` for just that; what it cannot raises InputError. Weights are in ``model``.

    Args:
        model: holds all weights.
        name: what the user asked for, such as ``"timm:resnet18"``.
        origin: where the weights come from, in words.
        widths: modality (``"image"``, ``"text"``, ``"fused"``) -> d, its vectors' width.
        shares_space: whether image and text vectors can be compared, because they were trained to be.
        steps: what is done to an image (RGB) before it is numbers, such as resizing and cropping; each image -> image.
        mean, std: of red, green and blue in 0..1, by which the model wants them normalised.
        context: the most tokens of one window of text, start and end among them; 0 for an encoder without text.
        room: how many tokens of text a window holds beside start and end; ``None``: all but two.
        pad: the token that fills up the end of a row and may be cut off a whole batch without another result; ``None``
            where every row must keep its length.
        config: what tells this architecture from another; plain values.
        preprocessing: of images, in plain values, to be kept beside the vectors.
        revision: of the weights where they come from, such as a commit; empty: not known.
        licence: of the weights; empty: not known.
        remarks: what a reader of a report should know of these vectors.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        name: str,
        origin: str,
        widths: dict[str, int],
        shares_space: bool = False,
        steps: Sequence[Callable[[Image.Image], Image.Image]] = (),
        mean: Sequence[float] = (0.5,) * 3,
        std: Sequence[float] = (0.5,) * 3,
        context: int = 0,
        room: int | None = None,
        pad: int | None = None,
        config: dict[str, Any] | None = None,
        preprocessing: dict[str, Any] | None = None,
        revision: str = "",
        licence: str = "",
        remarks: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.name, self.origin, self.revision, self.licence = name, origin, revision, licence
        self.widths, self.shares_space = widths, shares_space
        self.context, self.room, self.pad = context, context - 2 if room is None else room, pad
        self.config, self.preprocessing, self.remarks = config or {}, preprocessing or {}, list(remarks)
        self.steps = tuple(steps)
        for stat, values in (("mean", mean), ("std", std)):
            self.register_buffer(stat, torch.tensor(tuple(values)).reshape(3, 1, 1), persistent=False)
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def pixels(self, image: Image.Image) -> Tensor:
        """The image resized and cropped as the model wants it, not yet normalised: [3, h, w] uint8."""
        for step in self.steps:
            image = step(image)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()

    @cached_property
    def side(self) -> int | None:
        """How many pixels an image has at most each way, once it is resized; ``None`` where it is not resized."""
        return max(self.pixels(Image.new("RGB", (8, 8))).shape[1:]) if self.steps else None

    def normalise(self, pixels: Tensor) -> Tensor:
        """Values 0 to 255 as the model wants them: [..., 3, h, w] float32."""
        return (pixels / 255 - self.mean) / self.std

    def image(self, pixels: Pixels) -> Tensor:
        """Encode images: [b, 3, h, w], uint8 from :meth:`pixels` or float32 normalised -> [b, d] float32, length 1."""
        raise self._lacks("images")

    def text(self, tokens: Tensor) -> Tensor:
        """Encode windows of text: [b, n] int64, n at most ``context`` -> [b, d] float32, length 1."""
        raise self._lacks("text")

    def fused(self, pixels: Pixels, tokens: Tensor) -> Tensor:
        """Encode pairs of an image and a window of text as one vector each: [b, d] float32, length 1."""
        raise self._lacks("an image and its text together")

    def tokenize(self, texts: list[str]) -> Tensor:
        """Tokens [n, at most ``context``] int64, filled up at the end; longer texts are cut.

        Rows narrower than ``context`` mean that no text was cut. ``windows.windows`` keeps all of a text.
        """
        raise self._lacks("text")

    def count(self, text: str) -> int:
        """How many tokens a text has, start and end not counted."""
        raise self._lacks("text")

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
        """What made the vectors, in plain values; kept beside them and shown in reports."""
        return {
            "encoder": self.name,
            "origin": self.origin,
            "revision": self.revision,
            "licence": self.licence,
            "checkpoint": self.checkpoint,
            "preprocessing": self.preprocessing,
            "widths": self.widths,
            "context": self.context,
            "shares_space": self.shares_space,
            "remarks": self.remarks,
        }

    def _lacks(self, what: str) -> InputError:
        kinds = " and ".join(self.widths)
        return InputError(f"The encoder {self.name} does not encode {what}; it gives {kinds} vectors.")
