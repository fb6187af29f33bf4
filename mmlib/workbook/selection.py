"""Options chosen on the validation part, before anything is judged on the test part."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import InputError
from .parameters import is_seed
from .paths import finished
from .planned_run import Plan
from .report import flat
from .sweep_file import Sweep, rivals


def due(one: Sweep) -> Sweep:
    """What is to be run now: the runs on the validation part until all are done, then those with the chosen values."""
    return chosen(one) if one.judged and all(finished(each.folder) for each in one.plans) else one


def chosen(one: Sweep) -> Sweep:
    """The runs that are judged: of each method those with the values that did best on the validation part.

    A method (see ``sweep_file.rivals``) gets the values with the highest mean of the metric over the seeds, of equals
    the first.

    Args:
        one: a sweep with ``choose``, all its runs on the validation part done.

    Returns:
        The sweep of the runs on the test part; ``tried`` has a row for each method and values: what varies, ``runs``,
        the metric's mean, and whether it was ``chosen``.

    Raises:
        InputError: when a run is not done or has not recorded the metric.
    """
    over, metric = one.choose["over"], one.choose["metric"]
    rows, kept = [], list[int]()
    for tried in rivals(one).values():
        means = {key: float(np.mean([_recorded(one.plans[place], metric) for place in tried[key]])) for key in tried}
        best = max(means, key=lambda key: means[key])
        kept += tried[best]
        for key, places in tried.items():
            first = one.plans[places[0]].parameters
            shown = {name: first.get(name) for name in one.varying if not is_seed(name)}
            rows.append(shown | {"runs": len(places), metric: means[key], "chosen": key == best})
    plans = tuple(one.judged[place] for place in sorted(kept))
    varying = tuple(name for name in one.varying if name not in over)
    return replace(one, plans=plans, varying=varying, judged=(), tried=tuple(rows), chosen_from=one.id)


def edges(tried: Sequence[Mapping[str, Any]], over: Sequence[str]) -> list[str]:
    """Chosen numbers beyond which nothing was tried, in words, since the best may lie there.

    Args:
        tried: as in :func:`chosen`.
        over: the parameters that were chosen; of options in a dictionary each number counts.
    """
    found = []
    for row in (one for one in tried if one["chosen"]):
        method = {name: row[name] for name in [*row][: [*row].index("runs")] if name not in over}
        rivals = [_numbers(one, over) for one in tried if all(one[name] == method[name] for name in method)]
        for name, value in _numbers(row, over).items():
            values = {one[name] for one in rivals if name in one}
            if len(values) > 1 and value in (min(values), max(values)):
                which = "largest" if value == max(values) else "smallest"
                found.append(f"{', '.join(map(str, method.values())) or 'all'}: {name} {value} is the {which} tried")
    return found


def _numbers(row: Mapping[str, Any], over: Sequence[str]) -> dict[str, float]:
    own = [row[name].items() if isinstance(row[name], Mapping) else [(name, row[name])] for name in over]
    return {name: value for options in own for name, value in options if _is_number(value)}


def _recorded(each: Plan, metric: str) -> float:
    """What a run recorded, for all users where it is a ranking's."""
    done = finished(each.folder)
    if not done:
        raise InputError(f"{each.id} is not done on the validation part, so nothing can be chosen yet.")
    values = {path: value for path, value in flat(done["metrics"]).items() if _is_number(value)}
    found = [value for path, value in values.items() if path.split("/")[1:] in ([metric], ["all", metric])]
    if not found:
        raise InputError(f"{each.id} recorded no number {metric} to choose by; it has {', '.join(values)}.")
    return float(found[-1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
