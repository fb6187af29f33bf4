"""How vectors lie: modality gap, alignment, uniformity, and linear CKA, each with an interval over items.

Letters: n = items, d = width. Nothing of size n x n is held.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ..core.errors import InputError, number
from ..core.features import Features
from ..kernels.neighbours import unit
from .intervals import ENOUGH, Estimate, variance_of_mean

GROUPS = 40  # of items that a jackknife leaves out in turn
MOST = 10_000  # items that are compared pair by pair; of larger catalogues so many, evenly spaced


def both(features: Features, a: str = "text", b: str = "image") -> tuple[Tensor, Tensor]:
    """The vectors of the items that have both modalities: [n, d_a] and [n, d_b].

    Raises:
        InputError: for a modality that is not there, and where no item has both.
    """
    for name in (a, b):
        if name not in features.item:
            raise InputError(f"There is no modality {name!r}; the features have {', '.join(features.item)}.")
    rows = features.present[a] & features.present[b]
    if not rows.any():
        raise InputError(f"No item has both {a} and {b}, so they cannot be compared.")
    return features.item[a][rows].float(), features.item[b][rows].float()


def modality_gap(x: Tensor, y: Tensor, *, level: float = 0.95) -> Estimate:
    r"""The distance of two modalities' centres on the unit sphere.

    .. math:: \Big\| \frac{1}{n} \sum_i \hat x_i - \frac{1}{n} \sum_i \hat y_i \Big\|

    From `"Mind the Gap" <https://arxiv.org/abs/2203.02053>`_ (Liang et al. 2022), section 2: 0 where text and image lie
    in the same place, 2 where they lie at opposite ends. A gap says nothing of whether an item's two vectors match.

    Args:
        x, y: [n, d], of one space; row i of both is of item i.

    Raises:
        InputError: for different shapes, which have no space in common.
    """
    x, y = _paired(x, y)
    difference = unit(x) - unit(y)
    total, sums = _group_sums(difference)
    counts = _counts(len(x))

    def gap(left_out: int | None) -> float:
        kept = total if left_out is None else total - sums[left_out]
        n = len(x) - (0 if left_out is None else int(counts[left_out]))
        return float(kept.norm()) / n

    return _jackknife(gap, len(x), level)


def alignment(x: Tensor, y: Tensor, *, power: float = 2.0, level: float = 0.95) -> Estimate:
    r"""The mean distance of pairs that belong together, lower is better.

    .. math:: \frac{1}{n} \sum_i \| \hat x_i - \hat y_i \|^\alpha

    From `"Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere"
    <https://arxiv.org/abs/2005.10242>`_ (Wang and Isola 2020), section 4.1, with alpha = 2: from 0 to 4.

    Args:
        x, y: [n, d]; row i of both belong together, such as an item's text and image, or two items of one user.
        power: alpha.

    Raises:
        InputError: for different shapes, which have no space in common.
    """
    x, y = _paired(x, y)
    return _mean((unit(x) - unit(y)).norm(dim=1).pow(power), level)


def uniformity(x: Tensor, *, t: float = 2.0, most: int = MOST, block: int = 1024, level: float = 0.95) -> Estimate:
    r"""How evenly vectors fill the sphere, lower is better: 0 where all are one.

    .. math:: \log \frac{1}{n (n - 1)} \sum_{i \ne j} e^{-t \|\hat x_i - \hat x_j\|^2}

    Wang and Isola (2020), section 4.1, with t = 2, over the pairs of different items.

    Args:
        x: [n, d].
        most: of more rows, so many evenly spaced ones; time grows with their square.
    """
    x = unit(_thinned(x, most))
    n, groups = len(x), _groups(len(x))
    k = int(groups.max()) + 1 if n else 0
    sums = torch.zeros(k, k, dtype=torch.float64)  # of a group of rows with a group of columns
    for start in range(0, n, block):
        rows = slice(start, start + block)
        kernel = torch.exp(2 * t * (x[rows] @ x.T).clamp(-1, 1) - 2 * t).double()
        at = torch.arange(start, min(start + block, n))
        kernel[at - start, at] = 0.0
        columns = torch.zeros(len(kernel), k, dtype=torch.float64).index_add_(1, groups, kernel)
        sums.index_add_(0, groups[rows], columns)
    total, counts = float(sums.sum()), _counts(n)

    def value(left_out: int | None) -> float:
        if left_out is None:
            return float(np.log(total / (n * (n - 1)))) if n > 1 else float("nan")
        rest = total - 2 * float(sums[left_out].sum()) + float(sums[left_out, left_out])
        m = n - int(counts[left_out])
        return float(np.log(rest / (m * (m - 1))))

    return _jackknife(value, n, level)


def linear_cka(x: Tensor, y: Tensor, *, debiased: bool = False, level: float = 0.95) -> Estimate:
    r"""How alike two sets of vectors of the same items are up to rotation and scale, from 0 to 1.

    .. math:: \frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F \|Y^\top Y\|_F}

    with centred columns, from `"Similarity of Neural Network Representations Revisited"
    <https://arxiv.org/abs/1905.00414>`_ (Kornblith et al. 2019), eq. 4 in its features' form: the two may have
    different widths and share no space, and no n x n matrix is made.

    Args:
        x, y: [n, d_x] and [n, d_y]; row i of both is of item i.
        debiased: by the unbiased HSIC of Song et al. (2012), as `Nguyen et al. (2021), appendix B.1
            <https://arxiv.org/abs/2010.15327>`_ have it. As printed, vectors that have nothing in common are alike too
            where n is not far above d: about d / (n + d) for white noise. The debiased value is 0 on average then, and
            may be negative.

    Raises:
        InputError: for different numbers of rows.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise InputError(f"CKA compares two tables of the same items, not {list(x.shape)} and {list(y.shape)}.")
    x, y = (values.double() for values in (x, y))
    groups = _groups(len(x))

    def value(left_out: int | None) -> float:
        kept = slice(None) if left_out is None else groups != left_out
        return _cka(x[kept], y[kept], debiased)

    return _jackknife(value, len(x), level)


