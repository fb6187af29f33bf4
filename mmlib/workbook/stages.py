"""The steps that pages call, cached: done once, shared by all pages and runs, continued after a kill."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from .. import audit as auditing
from .. import splits
from ..audit.report import Audit
from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..core.features import Features
from ..core.files import digest, read_json, whole, write_json
from ..core.kept import keeping
from ..encoders import Clip, ContrastiveTuning
from ..encoders import extract as extract_features
from ..encoders import load as load_encoder
from ..pretrainers import MMCPR, content_mean
from ..training import Fit
from . import page
from .cache import cached
from .fit import fit, tensors
from .read import read
from .searches import cached_search

STARTS = ("random", "content", "mmcpr", "mmcpr without cima", "mmcpr without bce")
ABLATIONS = {"mmcpr without cima": 0.0, "mmcpr without bce": 1.0}  # lambda of eq. 16; MMCPR's table 3


def load(
    dataset: str = "toy",
    *,
    split: str = "8:1:1",
    split_seed: int = 0,
    columns: dict[str, Any] | None = None,
    reader: dict[str, Any] | None = None,
    clean: Sequence[str] = (),
    shop: dict[str, Any] | None = None,
) -> Dataset:
    """A catalogue, read, cleaned, split and audited; see ``data.load``.

    The shop is drawn once and kept, and so is what was read from a folder until one of its files changes. The audit
    goes into the run's report.
    """
    splits.check(split)  # before any long work
    brought = read(str(dataset), columns=columns, reader=reader, clean=clean, shop=shop)
    data = splits.by_name(brought, split, split_seed)
    audit_of(data)
    return data


def audit_of(
    data: Dataset,
    *,
    features: Features | None = None,
    graphs: Mapping[str, Any] | Sequence[Any] = (),
    context: int | None = None,
) -> Audit:
    """Look for what voids or bends results, see ``data.audit.audit``; from the cache where it was done before.

    What a page audits is joined with what earlier pages of the run did, and goes into the run's report.

    Args:
        features, graphs: what models will read, if it is there yet.
        context: tokens of a text that the encoder reads.
    """

    def made(inputs: dict[str, Any], **options: Any) -> Audit:
        def build(folder: Path) -> None:
            write_json(folder / "audit.json", auditing.audit(data, **options).to_json())

        def back(folder: Path) -> Audit:
            return Audit.from_json(read_json(folder / "audit.json"))

        return cached("audit", {"data": data.key, "name": data.name} | inputs, build, back, code=[auditing.audit])

    rest = [name for name in auditing.CHECKS if name not in auditing.OF_GIVEN]
    found = made({}, only=rest)
    if features is not None or len(graphs) or context:
        named = graphs.items() if isinstance(graphs, Mapping) else enumerate(graphs)
        keys = [(str(name), _graph_key(one)) for name, one in named]
        given = {"features": features and features.key, "graphs": keys, "context": context}
        options = {"features": features, "graphs": graphs, "context": context}
        found = found.joined(made(given, only=auditing.OF_GIVEN, **options))
    return _kept(found, data)


def _graph_key(graph: Any) -> str:
    return digest(*(part.cpu().numpy() for part in (graph.row, graph.col, graph.weight)), graph.about)


def _kept(found: Audit, data: Dataset) -> Audit:
    """Put the audit into the run's folder, joined with what is there of the same split."""
    if page.current is None:
        return found
    from ..show.audit import audit_html

    path = page.current.folder / "audit.json"
    if path.exists():
        before = Audit.from_json(read_json(path))
        same = (before.dataset, before.passport) == (found.dataset, found.passport)
        found = before.joined(found) if same else found
    with whole(path.with_suffix(".html")) as partial:
        partial.write_text(audit_html(found, data), encoding="utf-8")
    write_json(path, found.to_json())
    return found


def seed(value: int) -> None:
    """Seed what models draw their initial weights from."""
    torch.manual_seed(value)


def encoder(
    data: Dataset, name: str = "small", *, epochs: int = 20, lr: float = 1e-3, batch_size: int = 32, seed: int = 0
) -> tuple[Clip, Fit | None]:
    """An encoder of pictures and words, fine-tuned on the catalogue's own pairs unless ``epochs`` is 0.

    Args:
        name: see ``encoders.load``; ``"small"`` starts from random weights, so it needs epochs.

    Returns:
        The encoder, and how its training went (``None`` without training).
    """
    if name == "small" and epochs < 1:
        raise InputError('encoder = "small" starts from random weights: give encoder_epochs of at least 1.')
    clip = load_encoder(name, seed=seed)
    if epochs < 1:
        return clip, None
    tuning = ContrastiveTuning(clip, data, seed=seed)
    done = fit(tuning, epochs=epochs, lr=lr, batch_size=batch_size, metric="mrr", patience=None, seed=seed)
    return done.model.clip, done


def extract(data: Dataset, clip: Clip, **options: Any) -> Features:
    """Vectors of all pictures, texts and training reviews, see ``encoders.extract``; a second when cached."""
    inputs = {"data": data.key, "encoder": clip.about, "weights": digest(*tensors(clip)), "options": options}

    def build(folder: Path) -> None:
        extract_features(data, clip, folder=folder / "shards", **options).save(folder)

    return cached("features", inputs, build, Features.load, code=[extract_features])


def start_vectors(
    data: Dataset,
    features: Features | None,
    start: str,
    *,
    dim: int = 64,
    epochs: int = 30,
    lr: float = 1e-3,
    batch_size: int = 2048,
    seed: int = 0,
    **options: Any,
) -> Embeddings | None:
    """What a recommender starts from: ``None`` for ``"random"``, the content mean, or MMCPR pre-trained here.

    Args:
        start: ``"random"``, ``"content"``, ``"mmcpr"``, or one of its ablations ``"mmcpr without cima"`` and
            ``"mmcpr without bce"``, which set ``cima_weight``.
        options: of :class:`MMCPR`.
    """
    one_of("start", start, STARTS)
    if start == "random":
        return None
    if features is None:
        raise InputError(f'start = "{start}" needs features: extract them first, or choose start = "random".')
    torch.manual_seed(seed)
    if start == "content":
        return content_mean(data, features, dim=dim)
    if start in ABLATIONS:
        options["cima_weight"] = ABLATIONS[start]
    with keeping(cached_search):
        model = MMCPR(data, features, dim=dim, **options)
    return fit(model, epochs=epochs, lr=lr, batch_size=batch_size, patience=None, keep="last", seed=seed).embeddings
