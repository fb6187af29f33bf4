"""From a catalogue to features: streaming, resumable, and plain about what is missing."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.dataset import Dataset
from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.files import digest, write_json
from .contract import DTYPES, Encoder
from .encoding import SHARD, Encoding, Sources, equal_shards, whole_shards
from .published import Published, features
from .shards import Rows

FORMAT = 2  # raised when the same rows give other vectors or another file layout
REVIEWS = ("mean", "each")


def extract(
    data: Dataset,
    encoder: Encoder | Published,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    folder: str | Path | None = None,
    precision: str = "auto",
    reviews: str = "mean",
) -> Features:
    """Encode a catalogue's images, texts and training reviews; of published vectors, read them.

    Every vector is float32 and of length 1. Threads decode and tokenise ahead of the model, in bounded memory. An
    item's text is its title and its description; text longer than the encoder's context is pooled over windows
    (``windows``). Where an image or a text is missing or broken the row is zero and ``present`` is ``False``; a
    modality that no item has, or that the encoder does not read, is left out. An encoder that reads an image and its
    text together gives ``"fused"`` to the items that have both. Broken images are listed in ``about["problems"]``, each
    with ``item`` (its id), ``path`` and ``reason``, and counted in one printed line.

    Args:
        data: split, if it has reviews: only those of the training part are encoded.
        encoder: from ``load``, on the device to use; or ``Published``.
        batch_size: images, or windows of text, at once.
        workers: threads; ``None``: as many as there are processors, at most 16.
        folder: where finished shards of about 1,024 rows are kept, each whole or absent. A run that was killed
            continues there, with the same result bit for bit on the CPU. A shard is used again only for the same
            encoder, precision and content of its rows. May be deleted once the features are saved.
        precision: ``"auto"`` (on CUDA mixed: bf16, or fp16 where that is not supported; else fp32), ``"fp32"``,
            ``"bf16"`` or ``"fp16"``.
        reviews: ``"mean"``: of each user's vectors, taken as they come, so that memory grows with users alone;
            ``"each"``: all of them, for models that weigh them one by one. ``about["reviews"]`` says which.

    Raises:
        InputError: when the encoder gives NaN (names modality and row), when not one image can be read, and when the
            catalogue has nothing that the encoder reads.
    """
    one_of("reviews", reviews, REVIEWS)
    if isinstance(encoder, Published):
        return features(encoder.folder, data, rows=encoder.rows)
    if batch_size < 1 or (workers or 1) < 1:
        raise InputError(f"batch_size = {batch_size} and workers = {workers} must be at least 1.")
    precision = _precision(precision, encoder.device)
    about = encoder.about | {"dataset": data.key, "precision": precision}
    key = digest(FORMAT, SHARD, {name: about[name] for name in ("checkpoint", "preprocessing", "precision")}, reviews)
    if folder:
        write_json(Path(folder) / "manifest.json", {"key": key, "rows in a shard": SHARD, "about": about})
    run = Encoding(encoder, key, batch_size, workers, Path(folder) if folder else None, precision)
    with _quiet(encoder):
        found = {kind: run.rows(given) for kind, given in sources(data).items() if kind in encoder.widths}
        problems = _problems(data, found["image"]) if "image" in found else []
        kinds = {
            kind: found[kind] for kind in ("text", "image", "fused") if kind in found and found[kind].present.any()
        }
        if not kinds:
            raise InputError(_nothing(data, encoder))
        written = _reviews(data, run, each=reviews == "each") if "text" in encoder.widths else {}
    about |= {"reviews": reviews} if written else {}
    return Features(
        item={kind: rows.vectors for kind, rows in kinds.items()},
        present={kind: rows.present for kind, rows in kinds.items()},
        n_users=data.n_users,
        about=about | {"problems": problems},
        **written,
    )


def item_texts(data: Dataset) -> list[str]:
    """Each item's title and description, joined by a space; ``""`` where there is neither."""
    return [f"{title} {text}".strip() for title, text in zip(data.items["title"], data.items["text"])]


def _nothing(data: Dataset, encoder: Encoder) -> str:
    kinds = [f"{kind}s" for kind in ("image", "text") if kind in encoder.widths]
    if len(kinds) == 2:
        return f"{data.name} has neither images nor texts: there is nothing to encode."
    return f"{data.name} has no {kinds[0]}, and {encoder.name} encodes nothing else; add an encoder for what it has."


def sources(data: Dataset) -> dict[str, Sources]:
    """What there is to encode of the items, by modality."""
    texts = [text or None for text in item_texts(data)]
    images = [data.image_path(item) for item in range(data.n_items)]
    both = [(image, text) if image and text else None for image, text in zip(images, texts)]
    shards = equal_shards(data.n_items)

    def named(item: int) -> str:
        return f"item {data.items['id'].iat[item]}"

    rows: dict[str, list[Any]] = {"image": images, "text": texts, "fused": both}
    return {kind: Sources(kind, lambda a, b, r=r: r[a:b], shards, named) for kind, r in rows.items()}  # type: ignore[misc]


def _reviews(data: Dataset, run: Encoding, *, each: bool) -> dict[str, Tensor]:
    """The vectors of the training reviews that are not blank, or their means, as arguments of ``Features``."""
    table = data.reviews
    kept = np.flatnonzero(np.fromiter((bool(text.strip()) for text in table["review"]), bool, len(table)))
    users = table["user"].to_numpy(dtype=np.int64)[kept]
    if not len(kept):
        return {}

    def take(start: int, stop: int) -> list[str]:
        return table["review"].iloc[kept[start:stop]].tolist()

    def named(row: int) -> str:
        return f"user {data.users['id'].iat[users[row]]}"

    shards = equal_shards(len(kept)) if each else whole_shards(users)
    rows = run.rows(Sources("review", take, shards, named, None if each else users))
    if each:
        return {"reviews": rows.vectors, "review_users": torch.from_numpy(users)}
    counts = torch.bincount(torch.from_numpy(users), minlength=data.n_users)
    means = torch.zeros(data.n_users, rows.vectors.shape[1])
    means[counts > 0] = rows.vectors
    return {"review_means": means, "review_counts": counts}


def _problems(data: Dataset, image: Rows) -> list[dict[str, str]]:
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
def _quiet(encoder: Encoder) -> Iterator[None]:
    """The encoder in evaluation mode, and no warnings for images that are recorded anyway."""
    training = encoder.training
    encoder.eval()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        encoder.train(training)
