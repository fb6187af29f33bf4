"""One training loop for everything that learns."""

import contextlib
import copy
import ctypes
import inspect
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from ..core.embeddings import Embeddings
from ..core.errors import InputError, one_of
from ..core.files import digest
from ..core.progress import progress
from ..evaluation.metrics import check_metric
from ..evaluation.ranking import Task
from . import checkpoint as checkpoints
from .arguments import check_values

STATE = "epoch", "best_epoch", "best", "best_weights", "history"  # of a checkpoint: plain values and tensors
PARTS = "model", "optimiser", "factors"  # and what has a state of its own


@dataclass(frozen=True, repr=False)
class Fit:
    """A trained model and how it got there.

    Args:
        model: the module with the weights that were kept, on the CPU.
        history: one row an epoch: ``epoch``, ``seconds``, ``loss``, ``loss/<term>`` and ``valid/<metric>``.
        best_epoch: whose weights were kept.
        seconds: training time, validation included.
    """

    model: Any
    history: pd.DataFrame
    best_epoch: int
    seconds: float

    @property
    def embeddings(self) -> Embeddings:
        """The model's vectors, without gradients."""
        with torch.no_grad():
            vectors = self.model.embed()
        return Embeddings(vectors.users.detach(), vectors.items.detach(), self.model.describe())

    @property
    def ranked(self) -> Any:
        """What ranks items: the vectors, or the model itself where it scores without any."""
        return self.model if hasattr(self.model, "scores") else self.embeddings

    def __repr__(self) -> str:
        return f"Fit({type(self.model).__name__}, {len(self.history)} epochs, kept epoch {self.best_epoch})"

    def _repr_html_(self) -> str:
        best = self.history.set_index("epoch").filter(like="valid/").reindex([self.best_epoch]).iloc[0].dropna()
        metrics = ", ".join(f"{str(name).removeprefix('valid/')} {value:.4f}" for name, value in best.items())
        return (
            f"<p><b>{type(self.model).__name__}</b>: {len(self.history)} epochs in {self.seconds:.1f} s; kept epoch "
            f"{self.best_epoch}: validation {metrics or 'not measured'}.</p>"
        )


