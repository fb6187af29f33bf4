"""Pictures and words to vectors: load an encoder, tune it on the catalogue, extract features."""

from .clip import Clip, load
from .extract import extract
from .tune import ContrastiveTuning

__all__ = ["Clip", "ContrastiveTuning", "extract", "load"]
