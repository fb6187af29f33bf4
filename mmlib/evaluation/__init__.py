"""Rankings scored per user and slice, and statistics that say whether a difference is noise."""

from . import statistics
from .compare import Comparison, compare, paired
from .correction import holm
from .ranking import evaluate
from .retrieval import text_to_image
from .scores import Scores
from .slices import Slice

__all__ = ["Comparison", "Scores", "Slice", "compare", "evaluate", "holm", "paired", "statistics", "text_to_image"]
