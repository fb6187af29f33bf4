"""Rankings scored per user and slice, and the one comparison that says whether a difference is significant."""

from . import statistics
from .comparison import Comparison, Comparisons, compare, compare_all, compare_pairs, holm, paired
from .intervals import ENOUGH
from .ranking import evaluate
from .retrieval import text_to_image
from .scores import Method, Scores, ranked
from .slices import Slice
