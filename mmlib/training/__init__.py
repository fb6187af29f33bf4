"""The learner's contract and the one loop that trains everything."""

from .learner import Batch, Learner, Recommender
from .loop import Fit, fit

__all__ = ["Batch", "Fit", "Learner", "Recommender", "fit"]
