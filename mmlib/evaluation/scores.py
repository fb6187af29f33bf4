"""What a ranking is worth: the result of ``evaluate``, and the rankings of one method over its seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError, one_of
from .intervals import in_words, mean_of_shares

# made once: a table takes a millisecond, and comparisons make many Scores without lists
_NO_LISTS = pd.DataFrame({"slice": [], "metric": [], "value": []}).astype({"slice": str, "metric": str, "value": float})


@dataclass(frozen=True, repr=False)
class Scores:
    """What a ranking is worth, user by user, and what its lists recommend.

    Args:
        label: the ranking's name in tables and figures.
        per_user: one row per user and slice: ``user``, ``slice`` (``"all"``, ``"few purchases"`` ...),
            ``positives``, and a column per metric such as ``recall@20``; see ``metrics.of_users``.
        about: part, masks, users left out, the slices' rules, and ``data``: the dataset's ``name``, its ``key`` and
            ``split``, the passport; plain values.
        lists: ``slice``, ``metric``, ``value``: coverage, Gini, popularity of all lists of a slice together; see
            ``metrics.of_lists``. In a slice of users, of these users' lists; in a slice of items, of the places that
            these items take in everyone's list.
    """

    label: str
    per_user: pd.DataFrame
    about: dict[str, Any]
    lists: pd.DataFrame = field(default_factory=lambda: _NO_LISTS)

    @property
    def slices(self) -> list[str]:
        """Names of the slices, in their order."""
        return list(dict.fromkeys(map(str, self.per_user["slice"].unique())))

    def of_slice(self, slice: str) -> pd.DataFrame:
        """The rows of one slice, in the order of users."""
        return self.per_user[(self.per_user["slice"] == slice).to_numpy()].sort_values("user")

    def means(self, level: float = 0.95) -> pd.DataFrame:
        """Mean over users with its interval: ``slice``, ``metric``, ``mean``, ``low``, ``high``, ``users``.

        The interval (``intervals.mean_of_shares``) is for other users of the same kind under the same trained model.
        Its ends are NaN where there are too few users to say anything.
        """
        return Method(self.label, {"": self}).means(level)

    def __getitem__(self, metric: str) -> float:
        """The mean over all users with positives, such as ``scores["recall@20"]``, or ``scores["coverage@20"]``."""
        return self.mean(metric)

    def mean(self, metric: str, slice: str = "all") -> float:
        """The mean of ``metric`` over the users of a slice, or what its lists have together (NaN where it is empty)."""
        one_of("metric", metric, [*metric_columns(self.per_user), *self.lists["metric"].unique()])
        known = [*self.about.get("slices", ()), *self.slices, *self.lists["slice"]]
        one_of("slice", slice, dict.fromkeys(known))
        if metric in self.per_user:
            return float(self.of_slice(slice)[metric].mean())
        return float(self.lists.loc[(self.lists["slice"] == slice) & (self.lists["metric"] == metric), "value"].mean())

    def __repr__(self) -> str:
        return f"Scores({self.label!r}, {self.per_user['user'].nunique()} users, {self.about.get('part', '')} part)"

    def _repr_html_(self) -> str:
        means = self.means()
        means["cell"] = [in_words(*row) for row in means[["mean", "low", "high", "users"]].itertuples(index=False)]
        lists = self.lists.assign(cell=[f"{value:.4g}" for value in self.lists["value"]])
        users = means.drop_duplicates("slice").set_index("slice")["users"]
        tables = _wide(means).assign(users=users), _wide(lists)
        shown = "".join(table.to_html(border=0, na_rep="–") for table in tables if len(table))
        return f"<h4>{escape(self.label)}, {self.about['part']} part</h4>{shown}<p>{escape(self.note())}</p>"

    def note(self) -> str:
        """One sentence on who is counted, what is masked, and what the slices are."""
        masked = "training and validation" if self.about["mask_valid"] else "training"
        rules = {"few purchases": f"items bought at most {self.about['few']} times in the training part"}
        rules = self.about.get("slices", rules)
        said = "".join(f"; {name}: {rule}" for name, rule in rules.items() if name != "all")
        return (
            f"{self.about['left_out']:,} users without {self.about['part']} purchases are left out; {masked} items are "
            f"masked; 95 % intervals are over users{said}."
        )


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
        first, *others = (one.slices for one in self.runs.values())
        return [name for name in first if all(name in names for names in others)]

    @property
    def metrics(self) -> list[str]:
        """The metrics that every run has."""
        first, *others = (metric_columns(one.per_user) for one in self.runs.values())
        return [name for name in first if all(name in names for names in others)]

    def means(self, level: float = 0.95) -> pd.DataFrame:
        """Means over users and seeds: ``slice``, ``metric``, ``mean``, ``low``, ``high`` (95 % interval), ``users``.

        The interval (``intervals.mean_of_shares``) is for other users and other seeds of the same kind; with one seed
        for other users alone. Its ends are NaN where there are too few users to say anything.

        Raises:
            InputError: when the runs were not scored on the same users.
        """
        rows, metrics = [], self.metrics
        for name in self.slices:
            values = values_of([*self.runs.values()], name, metrics, f"The runs of {self.label}")
            for metric, own in zip(metrics, np.moveaxis(values, 2, 0)):
                found = mean_of_shares(own, level=level)
                rows.append((name, metric, found.value, found.low, found.high, found.users))
        return pd.DataFrame(rows, columns=["slice", "metric", "mean", "low", "high", "users"])


def ranked(methods: Mapping[str, Method | Scores], metric: str, slice: str = "all") -> pd.DataFrame:
    """``method``, ``mean``, ``low``, ``high``, ``users`` of one metric and slice, the best first.

    Raises:
        InputError: when there is no method, or the metric was not measured in this slice.
    """
    if not methods:
        raise InputError("There is no method to show: give a finished sweep.")
    found = pd.concat([one.means().assign(method=name) for name, one in methods.items()], ignore_index=True)
    rows = found[(found["metric"] == metric) & (found["slice"] == slice)]
    if rows.empty:
        raise InputError(f"{metric!r} was not measured in the slice {slice!r}.")
    rows = rows.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    return rows[["method", "mean", "low", "high", "users"]]


def values_of(runs: Sequence[Scores], slice: str, metrics: Sequence[str], who: str) -> np.ndarray:
    """The values of a slice in several rankings, users in the same order: [runs, U, metrics].

    Raises:
        InputError: naming ``who``, when they were not scored on the same users.
    """
    tables = [one.of_slice(slice) for one in runs]
    if not all(np.array_equal(table["user"], tables[0]["user"]) for table in tables):
        raise InputError(f"{who} were not scored on the same users; use one split for all of them.")
    return np.stack([table[list(metrics)].to_numpy(dtype=float) for table in tables])


def same_rows(runs: Sequence[Scores], names: Sequence[str]) -> list[tuple[str, ...]]:
    """The slices that hold the same rows in every run, grouped: each group once, under all of its names."""
    groups: list[tuple[list[str], list[pd.DataFrame]]] = []
    for name in names:
        tables = [one.of_slice(name).drop(columns="slice").reset_index(drop=True) for one in runs]
        same = (own for own, others in groups if all(map(pd.DataFrame.equals, others, tables)))
        if (twin := next(same, None)) is None:
            groups.append(([name], tables))
        else:
            twin.append(name)
    return [tuple(own) for own, _ in groups]


def check_same_data(runs: Sequence[tuple[str, Scores]]) -> None:
    """Refuse to pair rankings whose splits differ: the hashes in their passports must agree.

    Args:
        runs: name -> ranking. Rankings made by hand say nothing of their data; they are taken at their word where none
            of them says anything.

    Raises:
        InputError: with the names of two that differ, and in what.
    """
    first, a = runs[0][0], runs[0][1].about.get("data")
    for name, one in runs[1:]:
        b = one.about.get("data")
        if bool(a) != bool(b):
            raise InputError(
                f"{name if a else first} does not say which data it was made on, so it cannot be paired; run it again."
            )
        hashes = [(each or {}).get("split", {}).get("hashes", {}) for each in (a, b)]
        if a and b and (parts := [part for part in hashes[0] if hashes[0][part] != hashes[1].get(part)]):
            raise InputError(
                f"{first} and {name} were made on different data and cannot be paired: {said_of(a)}, and {said_of(b)} "
                f"({' and '.join(parts)} differ). Run both on the same data."
            )


def said_of(data: Mapping[str, Any]) -> str:
    """A dataset and its split in words, with its key."""
    split = data["split"]
    seed = "" if split["seed"] is None else f", seed {split['seed']}"
    return f"{data['name']} {data['key']} split {split['protocol']}{seed}"


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The metric columns of a per-user table."""
    return [name for name in table.columns if "@" in name]


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """A row a slice and a column a metric, both in the order in which they come."""
    slices, metrics = table["slice"].unique(), table["metric"].unique()
    wide = table.pivot(index="slice", columns="metric", values="cell").reindex(index=slices, columns=metrics)
    return wide.rename_axis(index="slice", columns=None)
