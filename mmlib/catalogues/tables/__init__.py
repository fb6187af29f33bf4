"""A user's own catalogue: tables and a folder of pictures."""

from .reader import read

__all__ = ["read"]
