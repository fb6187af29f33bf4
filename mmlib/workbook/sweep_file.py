"""A sweep's file, expanded into its runs in a stable order and checked in full."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import InputError, closest
from ..core.files import digest
from .parameters import is_seed, page_parameters, read_yaml
from .planned_run import Plan, plan

_KEYS = ("about", "base", "pages", "fixed", "grid", "also", "skip", "choose", "compare")
_COMPARE = ("vary", "baseline", "metric", "within", "label")
_CHOOSE = ("over", "metric")
PART = "part"  # the parameter by which a page is told which part judges
_GIVEN = (
    "dataset",
    "columns",
    "reader",
    "clean",
    "shop",
    "split",
    "ranked",
    "mask_valid",
    "k",
    "few",
    PART,
)  # no options


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
        choose: ``over``, the parameters whose values are chosen, and ``metric``, what chooses (higher is better); or
            empty.
        judged: where the choice is still to be made, so that the plans read the validation part: the same runs on the
            test part, in the same order.
        tried: where it has been made, see ``selection.chosen``: plain rows.
        chosen_from: the id of the sweep on the validation part.
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
    chosen_from: str = ""

    @property
    def id(self) -> str:
        """The name, whether it reads the validation part to choose, and a short hash of the runs and the choice."""
        runs = [one.id for one in self.plans]
        key = digest(runs, self.choose, self.chosen_from) if self.choose else digest(runs)
        return f"{self.name}-valid-{key[:8]}" if self.judged else f"{self.name}-{key[:8]}"

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
    of the others, and only they are judged on the test part. What ``overrides`` sets is not chosen.

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
        combinations += _combinations(more, path, content.get("fixed"), ("fixed", "grid"))
    combinations = _without(combinations, content.get("skip") or [], path)
    overriding = dict(overrides or {})
    choose = _choice(content["choose"], comparing, overriding, path) if "choose" in content else {}
    make = (content.get("pages"), outputs, notebooks)
    plans = _plans(path, base, [values | overriding for values in combinations], *make)
    varying = _varying(plans)
    about = str(content.get("about") or "")
    one = Sweep(path.stem, about, inherited, plans, varying, comparing, plans[0].outputs, choose)
    if not choose:
        return one
    _check_choice(one, path)
    on_valid = _plans(path, base, [values | overriding | {PART: "valid"} for values in combinations], *make)
    return replace(one, plans=on_valid, judged=plans)


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


def _choice(choose: Any, compare: Mapping[str, Any], overriding: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What ``choose`` says, with the metric that is compared where it names none; empty where nothing is left."""
    if not isinstance(choose, Mapping) or not isinstance(choose.get("over"), list) or not choose["over"]:
        raise InputError(f"{path}: choose: needs over, a list of parameters, such as {{over: [lr, l2]}}.")
    if unknown := set(choose) - set(_CHOOSE):
        raise InputError(f"{path}: choose: has no key {min(unknown)}; it has {', '.join(_CHOOSE)}.")
    over = [name for name in choose["over"] if name not in overriding]
    return {"metric": compare.get("metric", "recall@20")} | dict(choose) | {"over": over} if over else {}


def _check_choice(one: Sweep, path: Path) -> None:
    """That it can be made, and be fair: the values of a method need the same seeds."""
    over, seeds = one.choose["over"], [name for name in one.varying if is_seed(name)]
    for name in over:
        if name not in one.varying:
            known = ", ".join(one.varying)
            raise InputError(f"{path}: choose: {name} does not vary; {known} do.{closest(str(name), one.varying)}")
        if name in _GIVEN or is_seed(name):
            raise InputError(f"{path}: choose: {name} is no option of a method, so it cannot be chosen for it.")
        if name in (one.compare.get("vary"), *(one.compare.get("within") or ())):
            raise InputError(f"{path}: choose: {name} is compared, so it cannot be chosen.")
    for page in dict.fromkeys(page for each in one.plans for page in each.pages):
        if PART not in page_parameters(one.plans[0].notebooks / f"{page}.py"):
            raise InputError(
                f"{path}: choose: {page} has no parameter {PART}, so it cannot leave the test part unread."
            )
    if any(each.parameters[PART] != "test" for each in one.plans):
        raise InputError(f"{path}: choose: reads the validation part, then the test part; leave {PART} out.")
    for method, tried in rivals(one).items():
        drawn = [[[one.plans[run].parameters.get(name) for name in seeds] for run in runs] for runs in tried.values()]
        if len({repr(sorted(each)) for each in drawn}) > 1:
            raise InputError(f"{path}: choose: {method} has not the same seeds for each of {', '.join(tried)}.")


def rivals(one: Sweep) -> dict[str, dict[str, list[int]]]:
    """For each method its values to choose from, and the places in ``plans`` of the runs of each.

    A method is a combination of all that varies but the parameters in ``choose: over`` and the seeds.
    """
    over = one.choose["over"]
    others = [name for name in one.varying if name not in over and not is_seed(name)]
    found: dict[str, dict[str, list[int]]] = {}
    for place, each in enumerate(one.plans):
        method, values = ({name: each.parameters.get(name) for name in names} for names in (others, over))
        found.setdefault(repr(method), {}).setdefault(repr(values), []).append(place)
    return found


def _combinations(
    part: Any, path: Path, fixed: Mapping[str, Any] | None = None, keys: Sequence[str] = _KEYS
) -> list[dict[str, Any]]:
    if not isinstance(part, Mapping):
        raise InputError(f"{path}: also: holds {part!r}; each entry has the keys fixed and grid.")
    own, grid = part.get("fixed") or {}, part.get("grid") or {}
    if not isinstance(own, Mapping) or not isinstance(grid, Mapping):
        raise InputError(f"{path}: fixed: and grid: hold one `name: value` a line.")
    if unknown := set(part) - set(keys):
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
