"""What papers state, once more: a changed default is a changed method."""

from dataclasses import replace
from inspect import signature

import pytest
import torch

from mmlib import recommenders
from mmlib.recommenders import BM3, FREEDOM, GRCN, LATTICE, MGCN, MICRO, MMGCL, NGCF, AlignRec, LightGCN, MixGCF, SLMRec
from mmlib.recommenders.papers import settings
from mmlib.training import fit

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
    assert settings(MICRO) == dict.fromkeys(("Clothing", "Sports", "Baby"), micro)
    align = {"dim": 64, "layers": 2, "item_layers": 1, "neighbours": 10, "cca_weight": 0.01, "uia_weight": 0.1}
    align |= {"temperature": 0.2, "batch_size": 2048}  # table 7
    assert settings(AlignRec)["Electronics"] == align
    assert settings(AlignRec)["Baby"] == settings(AlignRec)["Sports"] == align | {"reg_weight": 0.1}
    assert settings(BM3)["Electronics"]["dropout"] == 0.3
    assert settings(FREEDOM)["Baby"]["weights"] == "0.1+0.9"
    assert settings(LightGCN) == {}


STATED = [(model, name) for model in map(vars(recommenders).get, recommenders.__all__) for name in settings(model)]


@pytest.mark.parametrize(("model", "name"), STATED, ids=lambda one: getattr(one, "__name__", one))
def test_what_is_stated_are_options_of_the_model_and_of_its_training(model, name, blocks, features) -> None:
    three = features.item | {"sound": features.item["text"]}  # MMGCL has odds of three modalities
    heard = replace(features, item=three, present=features.present | {"sound": features.present["text"]})
    given = {key: value for key, value in settings(model)[name].items() if key not in ("lr", "batch_size")}
    made = model(blocks, heard if "odds" in given else features, **given)
    assert given.items() <= made.describe().items()
    assert all(torch.isfinite(term) for term in made.loss(next(made.batches(8, torch.Generator()))).values())
    assert set(settings(model)[name]) - set(given) <= set(signature(fit).parameters)


def test_micros_variants_leave_out_what_their_names_say() -> None:
    assert MICRO.variants() == {
        "CF+feats": {"inputs": "features", "item_layers": 0, "contrast_weight": 0.0},
        "MICRO/feats": {"inputs": "features"},
        "MICRO w/o contrast": {"contrast_weight": 0.0},
        "MICRO": {},
    }
