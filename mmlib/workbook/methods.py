"""The methods of a finished sweep: its runs, grouped by what makes them one method."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError, closest
from ..core.files import read_json
from ..evaluation.contest import OWN, Method, in_words, spoken
from ..evaluation.protocols import Protocol
from .compare import named, ranking
from .parameters import is_seed
from .paths import outputs, project
from .run import finished

COSTS = ("seconds", "parameters", "best_epoch")


def sweep_methods(
    folder: Path | str,
    by: Sequence[str] = (),
    only: Mapping[str, Any] | None = None,
    label: str | None = None,
) -> dict[str, Method]:
    """Read the finished runs of a sweep and group them into methods.

    Args:
        folder: the sweep's folder, or ``""`` for none.
        by: the parameters whose values make a method; by default all that vary but the seeds.
        only: keep the runs that have these values, such as ``{"epochs": 60}``.
        label: which ranking, where a page recorded several; by default the last one of each run.

    Returns:
        Label -> Method, in the order of the sweep; empty without a folder. A label is the values in words, such as
        ``"lightgcn, mmcpr, epochs 60"``.

    Raises:
        InputError: when the folder holds no sweep or no finished run, a name in ``by`` or ``only`` does not vary, or
            something else varies within a method.
    """
    if not str(folder):
        return {}
    about, only = _sweep(folder), only or {}
    varying = [name for name in about["varying"] if not is_seed(name)]
    for name in (*by, *only):
        if name in about.get("choose", {}).get("over", []) and name not in varying:
            raise InputError(f"{name} was chosen for each method of {folder}, so that it cannot tell them apart.")
        if name not in varying:
            raise InputError(f"{name} does not vary in {folder}; {', '.join(varying)} do.{closest(name, varying)}")
    names = list(by) or [name for name in varying if name not in only]
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in about["runs"]:
        kept = all(str(run["parameters"].get(name)) == str(value) for name, value in only.items())
        if kept and finished(Path(run["folder"])) and (Path(run["folder"]) / "per_user.parquet").exists():
            groups.setdefault(_label(named(about, run), names), []).append(run)
    if not groups:
        raise InputError(
            f"{folder} has no finished run" + (f" with {dict(only)}." if only else "; run the sweep first.")
        )
    return {name: _method(name, runs, names, varying, about["varying"], label) for name, runs in groups.items()}


def sweep_baseline(folder: Path | str, vary: str = "", baseline: str = "") -> tuple[str, str]:
    """The parameter that a sweep compares and the value the others are compared with: as given, else as it says itself.

    Raises:
        InputError: when neither says it.
    """
    said = (_sweep(folder).get("compare") or {}) if str(folder) else {}
    pair = vary or str(said.get("vary", "")), baseline or in_words(said.get("baseline", ""))
    if str(folder) and not all(pair):
        raise InputError(f"{folder} does not say what is compared; give vary and baseline.")
    return pair


def sweep_protocol(folder: Path | str) -> Protocol:
    """Under which protocol the runs of a sweep were made, in the words of the registry.

    Raises:
        InputError: when the folder holds no sweep, or its runs differ in their split or masks.
    """
    names = ("dataset", "split", "split_seed", "mask_valid", "ranked", "k", "encoder", "part")
    about = _sweep(folder)
    every = [{name: run["parameters"].get(name) for name in names} for run in about["runs"]]
    for name in ("dataset", "split", "mask_valid", "ranked", "part"):
        if len({repr(one[name]) for one in every}) > 1:
            raise InputError(f"{name} varies in {folder}: its runs follow several protocols.")
    one = every[0]
    read = "which also judges" if one["part"] == "valid" else "the test part read once"
    ratio = f"{one['split']} of each user's interactions at random"
    return Protocol(
        tag="measured here",
        source=str(folder),
        split="the parts that the data came with" if one["split"] == "given" else ratio,
        candidates="items without training purchases" if one["ranked"] == "cold" else "all items",
        masked="training and validation items" if one["mask_valid"] in (True, None) else "training items",
        lengths=tuple(one["k"] or ()),
        chosen=f"{_chosen(about)}; stopping on the validation part, {read}",
        features=str(one["encoder"] or "none"),
        note=f"Catalogue {one['dataset']}.",
    )


def _chosen(about: Mapping[str, Any]) -> str:
    """How the options came about."""
    if not about.get("tried"):
        return "as the sweep's parameters say"
    count = sum(row["runs"] for row in about["tried"])
    return f"{', '.join(about['choose']['over'])} by the mean validation {about['choose']['metric']} of {count} runs"


def _sweep(folder: Path | str) -> dict[str, Any]:
    """What ``sweep.json`` says; the folder is looked for from here, from the project, and by its name alone."""
    places = [Path(folder), (project() or Path.cwd()) / folder, outputs() / "sweeps" / folder]
    for place in places:
        if (place / "sweep.json").is_file():
            return read_json(place / "sweep.json")
    raise InputError(f"{folder} is not a sweep's folder: there is no sweep.json in it. `mmlib sweep` prints its own.")


def _label(parameters: Mapping[str, Any], names: Sequence[str]) -> str:
    """The values in words: text and options as they are, anything else after its name."""
    belong = {OWN[name] for name in names if name in OWN}
    words = []
    for name in (name for name in names if name not in belong):
        plain = isinstance(parameters.get(name), str | Mapping)
        words.append(spoken(parameters, name) if plain else f"{name} {parameters.get(name)}")
    return ", ".join(words) or "all runs"


def _method(
    name: str,
    runs: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    varying: Sequence[str],
    seeded: Sequence[str],
    label: str | None,
) -> Method:
    found, costs = {}, []
    for run in runs:
        values, folder = run["parameters"], Path(run["folder"])
        seed = ", ".join(f"{one} {values.get(one)}" for one in seeded if is_seed(one)) or "one seed"
        if seed in found:
            loose = [
                one for one in varying if one not in names and len({repr(r["parameters"].get(one)) for r in runs}) > 1
            ]
            raise InputError(
                f"{name}: {', '.join(loose)} varies too; add it to the names that make a method, or fix it."
            )
        found[seed] = ranking(folder, label)
        costs.append(_costs(folder, str(found[seed].per_user["page"].iloc[0])))
    means = {one: float(np.mean([row[one] for row in costs])) for one in COSTS if all(one in row for row in costs)}
    return Method(name, found, {one: runs[0]["parameters"].get(one) for one in names}, means)


def _costs(folder: Path, page: str) -> dict[str, float]:
    """The numbers that a page recorded beside its ranking."""
    recorded = (finished(folder) or {}).get("metrics", {}).get(page, {})
    return {name: float(recorded[name]) for name in COSTS if isinstance(recorded.get(name), int | float)}
