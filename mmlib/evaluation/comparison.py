"""Which method is better, and how sure is that: paired test, family, correction, and the word *significant*.

Tables, figures, sentences, sweeps and pages show a ``Comparisons`` and decide nothing themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError, one_of
from . import statistics
from .intervals import ENOUGH, mean_difference, too_few
from .scores import Method, Scores, check_same_data, same_rows, values_of

SLICES = ("all", "few purchases")  # compared unless others are named: each more is one more chance to be lucky
WHERE = {"all": "for all items", "few purchases": "for items with few purchases"}


@dataclass(frozen=True)
class Comparison:
    """The mean difference ``a - b`` on one metric, paired over users and seeds; one row of ``Comparisons``.

    Args:
        a, b: the two labels.
        metric: what was compared.
        slices: the slice, by all of its names: slices that hold the same rows are one.
        mean_a, mean_b: means over users and seeds.
        difference, low, high: the mean difference and its interval, of level 1 - ``level``.
        p: of ``intervals.mean_difference``, before the correction.
        adjusted: p after Holm's correction over the family, which is what is shown.
        significant: whether ``adjusted`` is below ``level``; the interval then excludes 0.
        level: at which it was decided.
        users, seeds: how many of each. With fewer than ``ENOUGH`` users all numbers are NaN, and the row is no part
            of the family.
        detectable: the smallest true difference that this comparison finds with probability 0.8 at ``level``, before
            any correction.
    """

    a: str
    b: str
    metric: str
    slices: tuple[str, ...]
    users: int
    seeds: int
    mean_a: float = np.nan
    mean_b: float = np.nan
    difference: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    adjusted: float = np.nan
    significant: bool = False
    level: float = 0.05
    detectable: float = np.nan

    @property
    def slice(self) -> str:
        """Its names, such as ``"all, few purchases"``."""
        return ", ".join(self.slices)

    @property
    def enough(self) -> bool:
        """Whether there are users enough to say anything."""
        return self.users >= ENOUGH

    @property
    def better(self) -> str:
        """The label of the side that is significantly better; ``""`` for none."""
        return (self.a if self.difference > 0 else self.b) if self.significant else ""

    def turned(self) -> "Comparison":
        """The same comparison with its sides exchanged."""
        means: Any = dict(mean_a=self.mean_b, mean_b=self.mean_a, difference=-self.difference)
        return replace(self, a=self.b, b=self.a, low=-self.high, high=-self.low, **means)

    def numbers(self, digits: int = 4) -> str:
        """``"+0.0123 [+0.0010, +0.0236], p = 0.034"``: the same in every table, figure and sentence."""
        if not self.enough:
            return too_few(self.users)
        value, low, high = (f"{one:+.{digits}f}" for one in (self.difference, self.low, self.high))
        return f"{value} [{low}, {high}], {p_text(self.adjusted)}"

    def sentence(self) -> str:
        """Which side is better, by how much, and how sure that is."""
        first, *same = self.slices
        where = WHERE.get(first, first) + (f" (the same as {', '.join(same)})" if same else "")
        if not self.enough:
            return f"{where}, {too_few(self.users)} whether {self.a} or {self.b} is better"
        said = f"{self.better} is better" if self.better else f"no significant difference of {self.a} and {self.b}"
        seeds = f"{self.seeds} seed{'s' if self.seeds > 1 else ''}"
        return (
            f"{where}, {said}: {self.metric} {self.mean_a:.4f} ({self.a}) and {self.mean_b:.4f} ({self.b}), difference "
            f"{self.numbers()}; {self.users:,} users, {seeds}"
        )


@dataclass(frozen=True)
class Comparisons(Sequence[Comparison]):
    """Comparisons that were corrected together, the largest difference first; those of too few users last.

    Args:
        rows: from ``compare``, ``compare_all`` and ``compare_pairs``.
        level: of all decisions and, as 1 - level, of all intervals.
        tests: size of the family: the number of tests that Holm's correction paid for. A selection keeps it.
    """

    rows: tuple[Comparison, ...]
    level: float = 0.05
    tests: int = 0

    @classmethod
    def corrected(cls, rows: Iterable[Comparison], level: float = 0.05) -> "Comparisons":
        """Make a family of comparisons that have been tested: correct, decide and sort them."""
        rows = _by_effect(rows)
        tested = [one for one in rows if one.enough]
        adjusted = holm([one.p for one in tested])
        done = [replace(one, adjusted=p, significant=p < level, level=level) for one, p in zip(tested, adjusted)]
        return cls((*done, *rows[len(tested) :]), level, len(tested))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self.rows[place]

    def only(self, rows: Iterable[Comparison]) -> "Comparisons":
        """A selection of the family, with the family's correction; rows may be turned."""
        return replace(self, rows=tuple(_by_effect(rows)))

    def pairs(self) -> dict[tuple[str, str], Comparison]:
        """(a, b) -> comparison, in both directions."""
        return {(one.a, one.b): one for row in self.rows for one in (row, row.turned())}

    @property
    def leaders(self) -> list[str]:
        """The method with the highest mean, and all that are not significantly worse than it, the best first."""
        means = {name: mean for one in self.rows for name, mean in ((one.a, one.mean_a), (one.b, one.mean_b))}
        order, pairs = sorted(means, key=lambda name: -means[name]), self.pairs()
        return [name for name in order if name == order[0] or pairs[order[0], name].better != order[0]]

    def tally(self) -> tuple[int, int, int]:
        """How many rows say that ``a`` is better, that ``b`` is, and neither."""
        better, worse = (sum(one.significant and sign * one.difference > 0 for one in self.rows) for sign in (1, -1))
        return better, worse, len(self.rows) - better - worse

    def earned(self) -> set[tuple[str, str, str]]:
        """The (label, slice, metric) that are significantly better than every other one they were compared with."""
        won: dict[tuple[str, str, str], bool] = {}
        for one in self.rows:
            for name, part in ((name, part) for name in (one.a, one.b) for part in one.slices):
                won[name, part, one.metric] = won.get((name, part, one.metric), True) and one.better == name
        return {key for key, wins in won.items() if wins}

    @property
    def verdict(self) -> list[str]:
        """What was found, in sentences without a full stop: who leads, where all pairs were compared, else each row."""
        names = {name for one in self.rows for name in (one.a, one.b)}
        if len(names) < 3 or not self.pairs().keys() >= {*combinations(names, 2)}:
            return [one.sentence() for one in self.rows] or ["there was nothing to compare"]
        best, *rest = self.leaders
        first = (
            f"{best} has the highest mean, but is not significantly better than {', '.join(rest)}"
            if rest
            else f"{best} is significantly better than every other method"
        )
        return [first, f"{self.tally()[2]} of all {len(self.rows)} pairs stay open"]

    @property
    def rule(self) -> str:
        """How it was decided, in one sentence."""
        family = f"Holm's correction over {self.tests} comparisons" if self.tests > 1 else "one comparison"
        return (
            f"Differences are paired over the same users and seeds, with {100 * (1 - self.level):.3g} % intervals; "
            f"significant: p below {self.level:g} after {family}."
        )

    def table(self) -> pd.DataFrame:
        """A row a comparison: ``a``, ``b``, ``slice``, ``mean``, ``mean of baseline``, ``difference``, ``low``,
        ``high``, ``p``, ``p (Holm)``, ``significant``, ``users``, ``seeds``; NaN where there are too few users.
        """
        names = ["a", "b", "slice", "mean_a", "mean_b", "difference", "low", "high", "p", "adjusted", "significant"]
        names += ["users", "seeds"]
        table = pd.DataFrame([[getattr(one, name) for name in names] for one in self.rows], columns=names)
        return table.rename(columns={"mean_a": "mean", "mean_b": "mean of baseline", "adjusted": "p (Holm)"})

    def plain(self) -> list[dict[str, Any]]:
        """``table`` as plain values, ``None`` for NaN."""
        return self.table().astype(object).where(lambda table: table.notna(), None).to_dict("records")  # type: ignore[return-value]

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False, border=0) + f"<p>{self.rule}</p>"


