"""Many methods on the same users and seeds: who is better than whom, and who only looks so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..core.errors import InputError, one_of
from .compare import Comparison, compare
from .correction import holm
from .scores import Scores, metric_columns
from .statistics import variance_of_mean

OWN = {"recommender": "model_options"}  # a value's own options, which vary with it


@dataclass(frozen=True)
class Method:
    """One method's rankings, one a seed, and what its runs cost.

    Args:
        label: its name in tables and figures.
        runs: seed -> Scores; the same seeds mean the same conditions for every method.
        values: the parameters that make it this method.
        costs: means over its runs, such as ``seconds`` of training and ``parameters``, where they were recorded.
    """

    label: str
    runs: Mapping[str, Scores]
    values: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def slices(self) -> list[str]:
        """Names of the slices that every run has."""
        every = [list(dict.fromkeys(map(str, one.per_user["slice"]))) for one in self.runs.values()]
        return [name for name in every[0] if all(name in names for names in every)]

    @property
    def metrics(self) -> list[str]:
        """The metrics that every run has."""
        every = [metric_columns(one.per_user) for one in self.runs.values()]
        return [name for name in every[0] if all(name in names for names in every)]

    def means(self) -> pd.DataFrame:
        """Means over users and seeds: ``slice``, ``metric``, ``mean``, ``low``, ``high`` (95 % interval), ``users``.

        The interval is for other users and other seeds of the same kind (``statistics.variance_of_mean``); with one
        seed for other users alone. It is NaN for a single user.

        Raises:
            InputError: when the runs were not scored on the same users.
        """
        rows = []
        for name in self.slices:
            values = self._values(name)  # [S, U, M]
            for metric, table in zip(self.metrics, np.moveaxis(values, 2, 0)):
                mean, half = float(table.mean()), float("nan")
                if table.shape[1] > 1:
                    variance, freedom = variance_of_mean(table)
                    half = float(stats.t.ppf(0.975, freedom) * np.sqrt(variance))
                rows.append((name, metric, mean, mean - half, mean + half, table.shape[1]))
        return pd.DataFrame(rows, columns=["slice", "metric", "mean", "low", "high", "users"])

    def _values(self, slice: str) -> np.ndarray:
        """All metrics of a slice, [S, U, M], users in one order."""
        cut = [
            one.per_user[(one.per_user["slice"] == slice).to_numpy()].sort_values("user") for one in self.runs.values()
        ]
        if any(table["user"].tolist() != cut[0]["user"].tolist() for table in cut):
            raise InputError(
                f"The runs of {self.label} were not scored on the same users; use one split for all seeds."
            )
        return np.stack([table[self.metrics].to_numpy(dtype=float) for table in cut])


def contest(methods: Mapping[str, Method], metric: str = "recall@20", slice: str = "all") -> list[Comparison]:
    """Compare every pair of methods, paired over users and the seeds that both have.

    Args:
        methods: label -> Method.

    Returns:
        One ``Comparison`` a pair, in the order of ``methods``; see ``told_apart`` for the correction.

    Raises:
        InputError: for fewer than two methods, an unknown metric or slice, a pair without a common seed, or one
            that was not scored on the same users.
    """
    if len(methods) < 2:
        raise InputError(f"A comparison takes at least two methods, not {len(methods)}.")
    for one in methods.values():
        one_of("metric", metric, one.metrics)
        one_of("slice", slice, one.slices)
    narrow = {label: dict(zip(one.runs, _narrow(one, metric, slice))) for label, one in methods.items()}
    found = []
    for a, b in combinations(narrow, 2):
        seeds = [seed for seed in narrow[a] if seed in narrow[b]]
        if not seeds:
            raise InputError(f"{a} and {b} have no seed in common; run both with the same seeds.")
        left, right = ([narrow[one][seed] for seed in seeds] for one in (a, b))
        found.append(compare(left, right, metric, slice))
    return found


def told_apart(comparisons: Sequence[Comparison], level: float = 0.05) -> pd.DataFrame:
    """The comparisons as a table, with Holm's correction over all of them.

    Returns:
        ``a``, ``b``, ``difference``, ``low``, ``high``, ``p``, ``p (Holm)``, ``apart``: whether the adjusted p is below
        ``level`` and the 95 % interval excludes 0.
    """
    names = ["a", "b", "difference", "low", "high", "p"]
    table = pd.DataFrame([[getattr(one, name) for name in names] for one in comparisons], columns=names)
    table["p (Holm)"] = holm(table["p"].tolist())
    return table.assign(apart=(table["p (Holm)"] < level) & ((table["low"] > 0) | (table["high"] < 0)))


def leading(comparisons: Sequence[Comparison], level: float = 0.05) -> list[str]:
    """The method with the highest mean, and all that the comparisons do not tell apart from it, the best first.

    One name: the best is better than each of the others after Holm's correction over all ``comparisons``.
    """
    if not comparisons:
        return []
    means = {one.a: one.mean_a for one in comparisons} | {one.b: one.mean_b for one in comparisons}
    order = sorted(means, key=lambda name: -means[name])
    worse = set()
    for row in told_apart(comparisons, level).to_dict("records"):
        if row["apart"] and order[0] in (row["a"], row["b"]):
            worse.add(row["b"] if row["difference"] > 0 else row["a"])
    return [name for name in order if name not in worse]


def against(
    comparisons: Sequence[Comparison], methods: Mapping[str, Method], vary: str, baseline: Any
) -> list[Comparison]:
    """The comparisons that differ in one parameter alone, one side, which becomes ``b``, having its baseline value.

    A recommender's own options (``OWN``) vary with it: ``"micro (backbone mf)"`` is compared with ``"lightgcn"`` too.

    Args:
        comparisons: from ``contest``.
        vary: the parameter.
        baseline: its value on the other side, as it is or as ``spoken`` says it.

    Raises:
        InputError: when there are none.
    """
    found = []
    for one in comparisons:
        values = [methods[name].values for name in (one.a, one.b)]
        sides = [spoken(side, vary) for side in values]
        a, b = ({k: v for k, v in side.items() if k not in (vary, OWN.get(vary))} for side in values)
        if a == b and sides[1] == in_words(baseline) != sides[0]:
            found.append(one)
        elif a == b and sides[0] == in_words(baseline) != sides[1]:
            found.append(flipped(one))
    if not found:
        raise InputError(f"No two methods differ in {vary} alone and have {baseline!r} as one side.")
    return found


def spoken(values: Mapping[str, Any], name: str) -> str:
    """A parameter's value in words, with the options that belong to it: ``"micro (backbone mf)"``."""
    own = values.get(OWN.get(name, ""))
    return in_words(values.get(name)) + (f" ({in_words(own)})" if own else "")


def in_words(value: Any) -> str:
    """Options as ``"backbone mf, k 5"``; anything else as text."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {one}" for name, one in value.items()) or "as its paper has it"


def flipped(one: Comparison) -> Comparison:
    """The same comparison with its sides exchanged."""
    turned = replace(one, a=one.b, b=one.a, mean_a=one.mean_b, mean_b=one.mean_a)
    turned = replace(turned, difference=-one.difference, low=-one.high, high=-one.low)
    return replace(turned, bootstrap_low=-one.bootstrap_high, bootstrap_high=-one.bootstrap_low)


def _narrow(method: Method, metric: str, slice: str) -> list[Scores]:
    """The method's Scores, cut to one slice and metric, under its label."""
    found = []
    for one in method.runs.values():
        table = one.per_user
        if metric not in table:
            raise InputError(f"{method.label} has no metric {metric!r}; it has {', '.join(method.metrics)}.")
        rows = table.loc[(table["slice"] == slice).to_numpy(), ["user", "slice", metric]]
        found.append(replace(one, label=method.label, per_user=rows))
    return found
