"""What papers state, once more: a changed default is a changed method."""

import pytest

from mmlib.recommenders import BM3, FREEDOM, GRCN, LATTICE, MGCN, MICRO, MMGCL, NGCF, AlignRec, LightGCN, MixGCF, SLMRec

DEFAULTS = [
    (LightGCN, {"layers": 3, "normalisation": "symmetric"}),
    (NGCF, {"layers": 3, "message_dropout": 0.1, "node_dropout": 0.0, "pool": "concat", "activation": "joint"}),
    (MixGCF, {"layers": 3, "candidates": 16, "mix_positive": True, "mix_hops": True}),
    (GRCN, {"layers": 2, "iterations": 3, "weighting": "confidence", "pruning": "soft"}),
    (LATTICE, {"neighbours": 10, "item_layers": 1, "normalisation": "symmetric", "self_loops": False}),
    (LATTICE, {"normalise": "each", "skip": 0.9, "l2": 1e-5, "graph_gradient": "first"}),
    (MICRO, {"neighbours": 10, "skip": 0.7, "contrast_weight": 0.03, "temperature": 0.5, "l2": 1e-4, "item_layers": 1}),
    (MICRO, {"contrast": "mutual", "contrast_items": "all", "inputs": "ids", "self_loops": False}),
    (BM3, {"layers": 1, "dropout": 0.5, "align_weight": 1.0, "l2_on": "batch"}),
    (FREEDOM, {"layers": 2, "item_layers": 1, "neighbours": 10, "edge_weight": "binary", "weights": None}),
    (MGCN, {"layers": 2, "item_layers": 1, "neighbours": 10, "temperature": 0.2, "fusion": "mean", "repeats": False}),
    (MMGCL, {"layers": 3, "contrast": "views", "challenging": True, "ssl_weight": 0.4, "edge_dropout": 0.05}),
    (SLMRec, {"layers": 3, "main": "infonce", "tasks": "FAC", "ssl_weight": 0.1, "temperature": 0.2}),
    (AlignRec, {"layers": 2, "item_layers": 1, "neighbours": 10, "temperature": 0.2, "cca": "inner", "gram": "cosine"}),
    (AlignRec, {"cca_weight": 0.01, "uia_weight": 0.1, "reg_weight": 0.1, "reg_reading": "norm", "fuser": "sum"}),
]


@pytest.mark.parametrize(("model", "values"), DEFAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_defaults_are_the_papers(model, values) -> None:
    known = model.in_force()
    assert {name: known[name] for name in values} == values


def test_hyper_parameters_per_dataset() -> None:
    micro = {"dim": 64, "layers": 2, "item_layers": 1, "neighbours": 10, "skip": 0.7, "temperature": 0.5, "l2": 1e-4}
    micro |= {"contrast_weight": 0.03, "lr": 5e-4, "batch_size": 1024}  # section 3.1.4
    assert MICRO.paper() == dict.fromkeys(("Clothing", "Sports", "Baby"), micro)
    align = {"dim": 64, "layers": 2, "item_layers": 1, "neighbours": 10, "cca_weight": 0.01, "uia_weight": 0.1}
    align |= {"temperature": 0.2, "batch_size": 2048}  # table 7
    assert AlignRec.paper()["Electronics"] == align
    assert AlignRec.paper()["Baby"] == AlignRec.paper()["Sports"] == align | {"reg_weight": 0.1}
    assert BM3.paper()["Electronics"]["dropout"] == 0.3
    assert FREEDOM.paper()["Baby"]["weights"] == "0.1+0.9"


def test_micros_variants_leave_out_what_their_names_say() -> None:
    assert MICRO.variants() == {
        "CF+feats": {"inputs": "features", "item_layers": 0, "contrast_weight": 0.0},
        "MICRO/feats": {"inputs": "features"},
        "MICRO w/o contrast": {"contrast_weight": 0.0},
        "MICRO": {},
    }
