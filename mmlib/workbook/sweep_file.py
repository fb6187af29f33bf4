"""A sweep's file, expanded into its runs in a stable order and checked in full."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..core.errors import InputError, closest
from ..core.files import digest
from .parameters import PAGES, PART, STUDY, is_seed, known_parameters
from .planned_run import Plan, plan
from .yaml_file import read_yaml

MOST = 20_000  # runs
_NO_OPTIONS = ("dataset", "columns", "reader", "clean", "shop", "split", "ranked", "mask_valid", "k", "few", PART)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Grid(_Strict):
    """``fixed``: parameters of all runs; ``grid``: name -> list of values, of which the last name varies fastest."""

    fixed: dict[str, JsonValue] = Field({}, description="one `name: value` a line")
    grid: dict[str, Annotated[list[JsonValue], Field(min_length=1)]] = Field(
        {}, description="one `name: list of values` a line, such as seed: [0, 1, 2]"
    )


class _Choose(_Strict):
    over: Annotated[list[str], Field(min_length=1)]
    metric: str | None = None


class _Compare(_Strict):
    vary: str = "start"
    baseline: JsonValue = "random"
    metric: str = "recall@20"
    within: list[str] | None = None
    label: str | None = None


# fmt: off
class _File(_Grid):
    """What a sweep's file may hold; see :func:`read_sweep`."""

    about: str = Field("", description="text")
    base: str | None = Field(None, description="the name of a file beside this one")
    pages: list[str | int] | None = Field(None, description="a list, such as [04_recommend]")
    also: list[_Grid] = Field([], description="a list, each entry with the keys fixed and grid")
    skip: list[Annotated[dict[str, JsonValue], Field(min_length=1)]] = Field(
        [], description="a list, each entry with names of parameters and their values")
    choose: _Choose | None = Field(None, description=
        "over, a list of parameters, and metric, such as {over: [lr, l2], metric: recall@20}")
    compare: _Compare | None = Field(None, description=
        "vary, baseline, metric, within (a list) and label, such as {vary: start, baseline: random}")
# fmt: on


@dataclass(frozen=True)
class Sweep:
    """A grid of runs.

    Args:
        name: the file's.
        about: what the file says of itself.
        base: what the base file holds.
        plans: one a run, in order, each different.
        varying: names of the parameters that differ between runs.
        compare: what to compare on the index page (see ``_Compare``), or empty.
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
    of the others, and only they are judged on the test part. What ``overrides`` sets is not chosen. Each run computes
    with one thread, unless the parameter ``threads`` is given somewhere.

    Raises:
        InputError: for unknown keys and parameters, wrong types, a grid without values, a ``skip`` without effect, a
            comparison or choice that cannot be made.
    """
    path, overriding = Path(path), dict(overrides or {})

    def plans_of(runs: list[dict[str, Any]]) -> tuple[Plan, ...]:
        plans: dict[str, Plan] = {}
        for values in runs:
            try:
                one = plan(base or {}, values, asked.pages, outputs, notebooks, [path.parent])
            except InputError as error:
                raise InputError(f"run {values}: {error}") from None
            plans.setdefault(digest(one.parameters, list(one.pages)), one)
        return tuple(plans.values())

    try:
        asked = _File.model_validate(read_yaml(path))
        base = path.parent / asked.base if asked.base is not None else None
        inherited = read_yaml(base) if base else {}
        alone = {} if "threads" in inherited else {"threads": 1}  # so that --jobs leaves results alone
        runs = [alone | values | overriding for values in _combinations(asked)]
        plans = plans_of(runs)
        compare = asked.compare.model_dump(exclude_unset=True) if asked.compare else {}
        one = Sweep(path.stem, asked.about, inherited, plans, _varying(plans), compare, plans[0].outputs)
        over = [name for name in asked.choose.over if name not in overriding] if asked.choose else []
        if asked.choose and over:
            metric = asked.choose.metric or (asked.compare or _Compare()).metric
            one = replace(one, choose={"over": over, "metric": metric})
            _check_choice(one)
        if asked.compare and asked.compare.vary not in overriding:
            _check_compare(one, asked.compare)
        on_valid = [values | {PART: "valid"} for values in runs]
        return replace(one, plans=plans_of(on_valid), judged=plans) if over else one
    except ValidationError as error:
        raise InputError(f"{path}: {_said(error)}") from None
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def rivals(one: Sweep) -> dict[str, dict[str, list[int]]]:
    """For each method its values to choose from, and the places in ``plans`` of the runs of each.

    A method is a combination of all that varies but the parameters in ``choose: over`` and the seeds.
    """
    over = one.choose["over"]
    others = [name for name in one.varying if name not in over and not is_seed(name)]
    found: dict[str, dict[str, list[int]]] = {}
    for place, each in enumerate(one.plans):
        method, values = (repr({name: each.parameters.get(name) for name in names}) for names in (others, over))
        found.setdefault(method, {}).setdefault(values, []).append(place)
    return found


