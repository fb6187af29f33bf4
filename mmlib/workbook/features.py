"""Encoders and features, made once."""

import shutil
from pathlib import Path

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.features import Features
from ..core.files import digest
from ..encoders import Clip, ContrastiveTuning
from ..encoders import extract as extract_features
from ..encoders import load as load_encoder
from ..training import Fit
from .cache import cached
from .fit import arithmetic, fit, tensors


def encoder(
    data: Dataset, name: str = "small", *, epochs: int = 20, lr: float = 1e-3, batch_size: int = 32, seed: int = 0
) -> tuple[Clip, Fit | None]:
    """An encoder of images and texts, fine-tuned on the catalogue's own pairs unless ``epochs`` is 0.

    Args:
        name: see ``encoders.load``; ``"small"`` starts from random weights, so it needs epochs.

    Returns:
        The encoder, and how its training went (``None`` without training).

    Raises:
        InputError: for an unknown encoder, and for a catalogue with too few pairs to train on.
    """
    if name == "small" and epochs < 1:
        raise InputError('encoder = "small" starts from random weights: give encoder_epochs of at least 1.')
    clip = load_encoder(name, seed=seed)
    if epochs < 1:
        return clip, None
    tuning = ContrastiveTuning(clip, data, seed=seed)
    done = fit(tuning, epochs=epochs, lr=lr, batch_size=batch_size, metric="mrr", patience=None, seed=seed)
    return done.model.clip, done


def extract(data: Dataset, clip: Clip, *, batch_size: int = 64, precision: str = "auto") -> Features:
    """Vectors of all images, texts and training reviews, see ``encoders.extract``; a second when cached."""
    options = {"batch_size": batch_size, "precision": precision}
    inputs = {
        "data": data.key,
        "encoder": clip.about,
        "weights": digest(*tensors(clip)),
        "options": options,
        **arithmetic(),
    }

    def build(folder: Path) -> None:
        extract_features(data, clip, folder=folder / "shards", **options).save(folder)  # type: ignore[arg-type]
        shutil.rmtree(folder / "shards")

    return cached("features", inputs, build, Features.load, code=[extract_features])
