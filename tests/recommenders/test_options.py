"""What a model's options refuse, and where its vectors start."""

import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.recommenders import (
    BM3,
    BPR,
    FREEDOM,
    GRCN,
    LATTICE,
    MGCN,
    MICRO,
    MMGCL,
    MMGCN,
    NGCF,
    VBPR,
    AlignRec,
    DualGNN,
    LightGCN,
    MixGCF,
    SLMRec,
)

READ_CONTENT = [BM3, FREEDOM, GRCN, LATTICE, MGCN, MICRO, MMGCL, MMGCN, VBPR, AlignRec, DualGNN, SLMRec]
WRONG = [
    (AlignRec, {"fuser": "gate"}, "fuser = 'gate'"),
    (BM3, {"dropout": 1.0}, r"dropout = 1\.0 must be a finite number of at least 0 and below 1"),
    (BM3, {"l2_on": "final"}, "l2_on = 'final'"),
    (DualGNN, {"construction": "weighted_sum"}, "construction"),
    (DualGNN, {"attention": "none"}, "attention"),
    (DualGNN, {"user_weight": "count"}, "user_weight"),
    (FREEDOM, {"pruning": 1.0}, r"pruning = 1\.0 must be a finite number of at least 0 and below 1"),
    (FREEDOM, {"weights": "0.1+0.9"}, "name the modalities too"),
    (FREEDOM, {"weights": "0.1", "modalities": "image+text"}, "a number for each of image, text, joined by '\\+'"),
    (FREEDOM, {"weights": "a+b", "modalities": "image+text"}, "a number for each of image, text, joined by '\\+'"),
    (FREEDOM, {"edge_weight": "euclid"}, "edge_weight = 'euclid'"),
    (GRCN, {"pruning": True}, "pruning"),
    (GRCN, {"weighting": "confid"}, 'Did you mean "confidence"'),
    (GRCN, {"l2_reading": "l1"}, "l2_reading"),
    (LATTICE, {"backbone": "gcn"}, "backbone"),
    (LATTICE, {"neighbours": 0}, "neighbours = 0"),
    (LATTICE, {"skip": 1.5}, r"skip = 1\.5"),
    (LATTICE, {"item_layers": 0}, "item_layers=0"),
    (LATTICE, {"normalise": "rows"}, "normalise"),
    (LATTICE, {"graph_gradient": "last"}, "graph_gradient"),
    (LATTICE, {"backbone": "ngcf", "message_dropout": 0.0, "pool": "concat"}, "pool"),
    (LATTICE, {"modalities": "sound"}, "sound"),
    (MGCN, {"fusion": "other"}, "fusion"),
    (MGCN, {"l2_on": "other"}, "l2_on"),
    (MICRO, {"item_layers": 0}, "inputs='features'"),
    (MICRO, {"temperature": 0.0}, r"temperature = 0\.0"),
    (MICRO, {"temperature": 0.01}, r"at least 0\.02"),
    (MICRO, {"contrast": "both"}, "contrast"),
    (MICRO, {"contrast_items": "some"}, "contrast_items"),
    (MICRO, {"inputs": "text"}, "inputs"),
    (MICRO, {"item_layers": -1, "inputs": "features"}, "item_layers = -1"),
    (MixGCF, {"candidates": 0}, "candidates = 0"),
    (MixGCF, {"backbone": "mf"}, "backbone"),
    (MMGCL, {"contrast": "view"}, "contrast"),
    (MMGCL, {"edge_dropout": 1}, "edge_dropout = 1"),
    (MMGCN, {"combination": "False"}, "combination"),
    (MMGCN, {"aggregation": "add"}, "aggregation"),
    (MMGCN, {"fusion": "max"}, "fusion"),
    (MMGCN, {"layers": 0}, "layers = 0"),
    (NGCF, {"message_dropout": 1.0}, r"message_dropout = 1\.0"),
    (NGCF, {"self_messages": "some"}, "self_messages"),
    (SLMRec, {"tasks": "FAC+FED"}, "task = 'FED'"),
    (SLMRec, {"dropout": 1}, "dropout = 1"),
    (SLMRec, {"ssl_temperature": 0.0}, r"ssl_temperature = 0\.0"),
    (VBPR, {"l2_on": "all"}, "l2_on"),
]


@pytest.mark.parametrize(("model", "options", "message"), WRONG, ids=str)
def test_wrong_options_are_refused(tiny, content, model, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(tiny, content, **options)


@pytest.mark.parametrize("model", READ_CONTENT, ids=lambda one: one.__name__)
def test_a_model_that_reads_content_asks_for_features(tiny, model) -> None:
    with pytest.raises(InputError, match=f"{model.__name__} reads image and text: give it features"):
        model(tiny)


@pytest.mark.parametrize("model", [BPR, LightGCN, NGCF, MixGCF, *READ_CONTENT], ids=lambda one: one.__name__)
def test_vectors_start_from_what_is_given(tiny, content, model) -> None:
    start = Embeddings(torch.randn(4, 3), torch.randn(6, 3))
    made = model(tiny, content, dim=3, start=start)
    if model is DualGNN:  # whose items have no vectors of their own
        assert all(torch.equal(one, start.users) for one in made.preference.values())
    else:
        assert torch.equal(getattr(made, "network", made).table, torch.cat([start.users, start.items]))
