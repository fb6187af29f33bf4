"""Options chosen on the validation part, before anything is judged on the test part."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from .compare import is_seed
from .grid import Sweep
from .plan import Plan
from .report import flat, without_lone_labels
from .run import finished


def chosen(one: Sweep) -> Sweep:
    """The runs that are judged: of each method those with the values that did best on the validation part.

    A method is a combination of all that varies but the parameters in ``choose: over`` and the seeds. Its values
    are those with the best mean of the metric over the seeds (the first of equals); values of which a run failed
    are left out.

    Args:
        one: a sweep with ``choose``, its runs on validation done.

    Returns:
        The sweep of the runs on the test part; ``tried`` says what was chosen from.

    Raises:
        InputError: when all values of a method failed, or a run has not recorded the metric.
    """
    over, metric = one.choose["over"], one.choose["metric"]
    methods = tuple(name for name in one.varying if name not in over)
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, each in enumerate(one.plans):
        method, values = _values(each, [name for name in methods if not is_seed(name)]), _values(each, over)
        found[repr(method)][repr(values)].append(place)
    rows, kept = [], list[int]()
    for tried in found.values():
        scores = {key: _mean([one.plans[place] for place in places], metric) for key, places in tried.items()}
        best = max(scores, key=lambda key: scores[key])
        if scores[best] == -np.inf:
            method = _values(one.plans[tried[best][0]], methods)
            raise InputError(f"{one.name}: nothing can be chosen for {method}: of all values a run failed.")
        kept += tried[best]
        for key, places in tried.items():
            first = _values(one.plans[places[0]], [name for name in one.varying if not is_seed(name)])
            score = None if scores[key] == -np.inf else scores[key]
            rows.append(first | {"runs": len(places), metric: score, "chosen": key == best})
    plans = tuple(one.judged[place] for place in sorted(kept))
    name = one.name.removesuffix("-valid")
    return replace(one, name=name, plans=plans, varying=methods, judged=(), tried=tuple(rows))


def due(one: Sweep) -> Sweep:
    """What is to be run now: the runs on validation until all are done, then those with the chosen values."""
    return chosen(one) if one.judged and all(finished(each.folder) for each in one.plans) else one


def _values(each: Plan, names: Any) -> dict[str, Any]:
    return {name: each.parameters.get(name) for name in names}


def _mean(plans: list[Plan], metric: str) -> float:
    """The metric's mean over runs, minus infinity where one has failed."""
    done = [finished(each.folder) for each in plans]
    return float(np.mean([_recorded(each, one, metric) for each, one in zip(plans, done)])) if all(done) else -np.inf


def _recorded(each: Plan, done: Any, metric: str) -> float:
    """What a run recorded, of all users where it is a ranking's."""
    values = dict(flat(without_lone_labels(done["metrics"])))
    found = [value for path, value in values.items() if path.split("/")[1:] in ([metric], ["all", metric])]
    if not found:
        raise InputError(f"{each.id} recorded no {metric} to choose by; it has {', '.join(values)}.")
    return float(found[-1])
