"""Full ranking over all items, scored per user.

Letters: n = users with positives, k = length of a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..errors import InputError, one_of
from ..kernels import rank
from ..kernels.sample import Seen
from ..vectors import Embeddings

METRICS = ("recall", "ndcg", "precision", "hr")
FEW = "few purchases"


class Embedding(Protocol):
    """Anything that can give its vectors: a recommender, a pre-trainer."""

    data: Dataset

    def embed(self) -> Embeddings: ...


@dataclass(frozen=True, repr=False)
class Scores:
    """What a ranking is worth, user by user.

    Args:
        label: the ranking's name in tables and figures.
        per_user: one row per user and slice: ``user``, ``slice`` (``"all"`` or ``"few purchases"``),
            ``positives``, and a column per metric such as ``recall@20``.
        about: part, masks, users left out; plain values.
    """

    label: str
    per_user: pd.DataFrame
    about: dict[str, Any]

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
        """The mean over all users with positives, such as ``scores["recall@20"]``."""
        return self.mean(metric)

    def mean(self, metric: str, slice: str = "all") -> float:
        """The mean of ``metric`` over the users of a slice (NaN where the slice is empty)."""
        one_of("metric", metric, metric_columns(self.per_user))
        return float(self.per_user.loc[self.per_user["slice"] == slice, metric].mean())

    def __repr__(self) -> str:
        return f"Scores({self.label!r}, {self.per_user['user'].nunique()} users, {self.about.get('part', '')} part)"

    def _repr_html_(self) -> str:
        table = self.means()
        table["mean"] = [f"{m:.4f} ± {h - m:.4f}" for m, h in zip(table["mean"], table["high"])]
        shown = table[["slice", "metric", "mean", "users"]].to_html(index=False, border=0)
        return f"<h4>{self.label}, {self.about['part']} part</h4>{shown}<p>{self.note()}</p>"

    def note(self) -> str:
        """One sentence on who is counted and what is masked."""
        masked = "training and validation" if self.about["mask_valid"] else "training"
        return (
            f"{self.about['left_out']:,} users without {self.about['part']} purchases are left out; {masked} items are "
            f"masked; 95 % intervals are over users; few purchases: items bought at most {self.about['few']} times in "
            "the training part."
        )


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The metric columns of a per-user table."""
    return [name for name in table.columns if "@" in name]


def evaluate(
    model: Embedding | Embeddings,
    data: Dataset | None = None,
    *,
    part: str = "test",
    k: Sequence[int] = (10, 20),
    mask_valid: bool = True,
    few: int = 5,
    label: str | None = None,
    block: int = 512,
) -> Scores:
    """Rank all items for every user of a part and score the lists.

    Args:
        model: a recommender, the result of ``fit``, or ``Embeddings`` (then give ``data``).
        part: ``"valid"`` or ``"test"``.
        k: list lengths.
        mask_valid: at test, take validation items out of the candidates, as one would in use; the usual
            toolbox leaves them in. Training items are always masked.
        few: the slice "few purchases" counts only positives bought at most this often in the training part.
        label: name in tables; by default the model's class.
        block: users ranked at a time.

    Returns:
        Recall (hits / positives), NDCG (ideal over min(positives, k)), Precision (hits / k) and HR per user.
        Users without positives in a slice are left out of it.

    Raises:
        InputError: unknown part, no data, or k < 1.
    """
    one_of("part", part, ("valid", "test"))
    if not k or min(k) < 1:
        raise InputError(f"k = {list(k)}; give list lengths of at least 1.")
    inner = getattr(model, "model", model)
    data = data or getattr(inner, "data", None)
    if data is None:
        raise InputError("Embeddings alone cannot be evaluated: give the dataset too, evaluate(embeddings, data).")
    with torch.no_grad():
        vectors = inner if isinstance(inner, Embeddings) else inner.embed()
    task = Task.of(data, part, mask_valid=mask_valid, device=vectors.users.device)
    items, hits = task.lists(vectors, max(k), block)
    rare = torch.from_numpy(data.purchases() <= few)
    tables = [
        _scored(task.users, "all", hits, task.positives(), k),
        _scored(task.users, FEW, hits & rare[items], task.positives(rare), k),
    ]
    left_out = data.n_users - len(task.users)
    about = {"part": part, "mask_valid": mask_valid and part == "test", "few": few, "left_out": left_out}
    name = label or (inner.about.get("model", "embeddings") if isinstance(inner, Embeddings) else type(inner).__name__)
    return Scores(name, pd.concat(tables, ignore_index=True), about)


