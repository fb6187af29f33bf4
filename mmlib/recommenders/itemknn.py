"""Item-kNN: what is like what you bought, by purchases or by content."""

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from ..data.dataset import Dataset
from ..errors import InputError, one_of
from ..kernels import nearest
from ..vectors import Features
from .content import contents
from .direct import Direct

BLOCK = 1024  # items at a time


class ItemKNN(Direct):
    r"""Item-based top-N recommendation from `"Item-Based Top-N Recommendation Algorithms"
    <https://doi.org/10.1145/963770.963776>`_ (Deshpande and Karypis 2004).

    .. math:: score(u, i) = \sum_{j \in I_u} s_{ji} \, [i \in N_k(j)], \qquad
        s_{ji} = \frac{|U_j \cap U_i|}{\sqrt{|U_j| |U_i|} + h}

    with N_k(j) the k items most like j. By content s is the mean cosine over the modalities, which needs no
    purchases of an item at all.

    Args:
        data: a split dataset.
        features: needed with ``on="content"``.
        on: ``"purchases"`` or ``"content"``.
        neighbours: k.
        shrink: h, which holds back similarities that few users vouch for; 0 is the plain cosine.
        modalities, missing: of the content, see ``content.contents``.
    """

    def __init__(
        self,
        data: Dataset,
        features: Features | None = None,
        *,
        on: str = "purchases",
        neighbours: int = 100,
        shrink: float = 0.0,
        modalities: str | None = None,
        missing: str = "mean",
    ) -> None:
        one_of("on", on, ("purchases", "content"))
        if neighbours < 1 or shrink < 0:
            raise InputError(f"neighbours = {neighbours} must be at least 1 and shrink = {shrink} not negative.")
        super().__init__(data)
        self.on, self.neighbours, self.shrink = on, neighbours, shrink
        self.modalities, self.missing = modalities, missing
        if on == "purchases":
            self.similar = by_purchases(self.bought, neighbours, shrink)
        else:
            tables = contents("ItemKNN on content", features, modalities, missing=missing)
            joined = torch.cat([nearest.unit(one().float()) for one in tables.values()], dim=1)
            self.similar = by_content(joined, neighbours)

    def products(self, bought: csr_matrix) -> np.ndarray:
        return (bought @ self.similar).toarray().astype(np.float32, copy=False)


def by_purchases(bought: csr_matrix, k: int, shrink: float) -> csr_matrix:
    """Each item's k nearest others by shared buyers: [n_items, n_items] sparse, k entries a row at most."""
    buyers = bought.T.tocsr()  # [n_items, n_users]
    degree = np.sqrt(np.diff(buyers.indptr)).astype(np.float32)
    rows = []
    for start in range(0, len(degree), BLOCK):
        shared = (buyers[start : start + BLOCK] @ bought).tocoo()
        other = shared.row + start != shared.col
        row, col, count = shared.row[other], shared.col[other], shared.data[other]
        value = count / (degree[row + start] * degree[col] + shrink)
        order = np.lexsort((-value, row))
        row, col, value = row[order], col[order], value[order]
        first = np.searchsorted(row, np.arange(shared.shape[0]))
        kept = np.arange(len(row)) - first[row] < k
        rows.append(csr_matrix((value[kept], (row[kept], col[kept])), shape=shared.shape))
    return vstack(rows, format="csr")


def by_content(vectors: torch.Tensor, k: int) -> csr_matrix:
    """Each item's k nearest others by cosine (negative ones count nothing): [n_items, n_items] sparse."""
    index, cosine = nearest.top_k(vectors, k)  # [n, k]
    kept = (index >= 0) & (cosine > 0)
    row = torch.arange(len(vectors)).unsqueeze(1).expand_as(index)[kept]
    n = len(vectors)
    return csr_matrix((cosine[kept].numpy(), (row.numpy(), index[kept].numpy())), shape=(n, n))
