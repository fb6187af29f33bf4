"""Recommenders, one file each; all are :class:`mmlib.training.Recommender`. ``papers`` has the settings of papers."""

from . import papers as papers
from .alignrec import AlignRec
from .bm3 import BM3
from .bpr import BPR
from .dualgnn import DualGNN
from .ease import EASE
from .freedom import FREEDOM
from .grcn import GRCN
from .itemknn import ItemKNN
from .lattice import LATTICE
from .lightgcn import LightGCN
from .mgcn import MGCN
from .micro import MICRO
from .mixgcf import MixGCF
from .mmgcl import MMGCL
from .mmgcn import MMGCN
from .ngcf import NGCF
from .popularity import Popularity
from .slmrec import SLMRec
from .vbpr import VBPR

__all__ = ["BM3", "BPR", "EASE", "FREEDOM", "GRCN", "LATTICE", "MGCN", "MICRO", "MMGCL", "MMGCN", "NGCF", "VBPR"]
__all__ += ["AlignRec", "DualGNN", "ItemKNN", "LightGCN", "MixGCF", "Popularity", "SLMRec"]
