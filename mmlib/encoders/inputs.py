"""What an encoder reads of every item, prepared once and held, so that the encoder can run over it again and again."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import torch
from PIL import Image
from torch import Tensor

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.progress import progress
from .contract import Encoder
from .encoding import IMAGES, TEXTS, Encoding, Window, forward
from .extraction import sources
from .images import ahead
from .windows import pool


@dataclass(frozen=True)
class Inputs:
    """One modality of a catalogue as an encoder reads it: images decoded and resized (uint8), texts cut into windows.

    Args:
        kind: ``"image"``, ``"text"`` or ``"fused"``.
        windows: item after item; an image is one window.
        weights: [w] float32 of the windows, see ``Windows``.
        counts: [n_items] int64, windows of each item; 0 where it has nothing that can be read.
    """

    kind: str
    windows: list[Window]
    weights: Tensor
    counts: Tensor

    @property
    def present(self) -> Tensor:
        """[n_items] bool."""
        return self.counts > 0

    def chunks(self, items: Tensor, size: int) -> Iterator[Tensor]:
        """``items`` [m] in their order, in parts of about ``size`` windows; the windows of an item stay together."""
        group = (self.counts[items].cumsum(0) - 1).div(size, rounding_mode="floor")
        yield from items.split(torch.unique_consecutive(group, return_counts=True)[1].tolist())

    def encode(self, encoder: Encoder, items: Tensor) -> Tensor:
        """Vectors of ``items`` [m], all present, at once and with gradients where they are enabled: [m, d]."""
        counts = self.counts[items]
        owner = torch.arange(len(items)).repeat_interleave(counts)
        first = (self.counts.cumsum(0) - self.counts)[items] - (counts.cumsum(0) - counts)
        window = torch.arange(len(owner)) + first.repeat_interleave(counts)
        vectors = forward(encoder, self.kind, [self.windows[place] for place in window.tolist()])
        return pool(vectors, owner.to(vectors.device), self.weights[window].to(vectors), len(items))


def inputs(data: Dataset, encoder: Encoder, kind: str, *, memory: float = 8.0, workers: int | None = None) -> Inputs:
    """Prepare one modality of all items, as ``extract`` does; images that cannot be read count as missing.

    Args:
        kind: ``"image"``, ``"text"`` or ``"fused"``.
        memory: GiB that the images may take.
        workers: threads; ``None``: as many as there are processors, at most 16.

    Raises:
        InputError: where the images would take more.
    """
    found, n = sources(data)[kind], data.n_items
    rows = found.take(0, n)
    if kind != "text":
        need = sum(one is not None for one in rows) * encoder.pixels(Image.new("RGB", (8, 8))).numel() / 2**30
        if need > memory:
            raise InputError(
                f"The images of {data.name}, as {encoder.name} reads them, take {need:.1f} GiB, and memory = {memory} "
                "is allowed. Give more, or an encoder of smaller images."
            )
    run = Encoding(encoder, "", 1, workers, None, "fp32")
    size = TEXTS if kind == "text" else IMAGES
    parts = (rows[start : start + size] for start in range(0, n, size))
    with closing(ahead(lambda part: run.prepare(kind, part), parts, workers=workers, most=64)) as coming:
        made = list(progress(chain.from_iterable(coming), f"preparing {kind}s", total=n, unit="item"))
    whole = [one if isinstance(one, tuple) else ([], torch.zeros(0)) for one in made]
    windows = [window for one in whole for window in one[0]]
    counts = torch.tensor([len(one[0]) for one in whole])
    return Inputs(kind, windows, torch.cat([torch.zeros(0), *(one[1] for one in whole)]), counts)
