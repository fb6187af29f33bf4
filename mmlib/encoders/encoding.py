"""Many images or texts through an encoder: prepared ahead by threads, in batches, shard by shard."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..core.errors import InputError
from ..core.files import content, digest
from ..core.images import Unreadable
from ..core.progress import progress
from .contract import DTYPES, Encoder, Pixels
from .images import ahead, read
from .shards import Rows, store, stored, together
from .windows import Windows, lengths, pool

SHARD = 1024  # rows that are written together
TEXTS, IMAGES = 128, 8  # rows that a thread prepares at a time

Source = Path | str | tuple[Path, str] | None  # an image, a text, both, or nothing
Window = Tensor | tuple[Tensor, Tensor]  # pixels [3, h, w], tokens [n], or both
Prepared = tuple[list[Window], Tensor] | str | None  # windows and their weights [w]; why there are none; nothing
T = TypeVar("T")


@dataclass(frozen=True)
class Sources:
    """Rows to encode.

    Args:
        kind: ``"image"``, ``"text"``, ``"review"`` or ``"fused"``.
        take: the sources of the rows from, to; so that not all have to be there at once.
        shards: rows that are encoded and written together, one after another.
        name: what to call a row in a message.
        owners: [n] int64, ascending, no owner in two shards: whose vectors are averaged. A shard then has a row for
            each of its owners.
    """

    kind: str
    take: Callable[[int, int], Sequence[Source]]
    shards: list[range]
    name: Callable[[int], str]
    owners: np.ndarray | None = None

    def __len__(self) -> int:
        return self.shards[-1].stop if self.shards else 0


def equal_shards(n: int) -> list[range]:
    """Rows 0 .. n-1 in shards of ``SHARD``."""
    return [range(start, min(start + SHARD, n)) for start in range(0, n, SHARD)]


def whole_shards(owners: np.ndarray) -> list[range]:
    """Rows in shards of at least ``SHARD`` that keep each owner's rows together; ``owners`` [n] ascending."""
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    bounds, ends = [0], np.append(first[1:], len(owners)).tolist() if len(owners) else []
    for end in ends:
        if end - bounds[-1] >= SHARD or end == len(owners):
            bounds.append(end)
    return [range(a, b) for a, b in pairwise(bounds)]


