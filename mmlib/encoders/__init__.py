"""Images and texts to vectors: load an encoder, tune it on the catalogue, extract features."""

from .clip import Clip
from .contract import Encoder
from .extraction import extract
from .loading import load
from .multiway_encoder import MultiwayEncoder
from .projected import Projected
from .published import Published, load_published
from .tuning import ContrastiveTuning

__all__ = [
    "Clip",
    "ContrastiveTuning",
    "Encoder",
    "MultiwayEncoder",
    "Projected",
    "Published",
    "extract",
    "load",
    "load_published",
]