def fit(
    model: Any,
    *,
    epochs: int = 100,
    batch_size: int = 2048,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: str | Callable[[int], float] = "constant",
    patience: int | None = 20,
    metric: str = "recall@20",
    candidates: str = "all",
    keep: Literal["best", "last"] = "best",
    evaluate_every: int = 1,
    seed: int = 0,
    amp: bool = False,
    device: str = "auto",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 10.0,
) -> Fit:
    """Train ``model`` with Adam, and keep the weights of the epoch that did best on validation.

    Args:
        model: a module with ``batches(batch_size, generator)``, which gives those of an epoch, ``loss(batch)``, its
            named terms, ``describe()``, and ``embed()`` or, to be validated in its own way, ``validate()``. Where it
            has ``parameter_groups()``, those are Adam's, each with a learning rate of its own where it names one.
        epochs: at most so many; 0 leaves the model as it starts, and one without parameters is only validated.
        batch_size: examples a step.
        lr: Adam's learning rate.
        weight_decay: decoupled (AdamW); the L2 terms of papers are the models' own.
        schedule: ``"constant"``, ``"cosine"`` (to zero over ``epochs``), ``"decay"`` (by 0.96 over every 50 epochs, as
            the code of LATTICE, MICRO, MGCN and AlignRec has it), or a function from the epoch (0, 1, ...) to the
            factor on ``lr``.
        patience: stop after so many validations without a better ``metric``; ``None`` trains all epochs.
        metric: the validation metric that chooses; higher is better.
        candidates: what validation ranks, ``"all"`` items or ``"cold"`` ones, as in ``evaluation.evaluate``.
        keep: ``"best"`` epoch by validation, or ``"last"``.
        evaluate_every: validate after every so many epochs; 0 never does (then ``keep="last"``).
        seed: of shuffling, negatives and whatever the model draws; not of the model's initial weights.
        amp: automatic mixed precision in bfloat16.
        device: ``"auto"`` (CUDA when there is one), ``"cpu"``, ``"cuda"``.
        checkpoint: a file written after an epoch when ``checkpoint_seconds`` have passed since it was last written.
            If it is there, training continues from it, with the same result as without the interruption (bit for
            bit on the CPU), whatever weights ``model`` starts with. A damaged one is left aside, and that is printed.

    Raises:
        InputError: bad arguments, a loss that is not finite, a checkpoint of other arguments, data or features.
    """
    check_model(model)
    given: dict[str, Any] = {"batch_size": batch_size, "lr": lr, "weight_decay": weight_decay, "keep": keep}
    given |= {"evaluate_every": evaluate_every, "seed": seed, "amp": amp, "epochs": epochs, "patience": patience}
    check_values(given, inspect.signature(fit).parameters)
    if not hasattr(model, "validate"):
        check_metric(metric)
    where = _device(device)
    run = _Run(model.to(where), where, amp, metric, keep, candidates)
    if not any(True for _ in model.parameters()):  # nothing to train
        run.log(0, {}, run.validate(), time.perf_counter())
        return run.finish()
    groups = model.parameter_groups() if hasattr(model, "parameter_groups") else model.parameters()
    run.optimiser = torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay, fused=True)
    run.factors = LambdaLR(run.optimiser, _factor(schedule, epochs))
    run.generator.manual_seed(seed)
    keep_freed_memory()
    if checkpoint:
        drawn = schedule if isinstance(schedule, str) else "function", epochs if schedule != "constant" else None
        run.key = digest(model.describe(), *(given | {"epochs": drawn, "patience": 0}).values(), metric, candidates)
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        torch.manual_seed(seed)
        if checkpoint and Path(checkpoint).exists():
            run.resume(Path(checkpoint))
        for epoch in progress(range(run.epoch + 1, epochs + 1), f"{type(model).__name__}: training", unit="epochs"):
            if patience and run.waited() >= patience:
                break
            run.train(epoch, batch_size, validate=bool(evaluate_every) and epoch % evaluate_every == 0)
            if checkpoint and (time.monotonic() - run.saved >= checkpoint_seconds or epoch == epochs):
                run.save(Path(checkpoint))
    return run.finish()


def check_model(model: Any) -> None:
    """Refuse what cannot be trained, such as a class that is still to be constructed."""
    if isinstance(model, type) or not hasattr(model, "parameters"):
        raise InputError(f"fit trains a model, not {model!r}: construct it first, as in fit(LightGCN(data)).")


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device = {name!r} is not known; give 'auto', 'cpu' or 'cuda'.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device = {name!r}: PyTorch sees {torch.cuda.device_count()} CUDA devices; give 'auto'.")
    return device


