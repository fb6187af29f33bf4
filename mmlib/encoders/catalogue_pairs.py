"""A catalogue's own image-text pairs, decoded ahead and handed out in batches: what encoders are tuned on."""

import math
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.images import Unreadable
from ..core.progress import progress
from .contract import Encoder, Pixels
from .encoding import moved, stacked
from .extraction import item_texts
from .images import ahead, read
from .windows import Windows

LEAST = 20  # pairs


class Pairs(NamedTuple):
    """A batch of images with their texts.

    Args:
        pixels: [b, 3, h, w] uint8, as ``Encoder.pixels`` gives them; a list where sizes differ.
        tokens: [b, context] int64, one window of each text.
        crops: [b, 3] float32 in [0, 1): how much to crop, and where (down, across).
        texts: [b] int64; items with the same text have the same number.
    """

    pixels: Pixels
    tokens: Tensor
    crops: Tensor
    texts: Tensor

    def to(self, device: torch.device) -> "Pairs":
        return Pairs(moved(self.pixels, device), *(part.to(device) for part in self[1:]))


class CataloguePairs:
    """The items of a catalogue with both an image and a text, a part of them held out to validate.

    Args:
        encoder: whose ``pixels`` and ``tokenize`` prepare images and texts.
        data: unreadable images are left out.
        held_out: share of the items used to validate, drawn with ``seed``.
        memory: GiB of decoded images to hold; a larger catalogue is decoded anew in each epoch, ahead of the model.
        workers: threads that decode; ``None``: as many as there are processors, at most 16.

    Attributes:
        items: the items, ascending; the rows of ``windows``, ``train`` and ``held`` are places in it.
        windows: their texts, cut into windows that the encoder reads.

    Raises:
        InputError: when fewer than 20 items have both.
    """

    def __init__(
        self, encoder: Encoder, data: Dataset, *, held_out: float, memory: float, workers: int | None, seed: int
    ) -> None:
        texts = item_texts(data)
        paths = [data.image_path(item) or "" for item in range(data.n_items)]
        self.encoder, self.data, self.workers = encoder, data, workers
        self.items = [item for item, path in enumerate(paths) if texts[item] and os.path.isfile(path)]
        if len(self.items) < LEAST:
            raise InputError(
                f"{len(self.items)} items of {data.name} have both an image and a text; tuning needs at least {LEAST}. "
                "Use a pretrained encoder as it is (encoder_epochs = 0)."
            )
        if not 0 < held_out < 1:
            raise InputError(f"held_out = {held_out} must be a share between 0 and 1, such as 0.1.")
        own = [texts[item] for item in self.items]
        self.windows, first = Windows.of(own, encoder), {text: row for row, text in reversed([*enumerate(own)])}
        self.text_ids = torch.tensor([first[text] for text in own])
        order = torch.randperm(len(self.items), generator=torch.Generator().manual_seed(seed))
        held = max(1, round(held_out * len(order)))
        self.held, self.train = order[:held].sort().values, order[held:].sort().values
        size = len(self.items) * encoder.pixels(Image.new("RGB", (8, 8))).numel()
        self.keeps = size <= memory * 2**30

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Pairs]:
        """One epoch: every training item once, in random order, in batches of nearly equal size."""
        if batch_size < 2:
            raise InputError(f"batch_size = {batch_size}: a pair needs others to be told from; give at least 2.")
        order = self.train[torch.randperm(len(self.train), generator=generator)]
        tokens = self.a_window_each(order, generator)
        crops = torch.rand(len(order), 3, generator=generator)
        with closing(self._images(order)) as images:
            for part in torch.arange(len(order)).tensor_split(math.ceil(len(order) / batch_size)):
                pixels = list(islice(images, len(part)))
                kept = part[torch.tensor([image is not None for image in pixels])]
                if len(kept) > 1:
                    readable = stacked([image for image in pixels if image is not None])
                    yield Pairs(readable, tokens[kept], crops[kept], self.text_ids[order[kept]])

    def a_window_each(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Tokens of one window of each text, drawn at random: [m, context] int64."""
        chosen = (torch.rand(len(rows), generator=generator) * self.windows.counts[rows]).long()
        return self.windows.tokens[self.windows.starts[rows] + chosen]

    def in_parts(self, rows: Tensor, size: int = 256) -> Iterator[tuple[Tensor, Pixels]]:
        """Up to ``size`` of ``rows`` at a time whose images can be read: places in ``rows`` [m], and their pixels."""
        with closing(self._images(rows)) as images:
            for start in range(0, len(rows), size):
                found = {start + i: one for i, one in enumerate(islice(images, size)) if one is not None}
                if found:
                    yield torch.tensor(list(found)), stacked(list(found.values()))

    def _decode(self, row: int) -> Tensor | None:
        path = self.data.image_path(self.items[row])
        try:
            return self.encoder.pixels(read(path)) if path else None
        except Unreadable:
            return None

    @cached_property
    def _kept(self) -> list[Tensor | None]:
        """Every image, decoded when the first is asked for."""
        coming = ahead(self._decode, range(len(self.items)), workers=self.workers, most=1024)
        return list(progress(coming, "decoding images", total=len(self.items), unit="image"))

    def _images(self, rows: Tensor) -> Generator[Tensor | None, None, None]:
        if not self.keeps:
            yield from ahead(self._decode, rows.tolist(), workers=self.workers, most=512)
        else:
            yield from (self._kept[row] for row in rows.tolist())


def cropped(pixels: Pixels, crops: Tensor, most: float) -> Pixels:
    """Each image cut to 1 - ``most`` .. 1 of its sides, somewhere, and scaled back: [b, 3, h, w] float32, or a list."""
    if not isinstance(pixels, Tensor):
        return [_crop(one.unsqueeze(0), crop.unsqueeze(0), most)[0] for one, crop in zip(pixels, crops)]
    return _crop(pixels, crops, most)


def _crop(pixels: Tensor, crops: Tensor, most: float) -> Tensor:
    if most == 0:
        return pixels.float()
    keep = 1 - most * crops[:, 0]
    shift = (1 - keep).unsqueeze(1) * (2 * crops[:, 1:] - 1)  # of the crop's middle, in half sides
    theta = crops.new_zeros(len(pixels), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = keep
    theta[:, 0, 2], theta[:, 1, 2] = shift[:, 1], shift[:, 0]
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)


def normalised(encoder: Encoder, pixels: Pixels) -> Pixels:
    """Values 0 to 255 as the encoder's model wants them."""
    return encoder.normalise(pixels) if isinstance(pixels, Tensor) else [encoder.normalise(one) for one in pixels]
