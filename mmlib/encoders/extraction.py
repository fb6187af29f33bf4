"""From a catalogue to features: streaming, resumable, and plain about what is missing."""

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.files import content, digest, whole, write_json
from ..core.images import Unreadable
from ..core.progress import progress
from .clip import DTYPES, Clip
from .images import ahead, read
from .windows import pool, windows

FORMAT = 1  # raised when the same rows give other vectors or another file layout
SHARD = 1024  # rows that are written together

Source = Path | str | None  # an image, a text, or nothing
Prepared = tuple[Tensor, Tensor] | str | None  # windows [w, ...] and their weights [w]; why there are none; nothing


def extract(
    data: Dataset,
    encoder: Clip,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    folder: str | Path | None = None,
    precision: str = "auto",
) -> Features:
    """Encode a catalogue's images, texts and training reviews.

    Every vector is float32 and of length 1. Threads decode and tokenise ahead of the model, in bounded memory. An
    item's text is its title and its description; text longer than the encoder's context is pooled over windows
    (``windows``). Where an image or a text is missing or broken the row is zero and ``present`` is ``False``; a
    modality that no item has is left out. Broken images are listed in ``about["problems"]``, each with ``item``
    (its id), ``path`` and ``reason``, and counted in one printed line.

    Args:
        data: split, if it has reviews: only those of the training part are encoded.
        encoder: from ``load``, on the device to use.
        batch_size: images, or windows of text, at once.
        workers: threads; ``None``: as many as there are processors, at most 16.
        folder: where finished shards of 1,024 rows are kept, each whole or absent. A run that was killed continues
            there, with the same result bit for bit on the CPU. A shard is used again only for the same encoder,
            precision and content of its rows. May be deleted once the features are saved.
        precision: ``"auto"`` (on CUDA mixed: bf16, or fp16 where that is not supported; else fp32), ``"fp32"``,
            ``"bf16"`` or ``"fp16"``.

    Raises:
        InputError: when the encoder gives NaN (names modality and row), when not one image can be read, and when the
            catalogue has neither images nor texts.
    """
    if batch_size < 1 or (workers or 1) < 1:
        raise InputError(f"batch_size = {batch_size} and workers = {workers} must be at least 1.")
    precision = _precision(precision, encoder.device)
    about = encoder.about | {"dataset": data.key, "precision": precision}
    key = digest(FORMAT, SHARD, {name: about[name] for name in ("checkpoint", "preprocessing", "precision")})
    if folder:
        write_json(Path(folder) / "manifest.json", {"key": key, "rows in a shard": SHARD, "about": about})
    run = _Run(encoder, key, batch_size, workers, Path(folder) if folder else None, precision)
    items, reviews = [f"item {name}" for name in data.items["id"]], data.reviews
    reviews = reviews.loc[[bool(text.strip()) for text in reviews["review"]]].reset_index(drop=True)

    with _quiet(encoder):
        image = run.rows("image", [data.image_path(item) for item in range(data.n_items)], items)
        problems = _problems(data, image)
        text = run.rows("text", [text or None for text in item_texts(data)], items)
        writers = [f"user {data.users['id'].iat[user]}" for user in reviews["user"]]
        written = run.rows("review", reviews["review"].tolist(), writers)

    kinds = {kind: rows for kind, rows in (("text", text), ("image", image)) if rows.present.any()}
    if not kinds:
        raise InputError(f"{data.name} has neither images nor texts: there is nothing to encode.")
    return Features(
        item={kind: rows.vectors for kind, rows in kinds.items()},
        present={kind: rows.present for kind, rows in kinds.items()},
        reviews=written.vectors if len(reviews) else None,
        review_users=torch.from_numpy(reviews["user"].to_numpy().copy()) if len(reviews) else None,
        n_users=data.n_users,
        about=about | {"problems": problems},
    )


def item_texts(data: Dataset) -> list[str]:
    """Each item's title and description, joined by a space; ``""`` where there is neither."""
    return [f"{title} {text}".strip() for title, text in zip(data.items["title"], data.items["text"])]


@dataclass(frozen=True)
class _Rows:
    """Vectors [n, d], zero where ``present`` [n] is False; ``problems`` are [row, reason]."""

    vectors: Tensor
    present: Tensor
    problems: list[Any]


