"""``mm.fit`` and the searches of models: what is done once for the same model, data and options."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.files import digest, read_json, read_tensors, whole, write_json, write_tensors
from ..core.neighbours import NeighbourLists
from ..training import Fit
from ..training import fit as train
from ..training.loop import check_model
from .cache import cached
from .fingerprint import Unknown, fingerprint


def fit(model: Any, **options: Any) -> Fit:
    """``training.fit`` from the cache where the same model was trained the same way; else trained and kept.

    The same means: all that the model holds (options, data, features, graphs, initial weights), the options of the
    training, the code of both as it was imported, threads and device. A training that was killed continues from its
    last epoch. A model without parameters is only validated, and not kept; nor is one that holds something without
    content that could be compared, which is said.

    Args:
        model: see ``training.fit``; its class may be defined anywhere, in a notebook's cell too.
        options: of ``training.fit``.
    """
    check_model(model)
    if not any(True for _ in model.parameters()):
        return train(model, **options)
    code = [train, *{type(inner): inner for inner in model.modules()}]
    try:
        inputs: dict[str, Any] = {"state": fingerprint(model), "code": fingerprint(*code)}
    except Unknown as error:
        print(f"{type(model).__name__}: not cached, as it holds a {error}, which cannot be compared", flush=True)
        return train(model, **options)
    inputs |= {"model": getattr(model, "describe", dict)(), **arithmetic()}
    inputs["options"] = {name: str(value) for name, value in _plain(options).items()}
    initial = model

    def build(folder: Path) -> None:
        result = train(initial, checkpoint=folder / "checkpoint.pt", **options)
        own = {name: values.clone() for name, values in result.model.state_dict().items()}  # no memory is shared
        write_tensors(folder / "weights.safetensors", own)
        with whole(folder / "history.parquet") as partial:
            result.history.to_parquet(partial)
        write_json(folder / "fit.json", {"best_epoch": result.best_epoch, "seconds": result.seconds})
        (folder / "checkpoint.pt").unlink(missing_ok=True)

    def back(folder: Path) -> Fit:
        model.load_state_dict(read_tensors(folder / "weights.safetensors"))
        return Fit(model.eval(), pd.read_parquet(folder / "history.parquet"), **read_json(folder / "fit.json"))

    return cached(f"fit-{type(model).__name__.lower()}", inputs, build, back)


def arithmetic() -> dict[str, Any]:
    """What the last bits of a sum depend on: the device and, on the CPU, the number of threads."""
    return {"device": "cuda" if torch.cuda.is_available() else "cpu", "threads": torch.get_num_threads()}


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Training options without functions: a schedule becomes what it gives for each epoch."""
    if not callable(options.get("schedule")):
        return dict(options)
    epochs = options.get("epochs", inspect.signature(train).parameters["epochs"].default)
    return dict(options) | {"schedule": [options["schedule"](epoch) for epoch in range(epochs)]}


def tensors(model: torch.nn.Module) -> list[np.ndarray]:
    """All parameters and buffers, those that are not saved among them, in a fixed order."""
    named = sorted([*model.named_parameters(), *model.named_buffers()], key=lambda pair: pair[0])
    return [values.detach().cpu().float().numpy() for _, values in named]


def cached_searches(made: Any, data: Any, features: Any, **options: Any) -> dict[str, dict[str, NeighbourLists]]:
    """What the searches of a model find, as its argument ``neighbour_lists``; empty for a model without any.

    They come from the cache where they were made before, by any run that read the same content.

    Args:
        made: the model's class; ``data``, ``features`` and ``options`` are what it will be given.
    """
    lists = {}
    for name, search in made.searches(data, features, **options).items():
        given = search.inputs.items()
        inputs = {key: digest(one.cpu().numpy()) if isinstance(one, torch.Tensor) else one for key, one in given}
        build = search.run

        def save(folder: Path, build: Any = build) -> None:
            build().save(folder)

        lists[name] = cached(search.name, inputs, save, NeighbourLists.load, code=[build])
    return {"neighbour_lists": lists} if lists else {}
