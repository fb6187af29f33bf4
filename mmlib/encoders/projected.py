"""An encoder whose image and text vectors are brought to one space, in which they can be tuned towards each other."""

from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .contract import Encoder, Pixels


class Projected(Encoder):
    """A linear layer behind each side of an encoder, as CLIP has them; random until it is tuned.

    Args:
        encoder: of images and text, such as a ``Pair``.
        dim: width of the common space.
        seed: of the layers' weights.
    """

    def __init__(self, encoder: Encoder, dim: int, *, seed: int = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = {kind: nn.Linear(encoder.widths[kind], dim, bias=False) for kind in ("image", "text")}
        super().__init__(
            nn.ModuleDict({"encoder": encoder, "projections": nn.ModuleDict(layers)}),
            name=encoder.name,
            origin=f"{encoder.origin}, projected to {dim}",
            widths={"image": dim, "text": dim},
            shares_space=True,
            context=encoder.context,
            room=encoder.room,
            pad=encoder.pad,
            config={"projected": encoder.config},
            preprocessing=encoder.preprocessing,
            revision=encoder.revision,
            licence=encoder.licence,
            remarks=encoder.remarks,
        )
        self.to(encoder.device)

    @property
    def inner(self) -> Any:
        return self.model["encoder"]

    def pixels(self, image: Image.Image) -> Tensor:
        return self.inner.pixels(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        return self.inner.normalise(pixels)

    def image(self, pixels: Pixels) -> Tensor:
        return F.normalize(self.model["projections"]["image"](self.inner.image(pixels)).float(), dim=-1)

    def text(self, tokens: Tensor) -> Tensor:
        return F.normalize(self.model["projections"]["text"](self.inner.text(tokens)).float(), dim=-1)

    def tokenize(self, texts: list[str]) -> Tensor:
        return self.inner.tokenize(texts)

    def count(self, text: str) -> int:
        return self.inner.count(text)
