"""Every flaw that an audit can find (``flaws.csv``): how bad it is, what is said of it, and what to do."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from .report import SHOWN, Example, Finding

# kind, severity, what is said, what to do; names in braces are filled in by the checks
FLAWS = pd.read_csv(Path(__file__).with_name("flaws.csv"), index_col="kind").T.to_dict()


def found(kind: str, count: int, examples: Iterable[Example] = (), *, severity: str = "", **said: Any) -> list[Finding]:
    """The finding of one of ``FLAWS``, or none where ``count`` is 0.

    Args:
        count: how many.
        examples: the first ``SHOWN`` are kept.
        severity: default: the usual one.
        said: what the texts in ``FLAWS`` have in braces.
    """
    if not count:
        return []
    flaw = FLAWS[kind]
    what = flaw["what"].format(count=count, **said)
    shown = tuple(islice(examples, SHOWN))
    return [Finding(kind.format(**said), severity or flaw["severity"], count, what, flaw["remedy"], shown)]