@dataclass(frozen=True)
class Task:
    """Lists to be made: the users who have positives in a part, what is masked, and what is to be found.

    Args:
        users: [n] int64, on the CPU.
        seen: masked items.
        truth: positives.
    """

    users: Tensor
    seen: Seen
    truth: Seen

    @classmethod
    def of(cls, data: Dataset, part: str, *, mask_valid: bool = True, device: torch.device | str = "cpu") -> "Task":
        pairs = torch.from_numpy(data.part(part))
        masked = data.train
        if part == "test" and mask_valid:
            masked = np.concatenate([data.train, data.valid])
        hidden = torch.from_numpy(masked)
        seen = Seen.from_pairs(hidden[:, 0], hidden[:, 1], data.n_users, data.n_items)
        truth = Seen.from_pairs(pairs[:, 0], pairs[:, 1], data.n_users, data.n_items)
        return cls(pairs[:, 0].unique(), seen.to(device), truth.to(device))

    def lists(self, vectors: Embeddings, k: int, block: int = 512) -> tuple[Tensor, Tensor]:
        """The k best items of each user and whether they are positives: [n, k] int64 and bool, on the CPU.

        A place that no item is left for holds item 0 and no hit.
        """
        rows = self.users.to(vectors.users.device)
        items, _ = rank.top_k(vectors.users[rows], vectors.items, k, seen=self.seen, rows=rows, block=block)
        hits = rank.hits(items, self.truth, rows=rows)
        return items.clamp(min=0).cpu(), hits.cpu()

    def positives(self, counted: Tensor | None = None) -> Tensor:
        """How many positives each of ``users`` has, only those among ``counted`` [n_items] bool if given: [n]."""
        indptr, items = self.truth.indptr.cpu(), self.truth.items.cpu()
        ones = torch.ones(len(items), dtype=torch.int64) if counted is None else counted[items].long()
        total = torch.cat([torch.zeros(1, dtype=torch.int64), ones.cumsum(0)])[indptr]
        return total.diff()[self.users]

    def means(self, vectors: Embeddings, k: int) -> dict[str, float]:
        """Recall and NDCG at k, averaged over users: what validation during training needs."""
        table = _scored(self.users, "all", self.lists(vectors, k)[1], self.positives(), [k])
        return {name: float(table[name].mean()) for name in (f"recall@{k}", f"ndcg@{k}")}


def _scored(users: Tensor, name: str, hits: Tensor, positives: Tensor, k: Sequence[int]) -> pd.DataFrame:
    """Metrics of the users who have positives: hits [n, longest k] bool, positives [n]."""
    kept = positives > 0
    users, hits, positives = users[kept], hits[kept].double(), positives[kept].double()
    discount = 1 / torch.arange(2, hits.shape[1] + 2, dtype=torch.float64).log2()  # [k]
    gain, ideal = (hits * discount).cumsum(1), discount.cumsum(0)
    table: dict[str, Any] = {"user": users.numpy(), "slice": name, "positives": positives.long().numpy()}
    for at in sorted(set(k)):
        found = hits[:, :at].sum(1)
        best = ideal[positives.clamp(max=at).long() - 1]
        values = {"recall": found / positives, "ndcg": gain[:, at - 1] / best, "precision": found / at}
        values["hr"] = (found > 0).double()
        table |= {f"{metric}@{at}": values[metric].numpy() for metric in METRICS}
    return pd.DataFrame(table)
