"""What fits one by one and cannot be together is refused before any work."""

import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.planned_run import plan


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"epochs": -1}, "epochs must be int, at least 1"),
        ({"patience": -1}, "patience must be int, at least 0"),
        ({"dim": -3}, "dim must be int, at least 1"),
        ({"k": []}, "k must be list[int], not empty"),
        ({"seed": 2**64}, "seed must be int, at least 0, at most"),
        ({"threads": 1000}, "threads must be int, at least 0, at most 256"),
        ({"lr": 0.0}, "lr must be float, above 0"),
        ({"start": "mmcrp"}, 'Did you mean "mmcpr"'),
        ({"recommender": "lightgnc"}, 'Did you mean "lightgcn"'),
        ({"recommender": "no_such:Mine"}, "there is no module no_such"),
        ({"recommender": "ease", "start": "mmcpr"}, 'set start = "random"'),
        ({"recommender": "freedom", "model_options": {"layrs": 9}}, 'Did you mean "layers"'),
        ({"recommender": "freedom", "model_options": {"neighbours": "ten"}}, "neighbours of freedom must be int"),
        ({"recommender": "lightgcn", "model_options": {"backbone": "ngcf"}}, "lightgcn has no option 'backbone'"),
        ({"encoder": "small", "encoder_epochs": 0}, "give encoder_epochs of at least 1"),
        ({"modalities": "RX"}, "give a subset of the letters R, T, V, G"),
        ({"modalities": "RTT"}, "each once"),
        ({"modalities": "RG"}, "or give cima_weight 0"),
        ({"split": "8:1"}, "split = '8:1' is not known"),
        ({"clean": ["corr=5"]}, "there is no step 'corr'"),
    ],
)
def test_refused_when_planned(values: dict, says: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(values)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"recommender": "ease"},
        {"recommender": "mixgcf", "model_options": {"backbone": "ngcf", "message_dropout": 0.1}},
        {"modalities": "RG", "cima_weight": 0.0},
        {"start": "mmcpr without cima", "modalities": "G", "pages": ["04"]},
        {"layers": 4, "recommender": "vbpr"},  # said on the page
        {"recommender": "lightgnc", "pages": ["02"]},  # a page that reads no recommender
    ],
)
def test_taken(values: dict) -> None:
    assert plan(values).pages
