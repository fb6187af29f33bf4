"""A notebook-first research workbook for multimodal recommendation.

What pages call is here by its short name and imported on first use, so that ``import mmlib`` costs nothing and
the numeric parts work without the notebook packages.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_FROM = {
    ".core.dataset": ("Dataset",),
    ".core.embeddings": ("Embeddings",),
    ".core.errors": ("InputError",),
    ".core.graph": ("co_interaction", "nearest_neighbours"),
    ".core.features": ("Features",),
    ".evaluation": ("Comparison", "Scores", "compare", "evaluate", "holm", "text_to_image"),
    ".pretrainers": ("MMCPR", "content_mean"),
    ".recommenders": ("BPR", "LightGCN", "MixGCF"),
    ".training": ("Fit", "Recommender", "check", "start_table"),
    ".workbook.features": ("encoder", "extract"),
    ".workbook.fit": ("fit",),
    ".workbook.named_models": ("recommender",),
    ".workbook.page": ("begin", "seed"),
    ".workbook.read": ("load",),
}
_ROOMS = tuple(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))
_HOME = {name: module for module, names in _FROM.items() for name in names}

__all__ = sorted([*_HOME, *_ROOMS])

if TYPE_CHECKING:
    from . import (
        audit,
        catalogues,
        core,
        encoders,
        evaluation,
        kernels,
        pretrainers,
        recommenders,
        show,
        splits,
        training,
        workbook,
    )
    from .core.dataset import Dataset
    from .core.embeddings import Embeddings
    from .core.errors import InputError
    from .core.features import Features
    from .core.graph import co_interaction, nearest_neighbours
    from .evaluation import Comparison, Scores, compare, evaluate, holm, text_to_image
    from .pretrainers import MMCPR, content_mean
    from .recommenders import BPR, LightGCN, MixGCF
    from .training import Fit, Recommender, check, start_table
    from .workbook.features import encoder, extract
    from .workbook.fit import fit
    from .workbook.named_models import recommender
    from .workbook.page import begin, seed
    from .workbook.read import load


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name], __name__), name)
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"mmlib has no {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
