"""The learner's contract and the one loop that trains everything."""

from .learner import Batch, Recommender
from .loop import Fit, fit
from .start import start_table

__all__ = ["Batch", "Fit", "Recommender", "fit", "start_table"]
