"""Figures, galleries and explorers: what a page shows. Reports are written by ``mmlib.show.html``."""

from . import explore
from .comparison import conclusion, pair_matrix, ranked, standings
from .facts import facts, graph_overlap, neighbour_purity, overlap_answer, problems, purity_answer, verdict
from .figures import attention, curves, degrees, long_tail, vectors
from .maps import alignment, alignment_pair, pair_cosine
from .numbers import comparison, earned, scores, table
from .pictures import Html, gallery, neighbourhood, recommendations, thumbnail
from .published import listing, protocol, published_table
from .retrieval import text_and_image, text_and_image_answer
from .theme import TEMPLATE, caption, category_styles
from .tradeoffs import costs, resolution

__all__ = [
    "TEMPLATE",
    "Html",
    "alignment",
    "alignment_pair",
    "attention",
    "caption",
    "category_styles",
    "comparison",
    "conclusion",
    "costs",
    "curves",
    "degrees",
    "earned",
    "explore",
    "facts",
    "gallery",
    "graph_overlap",
    "listing",
    "long_tail",
    "neighbour_purity",
    "neighbourhood",
    "overlap_answer",
    "pair_cosine",
    "pair_matrix",
    "problems",
    "protocol",
    "published_table",
    "purity_answer",
    "ranked",
    "recommendations",
    "resolution",
    "scores",
    "standings",
    "table",
    "text_and_image",
    "text_and_image_answer",
    "thumbnail",
    "vectors",
    "verdict",
]
