"""Encoders and features, made once."""

import shutil
from pathlib import Path

from ..core.dataset import Dataset
from ..core.encoder_names import SMALL, Named, shares_space
from ..core.errors import InputError
from ..core.features import Features
from ..encoders import Clip, ContrastiveTuning, Encoder, MultiwayEncoder, Published, load_published
from ..encoders import extract as extract_features
from ..encoders import load as load_encoder
from ..training import Fit
from .cache import cached
from .fit import arithmetic, fit


def encoder(
    data: Dataset, name: Named = "small", *, epochs: int = 20, lr: float = 1e-3, batch_size: int = 32, seed: int = 0
) -> tuple[Encoder | Published, Fit | None]:
    """An encoder; a CLIP, VLMo or BEiT-3 is fine-tuned on the catalogue's own image-text pairs unless ``epochs`` is 0.

    Args:
        name: see ``encoders.load``; small ones start from random weights, so they need epochs. Or
            ``"features:FOLDER"``, vectors that were extracted elsewhere (``encoders.published``).

    Returns:
        The encoder, and how its training went (``None`` without training: also of encoders whose image and text
        vectors do not share a space).

    Raises:
        InputError: for an unknown encoder, and for a catalogue with too few pairs to train on.
    """
    if name in SMALL and epochs < 1:
        raise InputError(f'encoder = "{name}" starts from random weights: give encoder_epochs of at least 1.')
    if isinstance(name, str) and name.startswith("features:"):
        return load_published(name), None
    loaded = load_encoder(name, seed=seed)
    if epochs < 1 or not shares_space(name) or not isinstance(loaded, Clip | MultiwayEncoder):
        return loaded, None
    tuning = ContrastiveTuning(loaded, data, seed=seed)
    done = fit(tuning, epochs=epochs, lr=lr, batch_size=batch_size, metric="mrr", patience=None, seed=seed)
    return done.model.encoder, done


def extract(
    data: Dataset,
    encoder: Encoder | Published,
    *,
    batch_size: int = 64,
    precision: str = "auto",
    reviews: str = "mean",
) -> Features:
    """Vectors of all images, texts and training reviews, see ``encoders.extract``; a second when cached."""
    options = {"batch_size": batch_size, "precision": precision, "reviews": reviews}
    inputs = {"data": data.key, "encoder": encoder.about, "options": options, **arithmetic()}

    def build(folder: Path) -> None:
        extract_features(data, encoder, folder=folder / "shards", **options).save(folder)  # type: ignore[arg-type]
        shutil.rmtree(folder / "shards", ignore_errors=True)

    return cached("features", inputs, build, Features.load, code=[extract_features])
