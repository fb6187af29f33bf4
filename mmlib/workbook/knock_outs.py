"""One recommender with its content knocked out, trained by a page; and what probes said of the features before."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.dataset import Dataset
from ..core.features import Features
from ..evaluation import Method, Scores
from ..evaluation.alignrec_probes import item_cf, zero_shot
from ..evaluation.feature_sets import ITEM_CF, ZERO_SHOT
from ..evaluation.knock_out import NOTHING, knock_out, parse
from .fit import fit

if TYPE_CHECKING:
    from .page import Page

ENCODER = ("encoder", "encoder_epochs", "encoder_lr")  # parameters that decide the features


def ways_of(features: Features) -> list[str]:
    """``"permute"``, and each modality permuted alone where there are several."""
    names = list(features.item)
    return ["permute", *(f"permute {name}" for name in names if len(names) > 1)]


def knocked_out(
    page: "Page",
    data: Dataset,
    features: Features,
    ways: Sequence[str] = (),
    *,
    interactions_only: str = "lightgcn",
    seeds: int = 1,
) -> dict[str, Method]:
    """The page's recommender whole and knocked out, after training and before it, beside one that reads no content.

    Args:
        page: whose parameters name the recommender and its training.
        ways: as the parameter ``knock_out``; by default those of ``ways_of``.
        seeds: how many, from the page's ``seed`` on; each has its own permutation.

    Returns:
        Label -> Method, with the values ``recommender``, ``knock_out`` and ``knock_out_at``.
    """
    runs: dict[tuple[str, str, str], dict[str, Scores]] = {}
    name = page.value("recommender")
    for seed in range(page.value("seed"), page.value("seed") + seeds):
        one = page.but(seed=seed)
        whole = fit(one.recommender(data, features), **one.training)
        judged = {(name, NOTHING, "training"): whole}
        for way in ways or ways_of(features):
            asked = parse(way)
            gone = knock_out(features, *asked, seed=seed) if asked else features
            if asked and asked[0] != "drop":
                tested = one.but(knock_out=way, knock_out_at="test")
                judged[name, way, "test"] = tested.after_knock_out(whole, data, features)
            judged[name, way, "training"] = fit(one.recommender(data, gone), **one.training)
        base = one.but(recommender=interactions_only, model_options={})
        judged[interactions_only, NOTHING, "training"] = fit(base.recommender(data), **one.training)
        for key, done in judged.items():
            runs.setdefault(key, {})[f"seed {seed}"] = one.scores(done, label_of(*key))
    return {label_of(*key): Method(label_of(*key), found, dict(zip(NAMES, key))) for key, found in runs.items()}


NAMES = ("recommender", "knock_out", "knock_out_at")


def label_of(recommender: str, way: str, at: str) -> str:
    """Such as ``"freedom, permute text, at test"``."""
    if way == NOTHING:
        return recommender
    return f"{recommender}, {way}, {'at test' if at == 'test' else 'retrained'}"


def probed(page: "Page", data: Dataset, methods: Mapping[str, Method], *, k: int = 20) -> pd.DataFrame:
    """What probes say of the features that each method was trained on, beside the Recall that came out.

    Args:
        page: whose encoder is meant where a method's values name none.
        methods: with ``recommender`` and, where they vary, ``knock_out`` and parameters of the encoder as values. Those
            that were knocked out after training, and recommenders that read no content, are left out.

    Returns:
        ``recommender``, ``features``, ``probe``, ``value``, ``recall``.
    """
    from .named_models import reads_content

    known: dict[str, dict[str, float]] = {}
    rows = []
    for method in methods.values():
        values = method.values
        if values.get("knock_out_at") == "test" and values.get("knock_out", NOTHING) != NOTHING:
            continue
        recommender = str(values.get("recommender", page.value("recommender")))
        if not reads_content(recommender, values.get("model_options") or {}):
            continue
        asked: dict[str, Any] = {name: values[name] for name in ENCODER if name in values}
        way = str(values.get("knock_out", NOTHING))
        label = ", ".join([*(f"{name} {value}" for name, value in asked.items()), *([way] if way != NOTHING else [])])
        if label not in known:
            features = page.but(**asked, knock_out=way, knock_out_at="training").features(data)
            assert features is not None
            shot, cf = zero_shot(data, features), item_cf(data, features)
            known[label] = {ZERO_SHOT: shot.recall(k).value, ITEM_CF: cf.recall(k).value}
        mean = method.means().set_index(["slice", "metric"])["mean"]["all", f"recall@{k}"]
        rows += [(recommender, label or "whole", probe, value, float(mean)) for probe, value in known[label].items()]
    return pd.DataFrame(rows, columns=["recommender", "features", "probe", "value", "recall"])
