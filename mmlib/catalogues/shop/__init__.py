"""A generated shop with pictures, words and purchases."""

from .generate import DEFAULTS, FORMAT, shop

__all__ = ["DEFAULTS", "FORMAT", "shop"]