@dataclass(frozen=True)
class Encoding:
    """How rows are encoded.

    Args:
        key: of the encoder and how it is used; a shard of another one is not taken up.
        batch_size: windows at once.
        workers: threads that prepare; ``None``: as many as there are processors, at most 16.
        folder: where finished shards are kept, if anywhere.
        precision: ``"fp32"``, or of mixed precision ``"bf16"`` or ``"fp16"``.
    """

    encoder: Encoder
    key: str
    batch_size: int
    workers: int | None
    folder: Path | None
    precision: str

    def rows(self, sources: Sources) -> Rows:
        """Encode all sources, shard by shard; finished shards are taken from the folder."""
        shards, kind = sources.shards, sources.kind
        paths = [self.folder and self.folder / f"{kind}-{shard.start:08d}.safetensors" for shard in shards]
        keys = [self._shard_key(sources, shard) if self.folder else "" for shard in shards]
        parts = [stored(path, key) for path, key in zip(paths, keys)]
        todo = [shard for shard, part in zip(shards, parts) if part is None]
        size = IMAGES if kind in ("image", "fused") else TEXTS
        chunks = (sources.take(at, min(at + size, one.stop)) for one in todo for at in range(one.start, one.stop, size))
        coming = ahead(lambda chunk: self.prepare(kind, chunk), chunks, workers=self.workers, most=self._most(size))
        with closing(coming):
            flat = chain.from_iterable(coming)
            stream = progress(flat, f"encoding {kind}s", total=sum(map(len, todo)), unit="row")
            for index, shard in enumerate(shards):
                if parts[index] is None:
                    part = self._encode(sources, shard, islice(stream, len(shard)))
                    parts[index] = store(paths[index], keys[index], part)
        modality = "text" if kind == "review" else kind
        done = [part for part in parts if part is not None]
        return together(done, [shard.start for shard in shards], self.encoder.widths.get(modality, 0))

    def _most(self, size: int) -> int:
        """Chunks that are prepared ahead: a few batches of images, a shard of texts."""
        return max(2, (SHARD if size == TEXTS else 4 * self.batch_size) // size)

    def _shard_key(self, sources: Sources, shard: range) -> str:
        owners = [] if sources.owners is None else sources.owners[shard.start : shard.stop].tolist()
        return digest(self.key, sources.kind, [_mark(one) for one in sources.take(shard.start, shard.stop)], owners)

    def prepare(self, kind: str, chunk: Sequence[Source]) -> list[Prepared]:
        """What the encoder reads of each source, see ``Prepared``."""
        if kind == "image":
            return [self._pixels(one) for one in chunk]
        texts = iter(_cut([one[1] if isinstance(one, tuple) else str(one) for one in chunk if one], self.encoder))
        cut: list[Prepared] = [next(texts) if one else None for one in chunk]
        if kind != "fused":
            return cut
        return [
            _paired(self._pixels(one[0] if isinstance(one, tuple) else None), text) for one, text in zip(chunk, cut)
        ]

    def _pixels(self, path: Any) -> Prepared:
        try:
            return None if path is None else ([self.encoder.pixels(read(path, self.encoder.side))], torch.ones(1))
        except Unreadable as error:
            return str(error)

    def _encode(self, sources: Sources, shard: range, prepared: Iterable[Prepared]) -> Rows:
        owner: list[int] = []  # the row of every window
        weights: list[Tensor] = [torch.zeros(0)]
        problems: list[tuple[int, str]] = []

        def windows() -> Iterator[Window]:
            for row, found in enumerate(prepared):
                if isinstance(found, str):
                    problems.append((row, found))
                elif found is not None:
                    owner.extend([row] * len(found[0]))
                    weights.append(found[1])
                    yield from found[0]

        def encoded(batch: Sequence[Window], places: Sequence[int]) -> Tensor:
            vectors = self._forward(sources.kind, batch)
            bad = (~torch.isfinite(vectors).all(dim=1)).nonzero().flatten()
            if len(bad):
                raise InputError(
                    f"The encoder {self.encoder.name} gives NaN or infinity for the {sources.kind} of "
                    f"{sources.name(shard.start + owner[places[int(bad[0])]])}. Check its weights; with mixed "
                    "precision, try precision='fp32'."
                )
            return vectors

        if sources.kind in ("image", "fused"):
            made = [encoded(batch, places) for batch, places in _batches(windows(), self.batch_size)]
        else:
            made = self._by_length(list(windows()), encoded)
        rows = torch.tensor(owner, dtype=torch.int64)
        present = torch.zeros(len(shard), dtype=torch.bool).index_fill_(0, rows, True)
        width = self.encoder.widths["text" if sources.kind == "review" else sources.kind]
        vectors = pool(torch.cat([torch.zeros(0, width), *made]), rows, torch.cat(weights), len(shard))
        if sources.owners is None:
            return Rows(vectors, present, problems)
        vectors = averaged(vectors, torch.from_numpy(sources.owners[shard.start : shard.stop]))
        return Rows(vectors, torch.ones(len(vectors), dtype=torch.bool), problems)

    def _by_length(
        self, tokens: list[Any], encoded: Callable[[Sequence[Window], Sequence[int]], Tensor]
    ) -> list[Tensor]:
        """Texts of like length go together, so that few tokens fill up; the vectors come back in their order."""
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        made = [encoded([tokens[i] for i in part], part) for part, _ in _batches(order, self.batch_size)]
        if not made:
            return []
        vectors = torch.cat(made)
        return [torch.empty_like(vectors).index_copy_(0, torch.tensor(order), vectors)]

    def _forward(self, kind: str, batch: Sequence[Any]) -> Tensor:
        device = self.encoder.device
        mixed = torch.autocast(device.type, DTYPES[self.precision]) if self.precision != "fp32" else nullcontext()
        with torch.no_grad(), mixed:  # not inference mode: its tensors could not be trained on
            return forward(self.encoder, kind, batch).float().cpu()


def forward(encoder: Encoder, kind: str, batch: Sequence[Any]) -> Tensor:
    """Vectors of windows that were prepared, with gradients where they are enabled: [len(batch), d].

    Args:
        kind: ``"image"``, ``"text"``, ``"review"`` or ``"fused"``.
        batch: a window each, see ``Window``; tokens are filled up to the longest.
    """
    pixels, tokens = zip(*batch) if kind == "fused" else (batch, batch)
    given: list[Any] = [stacked(pixels)] if kind in ("image", "fused") else []
    if kind != "image":
        given.append(pad_sequence(list(tokens), batch_first=True, padding_value=encoder.pad or 0))
    encode: Callable[..., Tensor] = getattr(encoder, "text" if kind == "review" else kind)
    return encode(*(moved(one, encoder.device) for one in given))


def averaged(vectors: Tensor, owners: Tensor) -> Tensor:
    """The mean of each owner's rows: [n, d], owners [n] ascending -> [different owners, d]."""
    _, place, counts = torch.unique_consecutive(owners, return_inverse=True, return_counts=True)
    total = vectors.new_zeros(len(counts), vectors.shape[1]).index_add_(0, place, vectors)
    return total / counts.unsqueeze(1)


def _cut(texts: list[str], encoder: Encoder) -> list[Prepared]:
    """Each text's windows, without what fills them up at the end, and their weights."""
    if not texts:
        return []
    cut = Windows.of(texts, encoder)
    rows = [row[:n] for row, n in zip(cut.tokens, lengths(cut.tokens, encoder).tolist())]
    bounds = [0, *cut.counts.cumsum(0).tolist()]
    return [(rows[a:b], cut.weights[a:b]) for a, b in pairwise(bounds)]


def _paired(image: Prepared, text: Prepared) -> Prepared:
    """An image with each window of its text; nothing where one of them is missing."""
    if isinstance(image, str) or image is None or text is None or isinstance(text, str):
        return image if isinstance(image, str) else None
    return [(image[0][0], window) for window in text[0]], text[1]  # type: ignore[misc]


def _mark(source: Source) -> Any:
    """What tells a row's source from another: a text itself, an image's name and a hash of its bytes."""
    if isinstance(source, tuple):
        return [_mark(one) for one in source]
    if not isinstance(source, Path):
        return source
    return [source.name, content(source) if os.path.isfile(source) else None]


def _batches(values: Iterable[T], size: int) -> Iterator[tuple[list[T], list[int]]]:
    """Lists of ``size``, the last perhaps smaller; each with what it holds and the places that it had."""
    stream, start = iter(values), 0
    while batch := list(islice(stream, size)):
        yield batch, list(range(start, start + len(batch)))
        start += len(batch)


def stacked(pixels: Sequence[Tensor]) -> Pixels:
    """[b, 3, h, w], or as they are where they differ in size."""
    return torch.stack(list(pixels)) if len({one.shape for one in pixels}) == 1 else list(pixels)


def moved(values: Any, device: torch.device) -> Any:
    """A tensor on ``device``; a list of images as it is, for the encoder's own preprocessing."""
    if isinstance(values, list):
        return values
    return (values.pin_memory() if device.type == "cuda" else values).to(device, non_blocking=True)
