"""Amazon reviews in their three public forms."""

from .reader import read

__all__ = ["read"]
