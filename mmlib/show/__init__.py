"""Figures, galleries and explorers: what a page shows. Reports are written by ``mmlib.show.html``."""

from ..evaluation.probes import agreement, graph_overlap, neighbour_purity, pair_cosine
from . import explore
from .comparisons import compared_table, comparison, conclusion, pair_matrix, resolution, standings, verdict
from .figures import attention, curves, degrees, long_tail, vectors
from .maps import alignment, alignment_pair
from .means import costs, scores, table
from .pictures import gallery, neighbourhood, recommendations, thumbnail
from .probes import (
    knock_out_table,
    probe_prediction,
    probe_ranking,
    probes_answer,
    published_knock_out,
    vector_geometry,
)
from .retrieval import text_and_image, text_and_image_answer
from .tables import (
    Html,
    encoder,
    facts,
    listing,
    overlap_answer,
    problems,
    protocol,
    published_table,
    purity_answer,
    space,
)
from .theme import TEMPLATE, caption, category_styles
