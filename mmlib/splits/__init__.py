"""Splits: which interactions teach, which choose, which judge."""

from .protocols import (
    NAMES,
    PART_NAMES,
    by_name,
    check,
    cold_items,
    given,
    global_time,
    leave_one_out,
    random_by_user,
    temporal_by_user,
)

__all__ = [
    "NAMES",
    "PART_NAMES",
    "by_name",
    "check",
    "cold_items",
    "given",
    "global_time",
    "leave_one_out",
    "random_by_user",
    "temporal_by_user",
]
