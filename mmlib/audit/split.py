"""What the split and the interactions themselves say: order in time, unseen users and items, repeats, resolution."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from .findings import SHOWN, Example, Finding, NotMade
from .given import Given

FEW = 5  # training interactions up to which an item is rare, and below which a user is short
DISCORDANT = 0.05  # assumed share of test purchases that exactly one of two methods recommends
SMALL = 0.01  # a test part that cannot resolve this difference in Recall@20 is called small


def future(given: Given) -> Iterator[Finding]:
    """Training interactions later than the test part, under a protocol that claims an order in time.

    The protocol claims it when its text contains "time", "temporal" or "chronological". With "user" in the text the
    order is each user's own; without, one moment cuts for all. Equal times are allowed.
    """
    data = given.data
    protocol = data.split.protocol if data.split else ""
    table = data.interactions
    claims = any(word in protocol.lower() for word in ("time", "temporal", "chronologic"))
    if "time" not in table:
        if claims:
            yield Finding(
                "time claimed but unknown",
                "warning",
                len(table),
                f"The protocol '{protocol}' claims an order in time, but the interactions have no time.",
                "Keep the column of times, or call the split what it is.",
            )
            return
        raise NotMade("the interactions have no time")
    moments = pd.to_numeric(table["time"], errors="coerce")
    train, test = (
        table.assign(time=moments)[table["part"] == part].dropna(subset="time") for part in ("train", "test")
    )
    first = train["user"].map(test.groupby("user")["time"].min())
    late_own = train["time"] > first
    given.facts["training interactions later than the user's first test interaction"] = f"{late_own.mean():.1%}"
    if not claims:
        raise NotMade(f"the protocol '{protocol}' does not claim an order in time")
    by_user = "user" in protocol.lower()
    late = late_own if by_user else train["time"] > test["time"].min()
    if late.any():
        found = train.loc[late.to_numpy(), ["user", "item"]].to_numpy()
        moment = "the same user's first test interaction" if by_user else "the first test interaction of all"
        yield Finding(
            "future in train",
            "leak",
            len(found),
            f"{len(found):,} training interactions ({len(found) / max(1, len(train)):.1%}) are later than {moment}, "
            f"although the protocol is '{protocol}'.",
            "Split again by time, or call the split random in every table.",
            given.pairs(found, "bought after the test part began"),
        )


def several_parts(given: Given) -> Iterator[Finding]:
    """The same user and item in several parts."""
    parts = given.data.interactions.groupby(["user", "item"])["part"].nunique()
    pairs = np.array(parts[parts > 1].index.tolist(), dtype=np.int64).reshape(-1, 2)
    if len(pairs):
        yield Finding(
            "pairs in several parts",
            "leak",
            len(pairs),
            f"{len(pairs):,} pairs of a user and an item are in more than one part.",
            "Keep each pair in one part: load with split='given', which keeps the first, or split again.",
            given.pairs(pairs, "in several parts"),
        )


def repeated(given: Given) -> Iterator[Finding]:
    """The same user and item in several rows of one part."""
    table = given.data.interactions
    again = table[table.duplicated(["user", "item", "part"])]
    if len(again):
        yield Finding(
            "repeated interactions",
            "note",
            len(again),
            f"{len(again):,} rows repeat a pair of a user and an item within one part.",
            "Metrics and graphs count each pair once; drop the repeats if a model that you bring reads rows.",
            given.pairs(again[["user", "item"]].to_numpy(), "bought again"),
        )


def unseen(given: Given) -> Iterator[Finding]:
    """Users and items of the held-out parts that the training part does not have."""
    train = given.data.train
    cold = "cold" in (given.data.split.protocol.lower() if given.data.split else "")
    for column, name, ids in ((0, "users", given.user_ids), (1, "items", given.item_ids)):
        for part in ("valid", "test"):
            pairs = given.data.part(part)
            new = np.setdiff1d(pairs[:, column], train[:, column])
            if len(new):
                share = float(np.isin(pairs[:, column], new).mean())
                yield Finding(
                    f"{name} unseen in train ({part})",
                    "note" if cold and name == "items" else "warning",
                    len(new),
                    f"{len(new):,} {name} of the {part} part have no training interaction; {share:.1%} of the part's "
                    "interactions are theirs. A model without content knows nothing of them.",
                    "Report them apart, or drop them from the part and say so."
                    if name == "users"
                    else "Report cold items apart, or drop them from the part and say so.",
                    tuple(Example("no training interaction", **{name: ids([one])}) for one in new[:SHOWN]),
                )


def short_histories(given: Given) -> Iterator[Finding]:
    """Users of the test part with fewer than ``FEW`` training interactions."""
    history = np.bincount(given.data.train[:, 0], minlength=given.data.n_users)
    tested = np.unique(given.data.test[:, 0])
    short = tested[(history[tested] < FEW) & (history[tested] > 0)]
    if len(short):
        yield Finding(
            "short histories",
            "note",
            len(short),
            f"{len(short):,} of {len(tested):,} test users ({len(short) / len(tested):.1%}) have fewer than {FEW} "
            "training interactions; results on them say little of a model that learns from histories.",
            "Report users by length of history.",
            tuple(
                Example(f"{history[user]} training interactions", users=given.user_ids([user]))
                for user in short[:SHOWN]
            ),
        )


def long_tail(given: Given) -> Iterator[Finding]:
    """How unequal items are, into ``facts``; a note when most test interactions are of the best-selling fifth."""
    counts = np.sort(given.data.purchases())
    n, total = len(counts), max(1, int(counts.sum()))
    head = float(counts[n - max(1, round(0.2 * n)) :].sum() / total)
    tested = given.data.purchases()[given.data.test[:, 1]]
    given.facts["Gini of items' training purchases"] = round(gini(counts), 3)
    given.facts["training purchases of the best-selling 20 % of items"] = f"{head:.1%}"
    given.facts[f"test interactions of items with at most {FEW} training purchases"] = f"{(tested <= FEW).mean():.1%}"
    best = np.sort(given.data.purchases())[::-1][max(1, round(0.2 * n)) - 1]
    share = float((tested >= best).mean())
    if head > 0.5:
        rare = int((given.data.purchases() <= FEW).sum())
        yield Finding(
            "long tail",
            "note",
            rare,
            f"{rare:,} of {n:,} items have at most {FEW} training purchases, the best-selling fifth has {head:.0%} of "
            f"all purchases, and about {share:.0%} of the test part is of them (Gini {gini(counts):.2f}).",
            "Report head and tail items apart, and put popularity beside every model.",
        )


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of ``counts`` [n]: 0 when all are equal, near 1 when one has all."""
    x = np.sort(counts).astype(float)
    n = len(x)
    return float(((2 * np.arange(1, n + 1) - n - 1) * x).sum() / (n * x.sum())) if n and x.sum() else 0.0