def _by_effect(rows: Iterable[Comparison]) -> list[Comparison]:
    return sorted(rows, key=lambda one: -one.difference if one.enough else np.inf)


def compare(
    a: Scores | Sequence[Scores],
    b: Scores | Sequence[Scores],
    metric: str = "recall@20",
    slices: str | Sequence[str] | None = None,
    *,
    level: float = 0.05,
) -> Comparisons:
    """Compare two methods on the same users, on each slice; several seeds are paired in their order.

    Users and seeds are both sampled, and crossed: every seed ranks every user. ``intervals.mean_difference`` has the
    test. With one seed it is about users and says nothing of other seeds.

    Args:
        a, b: what ``evaluate`` gave; lists have one a seed, and ``a[s]`` and ``b[s]`` share a seed.
        metric: a metric column of ``per_user``.
        slices: which of their slices; by default those of ``SLICES`` that were recorded. They are corrected together,
            and slices that hold the same rows are one.
        level: of the decision, and, as 1 - level, of the intervals.

    Raises:
        InputError: when the two differ in seeds, users or data, and for an unknown metric or slice.
    """
    left, right = _sides(a, b)
    return compare_pairs([(left, right)], metric, slices, level=level)


def compare_all(
    methods: Mapping[str, Method], metric: str = "recall@20", slice: str = "all", *, level: float = 0.05
) -> Comparisons:
    """Compare every pair of methods on one slice, paired over users and the seeds that both have, as one family.

    Args:
        methods: label -> Method.

    Raises:
        InputError: for fewer than two methods, and as ``compare_pairs``.
    """
    if len(methods) < 2:
        raise InputError(f"A comparison takes at least two methods, not {len(methods)}.")
    every = combinations((replace(one, label=label) for label, one in methods.items()), 2)
    found = compare_pairs(every, metric, [slice], level=level)
    return found.only(one.turned() if one.difference < 0 else one for one in found)


