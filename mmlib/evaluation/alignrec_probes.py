"""AlignRec's three probes of features, before any recommender is trained on them.

`"AlignRec: Aligning and Training in Multimodal Recommendations" <https://arxiv.org/abs/2403.12384>`_ (CIKM 2024),
section 4.4.2. What the section leaves open is a keyword, with the reading that its words or its table 3 suggest as
default. By default the probes read the training and the validation part, so that features may be chosen by them and
the test part stays unread; the paper does not part its interactions here (``parts=("train", "valid", "test")``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from ..core.dataset import PARTS, Dataset
from ..core.errors import InputError, number, one_of
from ..core.features import Features
from ..core.item_cf import most_alike
from ..core.subset import subset
from ..splits import leave_one_out
from .intervals import Estimate, mean_difference
from .item_vectors import ItemVectors, item_vectors
from .recalled import Recalled, places

KNOWN = ("train", "valid")  # what may be read before the test part is
PROBES = ("zero-shot", "item-CF")


@dataclass(frozen=True)
class Masked:
    """A probe with all of the content, and with one modality of some items masked; paired over users or items.

    Args:
        whole: rank [n].
        masked: rank [S, n], a row a draw of the masked items.
    """

    whole: Recalled
    masked: Recalled

    def change(self, k: int, *, level: float = 0.95) -> Estimate:
        """Recall at k with the mask less that without, with its interval and test."""
        return mean_difference(self.masked.hits(k) - self.whole.hits(k), level=level)


def known_part(data: Dataset, parts: Sequence[str] = KNOWN) -> Dataset:
    """The interactions of some parts, not split, with all users and items: what probes part anew.

    Raises:
        InputError: for an unknown part, and for a dataset without a split.
    """
    for name in parts:
        one_of("parts", name, PARTS)
        data.part(name)  # refuses a dataset without a split
    return subset(data, np.isin(data.interactions["part"].to_numpy(), list(parts)))


def zero_shot(
    data: Dataset,
    features: Features,
    modalities: str | None = None,
    *,
    order: str = "auto",
    parts: Sequence[str] = KNOWN,
    candidates: str = "all",
    similarity: str = "cosine",
    seed: int = 0,
    **vectors: Any,
) -> Recalled:
    r"""Does the mean of what a user had lead to what the user takes next?

    .. math:: h^u = \frac{1}{|H_u|} \sum_{j \in H_u} h^j, \qquad
        \text{target } i \text{ found} \iff \mathrm{sim}(h^u, h^i) \text{ among the } k \text{ largest}

    with the user's most recent item as target and all earlier ones as history H_u.

    Args:
        data: a split dataset.
        modalities: see ``item_vectors``.
        order: ``"time"`` (the paper); ``"random"``: any item of the user is the target, for catalogues that do not say
            when; ``"auto"``: time where it is known for all interactions.
        parts: whose interactions are read.
        candidates: ``"all"`` items, the history among them. The paper does not describe its "candidate set"; the Recall
            of its table 3 more than doubles from 10 to 20 places, as it does where the history takes the first
            places. ``"unseen"``: without the history.
        similarity: ``"cosine"`` or ``"inner product"``; the paper does not say which.
        seed: of the random order.
        vectors: ``masked``, ``scale`` and ``centre``, see ``item_vectors``.

    Raises:
        InputError: for unknown names, missing times under ``order="time"``, and where no user has three interactions.
    """
    one_of("order", order, ("auto", "time", "random"))
    one_of("candidates", candidates, ("all", "unseen"))
    known = known_part(data, parts)
    if order == "auto":
        times = known.interactions.get("time")
        order = "time" if times is not None and np.isfinite(times.to_numpy(dtype=float)).all() else "random"
    known = leave_one_out(known, order, seed=seed)
    users, targets = known.test.T
    history = (known.matrix("train") + known.matrix("valid"))[users]
    items = item_vectors(features, modalities, **vectors)
    mean = history @ items.x.numpy() / np.diff(history.indptr)[:, None]
    hidden = history if candidates == "unseen" else None
    goal = torch.from_numpy(targets)
    found = places(torch.from_numpy(mean).float(), goal, items, hidden=hidden, similarity=similarity)
    count = _candidates(items, hidden)
    return Recalled(found, torch.from_numpy(users), "users", count, data.n_users - len(users))


def item_cf(
    data: Dataset,
    features: Features,
    modalities: str | None = None,
    *,
    parts: Sequence[str] = KNOWN,
    similarity: str = "cosine",
    seed: int = 0,
    **vectors: Any,
) -> Recalled:
    r"""Are the items that people take together also alike in content?

    An item's target is the other item with the highest item-CF score :math:`|U_j \cap U_i| / \sqrt{|U_j| |U_i|}`
    (the cosine of Sarwar et al. 2001, which the paper cites; of its three measures the one that needs no ratings),
    sought among all other items by content. Of equal scores one is drawn: with few interactions there are many.

    Args:
        data: a split dataset.
        modalities: see ``item_vectors``.
        parts: whose interactions are read.
        similarity: ``"cosine"`` or ``"inner product"``; the paper does not say which.
        seed: of the draw among equal scores.
        vectors: ``masked``, ``scale`` and ``centre``, see ``item_vectors``.

    Raises:
        InputError: for unknown names, and where no two items were taken by one user.
    """
    asking, targets = most_alike(_matrix(data, parts), seed=seed)
    if not len(asking):
        raise InputError(f"No two items of {data.name} were taken by one user, so there is no item-CF score.")
    items = item_vectors(features, modalities, **vectors)
    goal, rows = torch.from_numpy(targets), torch.from_numpy(asking)
    shape = (len(asking), data.n_items)
    itself = csr_matrix((np.ones(len(asking), dtype=np.float32), (np.arange(len(asking)), asking)), shape=shape)
    found = places(items.x[rows], goal, items, hidden=itself, similarity=similarity)
    return Recalled(found, rows, "items", _candidates(items, itself), data.n_items - len(asking))


def mask_modality(
    data: Dataset,
    features: Features,
    modality: str,
    *,
    share: float = 0.5,
    probe: str = "zero-shot",
    draws: int = 1,
    seed: int = 0,
    **options: Any,
) -> Masked:
    """What is lost when a share of the items loses one modality?

    The paper masks 50 % of the items' images, or texts, in the zero-shot setting (table 3); its words allow both.

    Args:
        modality: ``"image"`` or ``"text"``.
        share: of the items that have it, above 0 and at most 1.
        probe: ``"zero-shot"`` or ``"item-CF"``.
        draws: how many draws of the masked items; the paper makes one.
        seed: of the draws.
        options: of the probe.

    Raises:
        InputError: as the probe, for a modality that is not there, and a share or number of draws that cannot be.
    """
    one_of("probe", probe, PROBES)
    one_of("modality", modality, [name for name in features.item if name != "fused"])
    number("draws", draws, whole=True, least=1)
    if not 0 < share <= 1:
        raise InputError(f"share = {share} must be above 0 and at most 1.")
    asked = zero_shot if probe == "zero-shot" else item_cf
    there, rng = features.present[modality].nonzero().flatten().numpy(), np.random.default_rng(seed)
    ranks = []
    for _ in range(draws):
        mask = torch.zeros_like(features.present[modality])
        mask[torch.from_numpy(rng.permutation(there)[: round(share * len(there))])] = True
        ranks.append(asked(data, features, masked={modality: mask}, seed=seed, **options))
    whole, one = asked(data, features, seed=seed, **options), ranks[0]
    rank = torch.stack([each.rank for each in ranks])
    return Masked(whole, Recalled(rank, one.who, one.of, one.candidates, one.left_out))


def _matrix(data: Dataset, parts: Sequence[str]) -> csr_matrix:
    """Who had what in some parts: [n_users, n_items], binary."""
    total = sum((data.matrix(one_of("parts", name, PARTS)) for name in parts), csr_matrix((data.n_users, data.n_items)))
    total = csr_matrix(total, dtype=np.float32)
    total.data[:] = 1
    return total


def _candidates(items: ItemVectors, hidden: csr_matrix | None) -> float:
    """How many items a target is sought among, on average."""
    taken = 0.0 if hidden is None else float((hidden @ items.present.numpy().astype(np.float32)).mean())
    return float(items.present.sum()) - taken
