"""Encoders tuned on a catalogue's own image-text pairs, so that an image and its text find each other (ITC)."""

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..evaluation.retrieval import own_ranks
from ..kernels.contrast import info_nce
from .catalogue_pairs import CataloguePairs, Pairs, cropped, normalised
from .chunked import in_chunks
from .contract import Encoder, Pixels

HOTTEST = math.log(100)  # CLIP's limit on the logarithm of 1 / temperature
HEADS = re.compile(r"(visual\.(proj|head|attnpool)|text_projection|text\.(text_projection|proj))(\.|$)")


class Tuning(nn.Module):
    """What all ways of tuning share: the pairs, what stays frozen, and images as training sees them.

    Images are cropped a little, never flipped, as words on them would be, and their colours stay. Give it to ``fit``;
    afterwards ``encoder`` is the tuned one.

    Args:
        encoder: tuned in place.
        data: its items with both an image and a text; unreadable images are left out.
        freeze: ``"none"``; and for CLIP ``"image"``, the image tower stays as it is (LiT: Zhai et al., CVPR 2022), or
            ``"towers"``, only the last projections of both are trained.
        held_out: share of the items used to validate, drawn with ``seed``.
        crop: a training image keeps at least 1 - ``crop`` of its height and width; 0 keeps it whole.
        chunk: pairs that are in memory at once with all that their gradients need.
        memory, workers: see ``CataloguePairs``.

    Raises:
        InputError: for an encoder without image or text vectors, fewer than 20 items that have both, and where there
            is nothing to train under ``freeze``.
    """

    OPTIONS = ("freeze", "held_out", "crop", "chunk", "seed")

    def __init__(
        self,
        encoder: Encoder,
        data: Dataset,
        *,
        freeze: str = "none",
        held_out: float = 0.1,
        crop: float = 0.2,
        chunk: int = 256,
        memory: float = 2.0,
        workers: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if lacks := {"image", "text"} - set(encoder.widths):
            raise InputError(
                f"{encoder.name} gives no {lacks.pop()} vectors, and tuning is on pairs of an image and its text; "
                "give an encoder of both, or two side by side, encoder: {image: ..., text: ...}."
            )
        if chunk < 1:
            raise InputError(f"chunk = {chunk} must be at least 1.")
        self.freeze = one_of("freeze", freeze, ("none", "image", "towers"))
        self.encoder, self.data, self.crop, self.held_out = encoder, data, crop, held_out
        self.chunk, self.seed = chunk, seed
        self.pairs = CataloguePairs(encoder, data, held_out=held_out, memory=memory, workers=workers, seed=seed)
        self._freeze()
        encoder.origin += f", tuned on {data.name}"

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Pairs]:
        """One epoch: every training item once, with one window of its text drawn at random."""
        yield from self.pairs.batches(batch_size, generator)

    def view(self, pixels: Pixels, crops: Tensor) -> Pixels:
        """Images as training sees them, cropped and normalised."""
        return normalised(self.encoder, cropped(pixels, crops, self.crop))

    @property
    def held(self) -> Tensor:
        """The items held out to validate: [n] int64, ascending."""
        return torch.tensor(self.pairs.items)[self.pairs.held]

    def describe(self) -> dict[str, Any]:
        """Every option in force, and the encoder that is tuned."""
        options = {name: getattr(self, name) for name in self.OPTIONS}
        return {"model": type(self).__name__, "encoder": self.encoder.name, "data": self.data.key} | options

    def train(self, mode: bool = True) -> "Tuning":
        """Frozen towers stay in evaluation mode: their batch norms and dropouts too."""
        super().train(mode)
        if self.freeze == "towers":
            self.encoder.eval()
        elif self.freeze == "image":
            self.encoder.model.visual.eval()
        return self

    def _freeze(self) -> None:
        named = dict(self.encoder.model.named_parameters())
        heads = {name for name in named if HEADS.match(name)}
        if self.freeze == "towers" and {name.startswith("visual.") for name in heads} != {True, False}:
            raise InputError(
                f"{self.encoder.name} has no last projection on both towers; use freeze='none' or 'image'."
            )
        if self.freeze == "image" and not hasattr(self.encoder.model, "visual"):
            raise InputError(f"{self.encoder.name} has no image tower of its own; use freeze='none'.")
        for name, value in named.items():
            frozen = {"none": False, "image": name.startswith("visual."), "towers": name not in heads}[self.freeze]
            value.requires_grad_(not frozen or name == "logit_scale")


class ContrastiveTuning(Tuning):
    r"""Teaches an image and its text to find each other among those of other items (ITC).

    The symmetric softmax loss of CLIP (Radford et al., ICML 2021, fig. 3) with a learnt temperature, clamped so that
    1 / temperature stays between 1 and 100. A batch is encoded a chunk at a time (``chunked.in_chunks``) and contrasted
    a block of rows at a time, so memory grows with ``chunk`` and not with the batch.

    Args:
        encoder, data, options: see ``Tuning``. Image and text vectors must be of one width; see ``Projected``.

    Raises:
        InputError: see ``Tuning``; and for image and text vectors of different widths.
    """

    def __init__(self, encoder: Encoder, data: Dataset, **options: Any) -> None:
        super().__init__(encoder, data, **options)
        widths = {encoder.widths[kind] for kind in ("image", "text")}
        if len(widths) > 1:
            raise InputError(
                f"{encoder.name} gives image vectors of {encoder.widths['image']} numbers and text vectors of "
                f"{encoder.widths['text']}, which cannot be compared; tune Projected(encoder, dim)."
            )
        own = getattr(encoder.model, "logit_scale", None)
        self._scale = None if isinstance(own, nn.Parameter) else nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def scale(self) -> nn.Parameter:
        """The logarithm of 1 / temperature: the encoder's own where it has one."""
        return self.encoder.model.logit_scale if self._scale is None else self._scale

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """The mean of both directions' cross-entropy, each image against the batch's texts and the reverse."""
        return {"contrastive": self.contrast(*self.vectors(batch.to(self.encoder.device)))}

    def vectors(self, batch: Pairs) -> tuple[Tensor, Tensor]:
        """Those of the images and those of the texts of a batch on the encoder's device: [b, d] each."""
        encoder = self.encoder
        images = in_chunks(self._image, self.chunk, encoder, batch.pixels, batch.crops)
        return images, in_chunks(encoder.text, self.chunk, encoder, batch.tokens)

    def contrast(self, images: Tensor, texts: Tensor) -> Tensor:
        """The loss of vectors [b, d] of which the same rows belong together."""
        with torch.no_grad():
            self.scale.clamp_(0, HOTTEST)
        block = max(self.chunk, 64)  # rows of logits held at once
        return info_nce(images, texts, temperature=(-self.scale).exp(), normalise=False, block=block)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """How well held-out texts find their own image among the held-out ones.

        Returns:
            ``retrieval@10``: the share found among the first ten; ``mrr``: the mean of 1 / rank. An equally
            similar image counts as ahead.
        """
        encoder, held, images, kept = self.encoder, self.pairs.held, [], []
        for places, pixels in self.pairs.in_parts(held):
            images.append(encoder.image(pixels.to(encoder.device) if isinstance(pixels, Tensor) else pixels))
            kept.append(places)
        rank = own_ranks(self.pairs.windows.encode(encoder, held)[torch.cat(kept)], torch.cat(images))
        return {"retrieval@10": float((rank <= 10).float().mean()), "mrr": float((1 / rank).mean())}

    def _image(self, pixels: Pixels, crops: Tensor) -> Tensor:
        return self.encoder.image(self.view(pixels, crops))
