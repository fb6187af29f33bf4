"""The registry of published figures, and measured ones beside them without a silent mix of protocols."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from ..core.errors import InputError, closest, one_of
from .protocols import Protocol, differences, protocols

_FILE = Path(__file__).with_name("published.csv")
MEASURED = "measured here"


@cache
def _registry() -> pd.DataFrame:
    table = pd.read_csv(_FILE, dtype=str, keep_default_na=False)
    return table.assign(value=table["value"].astype(float), std=pd.to_numeric(table["std"]))


def published(
    dataset: str | None = None, metric: str | None = None, protocol: str | None = None, method: str | None = None
) -> pd.DataFrame:
    """Published figures, one a row, as printed.

    Args:
        dataset: such as ``"amazon-2014/Baby"``, or its last part, ``"Baby"``.
        metric: such as ``"recall@20"``.
        protocol: a tag of ``protocols()``.
        method: such as ``"FREEDOM"``; capitals do not matter in any of the names.

    Returns:
        ``paper``, ``table``, ``dataset``, ``protocol``, ``method``, ``variant``, ``metric``, ``value``, ``unit``
        (empty: from 0 to 1), ``std`` (NaN where none is printed), ``mark`` (the paper's asterisk), ``note``. No rows
        when each name is known but nothing was published under all of them.

    Raises:
        InputError: for a name that the registry does not have, with the closest one.
    """
    table = _registry()
    for column, name in (("dataset", dataset), ("metric", metric), ("protocol", protocol), ("method", method)):
        if name is not None:
            table = table[table[column] == _known(column, name)]
    return table.reset_index(drop=True)


def _known(column: str, name: str) -> str:
    """The registry's spelling of a name."""
    names = list(dict.fromkeys(_registry()[column]))
    spelt = {one.lower(): one for one in names}
    if column == "dataset":
        spelt |= {one.rpartition("/")[2].lower(): one for one in names}
    if name.lower() not in spelt:
        hint = closest(name.lower(), spelt)
        raise InputError(f"Nothing is published for {column} {name!r}.{hint} There are {', '.join(names)}.")
    return spelt[name.lower()]


def coverage(dataset: str | None = None) -> pd.DataFrame:
    """What the registry holds: a row a dataset and protocol, with ``figures``, ``methods``, ``metrics``.

    Raises:
        InputError: for an unknown dataset.
    """
    groups = published(dataset).groupby(["dataset", "protocol"])
    return groups.agg(
        figures=("value", "size"), methods=("method", "nunique"), metrics=("metric", _short)
    ).reset_index()


def _short(metrics: pd.Series) -> str:
    """Rankings' metrics in brief, such as ``recall@10, 20; ndcg@10, 20``."""
    lengths: dict[str, set[int]] = {}
    for one in metrics:
        name, _, k = one.partition("@")
        if k.isdigit():  # not those of changes, sizes and times
            lengths.setdefault(name, set()).add(int(k))
    return "; ".join(f"{name}@" + ", ".join(map(str, sorted(every))) for name, every in sorted(lengths.items()))


def beside(
    table: pd.DataFrame | None,
    dataset: str,
    metric: str,
    protocol: str | Sequence[str],
    *,
    measured: str | Protocol = MEASURED,
    mix: bool = False,
) -> pd.DataFrame:
    """Measured figures beside published ones, never of different protocols without saying so.

    Args:
        table: what was measured: ``method``, ``mean``, and where known ``low`` and ``high``; ``None`` for none.
        dataset, metric: as in ``published``.
        protocol: a tag, or several.
        measured: the protocol that the measured figures follow: a tag of ``protocols()`` where it is exactly the
            same, else a ``Protocol`` or a name of your own.
        mix: allow rows of different protocols; each row then says its own.

    Returns:
        ``source`` (``"measured here"``, or paper and table), ``dataset`` (empty where measured: that it is the same one
        is for the caller to know), ``method``, ``variant``, ``value``, ``low``, ``high`` (NaN where none is known) and
        ``protocol``; measured rows first, then by protocol, the best first.

    Raises:
        InputError: when the rows would follow different protocols and ``mix`` is not set, with what differs; for
            unknown names; when nothing is published for this dataset and metric under the protocol.
    """
    tags = list(dict.fromkeys([protocol] if isinstance(protocol, str) else protocol))
    for tag in tags:
        one_of("protocol", tag, protocols())
    own = measured.tag if isinstance(measured, Protocol) else measured
    if len({*([] if table is None else [own]), *tags}) > 1 and not mix:
        raise InputError(_refusal(measured, tags))
    parts = [] if table is None else [_measured(table, own)]
    for tag in tags:
        found = published(dataset, metric, tag)
        if found.empty:
            known = ", ".join(dict.fromkeys(published(dataset, metric)["protocol"])) or "none"
            raise InputError(
                f"Nothing is published for {metric} on {dataset} under {tag!r}; protocols that have it: {known}."
            )
        rows = found.assign(source=found["paper"] + ", table " + found["table"], low=float("nan"), high=float("nan"))
        parts.append(rows.drop_duplicates(["paper", "method", "variant", "value"]))  # some tables print it again
    rows = pd.concat([part.sort_values("value", ascending=False, kind="stable") for part in parts], ignore_index=True)
    return rows[["source", "dataset", "method", "variant", "value", "low", "high", "protocol"]]


def _refusal(measured: str | Protocol, tags: Sequence[str]) -> str:
    """Why these protocols are not put into one table, and what to do."""
    own = measured if isinstance(measured, Protocol) else protocols().get(measured)
    every = [*([own] if own else []), *(protocols()[tag] for tag in tags)]
    found = [line for one in every[1:] for line in differences(every[0], one)]
    names = ", ".join(repr(name) for name in dict.fromkeys([own.tag if own else str(measured), *tags]))
    return (
        f"These figures follow different protocols ({names}) and cannot be ranked against each other. "
        + "".join(f"{line}. " for line in found)
        + "Set mix=True (mix_protocols on a page) to see them together, each row with its own protocol."
    )


def _measured(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    if missing := [name for name in ("method", "mean") if name not in table]:
        raise InputError(f"The measured table has no column {missing[0]!r}; it has {', '.join(map(str, table))}.")
    bounds = {name: table[name] if name in table else float("nan") for name in ("low", "high")}
    facts = {"source": MEASURED, "dataset": "", "method": table["method"], "variant": "", "value": table["mean"]}
    return pd.DataFrame(facts | bounds | {"protocol": protocol})
