"""Rankings scored per user, and comparisons that say whether a difference is noise."""

from ..holm import holm
from .compare import Comparison, compare
from .ranking import Scores, evaluate

__all__ = ["Comparison", "Scores", "compare", "evaluate", "holm"]
