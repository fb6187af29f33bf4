"""What the split and the interactions themselves say: order in time, unseen users and items, repeats, resolution."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..core.gini import gini
from .report import Finding, NotMade, found
from .subject import Subject

FEW = 5  # training interactions up to which an item is rare, and below which a user is short
DISCORDANT = 0.05  # assumed share of test interactions that exactly one of two methods recommends
SMALL = 0.01  # a test part that cannot resolve this difference in Recall@20 is called small


def future(subject: Subject) -> list[Finding]:
    """Training interactions later than the test part, under a protocol that claims an order in time.

    The protocol claims it when its text contains "time", "temporal" or "chronological". With "user" in the text the
    order is each user's own; without, one moment cuts for all. Equal times are allowed.
    """
    data, protocol = subject.data, subject.data.split.protocol if subject.data.split else ""
    claims = any(word in subject.protocol for word in ("time", "temporal", "chronologic"))
    if "time" not in data.interactions:
        if claims:
            return found("time claimed but unknown", len(data.interactions), protocol=protocol)
        raise NotMade("the interactions have no time")
    table = data.interactions.assign(time=pd.to_numeric(data.interactions["time"], errors="coerce"))
    train, test = (table[table["part"] == part].dropna(subset="time") for part in ("train", "test"))
    late = train["time"] > train["user"].map(test.groupby("user")["time"].min())
    subject.facts["training interactions later than the user's first test interaction"] = f"{late.mean():.1%}"
    if not claims:
        raise NotMade(f"the protocol '{protocol}' does not claim an order in time")
    moment = "the same user's first test interaction"
    if "user" not in subject.protocol:
        late, moment = train["time"] > test["time"].min(), "the first test interaction of all"
    pairs = train.loc[late.to_numpy(), ["user", "item"]].to_numpy()
    examples = subject.pairs(pairs, "it happened after the test part began")
    share = len(pairs) / max(1, len(train))
    return found("future in train", len(pairs), examples, share=share, moment=moment, protocol=protocol)


def several_parts(subject: Subject) -> list[Finding]:
    """The same user and item in several parts."""
    pairs = subject.data.interactions[["user", "item", "part"]].drop_duplicates()[["user", "item"]]
    again = np.unique(pairs[pairs.duplicated()].to_numpy(), axis=0)
    return found("pairs in several parts", len(again), subject.pairs(again, "in several parts"))


def repeated(subject: Subject) -> list[Finding]:
    """The same user and item in several rows of one part."""
    table = subject.data.interactions
    again = table.loc[table.duplicated(["user", "item", "part"]), ["user", "item"]].to_numpy()
    return found("repeated interactions", len(again), subject.pairs(again, "interacted with again"))


def unseen(subject: Subject) -> list[Finding]:
    """Users and items of the held-out parts that the training part does not have."""
    findings = []
    for column, side in enumerate(("users", "items")):
        expected = "note" if side == "items" and "cold" in subject.protocol else ""
        for part in ("valid", "test"):
            ids = subject.data.part(part)[:, column]
            new = np.setdiff1d(ids, subject.data.train[:, column])
            examples = (subject.example("no training interaction", **{side: [one]}) for one in new)
            share = float(np.isin(ids, new).mean())
            kind = "{side} unseen in train ({part})"
            findings += found(kind, len(new), examples, severity=expected, side=side, part=part, share=share)
    return findings


def short_histories(subject: Subject) -> list[Finding]:
    """Users of the test part with fewer than ``FEW`` training interactions."""
    history = np.bincount(subject.data.train[:, 0], minlength=subject.data.n_users)
    tested = np.unique(subject.data.test[:, 0])
    short = tested[(history[tested] < FEW) & (history[tested] > 0)]
    examples = (subject.example(f"{history[user]} training interactions", users=[user]) for user in short)
    n = len(tested)
    return found("short histories", len(short), examples, of=n, share=len(short) / n, few=FEW)


def long_tail(subject: Subject) -> list[Finding]:
    """How unequal items are, into ``facts``; a note when the most popular fifth has most interactions
    and other items are rare."""
    own = subject.data.purchases()
    counts, tested = np.sort(own)[::-1], own[subject.data.test[:, 1]]
    fifth = max(1, round(0.2 * len(counts)))
    head = float(counts[:fifth].sum() / max(1, counts.sum()))
    unequal = float(np.nan_to_num(gini(counts)))  # 0 for one item alone
    subject.facts["Gini of items' training interactions"] = round(unequal, 3)
    subject.facts["training interactions of the most popular 20 % of items"] = f"{head:.1%}"
    rare = f"{(tested <= FEW).mean():.1%}"
    subject.facts[f"test interactions of items with at most {FEW} training interactions"] = rare
    said: dict[str, Any] = {"of": len(counts), "few": FEW, "head": head, "gini": unequal}
    said["tested"] = float((tested >= counts[fifth - 1]).mean())
    return found("long tail", int((own <= FEW).sum()) * (head > 0.5), **said)


def resolution(subject: Subject) -> list[Finding]:
    """The smallest difference in Recall@20 that the test part can resolve, into ``facts``; a warning when it is large.

    See ``resolvable``; the assumption is that one test interaction in twenty (``DISCORDANT``) is recommended by exactly
    one of the two methods.
    """
    positives = np.bincount(subject.data.test[:, 0])
    positives = positives[positives > 0]
    least = resolvable(positives)
    subject.facts["test users"] = len(positives)
    subject.facts["smallest resolvable difference in Recall@20"] = round(least, 5)
    return found("small test part", len(positives) * (least > SMALL), least=least, discordant=DISCORDANT)


def resolvable(positives: np.ndarray, discordant: float = DISCORDANT, power: float = 0.8, alpha: float = 0.05) -> float:
    r"""Least true difference of two methods' mean recall that a paired test over users finds with ``power``.

    Of a test interaction either both methods tell, or none, or exactly one, which happens with probability q;
    interactions count as independent. A user with p positives then has a difference with variance q / p, so over U
    users

    .. math:: \delta = (z_{1-\alpha/2} + z_{power}) \sqrt{q \, \overline{1/p} / U}

    Args:
        positives: [U], test interactions of each user with any.
        discordant: q. For close variants of a model 0.01 to 0.05, for unrelated ones up to the sum of their recalls.
    """
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return float(z * np.sqrt(discordant * (1 / positives).mean() / len(positives)))
