"""Which value of a parameter is better: the runs of a sweep, paired."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.errors import InputError
from ..core.files import read_json
from .parameters import is_seed
from .report import SLICES
from .run import finished

if TYPE_CHECKING:
    from ..evaluation import Scores


def compare(
    folder: Path | str,
    vary: str = "start",
    baseline: Any = "random",
    metric: str = "recall@20",
    within: Sequence[str] | None = None,
    label: str | None = None,
    slices: Sequence[str] | None = SLICES,
) -> pd.DataFrame:
    """Compare each value of a parameter with a baseline value, paired over users and seeds.

    A recommender's own options vary with it: ``"micro (backbone mf)"`` is a value of ``recommender``.

    Args:
        folder: a sweep's folder.
        vary: the parameter whose values are compared.
        baseline: the value that the others are compared with, as it is or in words.
        metric: a column of ``per_user.parquet``.
        within: parameters that are held equal, a comparison for each of their combinations; by default all that
            vary but ``vary`` and the seeds.
        label: which ranking, where a page recorded several; by default the last one of each run.
        slices: what is compared and corrected for together; ``None`` takes every slice that was recorded.

    Returns:
        One row a comparison and slice: the parameters ``within``, ``vary``, ``slice``, ``mean``, ``mean of baseline``,
        ``difference``, ``low``, ``high``, ``p``, ``p (Holm)`` (corrected over all rows), ``users``, ``seeds``.

    Raises:
        InputError: when no two runs can be compared, or another parameter varies too.
    """
    from ..evaluation.contest import OWN, in_words, spoken
    from ..evaluation.correction import holm

    about = read_json(Path(folder) / "sweep.json")
    others = [name for name in about["varying"] if name not in (vary, OWN.get(vary)) and not is_seed(name)]
    within = others if within is None else list(within)
    if loose := [name for name in others if name not in within]:
        raise InputError(f"{', '.join(loose)} varies in this sweep too; add it to within={within}.")
    groups: dict[str, dict[Any, dict[str, Path]]] = {}
    held: dict[str, dict[str, Any]] = {}
    for run in about["runs"]:
        values, place = named(about, run), Path(run["folder"])
        if finished(place) and vary in values and (place / "per_user.parquet").exists():
            kept = {name: values.get(name) for name in within}
            held[repr(kept)] = kept
            seeds = repr({name: values.get(name) for name in about["varying"] if is_seed(name)})
            groups.setdefault(repr(kept), {}).setdefault(spoken(values, vary), {})[seeds] = place
    rows = [
        held[group] | {vary: value} | row
        for group, by_value in groups.items()
        for value, places in by_value.items()
        if value != in_words(baseline)
        for row in _compared(places, by_value.get(in_words(baseline), {}), metric, label, slices)
    ]
    if not rows:
        raise InputError(f"No two finished runs differ only in {vary} and have {baseline!r} as one side.")
    table = pd.DataFrame(rows)
    table.insert(list(table).index("p") + 1, "p (Holm)", holm(table["p"].tolist()))
    return table


def named(about: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's parameters without those that were chosen for its method, which are no part of the method's name."""
    hidden = set(about.get("choose", {}).get("over", [])) - set(about["varying"])
    return {name: value for name, value in run["parameters"].items() if name not in hidden}


def _compared(
    ours: Mapping[str, Path],
    theirs: Mapping[str, Path],
    metric: str,
    label: str | None,
    slices: Sequence[str] | None,
) -> list[dict[str, Any]]:
    """The rows of one comparison: a row a slice, over the seeds that both sides have."""
    from ..evaluation import compare as paired

    seeds = [seed for seed in ours if seed in theirs]
    if not seeds:
        return []
    a = [ranking(ours[seed], label) for seed in seeds]
    b = [ranking(theirs[seed], label) for seed in seeds]
    rows = []
    recorded = list(a[0].per_user["slice"].unique())
    for part in recorded if slices is None else [name for name in slices if name in recorded]:
        found = asdict(paired(a, b, metric, part))
        means = {"mean": found["mean_a"], "mean of baseline": found["mean_b"]}
        rest = {name: found[name] for name in ("difference", "low", "high", "p", "users", "seeds")}
        rows.append({"slice": part} | means | rest)
    return rows


def ranking(folder: Path, label: str | None = None) -> "Scores":
    """One ranking that a run recorded, by default the last.

    Raises:
        InputError: when the run has no ranking of this label.
    """
    from ..evaluation import Scores

    table = pd.read_parquet(folder / "per_user.parquet")
    wanted = table["label"].iloc[-1] if label is None else label
    if wanted not in set(table["label"]):
        raise InputError(f"{folder} has no ranking {wanted!r}; it has {', '.join(sorted(set(table['label'])))}.")
    table = table[(table["label"] == wanted) & (table["page"] == table.loc[table["label"] == wanted, "page"].iloc[-1])]
    return Scores(wanted, table.dropna(axis=1, how="all").reset_index(drop=True), {})
