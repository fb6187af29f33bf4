"""``mm.fit``: training that is done once for the same model, data and options."""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from ..core.files import digest, read_json, whole, write_json
from ..training import Fit
from ..training import fit as train
from .cache import cached


def fit(model: Any, **options: Any) -> Fit:
    """``training.fit`` from the cache where the same model was trained the same way; else trained and kept.

    The same means: class, options, data, features, initial weights, training options and code. A training that
    was killed continues from its last epoch. A model without parameters is only validated, and not kept.
    """
    if not any(True for _ in model.parameters()):
        return train(model, **options)
    inputs = {
        "model": getattr(model, "describe", dict)(),
        "options": {name: str(value) for name, value in _plain(options).items()},
    }
    inputs |= {"class": type(model).__name__, "data": model.data.key, "weights": digest(*tensors(model))}
    initial = model

    def build(folder: Path) -> None:
        result = train(initial, checkpoint=folder / "checkpoint.pt", **options)
        with whole(folder / "weights.safetensors") as partial:
            save_file(_own(dict(result.model.state_dict())), partial)
        with whole(folder / "history.parquet") as partial:
            result.history.to_parquet(partial)
        write_json(folder / "fit.json", {"best_epoch": result.best_epoch, "seconds": result.seconds})
        (folder / "checkpoint.pt").unlink(missing_ok=True)

    def back(folder: Path) -> Fit:
        model.load_state_dict(load_file(folder / "weights.safetensors"))
        return Fit(model.eval(), pd.read_parquet(folder / "history.parquet"), **read_json(folder / "fit.json"))

    code = ["training", "core.graph", "kernels", "evaluation.ranking", "evaluation.metrics"]
    code = [f"mmlib.{name}" for name in code]
    code += sorted(_modules(type(model).__module__))
    return cached(f"fit-{type(model).__name__.lower()}", inputs, build, back, code=code)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Training options without functions: a schedule becomes what it gives for each epoch."""
    if not callable(options.get("schedule")):
        return dict(options)
    epochs = options.get("epochs", inspect.signature(train).parameters["epochs"].default)
    return dict(options) | {"schedule": [options["schedule"](epoch) for epoch in range(epochs)]}


def _modules(name: str) -> set[str]:
    """The module of a model, and those of its package whose code it uses, directly or through another."""
    package, found, waiting = name.rpartition(".")[0], set[str](), [name]
    while waiting:
        module = waiting.pop()
        found.add(module)
        values = list(vars(sys.modules[module]).values())
        used = {str(getattr(value, "__module__", None) or getattr(value, "__name__", "")) for value in values}
        waiting += [one for one in used - found if one.startswith(f"{package}.") and one in sys.modules]
    return found


def tensors(model: torch.nn.Module) -> list[np.ndarray]:
    """All parameters and buffers, those that are not saved among them, in a fixed order."""
    named = sorted([*model.named_parameters(), *model.named_buffers()], key=lambda pair: pair[0])
    return [values.detach().cpu().float().numpy() for _, values in named]


def _own(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors without shared storage, as safetensors wants them."""
    return {name: values.detach().cpu().clone().contiguous() for name, values in state.items()}
