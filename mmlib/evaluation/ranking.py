"""Full ranking over all items, scored per user.

Letters: n = users with positives, k = length of a list.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..core.dataset import Dataset
from ..core.embeddings import Embeddings
from ..core.errors import InputError, number, one_of
from ..kernels import rank
from ..kernels.sample import Seen
from .metrics import METRICS, of_lists, of_users
from .scores import Scores
from .slices import Slice, chosen

LONGEST = 100_000  # places of a list


class Embedding(Protocol):
    """Anything that can give its vectors: a recommender, a pre-trainer."""

    data: Dataset

    def embed(self) -> Embeddings: ...


class Scoring(Protocol):
    """A method without vectors, which scores all items for a user: EASE, item-kNN."""

    def scores(self, users: Tensor) -> Tensor: ...


def evaluate(
    model: Embedding | Embeddings,
    data: Dataset | None = None,
    *,
    part: str = "test",
    k: Sequence[int] = (10, 20),
    mask_valid: bool = True,
    candidates: str = "all",
    few: int = 5,
    slices: Sequence[str | Slice] | None = None,
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
        candidates: what is ranked: ``"all"`` items, or only the ``"cold"`` ones, which nobody bought in training, for
            their own users: how well is it told which new item is for whom, whatever becomes of the others?
        few: the slice "few purchases" counts only positives bought at most this often in the training part.
        slices: which slices, by name or as ``Slice``; see ``slices.chosen``. By default ``"all"``, ``"few purchases"``,
            and every other one that holds some of the positives, but not all.
        label: name in tables; by default the model's class.
        block: users ranked at a time.

    Returns:
        Recall, NDCG, precision, hit ratio, MAP and MRR per user (``metrics.of_users``), and the lists' coverage, Gini
        and popularity (``metrics.of_lists``). Users without positives in a slice are left out of it.

    Raises:
        InputError: unknown part, slice or candidates, no data, no cold item, or k < 1.
    """
    _check_options(part, k, few, block)
    inner = getattr(model, "model", model)
    data = data or getattr(inner, "data", None)
    if data is None:
        raise InputError("Embeddings alone cannot be evaluated: give the dataset too, evaluate(embeddings, data).")
    wanted = chosen(data, slices, few)
    with torch.no_grad():
        ranked: Any = inner if isinstance(inner, Embeddings) or hasattr(inner, "scores") else inner.embed()
    if isinstance(ranked, Embeddings) and (len(ranked.users), len(ranked.items)) != (data.n_users, data.n_items):
        raise InputError(
            f"The vectors are of {len(ranked.users):,} users and {len(ranked.items):,} items, but {data.name} has "
            f"{data.n_users:,} and {data.n_items:,}: they were made for another catalogue."
        )
    device = ranked.users.device if isinstance(ranked, Embeddings) else "cpu"
    task = Task.of(data, part, mask_valid=mask_valid, candidates=candidates, device=device)
    items, hits = task.lists(ranked, max(k), block)
    counts = {one: task.positives(one) for one in wanted}
    if slices is None:
        total = int(task.positives().sum())
        wanted = tuple(one for n, one in enumerate(wanted) if n < 2 or 0 < int(counts[one].sum()) < total)
    about = {
        "part": part, "mask_valid": mask_valid and part == "test", "candidates": candidates, "few": few,
        "left_out": data.n_users - len(task.users), "slices": {one.name: one.rule for one in wanted},
        "data": {"name": data.name, "key": data.key, "split": data.split and asdict(data.split)},
    }  # fmt: skip
    name = label or (inner.about.get("model", "embeddings") if isinstance(inner, Embeddings) else type(inner).__name__)
    tables = [_per_user(task.users, one, items, hits, counts[one], k) for one in wanted]
    per_user = pd.concat(tables, ignore_index=True)
    per_user["slice"] = pd.Categorical(per_user["slice"], [one.name for one in wanted])  # a byte a row
    return Scores(name, per_user, about, _of_lists(task.users, wanted, items, data, k))


def _check_options(part: str, k: Sequence[int], few: int, block: int) -> None:
    one_of("part", part, ("valid", "test"))
    if isinstance(k, str) or not isinstance(k, Sequence) or not k:
        raise InputError(f"k = {k!r}; give a list of lengths of at least 1, such as [10, 20].")
    for length in k:
        number("k", length, whole=True, least=1, most=LONGEST)
    number("few", few, whole=True, least=0)
    number("block", block, whole=True, least=1)