def _combinations(asked: _File) -> list[dict[str, Any]]:
    """The values of each run, but for those that are skipped."""
    grids = [asked, *(more.model_copy(update={"fixed": asked.fixed | more.fixed}) for more in asked.also)]
    if not asked.base and not any(each.grid or each.fixed for each in grids):
        raise InputError("a sweep needs grid:, such as {seed: [0, 1, 2]}.")
    for each in (asked, *asked.also):
        if twice := each.fixed.keys() & each.grid.keys():
            raise InputError(f"{min(twice)} is in fixed: and in grid:; leave one out.")
    if (count := sum(math.prod(map(len, each.grid.values())) for each in grids)) > MOST:
        raise InputError(f"grid: makes {count:,} runs; a sweep has at most {MOST:,}.")
    every = ((each, values) for each in grids for values in itertools.product(*each.grid.values()))
    runs = [each.fixed | dict(zip(each.grid, values)) for each, values in every]
    for rule in asked.skip:
        left = [run for run in runs if any(name not in run or run[name] != value for name, value in rule.items())]
        if len(left) == len(runs):
            raise InputError(f"skip: no run has {rule}.")
        runs = left
    if not runs:
        raise InputError("skip: leaves no run.")
    return runs


def _varying(plans: tuple[Plan, ...]) -> tuple[str, ...]:
    names = dict.fromkeys(name for one in plans for name in one.parameters)
    return tuple(name for name in names if len({repr(one.parameters.get(name)) for one in plans}) > 1)


def _check_compare(one: Sweep, asked: _Compare) -> None:
    """That there will be something to compare."""
    for name in (asked.vary, *(asked.within or ())):
        if name not in one.varying:
            raise InputError(f"compare: {name} does not vary.{_vary(one, name)}")
    values = [each.parameters.get(asked.vary) for each in one.plans]
    if not any(value == asked.baseline or str(asked.baseline).startswith(str(value)) for value in values):
        have = ", ".join(dict.fromkeys(map(str, values)))
        raise InputError(
            f"compare: no run has {asked.vary} = {asked.baseline}, the baseline; they have {have}. Name one of "
            "these as baseline:."
        )
    loose = [name for name in one.varying if name not in (asked.vary, "model_options") and not is_seed(name)]
    if asked.within is not None and (loose := [name for name in loose if name not in asked.within]):
        raise InputError(f"compare: {', '.join(loose)} varies too; add it to within, or leave within out.")
    _check_metric(one, "compare", asked.metric)


def _check_metric(one: Sweep, key: str, metric: str) -> None:
    """That every run will have measured it; what pages of somebody's own record is not known before."""
    from ..evaluation.metrics import METRICS

    for each in one.plans:
        known = [f"{name}@{k}" for name in METRICS for k in each.parameters.get("k", ())]
        if set(each.pages) <= set(PAGES) and metric not in known:
            raise InputError(
                f"{key}: metric {metric} is nothing that the runs measure.{closest(metric, known)} "
                f"They measure {', '.join(known)}."
            )


def _check_choice(one: Sweep) -> None:
    """That it can be made, and be fair: the values of a method need the same seeds."""
    over, seeds = one.choose["over"], [name for name in one.varying if is_seed(name)]
    for name in over:
        if name not in one.varying:
            raise InputError(f"choose: {name} does not vary.{_vary(one, name)}")
        if name in _NO_OPTIONS or is_seed(name):
            raise InputError(f"choose: {name} is no option of a method, so it cannot be chosen for it.")
        if name in (one.compare.get("vary"), *(one.compare.get("within") or ())):
            raise InputError(f"choose: {name} is compared, so it cannot be chosen.")
    for page in dict.fromkeys(page for each in one.plans for page in each.pages):
        if PART not in known_parameters(one.plans[0].notebooks, [page]):
            raise InputError(f"choose: {page} has no parameter {PART}, so it cannot leave the test part unread.")
    if any(each.parameters[PART] != "test" for each in one.plans):
        raise InputError(f"choose: reads the validation part, then the test part; leave {PART} out.")
    for method, tried in rivals(one).items():
        drawn = [[[one.plans[run].parameters.get(name) for name in seeds] for run in runs] for runs in tried.values()]
        if len({repr(sorted(each)) for each in drawn}) > 1:
            raise InputError(f"choose: {method} has not the same seeds for each of {', '.join(tried)}.")
    _check_metric(one, "choose", one.choose["metric"])


def _vary(one: Sweep, name: str) -> str:
    known = [each for each in one.varying if not is_seed(each)]
    return f"{closest(name, known) or closest(name, STUDY)} In this sweep {', '.join(known) or 'nothing'} varies."


def _said(error: ValidationError) -> str:
    """What is wrong with the file's form, in one line."""
    first = error.errors(include_url=False)[0]
    *where, key = [str(one) for one in first["loc"]]
    if first["type"] in ("extra_forbidden", "invalid_key"):
        inner: dict[str, type[_Strict]] = {"also": _Grid, "choose": _Choose, "compare": _Compare}
        names = list(inner.get(where[0] if where else "", _File).model_fields)
        place = f"{where[0]}:" if where else "a sweep"
        return f'{place} has no key "{key}".{closest(key, names)} Keys: {", ".join(names)}.'
    form = _File.model_fields[[*where, key][0]].description
    return f"{': '.join([*where, key])}: {str(first['input'])[:80]} cannot be; give {form}."