@dataclass(frozen=True)
class _Run:
    """One extraction: what it encodes with, and where its shards go."""

    encoder: Clip
    key: str
    batch_size: int
    workers: int | None
    folder: Path | None
    precision: str

    def rows(self, kind: str, sources: list[Any], names: Sequence[Any]) -> _Rows:
        """Encode all ``sources``, shard by shard; finished shards are taken from the folder."""
        shards = [range(start, min(start + SHARD, len(sources))) for start in range(0, len(sources), SHARD)]
        keys = [digest(self.key, kind, [_mark(sources[row]) for row in shard]) for shard in shards]
        paths = [self.folder and self.folder / f"{kind}-{shard.start:08d}.safetensors" for shard in shards]
        parts = [_load_shard(path, key) for path, key in zip(paths, keys)]
        todo = [row for shard, part in zip(shards, parts) if part is None for row in shard]
        coming = ahead(self._prepare, (sources[row] for row in todo), workers=self.workers, most=4 * self.batch_size)
        with closing(coming):
            stream = progress(coming, f"encoding {kind}s", total=len(todo), unit="row")
            for index, shard in enumerate(shards):
                if parts[index] is None:
                    part = self._encode(kind, islice(stream, len(shard)), names[shard.start : shard.stop])
                    parts[index] = _store_shard(paths[index], keys[index], part)
        return _joined([part for part in parts if part], self.encoder.dim)

    def _prepare(self, source: Source) -> Prepared:
        if isinstance(source, str):
            return windows(source, self.encoder)
        if source is None:
            return None
        try:
            return self.encoder.pixels(read(source)).unsqueeze(0), torch.ones(1)
        except Unreadable as error:
            return str(error)

    def _encode(self, kind: str, prepared: Iterable[Prepared], names: Sequence[str]) -> _Rows:
        owner: list[int] = []  # the row of every window
        weights: list[Tensor] = []
        problems = []

        def inputs() -> Iterator[Tensor]:
            for row, found in enumerate(prepared):
                if isinstance(found, tuple):
                    owner.extend([row] * len(found[0]))
                    weights.append(found[1])
                    yield found[0]
                elif found is not None:
                    problems.append([row, found])

        made = [torch.zeros(0, self.encoder.dim)]
        for batch in _batches(inputs(), self.batch_size):
            made.append(self._forward(kind, batch))
            self._check_finite(kind, made[-1], [names[row] for row in owner[sum(map(len, made[:-1])) :]])
        rows = torch.tensor(owner, dtype=torch.int64)
        present = torch.zeros(len(names), dtype=torch.bool).index_fill_(0, rows, True)
        vectors = pool(torch.cat(made), rows, torch.cat([torch.zeros(0), *weights]), len(names))
        return _Rows(vectors, present, problems)

    def _forward(self, kind: str, batch: Tensor) -> Tensor:
        device = self.encoder.device
        mixed = torch.autocast(device.type, DTYPES[self.precision]) if self.precision != "fp32" else nullcontext()
        batch = (batch.pin_memory() if device.type == "cuda" else batch).to(device, non_blocking=True)
        with torch.no_grad(), mixed:  # not inference mode: its tensors could not be trained on
            return (self.encoder.image(batch) if kind == "image" else self.encoder.text(batch)).float().cpu()

    def _check_finite(self, kind: str, vectors: Tensor, names: Sequence[str]) -> None:
        bad = (~torch.isfinite(vectors).all(dim=1)).nonzero().flatten()
        if len(bad):
            raise InputError(
                f"The encoder {self.encoder.name} gives NaN or infinity for the {kind} of {names[int(bad[0])]}. "
                "Check its weights; with mixed precision, try precision='fp32'."
            )


def _batches(inputs: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Windows [w, ...] of many rows, regrouped into batches of ``size``; the last may be smaller."""
    held: list[Tensor] = []
    for value in inputs:
        held.append(value)
        while sum(map(len, held)) >= size:
            full = torch.cat(held)
            yield full[:size]
            held = [full[size:]]
    if sum(map(len, held)):
        yield torch.cat(held)


def _mark(source: Source) -> Any:
    """What tells a row's source from another: a text itself, an image's name and a hash of its bytes."""
    if not isinstance(source, Path):
        return source
    return [source.name, content(source) if os.path.isfile(source) else None]


def _store_shard(path: Path | None, key: str, rows: _Rows) -> _Rows:
    if path:
        with whole(path) as partial:
            metadata = {"key": key, "problems": json.dumps(rows.problems), "content": _content(rows)}
            save_file({"vectors": rows.vectors, "present": rows.present}, partial, metadata)
    return rows


def _load_shard(path: Path | None, key: str) -> _Rows | None:
    """The shard, if it is there, whole, and made of the same rows by the same encoder."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("key") == key:
                problems = json.loads(metadata["problems"])
                rows = _Rows(file.get_tensor("vectors"), file.get_tensor("present"), problems)
                return rows if _content(rows) == metadata.get("content") else None
    except (TypeError, OSError, SafetensorError):
        pass
    return None


def _content(rows: _Rows) -> str:
    return digest(rows.vectors.numpy(), rows.present.numpy(), rows.problems)


def _joined(parts: list[_Rows], dim: int) -> _Rows:
    parts = parts or [_Rows(torch.zeros(0, dim), torch.zeros(0, dtype=torch.bool), [])]
    problems = [[index * SHARD + row, reason] for index, part in enumerate(parts) for row, reason in part.problems]
    return _Rows(torch.cat([part.vectors for part in parts]), torch.cat([part.present for part in parts]), problems)


def _problems(data: Dataset, image: _Rows) -> list[dict[str, str]]:
    """Broken images as plain values; also told in one line. Raises InputError when not one can be read."""
    table = data.items[["id", "image"]]
    found = [dict(zip(("item", "path"), table.iloc[row]), reason=reason) for row, reason in image.problems]
    if found and not image.present.any():
        raise InputError(
            f"None of the {len(found):,} images of {data.name} can be read; the first is "
            f"{data.image_path(image.problems[0][0])}: {found[0]['reason']}. Check the folder of the images and the "
            "column of their names."
        )
    if found:
        print(
            f"{len(found):,} of {int((table['image'] != '').sum()):,} images of {data.name} cannot be read, such as "
            f"that of item {found[0]['item']}, {found[0]['path']}: {found[0]['reason']}. about['problems'] lists all."
        )
    return found


def _precision(precision: str, device: torch.device) -> str:
    one_of("precision", precision, ("auto", *DTYPES))
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


@contextmanager
def _quiet(encoder: Clip) -> Iterator[None]:
    """The encoder in evaluation mode, and no warnings for images that are recorded anyway."""
    training = encoder.training
    encoder.eval()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        encoder.train(training)