def resolution(given: Given) -> Iterator[Finding]:
    """The smallest difference in Recall@20 that the test part can resolve, into ``facts``; a warning when it is large.

    See ``resolvable``; the assumption is that one test purchase in twenty (``DISCORDANT``) is recommended by exactly
    one of the two methods.
    """
    positives = np.bincount(given.data.test[:, 0])
    positives = positives[positives > 0]
    least = resolvable(positives)
    given.facts["test users"] = len(positives)
    given.facts["smallest resolvable difference in Recall@20"] = round(least, 5)
    if least > SMALL:
        yield Finding(
            "small test part",
            "warning",
            len(positives),
            f"With {len(positives):,} test users a paired comparison can resolve differences in Recall@20 of "
            f"{least:.3f} or more (80 % power, two-sided 5 %, {DISCORDANT:.0%} of test purchases found by one method "
            "only).",
            "Do not read smaller differences; use more users, or several splits.",
        )


def resolvable(positives: np.ndarray, discordant: float = DISCORDANT, power: float = 0.8, alpha: float = 0.05) -> float:
    r"""Least true difference of two methods' mean recall that a paired test over users finds with ``power``.

    Of a test purchase either both methods tell, or none, or exactly one, which happens with probability q; purchases
    count as independent. A user with p positives then has a difference with variance q / p, so over U users

    .. math:: \delta = (z_{1-\alpha/2} + z_{power}) \sqrt{q \, \overline{1/p} / U}

    Args:
        positives: [U], test interactions of each user with any.
        discordant: q. For close variants of a model 0.01 to 0.05, for unrelated ones up to the sum of their recalls.
    """
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return float(z * np.sqrt(discordant * (1 / positives).mean() / len(positives)))
