"""Do item vectors know who bought what in the held-out parts? A test by their noise ceiling.

Letters: d = width of a vector, h = an item, u = a user.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from .report import NotMade

WIDTH = 64  # strongest principal directions that are kept
STRATA = 3  # groups of items by purchases
PAIRS = 200_000  # training pairs that the relation is learned from, evenly spread over users
GROUPS = 20  # of users, for the standard error
LEAST = 50  # items with two held-out buyers, and users with held-out purchases, that the test needs
SURE = 3.0  # standard errors above the ceiling from which it is reported


@dataclass(frozen=True)
class Ceiling:
    """How much vectors tell of held-out purchases, beside the most that taste alone could tell.

    Args:
        told: squared strength of the relation between items and their held-out buyers.
        ceiling: how alike held-out buyers of one item are: the most that ``told`` can be without having seen them.
        error: standard error of ``told - ceiling``.
        items: items with at least two held-out buyers.
    """

    told: float
    ceiling: float
    error: float
    items: int

    @property
    def ratio(self) -> float:
        return self.told / self.ceiling

    @property
    def score(self) -> float:
        """Standard errors above the ceiling; negative below it."""
        return (self.told - self.ceiling) / self.error if self.error > 0 else 0.0

    @property
    def suspicious(self) -> bool:
        return self.ceiling > 0 and self.score > SURE


@dataclass(frozen=True, eq=False)
class Matched:
    """Items and users side by side, as the vectors and the training part place them.

    Args:
        items: y [n_items, d]: items' vectors in the canonical directions of items and their training buyers.
        users: [n_users, d]: users' profiles (of their training items) in the same directions.
        known: [n_users] bool: users with at least two training items that have a vector.
        present: [n_items] bool: items that have a vector.
    """

    items: np.ndarray
    users: np.ndarray
    known: np.ndarray
    present: np.ndarray


def match(vectors: np.ndarray, present: np.ndarray, train: csr_matrix) -> Matched:
    """Learn from training pairs how an item's vector relates to its buyers' profiles.

    Vectors are centred, of length 1, and turned to their strongest ``WIDTH`` principal directions. A profile is the
    sum of a user's training vectors (without the item in question, for a training pair), of length 1 and whitened.

    Args:
        vectors: [n_items, d].
        present: [n_items] bool; other items are left out.
        train: binary, [n_users, n_items].

    Raises:
        NotMade: when there are too few users or vectors, or all vectors are the same.
    """
    known = np.bincount(_pairs(train, present)[0], minlength=train.shape[0]) > 1
    users, items = _pairs(train, present, known)
    step = 1 + len(users) // PAIRS
    users, items = users[::step], items[::step]
    if known.sum() < LEAST or present.sum() < LEAST:
        raise NotMade(f"it needs {LEAST} items with vectors and {LEAST} users with two training items that have one")
    z = _directions(vectors, present)
    sums = train.multiply(present[None, :]).tocsr() @ z  # [n_users, d]
    profile = _whitener(sums[known])
    left_out = profile(sums[users] - z[items])
    white = z @ _root(np.cov(z.T))
    u, _, vt = np.linalg.svd(white[items].T @ (left_out - left_out.mean(0)))
    return Matched(white @ u, (profile(sums) - left_out.mean(0)) @ vt.T, known, present)


def ceiling(matched: Matched, train: csr_matrix, held_out: csr_matrix) -> Ceiling:
    r"""Compare what vectors tell of held-out purchases with what they could tell without having seen them.

    Good content correlates with taste, so nearness of a held-out item to its buyer proves nothing; and vectors
    fitted on all purchases treat training and held-out pairs alike, so no comparison of the two finds them. What only
    they know is *chance*: which of all users with the same taste happened to buy. Write m_h for the expected
    profile (mean of the training items' vectors) of a buyer of item h, and y_h for the item's own vector, mapped to
    profiles by a linear map that is learned on training pairs. A held-out buyer's profile is m_h + noise. Vectors
    that did not see the held-out part are independent of that noise, so by Cauchy and Schwarz, in any direction k,

    .. math:: \big(\sum_h y_{hk} \bar m_{hk}\big)^2 / \sum_h y_{hk}^2 \le \sum_h m_{hk}^2

    up to sampling error. The left side is estimated from the items' held-out buyers, the right side without bias from
    products of two *different* held-out buyers of the same item: this is Spearman's (1904) correction for
    attenuation, known in psychophysics as a noise ceiling. Vectors that were fitted on the held-out part follow the
    noise as well, and pass the ceiling. Both sides are summed over canonical directions and three groups of items by
    purchases, which sharpens the bound; the error of the difference is a jackknife over groups of users.

    Power: the vectors must be able to remember. Measured on splits by 8:1:1, singular vectors of the full matrix
    pass the ceiling by 4 to 6 standard errors at d = 64 for 800 to 20,000 users, and stay undetected at d = 16 for
    1,000 users and more; singular vectors of the training matrix and text vectors stay at 0.4 to 0.8 of it. Not
    found: vectors that saw a small part of the held-out purchases, or mix them with much else. So a score below the
    ceiling is no proof of innocence, and one above it is grounds for suspicion and no proof of guilt: held-out
    buyers who act together (one household with several accounts) would do it too.

    Args:
        held_out: binary, [n_users, n_items], no pair of the training part.

    Raises:
        NotMade: when there are too few users, or items with two held-out buyers.
    """
    buyers, bought = _pairs(held_out, matched.present, matched.known)
    y, told, often = matched.items, matched.users[buyers], np.bincount(bought, minlength=len(matched.items))
    items, users = int((often >= 2).sum()), len(np.unique(buyers))
    if items < LEAST or users < LEAST:
        raise NotMade(
            f"it needs {LEAST} users with held-out purchases and {LEAST} items with two held-out buyers; "
            f"there are {users} and {items}"
        )
    purchases = np.asarray(train.sum(0)).ravel() + often
    stratum = np.searchsorted(np.quantile(purchases, np.linspace(0, 1, STRATA + 1)[1:-1]), purchases)
    left, right = _both_sides(y, told, bought, stratum)
    without = [
        np.subtract(*_both_sides(y, told[keep], bought[keep], stratum))
        for keep in (buyers % GROUPS != group for group in range(GROUPS))
    ]
    error = float(np.sqrt((GROUPS - 1) * np.var(without)))
    return Ceiling(left, right, error, items)


def preference(matched: Matched, test: csr_matrix, valid: csr_matrix) -> tuple[float, int]:
    """How much nearer to their users the vectors place test than validation purchases: Student's t, and the users.

    In a random split the two parts are drawn alike, so vectors that saw neither, or both, cannot tell them apart,
    however well they know tastes: t is then within 4 nearly always. Vectors that were fitted on train and test
    reach 28 and more at d = 64, and 8 and more at d = 16 (800 to 20,000 users). Where the split is not random, the
    parts differ by themselves and the test says nothing.

    Args:
        test, valid: binary, [n_users, n_items].
    """
    y = _unit(matched.items)
    means, counts = [], []
    for part in (test, valid):
        users, items = _pairs(part, matched.present, matched.known)
        n = np.bincount(users, minlength=len(matched.known))
        near = (y[items] * matched.users[users]).sum(1)
        means.append(np.bincount(users, near, minlength=len(n)) / np.maximum(n, 1))
        counts.append(n)
    both = (counts[0] > 0) & (counts[1] > 0)
    if both.sum() < LEAST:
        raise NotMade(f"it needs {LEAST} users with validation and test purchases; there are {int(both.sum())}")
    difference = (means[0] - means[1])[both]
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    return (float(difference.mean()) / error if error > 0 else 0.0), len(difference)


def _both_sides(y: np.ndarray, told: np.ndarray, bought: np.ndarray, stratum: np.ndarray) -> tuple[float, float]:
    """The two sides of the inequality, summed over directions and strata.

    y [n_items, d]; told [pairs, d] the buyers' profiles; bought [pairs]; stratum [n_items].
    """
    n = np.bincount(bought, minlength=len(y))
    where = csr_matrix((np.ones(len(bought)), (bought, np.arange(len(bought)))), shape=(len(y), len(bought)))
    total, squares = where @ told, where @ told**2
    left = right = 0.0
    for k in range(STRATA):
        one = np.flatnonzero((n >= 2) & (stratum == k))
        count = n[one, None]
        relation = np.maximum((y[one] * total[one] / count).sum(0), 0)
        left += float((relation**2 / np.maximum((y[one] ** 2).sum(0), 1e-12)).sum())
        right += float(((total[one] ** 2 - squares[one]) / (count * (count - 1))).sum())
    return left, right


def _directions(vectors: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Centred, of length 1, turned to their strongest principal directions; zero where not present."""
    z = np.where(present[:, None], vectors - vectors[present].mean(0), 0).astype(np.float64)
    z = _unit(z)
    values, axes = np.linalg.eigh(z.T @ z)
    if values[-1] < 1e-9:
        raise NotMade("the vectors are all the same")
    return z @ axes[:, values > 1e-6 * values[-1]][:, -WIDTH:]


def _whitener(sums: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function from sums of vectors to profiles of length 1 with equal spread in all directions."""
    unit = _unit(sums)
    mean, root = unit.mean(0), _root(np.cov(unit.T))
    return lambda some: _unit((_unit(some) - mean) @ root)


def _root(covariance: np.ndarray) -> np.ndarray:
    """The inverse square root of a covariance [d, d], its smallest directions held down."""
    values, axes = np.linalg.eigh(np.atleast_2d(covariance))
    return axes / np.sqrt(np.maximum(values, max(1e-12, 1e-3 * values[-1]))) @ axes.T


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _pairs(matrix: csr_matrix, present: np.ndarray, users: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    rows, items = matrix.nonzero()
    keep = present[items] if users is None else present[items] & users[rows]
    return rows[keep], items[keep]