@dataclass(frozen=True)
class Task:
    """Lists to be made: the users who have positives in a part, what is masked, and what is to be found.

    Args:
        users: [n] int64, on the CPU.
        seen: masked items, by their places among the candidates.
        truth: positives.
        pool: [c] int64, the items that are candidates; ``None``: all.
    """

    users: Tensor
    seen: Seen
    truth: Seen
    pool: Tensor | None = None

    @classmethod
    def of(
        cls,
        data: Dataset,
        part: str,
        *,
        mask_valid: bool = True,
        candidates: str = "all",
        device: torch.device | str = "cpu",
    ) -> "Task":
        one_of("candidates", candidates, ("all", "cold"))
        pairs = torch.from_numpy(data.part(part))
        masked = data.train
        if part == "test" and mask_valid:
            masked = np.concatenate([data.train, data.valid])
        hidden, pool, n = torch.from_numpy(masked), None, data.n_items
        if candidates == "cold":
            place = _places(data)
            pool, n = (place >= 0).nonzero().flatten(), int(place.max()) + 1
            pairs, hidden = pairs[place[pairs[:, 1]] >= 0], hidden[place[hidden[:, 1]] >= 0]
            hidden = torch.stack([hidden[:, 0], place[hidden[:, 1]]], 1)
        seen = Seen.from_pairs(hidden[:, 0], hidden[:, 1], data.n_users, n)
        truth = Seen.from_pairs(pairs[:, 0], pairs[:, 1], data.n_users, data.n_items)
        return cls(pairs[:, 0].unique(), seen.to(device), truth.to(device), None if pool is None else pool.to(device))

    def lists(self, ranked: "Embeddings | Scoring", k: int, block: int = 512) -> tuple[Tensor, Tensor]:
        """The k best items of each user and whether they are positives: [n, k] int64 and bool, on the CPU.

        A place that no item is left for holds -1 and no hit.
        """
        rows, pool = self.users.to(self.seen.device), self.pool
        if isinstance(ranked, Embeddings):
            table = ranked.items if pool is None else ranked.items[pool]
            items, _ = rank.top_k(ranked.users[rows], table, k, seen=self.seen, rows=rows, block=block)
        else:
            scores = ranked.scores if pool is None else lambda users: ranked.scores(users)[:, pool]
            items, _ = rank.top_k_by(scores, rows, self.seen.n_items, k, seen=self.seen, block=block)
        items = items if pool is None else torch.where(items < 0, items, pool[items])
        hits = rank.hits(items, self.truth, rows=rows)
        return items.cpu(), hits.cpu()

    def positives(self, one: Slice | None = None) -> Tensor:
        """How many positives each of ``users`` has, or has of a slice (0 for users that are not in it): [n]."""
        indptr, items = self.truth.indptr.cpu(), self.truth.items.cpu()
        counts = torch.ones(len(items), dtype=torch.int64)
        if one is not None and one.items is not None:
            counts = torch.tensor(one.items)[items].long()
        found = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])[indptr].diff()[self.users]
        return found if one is None or one.users is None else found * torch.tensor(one.users)[self.users]

    def means(self, ranked: "Embeddings | Scoring", k: int) -> dict[str, float]:
        """Recall and NDCG at k, averaged over users: what validation during training needs."""
        values = of_users(self.lists(ranked, k)[1], self.positives(), [k], ("recall", "ndcg"))
        return {name: float(column.mean()) for name, column in values.items()}


def _places(data: Dataset) -> Tensor:
    """Each cold item's place among the cold ones, -1 for others: [n_items] int64."""
    cold = torch.from_numpy(data.purchases() == 0)
    if not cold.any():
        raise InputError(
            f'{data.name} has no item without training purchases, so there are none to rank under candidates="cold". '
            'Split with split="cold items".'
        )
    return torch.where(cold, cold.cumsum(0) - 1, -1)


def _per_user(
    users: Tensor, one: Slice, items: Tensor, hits: Tensor, positives: Tensor, k: Sequence[int]
) -> pd.DataFrame:
    """The rows of a slice: its users who have positives in it."""
    kept = positives > 0
    users, items, hits, positives = users[kept], items[kept], hits[kept], positives[kept]
    if one.items is not None:
        hits = hits & torch.tensor(one.items)[items]  # -1 is the last item's place, but never a hit
    facts = {"user": users.numpy(), "slice": one.name, "positives": positives.numpy()}
    return pd.DataFrame(facts | of_users(hits, positives, k, METRICS))


def _of_lists(users: Tensor, wanted: Sequence[Slice], items: Tensor, data: Dataset, k: Sequence[int]) -> pd.DataFrame:
    """``Scores.lists``; a slice without a user of this part has no rows."""
    lists, purchases, rows = items.numpy(), data.purchases(), []
    for one in wanted:
        own = lists if one.users is None else lists[one.users[users.numpy()]]
        found = of_lists(own, purchases, k, one.items) if len(own) else {}
        rows += [(one.name, metric, value) for metric, value in found.items()]
    return pd.DataFrame(rows, columns=["slice", "metric", "value"])
