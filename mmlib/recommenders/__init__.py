"""Recommenders, one file each; all are :class:`mmlib.learner.Learner`."""

from .bm3 import BM3
from .bpr import BPR
from .ease import EASE
from .freedom import FREEDOM
from .itemknn import ItemKNN
from .lightgcn import LightGCN
from .mgcn import MGCN
from .mixgcf import MixGCF
from .ngcf import NGCF
from .popularity import Popularity
from .vbpr import VBPR

__all__ = ["BM3", "BPR", "EASE", "FREEDOM", "MGCN", "NGCF", "VBPR", "ItemKNN", "LightGCN", "MixGCF", "Popularity"]
