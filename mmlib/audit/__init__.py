"""Can this dataset, with this split, carry a result?"""

from .checks import CHECKS, OF_GIVEN, audit
from .report import Audit, Example, Finding

__all__ = ["CHECKS", "OF_GIVEN", "Audit", "Example", "Finding", "audit"]
