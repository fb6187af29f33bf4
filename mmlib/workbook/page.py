"""What a page does first, ``mm.begin``, and what it leaves behind, ``page.record``."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pandas as pd

from ..core.errors import InputError
from ..core.files import digest, read_json, whole, write_json
from .environment import environment, one_line
from .parameters import NOT_PARAMETERS, check, known_parameters, page_parameters
from .paths import notebooks, outputs, project, short

if TYPE_CHECKING:
    from ..evaluation import Scores

current: "Page | None" = None  # the page that runs in this process, once it has begun
_PLAIN = (str, int, float, bool, list, dict, tuple, type(None))


@dataclass(frozen=True)
class Page:
    """A page that is running.

    Args:
        name: such as ``"04_recommend"``.
        folder: the run's folder.
        parameters: this page's parameters and their values.
    """

    name: str
    folder: Path
    parameters: dict[str, Any] = field(default_factory=dict)

    def record(self, *scores: "Scores", **found: Any) -> None:
        """Keep what the page found, in ``pages/<page>.metrics.json`` and ``per_user.parquet`` of the run's folder.

        Several calls add up; the same name again replaces what it held.

        Args:
            scores: rankings, kept under their labels.
            found: numbers, text, and lists and dicts of them, or ``Scores``, kept under the given name.

        Raises:
            InputError: for anything else, NaN and infinity among it, with the name.
        """
        found = {one.label: one for one in scores} | found
        plain = {name: self._kept(name, value) for name, value in found.items()}
        path = self.folder / "pages" / f"{self.name}.metrics.json"
        write_json(path, (read_json(path) if path.exists() else {}) | plain)

    def _kept(self, name: str, value: Any) -> Any:
        if not _is_scores(value):
            return _plain(name, value)
        self._add_users(name, value)
        means: dict[str, dict[str, Any]] = {}
        for row in value.means().to_dict("records"):
            numbers = {part: _finite(row[part]) for part in ("mean", "low", "high")}
            means.setdefault(str(row["slice"]), {})[str(row["metric"])] = numbers | {"users": int(row["users"])}
        self._add_lists(name, value)
        return means

    def _add_lists(self, label: str, scores: "Scores") -> None:
        """What the lists are like (coverage, Gini, popularity), beside the per-user scores: ``lists.json``."""
        path = self.folder / "lists.json"
        rows = [
            {"page": self.name, "label": label, "slice": str(row["slice"]), "metric": str(row["metric"])}
            | {"value": _finite(row["value"])}
            for row in scores.lists.to_dict("records")
        ]
        if rows:
            old = read_json(path) if path.exists() else []
            write_json(path, [one for one in old if (one["page"], one["label"]) != (self.name, label)] + rows)

    def _add_users(self, label: str, scores: "Scores") -> None:
        path = self.folder / "per_user.parquet"
        table, about = scores.per_user.assign(page=self.name, label=label, model=scores.label), {}
        if path.exists():
            old = pd.read_parquet(path)
            kept, about = old[(old["page"] != self.name) | (old["label"] != label)], old.attrs.get("about", {})
            table = pd.concat([kept, table], ignore_index=True) if len(kept) else table
        # which data, split and masks each ranking is of goes with it, as metadata of the file
        table.attrs = {"about": about | {f"{self.name}/{label}": scores.about}}
        with whole(path) as partial:
            table.to_parquet(partial, index=False)


def begin(page: str, variables: Mapping[str, Any]) -> Page:
    """Check the parameters, open the run's folder and print what the page runs on; the first thing a page does.

    papermill injects any name that it is given, so each plain value with a lower-case name in ``variables`` must
    be a parameter of some page. Run by hand a second time in the same kernel, when the page's own variables are
    there too, only the values of known names are checked.

    Args:
        page: the page's name, such as ``"04_recommend"``.
        variables: the page's ``globals()``.

    Raises:
        InputError: for unknown names (with the closest known one) and wrong types.
    """
    source = notebooks() / f"{page}.py"
    known = known_parameters(source.parent)
    given = {name: value for name, value in variables.items() if _is_given(name, value)}
    if any(isinstance(value, Page) for value in variables.values()):
        given = {name: value for name, value in given.items() if name in known}
    given = check(given, known)
    parameters = {name: given.get(name, one.default) for name, one in page_parameters(source).items()}
    named = os.environ.get("MMLIB_RUN")
    folder = Path(named) if named else outputs() / "runs" / f"{page}-{digest(parameters)[:8]}"
    if not named:
        (folder / "audit.json").unlink(missing_ok=True)  # of an earlier run by hand; a study's pages add up
    facts = environment(project() or source.parent)
    write_json(folder / "env.json", facts)
    print(f"{one_line(facts)} -> {short(folder)}", flush=True)
    global current
    current = Page(page, folder, parameters)
    return current


def _is_given(name: str, value: Any) -> bool:
    """Whether papermill may have injected it; ``-f FILE`` brings the file's ``about`` and ``pages`` too."""
    plain = name == name.lower() and not name.startswith("_") and isinstance(value, _PLAIN)
    return plain and name not in NOT_PARAMETERS


def _is_scores(value: Any) -> "TypeGuard[Scores]":
    return hasattr(value, "per_user") and hasattr(value, "means")


def _plain(name: str, value: Any) -> Any:
    """The value in JSON's terms: tuples as lists, NumPy and PyTorch scalars as numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(f"{name}[{place}]", one) for place, one in enumerate(value)]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is not None and not isinstance(value, str | int | float | bool):
        raise InputError(f"record({name}=...): {type(value).__name__} cannot be kept; give numbers, text or Scores.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"record({name}=...): the value is {value}. A diverged model? Lower its learning rate.")
    return value


def _finite(value: float) -> float | None:
    """A lone user has no interval, an empty slice no mean: those are null."""
    return float(value) if math.isfinite(value) else None
