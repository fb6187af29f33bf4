"""What a finished sweep found: its runs grouped into methods, its comparison, and the protocol they follow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError, closest
from ..core.files import read_json
from ..evaluation import Comparisons, Method, Scores, compare_pairs
from ..evaluation.protocols import Protocol
from ..evaluation.scores import said_of
from .parameters import is_seed
from .paths import outputs, project
from .run import finished

COSTS = ("seconds", "parameters", "best_epoch")
OWN = {"recommender": "model_options"}  # a value's own options, which vary with it
DATA = ("dataset", "shop", "columns", "reader", "clean", "split", "split_seed")  # what says which data a run is made on


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
        InputError: when the folder holds no sweep or no finished run, a name in ``by`` or ``only`` does not vary,
            something else varies within a method, or runs that should be of the same data are not.
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
    methods = {name: _method(name, runs, names, varying, about["varying"], label) for name, runs in groups.items()}
    _check_one_data(groups, methods)
    return methods


def sweep_comparison(
    folder: Path | str,
    vary: str = "start",
    baseline: Any = "random",
    metric: str = "recall@20",
    within: Sequence[str] | None = None,
    label: str | None = None,
    slices: Sequence[str] | None = None,
    level: float = 0.05,
) -> Comparisons:
    """Compare each value of a parameter with a baseline value, all else equal, paired over users and seeds.

    A recommender's own options vary with it: ``"micro (backbone mf)"`` is a value of ``recommender``.

    Args:
        folder: a sweep's folder.
        vary: the parameter whose values are compared.
        baseline: the value that the others are compared with, as it is or in words.
        metric: a column of ``per_user.parquet``.
        within: parameters that are held equal, which must be all that vary but ``vary`` and the seeds; ``None``: those.
        label: which ranking, where a page recorded several; by default the last one of each run.
        slices, level: as in ``evaluation.compare``; all values and slices are one family.

    Raises:
        InputError: when no two runs can be compared, or another parameter varies too.
    """
    methods = sweep_methods(folder, label=label)
    others = {name for one in methods.values() for name in one.values} - {vary, OWN.get(vary)}
    if within is not None and (loose := sorted(others - set(within))):
        raise InputError(f"{', '.join(loose)} varies in this sweep too; add it to within={list(within)}.")
    pairs = [(a, b) for a, b in _rivals(methods, vary, baseline) if set(a.runs) & set(b.runs)]
    if not pairs:
        raise InputError(f"No two finished runs differ only in {vary} and have {baseline!r} as one side.")
    return compare_pairs(pairs, metric, slices, level=level)


def against(found: Comparisons, methods: Mapping[str, Method], vary: str, baseline: Any) -> Comparisons:
    """Those of ``found`` that differ in one parameter alone, one side, ``b``, having its baseline value.

    The family stays that of ``found``, and so does each p.

    Args:
        found: from ``evaluation.compare_all``.
        vary, baseline: as in ``sweep_comparison``.

    Raises:
        InputError: when there are none.
    """
    pairs = found.pairs()
    rows = [pairs[a.label, b.label] for a, b in _rivals(methods, vary, baseline)]
    if not rows:
        raise InputError(f"No two methods differ in {vary} alone and have {baseline!r} as one side.")
    return found.only(rows)


def _rivals(methods: Mapping[str, Method], vary: str, baseline: Any) -> Iterator[tuple[Method, Method]]:
    """The pairs (a, b) that differ in ``vary`` alone, b having its baseline value."""
    for b in methods.values():
        for a in methods.values():
            held = [{k: v for k, v in one.values.items() if k not in (vary, OWN.get(vary))} for one in (a, b)]
            if held[0] == held[1] and spoken(b.values, vary) == in_words(baseline) != spoken(a.values, vary):
                yield a, b


def spoken(values: Mapping[str, Any], name: str) -> str:
    """A parameter's value in words, with the options that belong to it: ``"micro (backbone mf)"``."""
    own = values.get(OWN.get(name, ""))
    return in_words(values.get(name)) + (f" ({in_words(own)})" if own else "")


def in_words(value: Any) -> str:
    """Options as ``"backbone mf, k 5"``; anything else as text."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {one}" for name, one in value.items()) or "as its paper has it"


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


def ranking(folder: Path, label: str | None = None) -> Scores:
    """One ranking that a run recorded, by default the last.

    Raises:
        InputError: when the run has no ranking of this label.
    """
    table = pd.read_parquet(folder / "per_user.parquet")
    wanted = table["label"].iloc[-1] if label is None else label
    if wanted not in set(table["label"]):
        raise InputError(f"{folder} has no ranking {wanted!r}; it has {', '.join(sorted(set(table['label'])))}.")
    page = table.loc[table["label"] == wanted, "page"].iloc[-1]
    own = table[(table["label"] == wanted) & (table["page"] == page)].dropna(axis=1, how="all").reset_index(drop=True)
    return Scores(wanted, own, table.attrs.get("about", {}).get(f"{page}/{wanted}", {}))


def _check_one_data(groups: Mapping[str, Sequence[Mapping[str, Any]]], methods: Mapping[str, Method]) -> None:
    """That runs whose parameters name the same data were made on the same content: a file may have changed between."""
    seen: dict[str, tuple[str, Any]] = {}
    for name, runs in groups.items():
        for run, scores in zip(runs, methods[name].runs.values()):
            asked = repr([run["parameters"].get(one) for one in DATA])
            own = scores.about.get("data")
            first, known = seen.setdefault(asked, (run["run"], own))
            if (known or {}).get("key") != (own or {}).get("key"):
                said = [said_of(one) if one else "data that it does not name" for one in (known, own)]
                raise InputError(
                    f"{first} and {run['run']} were made on different data and cannot be compared: {said[0]}, and "
                    f"{said[1]}. Run the sweep again on one of them."
                )


def named(about: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's parameters without those that were chosen for its method, which are no part of the method's name."""
    hidden = set(about.get("choose", {}).get("over", [])) - set(about["varying"])
    return {name: value for name, value in run["parameters"].items() if name not in hidden}
