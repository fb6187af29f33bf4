"""What a ranking is worth: the result of ``evaluate``."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import one_of

# made once: a table takes a millisecond, and comparisons make many Scores without lists
_NO_LISTS = pd.DataFrame({"slice": [], "metric": [], "value": []}).astype({"slice": str, "metric": str, "value": float})


@dataclass(frozen=True, repr=False)
class Scores:
    """What a ranking is worth, user by user, and what its lists recommend.

    Args:
        label: the ranking's name in tables and figures.
        per_user: one row per user and slice: ``user``, ``slice`` (``"all"``, ``"few purchases"`` ...),
            ``positives``, and a column per metric such as ``recall@20``; see ``metrics.of_users``.
        about: part, masks, users left out, the slices' rules; plain values.
        lists: ``slice``, ``metric``, ``value``: coverage, Gini, popularity of all lists of a slice together; see
            ``metrics.of_lists``. In a slice of users, of these users' lists; in a slice of items, of the places that
            these items take in everyone's list.
    """

    label: str
    per_user: pd.DataFrame
    about: dict[str, Any]
    lists: pd.DataFrame = field(default_factory=lambda: _NO_LISTS)

    def means(self) -> pd.DataFrame:
        """Mean over users with its 95 % interval: ``slice``, ``metric``, ``mean``, ``low``, ``high``, ``users``.

        The interval is for other users of the same kind under the same trained model (normal approximation).
        """
        rows = []
        for name, table in self.per_user.groupby("slice", sort=False, observed=True):
            for metric in metric_columns(table):
                values = table[metric].to_numpy()
                half = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
                mean = values.mean()
                rows.append((name, metric, mean, mean - half, mean + half, len(values)))
        return pd.DataFrame(rows, columns=["slice", "metric", "mean", "low", "high", "users"])

    def __getitem__(self, metric: str) -> float:
        """The mean over all users with positives, such as ``scores["recall@20"]``, or ``scores["coverage@20"]``."""
        return self.mean(metric)

    def mean(self, metric: str, slice: str = "all") -> float:
        """The mean of ``metric`` over the users of a slice, or what its lists have together (NaN where it is empty)."""
        one_of("metric", metric, [*metric_columns(self.per_user), *self.lists["metric"].unique()])
        table, column = (self.per_user, metric) if metric in self.per_user else (self.lists, "value")
        rows = table["slice"] == slice
        rows = rows if column == metric else rows & (table["metric"] == metric)
        return float(table.loc[rows, column].mean())

    def __repr__(self) -> str:
        return f"Scores({self.label!r}, {self.per_user['user'].nunique()} users, {self.about.get('part', '')} part)"

    def _repr_html_(self) -> str:
        means = self.means()
        means["cell"] = [f"{m:.4f} ± {h - m:.4f}" for m, h in zip(means["mean"], means["high"])]
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


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The metric columns of a per-user table."""
    return [name for name in table.columns if "@" in name]


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """A row a slice and a column a metric, both in the order in which they come."""
    slices, metrics = table["slice"].unique(), table["metric"].unique()
    wide = table.pivot(index="slice", columns="metric", values="cell").reindex(index=slices, columns=metrics)
    return wide.rename_axis(index="slice", columns=None)
