"""Rankings scored per user, and comparisons that say whether a difference is noise."""

from .compare import Comparison, compare, holm
from .ranking import Scores, evaluate

__all__ = ["Comparison", "Scores", "compare", "evaluate", "holm"]
