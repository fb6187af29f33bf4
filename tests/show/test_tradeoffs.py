from dataclasses import dataclass

import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.show import Html, costs, resolution
from tests.show.test_comparison import METHODS, Made


@dataclass
class Paired:
    a: str
    b: str
    difference: float
    detectable: float
    metric: str = "recall@20"


def test_a_difference_is_drawn_beside_the_smallest_detectable_one():
    some = [Paired("a", "<b>", -0.05, 0.02), Paired("c", "d", 0.01, 0.03)]
    bars, sure, unsure = resolution(some, pd.DataFrame({"apart": [True, False]})).data
    assert list(bars.x) == [0.02, 0.03]
    assert (list(sure.x), list(sure.y), sure.marker.symbol) == ([0.05], ["a − &lt;b&gt;"], "square")
    assert (list(unsure.x), list(unsure.y), unsure.marker.symbol) == ([0.01], ["c − d"], "square-open")
    with pytest.raises(InputError, match="nothing to compare"):
        resolution([], pd.DataFrame({"apart": []}))


def test_accuracy_is_drawn_against_time_with_the_methods_worth_it():
    every = METHODS | {"slow": Made(0.25, {"seconds": 2000.0}), "quick": Made(0.05, {"seconds": 1.0})}
    fig = costs(every)
    line, points = fig.data
    assert (list(line.x), list(line.y)) == ([1.0, 12.0], [0.05, 0.3])
    assert list(points.x) == [1.0, 12.0, 1500.0, 2000.0]
    assert list(points.text) == [5, 1, 3, 2]  # places in the standings; 4 has no recorded time
    assert fig.layout.xaxis.title.text == "training time of the recommender (s)"
    assert "1 methods recorded no such cost" in fig.layout.meta["caption"]


def test_a_cost_that_nobody_recorded_is_said():
    found = costs(METHODS, cost="parameters")
    assert isinstance(found, Html)
    assert "did not record their parameters" in found.text
    with pytest.raises(InputError, match="cost = 'euros' is not known"):
        costs(METHODS, cost="euros")
