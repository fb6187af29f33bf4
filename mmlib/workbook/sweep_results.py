"""What a finished sweep found: its runs grouped into methods, its comparison, and the protocol they follow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError, closest
from ..evaluation import Comparisons, Method, Scores, compare_pairs
from ..evaluation.protocols import Protocol
from ..evaluation.scores import said_of
from .parameters import is_seed
from .paths import finished, swept

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
    about, only = swept(folder), only or {}
    varying = [name for name in about["varying"] if not is_seed(name)]
    chosen = set(about["choose"].get("over", ())) - set(about["varying"])  # for each method, so no part of its name
    for name in (*by, *only):
        if name in chosen:
            raise InputError(f"{name} was chosen for each method of {folder}, so that it cannot tell them apart.")
        if name not in varying:
            raise InputError(f"{name} does not vary in {folder}; {', '.join(varying)} do.{closest(name, varying)}")
    names = list(by) or [name for name in varying if name not in only]
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in about["runs"]:
        values, place = run["parameters"], Path(run["folder"])
        kept = all(str(values.get(name)) == str(value) for name, value in only.items())
        if kept and finished(place) and (place / "per_user.parquet").exists():
            said = _label({name: value for name, value in values.items() if name not in chosen}, names)
            groups.setdefault(said, []).append(run)
    if not groups:
        raise InputError(
            f"{folder} has no finished run" + (f" with {dict(only)}." if only else "; run the sweep first.")
        )
    methods = {said: _method(said, runs, names, about["varying"], label) for said, runs in groups.items()}
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
            if held[0] == held[1] and _spoken(b.values, vary) == _in_words(baseline) != _spoken(a.values, vary):
                yield a, b


def _spoken(values: Mapping[str, Any], name: str) -> str:
    """A parameter's value in words, with the options that belong to it: ``"micro (backbone mf)"``."""
    own = values.get(OWN.get(name, ""))
    return _in_words(values.get(name)) + (f" ({_in_words(own)})" if own else "")


def _in_words(value: Any) -> str:
    """Options as ``"backbone mf, k 5"``; anything else as text."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {one}" for name, one in value.items()) or "as its paper has it"


def _label(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """The values in words: text and options as they are, anything else after its name."""
    words = []
    for name in (name for name in names if name not in {OWN.get(one) for one in names}):
        bare = isinstance(values.get(name), str | Mapping)
        words.append(_spoken(values, name) if bare else f"{name} {values.get(name)}")
    return ", ".join(words) or "all runs"


def sweep_baseline(folder: Path | str, vary: str = "", baseline: str = "") -> tuple[str, str]:
    """The parameter that a sweep compares and the value the others are compared with: as given, else as it says itself.

    Raises:
        InputError: when neither says it.
    """
    said = swept(folder)["compare"] if str(folder) else {}
    pair = vary or str(said.get("vary", "")), baseline or _in_words(said.get("baseline", ""))
    if str(folder) and not all(pair):
        raise InputError(f"{folder} does not say what is compared; give vary and baseline.")
    return pair


def sweep_protocol(folder: Path | str) -> Protocol:
    """Under which protocol the runs of a sweep were made, in the words of the registry.

    Raises:
        InputError: when the folder holds no sweep, or its runs differ in their split or masks.
    """
    about = swept(folder)
    for name in ("dataset", "split", "mask_valid", "ranked", "part"):
        if len({repr(run["parameters"].get(name)) for run in about["runs"]}) > 1:
            raise InputError(f"{name} varies in {folder}: its runs follow several protocols.")
    one, said = about["runs"][0]["parameters"], "as the sweep's parameters say"
    if about["tried"]:
        over, runs = ", ".join(about["choose"]["over"]), sum(row["runs"] for row in about["tried"])
        said = f"{over} by the mean validation {about['choose']['metric']} of {runs} runs"
    read = "which also judges" if one.get("part") == "valid" else "the test part read once"
    ratio = f"{one.get('split')} of each user's interactions at random"
    return Protocol(
        tag="measured here",
        source=str(folder),
        split="the parts that the data came with" if one.get("split") == "given" else ratio,
        candidates="items without training purchases" if one.get("ranked") == "cold" else "all items",
        masked="training and validation items" if one.get("mask_valid") in (True, None) else "training items",
        lengths=tuple(one.get("k") or ()),
        chosen=f"{said}; stopping on the validation part, {read}",
        features=str(one.get("encoder") or "none"),
        note=f"Catalogue {one.get('dataset')}.",
    )


def _method(
    name: str, runs: Sequence[Mapping[str, Any]], names: Sequence[str], varying: Sequence[str], label: str | None
) -> Method:
    """One method from its runs, which may differ in their seeds alone."""
    found: dict[str, Scores] = {}
    costs = []
    for run in runs:
        values, folder = run["parameters"], Path(run["folder"])
        seed = ", ".join(f"{one} {values.get(one)}" for one in varying if is_seed(one)) or "one seed"
        if seed in found:
            others = [one for one in varying if one not in names and not is_seed(one)]
            loose = [one for one in others if len({repr(each["parameters"].get(one)) for each in runs}) > 1]
            raise InputError(
                f"{name}: {', '.join(loose)} varies too; add it to the names that make a method, or fix it."
            )
        found[seed] = ranking(folder, label)
        page = found[seed].per_user["page"].iloc[0]
        recorded = (finished(folder) or {}).get("metrics", {}).get(page, {})
        costs.append({one: recorded[one] for one in COSTS if isinstance(recorded.get(one), int | float)})
    means = {one: float(np.mean([row[one] for row in costs])) for one in COSTS if all(one in row for row in costs)}
    return Method(name, found, {one: runs[0]["parameters"].get(one) for one in names}, means)


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
            own = scores.about.get("data")
            first, known = seen.setdefault(repr([run["parameters"].get(one) for one in DATA]), (run["run"], own))
            if (known or {}).get("key") != (own or {}).get("key"):
                said = [said_of(one) if one else "data that it does not name" for one in (known, own)]
                raise InputError(
                    f"{first} and {run['run']} were made on different data and cannot be compared: {said[0]}, and "
                    f"{said[1]}. Run the sweep again on one of them."
                )
