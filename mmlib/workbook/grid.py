"""A sweep's file, expanded into its runs in a stable order and checked in full."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, closest
from ..files import digest
from .params import read_yaml
from .plan import Plan, plan

_KEYS = ("about", "base", "pages", "fixed", "grid", "also", "skip", "compare")
_COMPARE = ("vary", "baseline", "metric", "within", "label")


@dataclass(frozen=True)
class Sweep:
    """A grid of runs.

    Args:
        name: the file's.
        about: what the file says of itself.
        base: what the base file holds.
        plans: one a run, in order, each different.
        varying: names of the parameters that differ between runs.
        compare: what to compare on the index page (arguments of ``sweep.compare``), or empty.
        outputs: where results go.
    """

    name: str
    about: str
    base: dict[str, Any]
    plans: tuple[Plan, ...]
    varying: tuple[str, ...]
    compare: dict[str, Any]
    outputs: Path

    @property
    def id(self) -> str:
        return f"{self.name}-{digest([one.id for one in self.plans])[:8]}"

    @property
    def folder(self) -> Path:
        return self.outputs / "sweeps" / self.id


def read_sweep(
    path: Path | str,
    overrides: Mapping[str, Any] | None = None,
    outputs: Path | None = None,
    notebooks: Path | None = None,
) -> Sweep:
    """Read a sweep's YAML file and check all of its runs.

    Its keys: ``base`` (another parameter file, beside this one), ``fixed`` (parameters of all runs), ``grid``
    (name -> list of values; the last name varies fastest), ``also`` (more grids: a list of such ``fixed`` and
    ``grid``), ``skip`` (combinations to leave out), ``pages``, ``about`` and ``compare``.

    Raises:
        InputError: for unknown keys and parameters, wrong types, a grid without values, a ``skip`` without effect.
    """
    path = Path(path)
    content = read_yaml(path)
    for key in content:
        if key not in _KEYS:
            raise InputError(f'{path}: a sweep has no key "{key}".{closest(str(key), _KEYS)} Keys: {", ".join(_KEYS)}.')
    comparing = content.get("compare") or {}
    if unknown := set(comparing) - set(_COMPARE):
        raise InputError(f"{path}: compare: has no key {min(unknown)}; it has {', '.join(_COMPARE)}.")
    base = path.parent / content["base"] if content.get("base") else None
    inherited = read_yaml(base) if base else {}
    combinations = list(_combinations(content, path))
    for more in content.get("also") or []:
        combinations += _combinations(more, path, content.get("fixed"))
    combinations = _without(combinations, content.get("skip") or [], path)
    plans: dict[str, Plan] = {}
    for values in combinations:
        try:
            one = plan(base or {}, values | dict(overrides or {}), content.get("pages"), outputs, notebooks)
        except InputError as error:
            raise InputError(f"{path}, run {values}: {error}") from None
        plans.setdefault(one.id, one)
    found = tuple(plans.values())
    names = dict.fromkeys(name for one in found for name in one.parameters)
    varying = tuple(name for name in names if len({repr(one.parameters.get(name)) for one in found}) > 1)
    about = str(content.get("about") or "")
    return Sweep(path.stem, about, inherited, found, varying, comparing, found[0].outputs)


def _combinations(part: Any, path: Path, fixed: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    if not isinstance(part, Mapping):
        raise InputError(f"{path}: also: holds {part!r}; each entry has the keys fixed and grid.")
    own, grid = part.get("fixed") or {}, part.get("grid") or {}
    if not isinstance(own, Mapping) or not isinstance(grid, Mapping):
        raise InputError(f"{path}: fixed: and grid: hold one `name: value` a line.")
    if unknown := set(part) - set(_KEYS):
        raise InputError(f"{path}: also: has the unknown key {min(unknown)}; each entry has the keys fixed and grid.")
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"{path}: grid: {name}: must be a list of values, such as [1, 2], not {values!r}.")
    every = itertools.product(*grid.values())
    return [dict(fixed or {}) | dict(own) | dict(zip(grid, values)) for values in every]


def _without(runs: list[dict[str, Any]], skip: Any, path: Path) -> list[dict[str, Any]]:
    for rule in skip:
        if not isinstance(rule, Mapping) or not rule:
            raise InputError(f"{path}: skip: holds {rule!r}; each entry names parameters and their values.")
        kept = [run for run in runs if any(name not in run or run[name] != value for name, value in rule.items())]
        if len(kept) == len(runs):
            raise InputError(f"{path}: skip: no run has {dict(rule)}.")
        runs = kept
    if not runs:
        raise InputError(f"{path}: skip: leaves no run.")
    return runs
