"""What a page leaves behind in the run's folder: numbers, and every user's scores."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pandas as pd

from ..core.errors import InputError
from ..core.files import read_json, whole, write_json

if TYPE_CHECKING:
    from ..evaluation import Scores


def record(folder: Path, page: str, found: Mapping[str, Any]) -> None:
    """Keep what a page found, in ``pages/<page>.metrics.json``, ``per_user.parquet`` and ``lists.json``.

    Several calls add up; the same name again replaces what it held.

    Args:
        folder: the run's.
        found: name -> numbers, text, and lists and dicts of them, or ``Scores``.

    Raises:
        InputError: for anything else, NaN and infinity among it, with the name.
    """
    values = {name: value if _is_scores(value) else plain(name, value) for name, value in found.items()}
    for name, value in values.items():
        if _is_scores(value):
            _add_users(folder, page, name, value)
            _add_lists(folder, page, name, value)
            values[name] = _means(value)
    path = folder / "pages" / f"{page}.metrics.json"
    write_json(path, (read_json(path) if path.exists() else {}) | values)


def plain(name: str, value: Any) -> Any:
    """The value in JSON's terms: tuples as lists, NumPy and PyTorch scalars as numbers.

    Raises:
        InputError: as :func:`record`.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(f"{name}[{place}]", one) for place, one in enumerate(value)]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is not None and not isinstance(value, str | int | float | bool):
        raise InputError(f"record({name}=...): {type(value).__name__} cannot be kept; give numbers, text or Scores.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"record({name}=...): the value is {value}. A diverged model? Lower its learning rate.")
    return value


def _means(scores: "Scores") -> dict[str, dict[str, Any]]:
    """Slice -> metric -> mean and interval."""
    means: dict[str, dict[str, Any]] = {}
    for row in scores.means().to_dict("records"):
        numbers = {part: _finite(row[part]) for part in ("mean", "low", "high")}
        means.setdefault(str(row["slice"]), {})[str(row["metric"])] = numbers | {"users": int(row["users"])}
    return means


def _add_users(folder: Path, page: str, label: str, scores: "Scores") -> None:
    path = folder / "per_user.parquet"
    table, about = scores.per_user.assign(page=page, label=label, model=scores.label), {}
    if path.exists():
        old = pd.read_parquet(path)
        others, about = old[(old["page"] != page) | (old["label"] != label)], old.attrs.get("about", {})
        table = pd.concat([others, table], ignore_index=True) if len(others) else table
    # which data, split and masks each ranking is of goes with it, as metadata of the file
    table.attrs = {"about": about | {f"{page}/{label}": scores.about}}
    with whole(path) as partial:
        table.to_parquet(partial, index=False)


def _add_lists(folder: Path, page: str, label: str, scores: "Scores") -> None:
    """What the lists are like (coverage, Gini, popularity), beside the per-user scores."""
    path = folder / "lists.json"
    rows = [
        {"page": page, "label": label, "slice": str(row["slice"]), "metric": str(row["metric"])}
        | {"value": _finite(row["value"])}
        for row in scores.lists.to_dict("records")
    ]
    if rows:
        old = read_json(path) if path.exists() else []
        write_json(path, [one for one in old if (one["page"], one["label"]) != (page, label)] + rows)


def _is_scores(value: Any) -> "TypeGuard[Scores]":
    return hasattr(value, "per_user") and hasattr(value, "means")


def _finite(value: float) -> float | None:
    """A lone user has no interval, an empty slice no mean: those are null."""
    return float(value) if math.isfinite(value) else None
