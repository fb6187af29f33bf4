"""Item-kNN: what is like what you bought, by purchases or by content."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import nn

from ..core.errors import number
from ..core.item_cf import by_purchases
from ..core.neighbours import NeighbourLists, Search
from ..kernels import rank
from ..kernels.matmul import linear
from ..kernels.neighbours import unit
from ..kernels.sample import Seen
from ..training import Dataset, Features
from .item_similarity import ItemSimilarity
from .modalities import contents


class ItemKNN(ItemSimilarity):
    r"""Item-based top-N recommendation from `"Item-Based Top-N Recommendation Algorithms"
    <https://doi.org/10.1145/963770.963776>`_ (Deshpande and Karypis 2004).

    .. math:: score(u, i) = \sum_{j \in I_u} s_{ji} \, [i \in N_k(j)], \qquad
        s_{ji} = \frac{|U_j \cap U_i|}{\sqrt{|U_j| |U_i|} + h}

    with N_k(j) the k items most like j. By content s is the mean cosine over the modalities that both items have, which
    needs no purchases of an item at all.

    Args:
        data: a split dataset.
        features: needed with ``on="content"``.
        on: ``"purchases"`` or ``"content"``.
        neighbours: k.
        shrink: h, which holds back similarities that few users vouch for; 0 is the plain cosine.
        modalities: of the content, see ``modalities.contents``.
        neighbour_lists: results of :meth:`searches`; searched here when not given.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        on: Literal["purchases", "content"] = "purchases",
        neighbours: int = 100,
        shrink: float = 0.0,
        modalities: str | None = None,
        neighbour_lists: Mapping[str, NeighbourLists] | None = None,
    ) -> None:
        number("neighbours", neighbours, least=1)
        super().__init__(data)
        if on == "purchases":
            self.similar = by_purchases(self.bought, neighbours, shrink)
        else:
            search = by_content(contents("ItemKNN on content", features, modalities), neighbours)
            lists = (neighbour_lists or {}).get("items") or search.run()
            kept = lists.likeness > 0
            at = (lists.row[kept].numpy(), lists.col[kept].numpy())
            self.similar = csr_matrix((lists.likeness[kept].numpy(), at), shape=(data.n_items, data.n_items))

    @classmethod
    def searches(cls, data: Dataset, features: Features | None = None, **options: Any) -> dict[str, Search]:
        given = cls.in_force(**options)
        if given["on"] != "content":
            return {}
        content = contents("ItemKNN on content", features, given["modalities"])
        return {"items": by_content(content, given["neighbours"])}

    def products(self, bought: csr_matrix) -> np.ndarray:
        return (bought @ self.similar).toarray().astype(np.float32, copy=False)


def by_content(content: nn.ModuleDict, k: int) -> Search:
    """Each item's k nearest others by the mean cosine over the modalities that both have."""
    there = torch.stack([one.get_buffer("present") for one in content.values()], 1).float()  # [n, M]
    x = torch.cat([unit(one().float()) * has.unsqueeze(1) for one, has in zip(content.values(), there.T)], 1)
    n = len(x)
    each = torch.arange(n)
    itself = Seen(torch.arange(n + 1), each, n, n)

    def run() -> NeighbourLists:
        means = lambda rows: linear(x[rows], x) / linear(there[rows], there).clamp(min=1)  # noqa: E731
        index, cosine = rank.top_k_by(means, each, n, k, seen=itself)
        found = index >= 0
        return NeighbourLists(each.unsqueeze(1).expand_as(index)[found], index[found], cosine[found], n)

    return Search("nearest by shared modalities", {"x": x, "there": there, "k": k}, run)
