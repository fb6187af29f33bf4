"""A generated shop with images, text and interactions."""

from .generator import generate

__all__ = ["generate"]
