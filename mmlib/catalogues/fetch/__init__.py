"""Public catalogues and their pictures, brought to this machine when asked for."""

from .public import fetch, is_there, place

__all__ = ["fetch", "is_there", "place"]
