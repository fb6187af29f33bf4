"""Two encoders side by side: one for images, one for text."""

from typing import Any

from torch import Tensor, nn

from ..core.errors import InputError
from ..core.files import digest
from .contract import Encoder, Pixels


class Pair(Encoder):
    """An image encoder and a text encoder of their own spaces and widths, as a modality-specific pair.

    Args:
        image: an encoder that takes images.
        text: an encoder that takes text.

    Raises:
        InputError: when one of them does not.
    """

    def __init__(self, image: Encoder, text: Encoder) -> None:
        for modality, one in (("image", image), ("text", text)):
            if modality not in one.widths:
                raise InputError(
                    f"encoder: {modality}: {one.name!r} gives {' and '.join(one.widths)} vectors; choose one that "
                    f"gives {modality} vectors."
                )
        super().__init__(
            nn.ModuleDict({"image": image, "text": text}),
            name=f"{image.name} + {text.name}",
            origin=f"image: {image.origin}; text: {text.origin}",
            widths={"image": image.widths["image"], "text": text.widths["text"]},
            context=text.context,
            room=text.room,
            pad=text.pad,
            preprocessing=image.preprocessing,
            revision=_both(image.revision, text.revision),
            licence=_both(image.licence, text.licence),
            remarks=[*image.remarks, *text.remarks],
        )
        self.parts = {"image": image, "text": text}
        self.steps = image.steps

    def pixels(self, image: Any) -> Tensor:
        return self.parts["image"].pixels(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        return self.parts["image"].normalise(pixels)

    def image(self, pixels: Pixels) -> Tensor:
        return self.parts["image"].image(pixels)

    def text(self, tokens: Tensor) -> Tensor:
        return self.parts["text"].text(tokens)

    def tokenize(self, texts: list[str]) -> Tensor:
        return self.parts["text"].tokenize(texts)

    def count(self, text: str) -> int:
        return self.parts["text"].count(text)

    @property
    def checkpoint(self) -> str:
        return digest(*(one.checkpoint for one in self.parts.values()))


def _both(image: str, text: str) -> str:
    return f"image: {image or 'not known'}; text: {text or 'not known'}" if image or text else ""
