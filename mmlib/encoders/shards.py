"""Vectors of rows that are encoded together, kept on disk so that a killed run goes on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..core.files import digest, whole


@dataclass(frozen=True)
class Rows:
    """Vectors [n, d], zero where ``present`` [n] is False; ``problems`` are (row, reason)."""

    vectors: Tensor
    present: Tensor
    problems: list[tuple[int, str]]


def store(path: Path | None, key: str, rows: Rows) -> Rows:
    """Write the shard, whole or not at all, where there is a path; returns it."""
    if path:
        with whole(path) as partial:
            metadata = {"key": key, "problems": json.dumps(rows.problems), "content": _content(rows)}
            save_file({"vectors": rows.vectors, "present": rows.present}, partial, metadata)
    return rows


def stored(path: Path | None, key: str) -> Rows | None:
    """The shard, if it is there, whole, and made of the same rows by the same encoder."""
    if path is None:
        return None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("key") == key:
                problems = [(row, reason) for row, reason in json.loads(metadata["problems"])]
                rows = Rows(file.get_tensor("vectors"), file.get_tensor("present"), problems)
                return rows if _content(rows) == metadata.get("content") else None
    except (OSError, SafetensorError):
        pass
    return None


def together(parts: Sequence[Rows], starts: Sequence[int], dim: int) -> Rows:
    """All shards as one; ``starts`` are their first rows."""
    parts = parts or [Rows(torch.zeros(0, dim), torch.zeros(0, dtype=torch.bool), [])]
    problems = [(start + row, reason) for start, part in zip(starts, parts) for row, reason in part.problems]
    return Rows(torch.cat([part.vectors for part in parts]), torch.cat([part.present for part in parts]), problems)


def _content(rows: Rows) -> str:
    return digest(rows.vectors.numpy(), rows.present.numpy(), [list(one) for one in rows.problems])
