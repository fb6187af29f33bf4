"""Images and texts to vectors: load an encoder, tune it on the catalogue, extract features."""

from .clip import Clip
from .extraction import extract
from .loading import load
from .tuning import ContrastiveTuning

__all__ = ["Clip", "ContrastiveTuning", "extract", "load"]