def compare_pairs(
    pairs: Iterable[tuple[Method, Method]],
    metric: str = "recall@20",
    slices: str | Sequence[str] | None = None,
    *,
    level: float = 0.05,
) -> Comparisons:
    """Compare the methods of each pair on each slice, all corrected together; see ``compare``.

    Raises:
        InputError: when the two of a pair have no seed in common, or were not scored on the same users, parts and
            data; for a metric or slice that one of them does not have.
    """
    if not 1e-6 <= level <= 0.5:
        raise InputError(f"level = {level:g} must lie between 0.000001 and 0.5, such as 0.05.")
    rows: list[Comparison] = []
    for a, b in pairs:
        seeds = [seed for seed in a.runs if seed in b.runs]
        if not seeds:
            raise InputError(f"{a.label} and {b.label} have no seed in common; run both with the same seeds.")
        named = [(f"{one.label}, {seed}", one.runs[seed]) for seed in seeds for one in (a, b)]
        check_same_data(named)
        runs = [one for _, one in named]
        wanted = [slices] if isinstance(slices, str) else slices
        for one in (a, b):
            one_of("metric", metric, one.metrics)
            for name in wanted or ():
                one_of("slice", name, one.slices)
        names = [name for name in (SLICES if wanted is None else wanted) if name in a.slices and name in b.slices]
        for same in same_rows(runs, names):
            values = values_of(runs, same[0], [metric], f"{a.label} and {b.label}")[:, :, 0]
            row = Comparison(a.label, b.label, metric, same, values.shape[1], len(seeds), level=level)
            rows.append(_tested(row, values[::2], values[1::2]) if row.enough else row)
    return Comparisons.corrected(rows, level)


def paired(
    a: Scores | Sequence[Scores], b: Scores | Sequence[Scores], metric: str = "recall@20", slice: str = "all"
) -> tuple[np.ndarray, np.ndarray]:
    """The values of both sides of ``compare``, [S, U] each, users in the same order: what ``statistics`` takes.

    Raises:
        InputError: when the two differ in seeds, users or data, or the metric or slice is not there.
    """
    left, right = _sides(a, b)
    named = [(f"{one.label}, {seed}", run) for one in (left, right) for seed, run in one.runs.items()]
    check_same_data(named)
    for one in (left, right):
        one_of("metric", metric, one.metrics)
    values = values_of([run for _, run in named], slice, [metric], f"{left.label} and {right.label}")[:, :, 0]
    if not values.size:
        raise InputError(f"No user has positives in the slice {slice!r}.")
    return values[: len(left.runs)], values[len(left.runs) :]


def _sides(a: Scores | Sequence[Scores], b: Scores | Sequence[Scores]) -> list[Method]:
    """Two methods of as many seeds."""
    left, right = ([one] if isinstance(one, Scores) else list(one) for one in (a, b))
    if len(left) != len(right) or not left:
        raise InputError(
            f"A paired comparison needs the same seeds on both sides, not {len(left)} and {len(right)} runs."
        )
    return [Method(runs[0].label, {str(seed): one for seed, one in enumerate(runs)}) for runs in (left, right)]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): adjusted p values in the given order; NaN counts as 1."""
    values = np.nan_to_num(np.asarray(p, dtype=float), nan=1.0)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def p_text(p: float) -> str:
    """A probability as text, to three digits."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3g}"


def _tested(row: Comparison, left: np.ndarray, right: np.ndarray) -> Comparison:
    """The row with its numbers, before the correction, from the values [S, U] of both sides."""
    found = mean_difference(left - right, level=1 - row.level)
    means: Any = dict(mean_a=float(left.mean()), mean_b=float(right.mean()), difference=found.value)
    least = statistics.minimum_detectable(left - right, alpha=row.level)
    return replace(row, low=found.low, high=found.high, p=found.p, detectable=least, **means)
