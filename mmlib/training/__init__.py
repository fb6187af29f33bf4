"""The learner's contract with its nouns, and the one loop that trains everything."""

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.features import Features
from .conformance import check
from .learner import Batch, Recommender
from .loop import Fit, fit
from .start import start_table, xavier

__all__ = ["Batch", "Dataset", "Embeddings", "Features", "Fit", "Recommender", "check", "fit", "start_table", "xavier"]
