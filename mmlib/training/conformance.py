"""``check``: every rule tried on anybody's model."""

import functools
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.features import Features
from .learner import Recommender
from .rules import RULES, Make, learns_the_block_world, moves_to_a_device, records_its_options, takes_a_step


@dataclass(frozen=True, repr=False)
class Conformance:
    """Which rules a model follows; true where it follows all.

    Args:
        model: its name.
        table: one row a rule: ``rule``, ``passed``, ``seconds``, ``remedy`` (empty where it passed).
    """

    model: str
    table: pd.DataFrame

    def __bool__(self) -> bool:
        return bool(self.table["passed"].all())

    def __repr__(self) -> str:
        return f"{self._said()}\n{self.table.to_string(index=False, float_format='{:.2f}'.format)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._said()}</p>{self.table.to_html(index=False, float_format='{:.2f}'.format, border=0)}"

    def _said(self) -> str:
        return f"{self.model} follows {int(self.table['passed'].sum())} of {len(self.table)} rules"


def check(
    model: Callable[..., Recommender], data: Dataset | None = None, features: Features | None = None, **options: Any
) -> Conformance:
    """Try every rule on a model, in seconds, in a made-up world of two blocks with one right answer.

    Args:
        model: a class made of ``mm.Recommender``, or a ``functools.partial`` of one.
        data: a split dataset on which it is made too, and takes one step; ``None``: the made-up world alone.
        features: given to it there; the made-up world has text, image and review vectors of its own.
        options: of the constructor.

    Returns:
        The rules with what was found; a rule that is broken comes with the remedy. Moving to a GPU is tried where
        there is one.

    Raises:
        InputError: for what is no constructor.
    """
    if isinstance(model, torch.nn.Module) or not callable(model):
        raise InputError(
            f"check constructs the model itself: give the class, as in mm.check(Mine, data), not {model!r}."
        )
    made = functools.partial(model, **options)
    name = getattr(made.func, "__name__", str(model))
    takes_features = "features" in inspect.signature(made).parameters
    make: Make = made if takes_features else lambda data, features: made(data)
    rules = {one.__name__: functools.partial(one, make) for one in RULES}
    rules["records_its_options"] = functools.partial(records_its_options, make, **made.keywords)
    rules["learns_the_block_world"] = functools.partial(learns_the_block_world, make, range(5))
    if torch.cuda.is_available():
        rules["moves_to_a_device"] = functools.partial(moves_to_a_device, make)
    if data is not None:
        rules["takes_a_step"] = functools.partial(takes_a_step, make, data, features)
    rows = []
    for rule, tried in rules.items():
        start, remedy = time.perf_counter(), ""
        try:
            with torch.random.fork_rng():
                tried()
        except Exception as error:  # whatever a model raises is what is wrong with it
            remedy = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        rows.append((rule.replace("_", " "), not remedy, time.perf_counter() - start, remedy))
    return Conformance(name, pd.DataFrame(rows, columns=["rule", "passed", "seconds", "remedy"]))