def _cka(x: Tensor, y: Tensor, debiased: bool) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    hsic = _unbiased_hsic if debiased else lambda a, b: float((a.T @ b).pow(2).sum())
    both_, x_, y_ = hsic(x, y), hsic(x, x), hsic(y, y)
    return both_ / (x_ * y_) ** 0.5 if x_ > 0 and y_ > 0 else float("nan")


def _unbiased_hsic(x: Tensor, y: Tensor) -> float:
    """Song et al. 2012, eq. 5, with K = x x^T and L = y y^T, their diagonals 0: up to the factor 1 / (n (n - 3))."""
    n, k, one = len(x), x.pow(2).sum(1), y.pow(2).sum(1)  # the diagonals, [n]
    rows_k, rows_l = x @ x.sum(0) - k, y @ y.sum(0) - one  # row sums without the diagonal
    trace = (x.T @ y).pow(2).sum() - k @ one
    sums = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return float(trace + sums - 2 / (n - 2) * (rows_k @ rows_l))


def _mean(values: Tensor, level: float) -> Estimate:
    """The mean of one value an item with Student's interval."""
    x = values.double().numpy()
    if len(x) < ENOUGH:
        return Estimate(float(x.mean()) if len(x) else np.nan, np.nan, np.nan, np.nan, len(x), 1)
    variance, freedom = variance_of_mean(x)
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * variance**0.5
    return Estimate(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half, np.nan, len(x), 1)


def _jackknife(statistic: Callable[[int | None], float], n: int, level: float) -> Estimate:
    """A statistic of n items, and its interval from leaving out a group of items at a time.

    Student's interval of the pseudo-values (Shao and Tu 1995, section 5.1), around the statistic itself. The groups are
    every so many-th item, so that items that stand together in a catalogue are spread over all of them.

    Args:
        statistic: of all items (``None``), or of those without one group.
    """
    value = statistic(None)
    if n < ENOUGH:
        return Estimate(value, np.nan, np.nan, np.nan, n, 1)
    groups = min(GROUPS, n)
    pseudo = np.array([groups * value - (groups - 1) * statistic(one) for one in range(groups)])
    variance, freedom = variance_of_mean(pseudo)
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * variance**0.5
    return Estimate(value, value - half, value + half, np.nan, n, 1)


def _groups(n: int) -> Tensor:
    return torch.arange(n) % min(GROUPS, max(1, n))


def _counts(n: int) -> Tensor:
    return torch.bincount(_groups(n))


def _group_sums(x: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the rows of x [n, d], and of those of each group: [d], [groups, d]."""
    x, groups = x.double(), _groups(len(x))
    sums = torch.zeros(int(groups.max()) + 1, x.shape[1], dtype=torch.float64).index_add_(0, groups, x)
    return sums.sum(0), sums


def _thinned(x: Tensor, most: int) -> Tensor:
    number("most", most, whole=True, least=2)
    rows = torch.linspace(0, len(x) - 1, min(most, len(x))).round().long()
    return x[rows].float()


def _paired(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    if x.shape != y.shape or x.ndim != 2 or not len(x):
        raise InputError(
            f"Vectors of shape {list(x.shape)} and {list(y.shape)} do not share a space. Linear CKA compares such; "
            "alignment and the modality gap need an encoder of both, such as CLIP."
        )
    return x.float(), y.float()
