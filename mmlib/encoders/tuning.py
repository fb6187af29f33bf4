"""Contrastive tuning of an encoder on a catalogue's own image-text pairs."""

import math
import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..core.images import Unreadable
from ..core.progress import progress
from ..evaluation.retrieval import own_ranks
from ..kernels.contrast import info_nce
from .contract import Encoder
from .extraction import item_texts
from .images import ahead, read
from .windows import Windows

HOTTEST = math.log(100)  # CLIP's limit on the logarithm of 1 / temperature
HEADS = re.compile(r"(visual\.(proj|head|attnpool)|text_projection|text\.(text_projection|proj))(\.|$)")


class Pairs(NamedTuple):
    """A batch of images with their texts.

    Args:
        pixels: [b, 3, h, w] uint8, as ``Encoder.pixels`` gives them.
        tokens: [b, context] int64, one window of each text.
        crops: [b, 3] float32 in [0, 1): how much to crop, and where (down, across).
    """

    pixels: Tensor
    tokens: Tensor
    crops: Tensor


class ContrastiveTuning(nn.Module):
    r"""Teaches an image and its text to find each other among those of other items.

    The symmetric softmax loss of CLIP (Radford et al., ICML 2021, fig. 3) with a learnt temperature, clamped so that
    1 / temperature stays between 1 and 100. Each epoch sees every item once, with one window of its text drawn at
    random and its image cropped a little; images are never flipped, as words on them would be, and their colours
    stay. A tenth of the items is held out to validate. Give it to ``fit``; afterwards ``clip`` is the tuned encoder.

    Args:
        clip: the encoder, a ``Clip`` or a ``MultiwayEncoder``, tuned in place.
        data: its items with both an image and a text; unreadable images are left out.
        freeze: ``"none"``; and for CLIP ``"image"``, the image tower stays as it is (LiT: Zhai et al., CVPR 2022), or
            ``"towers"``, only the last projections of both are trained.
        held_out: share of the items used to validate, drawn with ``seed``.
        crop: a training image keeps at least 1 - ``crop`` of its height and width; 0 keeps it whole.
        memory: GiB of decoded images to hold; a larger catalogue is decoded anew in each epoch, ahead of the model.
        workers: threads that decode; ``None``: as many as there are processors, at most 16.

    Raises:
        InputError: when fewer than 20 items have both, or there is nothing to train under ``freeze``.
    """

    def __init__(
        self,
        clip: Encoder,
        data: Dataset,
        *,
        freeze: str = "none",
        held_out: float = 0.1,
        crop: float = 0.2,
        memory: float = 2.0,
        workers: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.freeze = one_of("freeze", freeze, ("none", "image", "towers"))
        self.clip, self.data, self.crop, self.held_out, self.seed = clip, data, crop, held_out, seed
        self.workers = workers
        texts = item_texts(data)
        paths = [data.image_path(item) or "" for item in range(data.n_items)]
        self.items = [item for item, path in enumerate(paths) if texts[item] and os.path.isfile(path)]
        if len(self.items) < 20:
            raise InputError(
                f"{len(self.items)} items of {data.name} have both an image and a text; tuning needs at least 20. "
                "Use a pretrained encoder as it is (encoder_epochs = 0)."
            )
        if not 0 < held_out < 1:
            raise InputError(f"held_out = {held_out} must be a share between 0 and 1, such as 0.1.")
        self._freeze()
        clip.origin += f", tuned on {data.name}"
        self._windows = Windows.of([texts[item] for item in self.items], clip)
        order = torch.randperm(len(self.items), generator=torch.Generator().manual_seed(seed))
        held = max(1, round(held_out * len(order)))
        self._held, self._train = order[:held].sort().values, order[held:].sort().values
        self._keeps = self._size() <= memory * 2**30

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Pairs]:
        """One epoch: every training item once, in random order, in batches of nearly equal size."""
        if batch_size < 2:
            raise InputError(f"batch_size = {batch_size}: a pair needs others to be told from; give at least 2.")
        order = self._train[torch.randperm(len(self._train), generator=generator)]
        chosen = (torch.rand(len(order), generator=generator) * self._windows.counts[order]).long()
        tokens = self._windows.tokens[self._windows.starts[order] + chosen]
        crops = torch.rand(len(order), 3, generator=generator)
        with closing(self._images(order)) as images:
            for part in torch.arange(len(order)).tensor_split(math.ceil(len(order) / batch_size)):
                pixels = list(islice(images, len(part)))
                kept = part[torch.tensor([image is not None for image in pixels])]
                if len(kept) > 1:
                    stacked = torch.stack([image for image in pixels if image is not None])
                    yield Pairs(stacked, tokens[kept], crops[kept])

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """The mean of both directions' cross-entropy, each image against the batch's texts and the reverse."""
        scale = self.clip.model.logit_scale
        with torch.no_grad():
            scale.clamp_(0, HOTTEST)
        pixels, tokens, crops = (part.to(self.clip.device) for part in batch)
        images = self.clip.image(self.clip.normalise(_cropped(pixels.float(), crops, self.crop)))
        texts = self.clip.text(tokens)
        return {"contrastive": info_nce(images, texts, temperature=(-scale).exp(), normalise=False)}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """How well held-out texts find their own image among the held-out ones.

        Returns:
            ``retrieval@10``: the share found among the first ten; ``mrr``: the mean of 1 / rank. An equally
            similar image counts as ahead.
        """
        images, kept = self._image_vectors(self._held)
        rank = own_ranks(self._windows.encode(self.clip, self._held)[kept], images)
        return {"retrieval@10": float((rank <= 10).float().mean()), "mrr": float((1 / rank).mean())}

    @property
    def held(self) -> Tensor:
        """The items held out to validate: [n] int64, ascending."""
        return torch.tensor(self.items)[self._held]

    def describe(self) -> dict[str, Any]:
        """Every option in force, and the encoder that is tuned."""
        options = {name: getattr(self, name) for name in ("freeze", "held_out", "crop", "seed")}
        return {"model": "ContrastiveTuning", "encoder": self.clip.name, "data": self.data.key} | options

    def train(self, mode: bool = True) -> "ContrastiveTuning":
        """Frozen towers stay in evaluation mode: their batch norms and dropouts too."""
        super().train(mode)
        if self.freeze == "towers":
            self.clip.eval()
        elif self.freeze == "image":
            self.clip.model.visual.eval()
        return self

    def _freeze(self) -> None:
        named = dict(self.clip.model.named_parameters())
        heads = {name for name in named if HEADS.match(name)}
        if self.freeze == "towers" and {name.startswith("visual.") for name in heads} != {True, False}:
            raise InputError(f"{self.clip.name} has no last projection on both towers; use freeze='none' or 'image'.")
        if self.freeze == "image" and not hasattr(self.clip.model, "visual"):
            raise InputError(f"{self.clip.name} has no image tower of its own; use freeze='none'.")
        for name, value in named.items():
            frozen = {"none": False, "image": name.startswith("visual."), "towers": name not in heads}[self.freeze]
            value.requires_grad_(not frozen or name == "logit_scale")

    def _size(self) -> int:
        return len(self.items) * self.clip.pixels(Image.new("RGB", (8, 8))).numel()

    def _decode(self, row: int) -> Tensor | None:
        path = self.data.image_path(self.items[row])
        try:
            return self.clip.pixels(read(path)) if path else None
        except Unreadable:
            return None

    @cached_property
    def _kept(self) -> list[Tensor | None]:
        """Every image, decoded when the first is asked for."""
        coming = ahead(self._decode, range(len(self.items)), workers=self.workers, most=1024)
        return list(progress(coming, "decoding images", total=len(self.items), unit="image"))

    def _images(self, rows: Tensor) -> Generator[Tensor | None, None, None]:
        if not self._keeps:
            yield from ahead(self._decode, rows.tolist(), workers=self.workers, most=512)
        else:
            yield from (self._kept[row] for row in rows.tolist())

    def _image_vectors(self, rows: Tensor, size: int = 256) -> tuple[Tensor, Tensor]:
        """Vectors [m, d] of the images that can be read, and which of ``rows`` they are [m]."""
        vectors, kept = [], []
        with closing(self._images(rows)) as images:
            for start in range(0, len(rows), size):
                found = {start + i: one for i, one in enumerate(islice(images, size)) if one is not None}
                if found:
                    vectors.append(self.clip.image(torch.stack(list(found.values())).to(self.clip.device)))
                    kept += list(found)
        return torch.cat(vectors), torch.tensor(kept)


def _cropped(pixels: Tensor, crops: Tensor, most: float) -> Tensor:
    """Each image cut to 1 - ``most`` .. 1 of its sides, somewhere, and scaled back: [b, 3, h, w] float32."""
    if most == 0:
        return pixels
    keep = 1 - most * crops[:, 0]
    shift = (1 - keep).unsqueeze(1) * (2 * crops[:, 1:] - 1)  # of the crop's middle, in half sides
    theta = pixels.new_zeros(len(pixels), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = keep
    theta[:, 0, 2], theta[:, 1, 2] = shift[:, 1], shift[:, 0]
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
