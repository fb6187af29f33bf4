"""Pre-trainers: vectors of users and items before any recommender is trained."""

from .content import content_mean
from .mmcpr import MMCPR

__all__ = ["MMCPR", "content_mean"]
