"""Recommenders, one file each; all are :class:`mmlib.learner.Learner`."""

from .bpr import BPR
from .lightgcn import LightGCN
from .mixgcf import MixGCF

__all__ = ["BPR", "LightGCN", "MixGCF"]
