"""How often intervals hold the true mean, and whether they stay in the metric's range: why mmlib has the ones it has.

    python bench/intervals.py > bench/results/intervals.txt     # two minutes on one core

Recall: a user has a hit with the given probability, else 0; a hit is a share of 1 to 5 positives. Small values: hits
worth 0.11 on average, as those of NDCG are. Differences: the given share of users has a hit under the first method
alone, a third of it under the second alone. Each cell: per cent of intervals that hold the truth, where 95 is promised,
mean width, and ``!`` where one left the range.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from mmlib.evaluation.intervals import mean_difference, mean_of_shares

RUNS, USERS = 1000, (2, 5, 10, 20, 50, 200, 1000, 2000)
Interval = Callable[[np.ndarray], tuple[float, float]]


def student(values: np.ndarray) -> tuple[float, float]:
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return values.mean() - half, values.mean() + half


def logit(values: np.ndarray) -> tuple[float, float]:
    """Student's interval of the log-odds by the delta method, half a hit and half a miss added."""
    n, mean = len(values), (values.sum() + 0.5) / (len(values) + 1)
    error = (values.var(ddof=1) or mean * (1 - mean)) ** 0.5 / n**0.5 / (mean * (1 - mean))
    half = stats.t.ppf(0.975, n - 1) * error
    odds = np.exp(np.log(mean / (1 - mean)) + np.array([-half, half]))
    return odds[0] / (1 + odds[0]), odds[1] / (1 + odds[1])


def wilson(values: np.ndarray) -> tuple[float, float]:
    """Wilson's interval for the effective number of users, without the prior."""
    n, mean, variance = len(values), values.mean(), values.var(ddof=1)
    k = stats.t.ppf(0.975, n - 1) ** 2 * (variance / (mean * (1 - mean)) if variance > 0 else 1.0) / n
    centre, half = (mean + k / 2) / (1 + k), (k * (mean * (1 - mean) + k / 4)) ** 0.5 / (1 + k)
    return centre - half, centre + half


def ours(values: np.ndarray) -> tuple[float, float]:
    low, high = (getattr(mean_of_shares(values), end) for end in ("low", "high"))
    return low, high


def ours_paired(values: np.ndarray) -> tuple[float, float]:
    found = mean_difference(values)
    return found.low, found.high


def recall(rng: np.random.Generator, hits: float, users: int) -> np.ndarray:
    positives = rng.integers(1, 6, users)
    return (rng.random(users) < hits) * (1 + rng.binomial(positives - 1, 0.15)) / positives


def small(rng: np.random.Generator, hits: float, users: int) -> np.ndarray:
    return (rng.random(users) < hits) * rng.beta(1, 8, users)


def difference(rng: np.random.Generator, hits: float, users: int) -> np.ndarray:
    """Twice to four times as many users have a hit under the first method alone than under the second alone."""
    draw = rng.random(users)
    return ((draw < hits) * 1.0 - (draw > 1 - hits / 3)) / rng.integers(1, 6, users)


def main() -> None:
    ways: dict[str, Interval] = {"Student": student, "logit": logit, "Wilson": wilson, "mmlib": ours}
    pairs: dict[str, Interval] = {"Student": student, "mmlib": ours_paired}
    for name, draw, methods, bounds in (
        ("recall", recall, ways, (0, 1)),
        ("small values", small, ways, (0, 1)),
        ("differences", difference, pairs, (-1, 1)),
    ):
        for hits in (0.02, 0.05, 0.1, 0.3):
            rng = np.random.default_rng(0)
            truth = draw(rng, hits, 4_000_000).mean()
            print(f"\n{name}, {hits:.0%} of users with a hit\n{'users':>6}" + "".join(f"{one:>18}" for one in methods))
            for users in USERS:
                tables = [draw(rng, hits, users) for _ in range(RUNS)]
                print(f"{users:>6}" + "".join(_cell(one, tables, truth, bounds) for one in methods.values()))


def _cell(way: Interval, tables: list[np.ndarray], truth: float, bounds: tuple[int, int]) -> str:
    ends = np.array([way(values) for values in tables])
    if np.isnan(ends).all():
        return f"{'too few users':>18}"
    inside = 100 * ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    left = "!" if ends.min() < bounds[0] or ends.max() > bounds[1] else " "
    return f"{inside:>10.1f} {np.diff(ends).mean():>5.3f} {left}"


if __name__ == "__main__":
    main()
