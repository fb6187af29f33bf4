"""One epoch of every recommender with full validation: seconds, peak memory, and where the time goes.

python bench/recommenders.py                                  # made-up purchases of Amazon Baby's size
python bench/recommenders.py --dataset FOLDER                 # a catalogue of your own (purchases only are read)
python bench/recommenders.py --models FREEDOM,MGCN --precision bfloat16
python bench/recommenders.py --device cuda

Pictures and words are random vectors, 4096 and 384 wide as in the field's files. Each model runs in a process of its
own.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any

import numpy as np
import torch
from lightgcn import made_up
from torch.profiler import profile, record_function

import mmlib.recommenders as recommenders
from mmlib.catalogues import bring
from mmlib.core.features import Features
from mmlib.evaluation.ranking import Task
from mmlib.splits import by_name
from mmlib.training import fit

REGIONS = ("sampling", "optimiser", "ranking")  # whatever runs inside; the rest is told by its kind
GRAPH = ("embedding_bag", "sparse", "spmm", "csr")
PROJECTION = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkldnn::", "mkldnn_linear")
COLUMNS = ("sampling", "graph", "projection", "loss", "optimiser", "ranking")


def random_features(n_items: int, n_users: int, device: str) -> Features:
    generator = torch.Generator().manual_seed(0)
    item = {name: torch.randn(n_items, width, generator=generator) for name, width in (("image", 4096), ("text", 384))}
    present = {name: torch.ones(n_items, dtype=torch.bool) for name in item}
    return Features(item, present, n_users=n_users, about={"encoder": "random"})


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Build, then train three epochs as ``fit`` does, then profile one."""
    data = by_name(bring(options.dataset), "given", 0) if options.dataset else made_up()
    data.train, data.valid  # noqa: B018  the parts are cut once, before the clock
    make = getattr(recommenders, name)
    chosen = {"precision": options.precision} if "precision" in make.options() else {}
    torch.manual_seed(0)
    start = time.perf_counter()
    model = make(data, random_features(data.n_items, data.n_users, options.device), **chosen)
    built = time.perf_counter() - start
    done = fit(model, epochs=options.epochs, batch_size=options.batch_size, patience=None, device=options.device)
    seconds = done.history["seconds"].to_numpy()
    row = {"model": name, "build": built, "epoch": float(np.median(seconds[1:] if len(seconds) > 1 else seconds))}
    row |= {"least": float(seconds.min()), "most": float(seconds.max())}
    row["parameters"] = sum(values.numel() for values in model.parameters())
    row["GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if options.device == "cuda":
        row["GPU GB"] = torch.cuda.max_memory_allocated() / 1e9
    return row | {"shares": shares(model, options.batch_size, options.device)}


def shares(model: Any, batch_size: int, device: str) -> dict[str, float]:
    """Parts of an epoch's time by what was done, in 0..1."""
    if not any(True for _ in model.parameters()):
        return {"ranking": 1.0}
    model.to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0, fused=True)
    task = Task.of(model.data, "valid", device=device)
    with profile() as found:
        batches = model.batches(batch_size, torch.Generator().manual_seed(0))
        model.start_epoch(1)
        while True:
            with record_function("sampling"):
                batch = next(batches, None)
            if batch is None:
                break
            loss = sum(model.loss(batch).values())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            with record_function("optimiser"):
                optimiser.step()
        model.eval()
        with torch.no_grad(), record_function("ranking"):
            task.means(model.embed(), 20)
    total: dict[str, float] = defaultdict(float)
    for event in found.events():
        total[kind(event)] += event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
    return {name: total[name] / sum(total.values()) for name in COLUMNS}


def kind(event: Any) -> str:
    """Which column an operation belongs to."""
    inside = event
    while inside is not None:
        if inside.name in REGIONS:
            return str(inside.name)
        inside = inside.cpu_parent
    if any(part in event.name.lower() for part in GRAPH):
        return "graph"
    return "projection" if event.name.startswith(PROJECTION) else "loss"


def line(row: dict[str, Any]) -> str:
    parts = "".join(f"{row['shares'].get(name, 0):>11.0%}" for name in COLUMNS)
    spread = f"{row['least']:.2f}-{row['most']:.2f}"
    size = f"{row['build']:>8.1f}{row['GB']:>7.2f}{row['parameters'] / 1e6:>8.2f}"
    return f"{row['model']:<12}{row['epoch']:>8.2f}{spread:>13}{size}{parts}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="folder of a catalogue with its own parts")
    parser.add_argument("--models", default=",".join(sorted(recommenders.__all__)), help="names, joined by commas")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print("\n" + json.dumps(measure(options.models, options)))
        return
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    facts = [where, f"{torch.get_num_threads()} threads", f"torch {torch.__version__}", f"batch {options.batch_size}"]
    print(", ".join([*facts, options.precision]))
    head = "".join(f"{name:>11}" for name in COLUMNS)
    print(f"{'':<12}{'epoch s':>8}{'range':>13}{'build s':>8}{'GB':>7}{'M par.':>8}{head}", flush=True)
    for name in options.models.split(","):
        again = [sys.executable, __file__, *sys.argv[1:], "--one", "--models", name]
        done = subprocess.run(again, capture_output=True, text=True)
        if done.returncode:
            print(f"{name:<12}failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
        else:
            print(line(json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
