"""A sweep's file, expanded into its runs in a stable order and checked in full."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError, closest
from ..files import digest
from .params import read_yaml
from .plan import Plan, plan

_KEYS = ("about", "base", "pages", "fixed", "grid", "also", "skip", "choose", "compare")
_COMPARE = ("vary", "baseline", "metric", "within", "label")
_CHOOSE = ("over", "metric")
PART = "part"  # the parameter by which a page is told which part judges


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
        choose: ``over``, the parameters whose values are chosen, and ``metric``, what chooses; or empty. The plans
            then read the validation part; see ``choose.chosen``.
        judged: the same runs on the test part, in the order of ``plans``, where values are to be chosen.
        tried: what was chosen from, where that has been done: plain rows.
    """

    name: str
    about: str
    base: dict[str, Any]
    plans: tuple[Plan, ...]
    varying: tuple[str, ...]
    compare: dict[str, Any]
    outputs: Path
    choose: dict[str, Any] = field(default_factory=dict)
    judged: tuple[Plan, ...] = ()
    tried: tuple[dict[str, Any], ...] = ()

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
    ``grid``), ``skip`` (combinations to leave out), ``pages``, ``about``, ``compare``, and ``choose`` (``over``: names
    of parameters, and ``metric``): of these the values that do best on validation are chosen, for each combination
    of the others, and only they are judged on the test part.

    Raises:
        InputError: for unknown keys and parameters, wrong types, a grid without values, a ``skip`` without effect, a
            choice that cannot be made.
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
    chosen = dict(overrides or {})
    choose = _choice(content.get("choose"), comparing, path)
    make = (content.get("pages"), outputs, notebooks)
    found = _plans(path, base, [values | chosen for values in combinations], *make)
    varying = _varying(found)
    about, name = str(content.get("about") or ""), path.stem
    if not choose:
        return Sweep(name, about, inherited, found, varying, comparing, found[0].outputs)
    _check_choice(choose, found, varying, comparing, path)
    tried = _plans(path, base, [values | chosen | {PART: "valid"} for values in combinations], *make)
    return Sweep(f"{name}-valid", about, inherited, tried, varying, comparing, found[0].outputs, choose, found)


def _plans(path: Path, base: Path | None, runs: list[dict[str, Any]], *make: Any) -> tuple[Plan, ...]:
    plans: dict[str, Plan] = {}
    for values in runs:
        try:
            one = plan(base or {}, values, *make)
        except InputError as error:
            raise InputError(f"{path}, run {values}: {error}") from None
        plans.setdefault(one.id, one)
    return tuple(plans.values())


def _varying(plans: tuple[Plan, ...]) -> tuple[str, ...]:
    names = dict.fromkeys(name for one in plans for name in one.parameters)
    return tuple(name for name in names if len({repr(one.parameters.get(name)) for one in plans}) > 1)


def _choice(choose: Any, compare: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What ``choose`` says, with the metric that is compared where it names none."""
    if not choose:
        return {}
    if not isinstance(choose, Mapping) or not isinstance(choose.get("over"), list) or not choose["over"]:
        raise InputError(f"{path}: choose: needs over, a list of parameters, such as {{over: [lr, l2]}}.")
    if unknown := set(choose) - set(_CHOOSE):
        raise InputError(f"{path}: choose: has no key {min(unknown)}; it has {', '.join(_CHOOSE)}.")
    return {"metric": compare.get("metric", "recall@20")} | dict(choose)


def _check_choice(
    choose: Mapping[str, Any], plans: tuple[Plan, ...], varying: tuple[str, ...], compare: Mapping[str, Any], path: Path
) -> None:
    for name in choose["over"]:
        if name not in varying or name == compare.get("vary"):
            why = "is what is compared" if name in varying else "does not vary"
            raise InputError(f"{path}: choose: {name} {why}; {', '.join(varying)} vary.{closest(str(name), varying)}")
    for one in plans:
        if (part := one.parameters.get(PART)) != "test":
            raise InputError(
                f"{path}: choose: reads the validation part to choose and the test part to judge, so that {PART} must "
                f"not be set, and every page needs that parameter; {', '.join(one.pages)} has {part!r}."
            )


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
