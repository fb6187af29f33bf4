"""Splits: which interactions teach, which choose, which judge."""

from .names import NAMES, by_name, check
from .parts import PART_NAMES, first_rows, times_of
from .protocols import cold_items, given, global_time, leave_one_out, random_by_user, temporal_by_user

__all__ = [
    "NAMES",
    "PART_NAMES",
    "by_name",
    "check",
    "cold_items",
    "first_rows",
    "given",
    "global_time",
    "leave_one_out",
    "random_by_user",
    "temporal_by_user",
    "times_of",
]
