"""The learner's contract and the one loop that trains everything."""

from .conformance import check
from .learner import Batch, Recommender
from .loop import Fit, fit
from .start import start_table

__all__ = ["Batch", "Fit", "Recommender", "check", "fit", "start_table"]
