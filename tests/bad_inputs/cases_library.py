"""mmlib from Python: features, starts, options of models, training and evaluation."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mmlib as mm
from mmlib.core.dataset import Dataset
from tests.conftest import make_dataset

from .world import Case, Content

NAN, INF = float("nan"), float("inf")
USERS, ITEMS = 24, 20


@cache
def data() -> Dataset:
    """24 users of nine purchases each among 20 items, split."""
    rng = np.random.default_rng(0)
    pairs = [(user, item) for user in range(USERS) for item in rng.permutation(10)[:9] + 10 * (user // 12)]
    return make_dataset(np.array(pairs), (["train"] * 7 + ["valid", "test"]) * USERS, USERS, ITEMS)


def table(rows: int = ITEMS, width: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def features(**changed: Any) -> mm.Features:
    """Text and image vectors, all there, but for what is changed."""
    sound: dict[str, Any] = {
        "item": {"text": table(), "image": table(seed=1)},
        "present": {name: torch.ones(ITEMS, dtype=torch.bool) for name in ("text", "image")},
        "n_users": USERS,
    }
    return mm.Features(**sound | changed)


def vectors(users: Any = None, items: Any = None) -> mm.Embeddings:
    return mm.Embeddings(table(USERS, 8) if users is None else users, table(ITEMS, 8, 1) if items is None else items)


def holed(value: float, row: int = 3, width: int = 6, rows: int = ITEMS) -> torch.Tensor:
    made = table(rows, width)
    made[row, 2] = value
    return made


def model(name: str = "lightgcn", **options: Any) -> Any:
    return mm.recommender(name, data(), features(), **options)


def fit(**options: Any) -> Any:
    torch.manual_seed(0)
    return mm.fit(model("bpr"), **{"epochs": 1, "batch_size": 32} | options)


def evaluate(**options: Any) -> Any:
    return mm.evaluate(vectors(), data(), **options)


def scores(**options: Any) -> Any:
    return evaluate(k=[5], **options)


def half() -> torch.Tensor:
    return torch.ones(ITEMS // 2, dtype=torch.bool)


Call = Callable[[], Any]
FEATURES: list[tuple[str, Call, str]] = [
    ("features: NaN", lambda: features(item={"text": holed(NAN), "image": table()}), "text.*3"),
    ("features: infinity", lambda: features(item={"text": table(), "image": holed(INF)}), "image.*3"),
    ("features: fewer marks than rows", lambda: features(present={"text": half(), "image": half()}), "text"),
    (
        "features: marks of a modality are missing",
        lambda: features(present={"text": torch.ones(ITEMS, dtype=torch.bool)}),
        "image",
    ),
    (
        "features: marks are numbers",
        lambda: features(present={name: torch.ones(ITEMS) for name in ("text", "image")}),
        "present",
    ),
    ("features: a modality as one row", lambda: features(item={"text": table()[0], "image": table()}), "text"),
    (
        "features: a modality of three dimensions",
        lambda: features(item={"text": table()[None], "image": table()}),
        "text",
    ),
    (
        "features: whole numbers",
        lambda: features(item={"text": torch.ones(ITEMS, 6, dtype=torch.long), "image": table()}),
        "text",
    ),
    ("features: a NumPy array", lambda: features(item={"text": table().numpy(), "image": table()}), "text|tensor"),
    (
        "features: modalities of different lengths",
        lambda: features(
            item={"text": table(ITEMS - 1), "image": table()},
            present={"text": torch.ones(ITEMS - 1, dtype=torch.bool), "image": torch.ones(ITEMS, dtype=torch.bool)},
        ),
        "text|image|rows",
    ),
    ("features: none at all", lambda: features(item={}, present={}), "modalit|features"),
    ("features: no width", lambda: features(item={"text": table(width=0), "image": table()}), "text"),
    ("features: an unknown modality", lambda: features().filled("txt"), "text"),
    ("features: an unknown answer to missing rows", lambda: features().filled("text", "median"), "mean"),
    (
        "features: missing rows that may not be",
        lambda: features(present={name: torch.arange(ITEMS) > 2 for name in ("text", "image")}).filled("text", "error"),
        "text",
    ),
    (
        "features: of another catalogue, in a model",
        lambda: mm.recommender(
            "freedom",
            data(),
            features(
                item={"text": table(7), "image": table(7)},
                present={name: torch.ones(7, dtype=torch.bool) for name in ("text", "image")},
            ),
        ),
        "7|items",
    ),
    (
        "features: of another catalogue, in MMCPR",
        lambda: mm.MMCPR(
            data(),
            features(
                item={"text": table(7), "image": table(7)},
                present={name: torch.ones(7, dtype=torch.bool) for name in ("text", "image")},
            ),
        ),
        "7|items",
    ),
    ("features: none for a model that reads them", lambda: mm.recommender("freedom", data()), "features"),
    ("features: none for MMCPR", lambda: mm.MMCPR(data(), None), "features"),
    ("embeddings: NaN", lambda: vectors(items=holed(NAN, width=8)), "item"),
    ("embeddings: infinity", lambda: vectors(users=holed(-INF, width=8, rows=USERS)), "user"),
    ("embeddings: two widths", lambda: vectors(items=table(ITEMS, 9)), "8.*9|9.*8|wid"),
    ("embeddings: one dimension", lambda: vectors(items=table()[0]), "item|shape|dim"),
    (
        "embeddings: of another catalogue, as a start",
        lambda: mm.recommender("bpr", data(), start=vectors(items=table(7, 8)), dim=8),
        "7|items",
    ),
    (
        "embeddings: of another width, as a start",
        lambda: mm.recommender("bpr", data(), start=vectors(), dim=64),
        "8.*64|64.*8",
    ),
    ("embeddings: as a start of what takes none", lambda: mm.recommender("ease", data(), start=vectors()), "start"),
    (
        "embeddings: of another catalogue, evaluated",
        lambda: mm.evaluate(vectors(items=table(7, 8)), data(), k=[5]),
        "7|items",
    ),
    (
        "embeddings: of other users, evaluated",
        lambda: mm.evaluate(vectors(users=table(7, 8)), data(), k=[5]),
        "7|users",
    ),
    ("embeddings: without a dataset, evaluated", lambda: mm.evaluate(vectors(), k=[5]), "dataset"),
    ("start: of no width", lambda: mm.content_mean(data(), features(), dim=0), "dim"),
    ("dataset: not split, in a model", lambda: mm.recommender("bpr", _unsplit()), "split"),
    ("dataset: not split, evaluated", lambda: mm.evaluate(vectors(), _unsplit(), k=[5]), "split"),
    ("dataset: a part of another name", lambda: data().part("tset"), "test"),
    (
        "dataset: interactions of items that are not there",
        lambda: make_dataset(np.array([[0, 99]] * 3), ["train", "valid", "test"], 1, 5),
        "item",
    ),
    (
        "dataset: interactions of a negative user",
        lambda: make_dataset(np.array([[-1, 0]] * 3), ["train", "valid", "test"], 1, 5),
        "user",
    ),
]


def _unsplit() -> Dataset:
    from dataclasses import replace

    return replace(data(), split=None)


OPTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("lightgcn", {"layrs": 9}, "layers"),
    ("lightgcn", {"dimm": 7}, "dim"),
    ("lightgcn", {"layers": -1}, "layers"),
    ("lightgcn", {"layers": "two"}, "layers"),
    ("lightgcn", {"layers": 1.5}, "layers"),
    ("lightgcn", {"dim": -3}, "dim"),
    ("lightgcn", {"dim": 0}, "dim"),
    ("lightgcn", {"dim": "wide"}, "dim"),
    ("lightgcn", {"dim": 1.5}, "dim"),
    ("lightgcn", {"l2": -1}, "l2"),
    ("lightgcn", {"l2": NAN}, "l2"),
    ("lightgcn", {"normalisation": "none at all"}, "normalisation"),
    ("lightgcn", {"start_scale": "huge"}, "start_scale|scale"),
    ("lightgcn", {"start": "mmcpr"}, "start"),
    ("lightgcn", {5: 5}, "5"),
    ("bpr", {"layers": 3}, "layers"),
    ("mixgcf", {"candidates": 0}, "candidates"),
    ("mixgcf", {"backbone": "ngfc"}, "ngcf"),
    ("freedom", {"pruning": 1.0}, "pruning"),
    ("freedom", {"pruning": NAN}, "pruning"),
    ("freedom", {"neighbours": 0}, "neighbours"),
    ("freedom", {"neighbours": -4}, "neighbours"),
    ("freedom", {"edge_weight": "thick"}, "weight"),
    ("freedom", {"modalities": "V"}, "modalit"),
    ("freedom", {"modalities": ""}, "modalit"),
    ("freedom", {"missing": "median"}, "missing"),
    ("freedom", {"precision": "float8"}, "precision"),
    ("freedom", {"content_weight": NAN}, "content_weight"),
    ("itemknn", {"on": "colour"}, "on"),
    ("itemknn", {"neighbours": 0}, "neighbours"),
    ("itemknn", {"shrink": -1}, "shrink"),
    ("itemknn", {"shrink": NAN}, "shrink"),
    ("ease", {"ridge": 0}, "ridge"),
    ("ease", {"ridge": NAN}, "ridge"),
    ("ease", {"most_items": 3}, "most_items"),
    ("micro", {"backbone": "mff"}, "backbone"),
    ("micro", {"k": 0}, "k"),
    ("vbpr", {"dim": 0}, "dim"),
    ("popularity", {"dim": 8}, "dim"),
]
MMCPR: list[tuple[dict[str, Any], str]] = [
    ({"modalities": "RTVX"}, "modalities"),
    ({"modalities": ""}, "modalities"),
    ({"modalities": "TT"}, "modalities"),
    ({"cima_weight": 1.5}, "cima_weight"),
    ({"cima_weight": NAN}, "cima_weight"),
    ({"temperature": 0}, "temperature"),
    ({"temperature": NAN}, "temperature"),
    ({"contrast": "loud"}, "contrast"),
    ({"neighbours": -1}, "neighbours"),
    ({"aggregation": "modus"}, "aggregation"),
    ({"missing": "median"}, "missing"),
    ({"dim": 0}, "dim"),
    ({"layers": -1}, "layers"),
    ({"negatives": 0}, "negatives"),
]
TRAINING: list[tuple[dict[str, Any], str]] = [
    ({"epochs": -1}, "epochs"),
    ({"epochs": 1.5}, "epochs"),
    ({"epochs": "ten"}, "epochs"),
    ({"batch_size": 0}, "batch_size"),
    ({"batch_size": 1.5}, "batch_size"),
    ({"lr": 0}, "lr"),
    ({"lr": -0.1}, "lr"),
    ({"lr": NAN}, "lr"),
    ({"lr": INF}, "lr"),
    ({"lr": "fast"}, "lr"),
    ({"weight_decay": -1}, "weight_decay"),
    ({"weight_decay": NAN}, "weight_decay"),
    ({"patience": -1}, "patience"),
    ({"patience": 1.5}, "patience"),
    ({"metric": "recal@20"}, "recall|metric"),
    ({"metric": "recall@0"}, "recall@0|metric"),
    ({"metric": "recall"}, "metric"),
    ({"metric": ""}, "metric"),
    ({"schedule": "linear"}, "schedule"),
    ({"schedule": 5}, "schedule"),
    ({"keep": "worst"}, "keep"),
    ({"evaluate_every": -1}, "evaluate_every"),
    ({"seed": "x"}, "seed"),
    ({"seed": 2**64}, "seed"),
    ({"device": "gpu"}, "device"),
    ({"device": "cuda:99"}, "device|cuda"),
    ({"candidates": "warm"}, "candidates"),
    ({"candidates": "cold"}, "cold"),
    ({"lr": 1e30, "epochs": 5}, "lr|learning rate|finite"),
    ({"amp": "yes"}, "amp"),
]
EVALUATION: list[tuple[dict[str, Any], str]] = [
    ({"k": []}, "k"),
    ({"k": [0]}, "k"),
    ({"k": [-1]}, "k"),
    ({"k": [10, 0]}, "k"),
    ({"k": [1.5]}, "k"),
    ({"k": ["10"]}, "k"),
    ({"k": 10}, "k"),
    ({"k": None}, "k"),
    ({"k": [True]}, "k"),
    ({"k": [10**9]}, "k"),
    ({"k": [10**30]}, "k"),
    ({"part": "tset"}, "test"),
    ({"part": "train"}, "part"),
    ({"candidates": "warm"}, "candidates"),
    ({"candidates": "cold"}, "cold"),
    ({"few": -1}, "few"),
    ({"few": "x"}, "few"),
    ({"slices": []}, "slices"),
    ({"slices": ["few"]}, "few purchases|slices"),
    ({"slices": ["all", "all"]}, "all"),
    ({"slices": [5]}, "slices"),
    ({"block": 0}, "block"),
    ({"block": -5}, "block"),
]


def _compared(**options: Any) -> Any:
    return mm.compare([scores()], [scores()], **{"metric": "recall@5"} | options)


def _other_users() -> Any:
    from dataclasses import replace

    one = scores()
    return replace(one, per_user=one.per_user[one.per_user["user"] > 3])


COMPARISONS: list[tuple[str, Call, str]] = [
    ("compare: a metric that was not measured", lambda: _compared(metric="recall@20"), "recall@20"),
    ("compare: an unknown slice", lambda: _compared(slices="few"), "few"),
    ("compare: nothing", lambda: mm.compare([], [], "recall@5"), "seed|run|nothing"),
    ("compare: other numbers of seeds", lambda: mm.compare([scores()], [scores(), scores()], "recall@5"), "1.*2"),
    ("compare: other users", lambda: mm.compare([scores()], [_other_users()], "recall@5"), "users"),
    ("bootstrap: negative resamples", lambda: mm.evaluation.statistics.mean([0.1, 0.2], resamples=-1), "resamples"),
    ("scores: an unknown metric", lambda: scores()["recal@5"], "recall@5"),
    ("scores: an unknown slice", lambda: scores().mean("recall@5", "few"), "few"),
    ("recommender: unknown", lambda: mm.recommender("lightgnc", data()), "lightgcn"),
    (
        "recommender: a module that is not there",
        lambda: mm.recommender("no_such_module:Mine", data()),
        "no_such_module",
    ),
    ("recommender: a class that is not there", lambda: mm.recommender("json:Mine", data()), "Mine"),
    ("recommender: what is no recommender", lambda: mm.recommender("json:loads", data()), "loads"),
    ("recommender: not text", lambda: mm.recommender(5, data()), "recommender"),
    ("recommender: an option that no model has", lambda: mm.recommender("bpr", data(), laeyrs=3), "layers|laeyrs"),
    ("fit: no model", lambda: mm.fit(None), "model|fit"),
    ("fit: a class in place of a model", lambda: mm.fit(type(model("bpr"))), "model|BPR"),
]

DAMAGED: list[tuple[str, Callable[[Path], Any], dict[str, Content], str]] = [
    ("features: none in the folder", lambda here: mm.Features.load(here / "f"), {"f": None}, "features"),
    (
        "features: broken JSON",
        lambda here: mm.Features.load(here / "f"),
        {"f/features.json": "{", "f/features.safetensors": b""},
        "features.json",
    ),
    (
        "features: broken vectors",
        lambda here: mm.Features.load(here / "f"),
        {"f/features.json": '{"n_users": 3, "about": {}}', "f/features.safetensors": b"x" * 99},
        "features.safetensors",
    ),
    (
        "features: header of a huge length",
        lambda here: mm.Features.load(here / "f"),
        {"f/features.json": '{"n_users": 3, "about": {}}', "f/features.safetensors": b"\xff" * 8 + b"{}"},
        "features.safetensors",
    ),
    (
        "features: a pickle in their place",
        lambda here: mm.Features.load(here / "f"),
        {
            "f/features.json": '{"n_users": 3, "about": {}}',
            "f/features.safetensors": lambda path: torch.save({"a": 1}, path),
        },
        "features.safetensors",
    ),
    (
        "features: marks are missing in the file",
        lambda here: mm.Features.load(here / "f"),
        {"f/features.json": lambda path: _maimed(path)},
        "features",
    ),
    ("embeddings: none in the folder", lambda here: mm.Embeddings.load(here / "e"), {"e": None}, "embeddings"),
    (
        "embeddings: broken",
        lambda here: mm.Embeddings.load(here / "e"),
        {"e/embeddings.safetensors": b"x" * 99},
        "embeddings",
    ),
    (
        "embeddings: another file of that name",
        lambda here: mm.Embeddings.load(here / "e"),
        {"e/embeddings.safetensors": lambda path: _other(path)},
        "embeddings",
    ),
    ("dataset: none in the folder", lambda here: Dataset.load(here / "d"), {"d": None}, "dataset.json"),
    (
        "published arrays: a pickle in their place",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)},
        "text_feat.npy",
    ),
    (
        "published arrays: cut off",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: _npy(path, np.ones((4, 3)), cut=8)},
        "text_feat.npy",
    ),
    (
        "published arrays: NaN",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: _npy(path, np.full((4, 3), np.nan))},
        "text_feat.npy",
    ),
    (
        "published arrays: too few rows",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: _npy(path, np.ones((2, 3)))},
        "text_feat.npy",
    ),
    (
        "published arrays: too many rows",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: _npy(path, np.ones((9, 3)))},
        "text_feat.npy",
    ),
    (
        "published arrays: one dimension",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: _npy(path, np.ones(4))},
        "text_feat.npy",
    ),
    (
        "published arrays: texts",
        lambda here: _published(here),
        {"p/text_feat.npy": lambda path: _npy(path, np.array([["a"]] * 4))},
        "text_feat.npy",
    ),
    ("published arrays: empty file", lambda here: _published(here), {"p/text_feat.npy": b""}, "text_feat.npy"),
    ("published arrays: none", lambda here: _published(here), {"p": None}, "text_feat.npy"),
]


def _maimed(path: Path) -> None:
    from safetensors.torch import save_file

    path.write_text('{"n_users": 3, "about": {}}')
    save_file({"item.text": table()}, path.with_suffix(".safetensors"))


def _other(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weights": table()}, path)


def _npy(path: Path, values: np.ndarray, cut: int = 0) -> None:
    np.save(path, values)
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])


def _published(here: Path) -> Any:
    from mmlib.encoders import published

    (here / "p" / "baby.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t1\t0\n0\t2\t1\n0\t3\t2\n")
    return published.features(here / "p", mm.load(str(here / "p"), split="given"))


NEW = r"^outputs/cache/(dataset|audit)/|baby.inter"
CASES = [
    *[Case(id, lambda here, call=call: call(), (says,)) for id, call, says in [*FEATURES, *COMPARISONS]],
    *[
        Case(
            f"{name} with {options}",
            lambda here, name=name, options=options: model(name, **{str(k): v for k, v in options.items()}),
            (says,),
            new="^outputs/cache/nearest/",  # neighbours that were found before
        )
        for name, options, says in OPTIONS
    ],
    *[
        Case(f"MMCPR with {options}", lambda here, options=options: mm.MMCPR(data(), features(), **options), (says,))
        for options, says in MMCPR
    ],
    *[
        Case(
            f"fit with {options}",
            lambda here, options=options: fit(**options),
            (says,),
            new="^outputs/cache/fit-bpr/.*work/",
        )
        for options, says in TRAINING
    ],
    *[
        Case(f"evaluate with {options}", lambda here, options=options: evaluate(**options), (says,))
        for options, says in EVALUATION
    ],
    *[Case(id, call, (says,), files, new=NEW) for id, call, files, says in DAMAGED],
]