def keep_freed_memory() -> None:
    """Ask the C library to keep freed memory instead of handing each large block back to the system (glibc only).

    Every step makes and frees tables of the size of the embeddings; without this, the system clears their pages
    anew each time, which takes a third of a LightGCN step on the CPU.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: blocks below 1 GiB come from the heap
            mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: keep up to 1 GiB of it


@dataclass
class _Run:
    """A training under way; everything that the next epoch depends on."""

    model: Any
    device: torch.device
    amp: bool
    metric: str
    keep: str
    candidates: str
    key: str = ""  # of what a checkpoint must have been made of
    optimiser: torch.optim.Optimizer = field(init=False)
    factors: LambdaLR = field(init=False)
    generator: torch.Generator = field(default_factory=torch.Generator)
    epoch: int = 0
    best_epoch: int = 0
    best: float = -math.inf
    best_weights: dict[str, Tensor] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    task: Task | None = None
    saved: float = field(default_factory=time.monotonic)

    def train(self, epoch: int, batch_size: int, *, validate: bool) -> None:
        """One epoch, validated if asked."""
        start = time.perf_counter()
        self.model.train()
        if hasattr(self.model, "start_epoch"):
            self.model.start_epoch(epoch)
        totals: dict[str, Tensor] = {}
        steps = 0
        for batch in self.model.batches(batch_size, self.generator):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
                terms = self.model.loss(batch)
            self.optimiser.zero_grad(set_to_none=True)
            sum(terms.values(), torch.zeros((), device=self.device)).backward()
            self.optimiser.step()
            steps += 1
            for name, term in terms.items():
                totals[name] = totals.get(name, 0) + term.detach()
        self.factors.step()
        row = {f"loss/{name}": float(total) / max(1, steps) for name, total in totals.items()}
        if not all(map(math.isfinite, row.values())):
            raise InputError(
                f"{type(self.model).__name__}: the loss is not finite in epoch {epoch} ({row}). Lower the learning "
                f"rate (now {self.optimiser.param_groups[0]['lr']:.2g}) or check the features."
            )
        self.log(epoch, row, self.validate() if validate else {}, start)

    def log(self, epoch: int, terms: dict[str, float], metrics: dict[str, float], start: float) -> None:
        """Add the epoch's row, and remember its weights if they are the best so far."""
        if metrics and metrics[self.metric] > self.best:
            self.best, self.best_epoch = metrics[self.metric], epoch
            if self.keep == "best":
                self.best_weights = copy.deepcopy(self.model.state_dict())
        measured = {f"valid/{name}": value for name, value in metrics.items()}
        self.history.append(
            {"epoch": epoch, "seconds": time.perf_counter() - start, "loss": sum(terms.values())} | terms | measured
        )
        self.epoch = epoch

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        self.model.eval()
        if hasattr(self.model, "validate"):
            metrics = self.model.validate()
        else:
            self.task = self.task or Task.of(self.model.data, "valid", candidates=self.candidates, device=self.device)
            ranked = self.model if hasattr(self.model, "scores") else self.model.embed()
            metrics = self.task.means(ranked, int(self.metric.rpartition("@")[2] or 20))
        one_of("metric", self.metric, metrics)
        return metrics

    def waited(self) -> int:
        """Validations since the best one."""
        name = f"valid/{self.metric}"
        return sum(row["epoch"] > self.best_epoch and name in row for row in self.history)

    def save(self, path: Path) -> None:
        """Write all that the next epoch depends on."""
        state = {name: getattr(self, name) for name in STATE}
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        random = {"generator": self.generator.get_state(), "torch": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        checkpoints.write(path, self.key, {"state": state, "parts": parts, "random": random})
        self.saved = time.monotonic()

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint of the same training, unless it is damaged."""
        if saved := checkpoints.read(path, self.key):
            for name in STATE:
                setattr(self, name, saved["state"][name])
            for name in PARTS:
                getattr(self, name).load_state_dict(saved["parts"][name])
            self.generator.set_state(saved["random"]["generator"])
            torch.set_rng_state(saved["random"]["torch"])
            if self.device.type == "cuda" and "cuda" in saved["random"]:
                torch.cuda.set_rng_state(saved["random"]["cuda"], self.device)

    def finish(self) -> Fit:
        """Put the kept weights back."""
        if self.best_weights is not None and self.keep == "best":
            self.model.load_state_dict(self.best_weights)
        else:
            self.best_epoch = self.epoch
        self.model.eval()
        history = pd.DataFrame(self.history) if self.history else pd.DataFrame(columns=["epoch", "seconds", "loss"])
        return Fit(self.model.to("cpu"), history, self.best_epoch, float(history["seconds"].sum()))


def _factor(schedule: str | Callable[[int], float], epochs: int) -> Callable[[int], float]:
    """The factor on the learning rate in epoch 0, 1, ..."""
    if callable(schedule):
        return schedule
    known: dict[str, Callable[[int], float]] = {
        "constant": lambda epoch: 1.0,
        "cosine": lambda epoch: 0.5 * (1 + math.cos(math.pi * min(epoch, epochs) / max(1, epochs))),
        "decay": lambda epoch: 0.96 ** (epoch / 50),
    }
    return known[one_of("schedule", schedule, known)]
