"""EASE: one dense item-item matrix in closed form."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from ..core.errors import InputError
from ..training import Dataset, Features
from .item_similarity import ItemSimilarity


class EASE(ItemSimilarity):
    r"""EASE from `"Embarrassingly Shallow Autoencoders for Sparse Data" <https://arxiv.org/abs/1905.03375>`_
    (Steck 2019).

    .. math:: \hat P = (X^\top X + \lambda I)^{-1}, \qquad
        B_{ij} = 0 \; (i = j), \quad -\hat P_{ij} / \hat P_{jj} \; (i \ne j) \quad (8), \qquad score = X B

    The matrix is dense by definition: n_items squared numbers of 8 bytes, held twice while it is inverted. The
    size is said first, and a catalogue beyond ``most_items`` is refused.

    Args:
        data: a split dataset.
        features: not used.
        ridge: lambda, above 0, or the matrix cannot be inverted; the paper finds 200 to 1,000.
        most_items: the largest catalogue that is tried; 20,000 items take 6.4 GB.
    """

    def __init__(
        self, data: Dataset, features: Features | None = None, *, ridge: float = 500.0, most_items: int = 20_000
    ) -> None:
        n = data.n_items
        gigabytes = 2 * 8 * n * n / 1e9
        if n > most_items:
            raise InputError(
                f"EASE needs a dense matrix of {n:,} x {n:,} items, {gigabytes:.1f} GB while it is inverted; the limit "
                f"is most_items = {most_items:,}. Raise it if the memory is there, or use ItemKNN."
            )
        super().__init__(data)
        print(f"EASE: inverting a dense {n:,} x {n:,} matrix, {gigabytes:.2f} GB", flush=True)
        self.weights = weights(self.bought, ridge)  # [n_items, n_items]

    def products(self, bought: csr_matrix) -> np.ndarray:
        return bought @ self.weights


def weights(bought: csr_matrix, ridge: float) -> np.ndarray:
    """B of eq. 8: [n_items, n_items] float32."""
    gram = (bought.T @ bought).astype(np.float64).toarray()
    gram[np.diag_indices_from(gram)] += ridge
    factor = cho_factor(gram, overwrite_a=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(len(gram)), overwrite_b=True, check_finite=False)
    made = np.divide(inverse, -np.diag(inverse), out=inverse)
    made[np.diag_indices_from(made)] = 0
    return made.astype(np.float32)
