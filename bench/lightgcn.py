"""Where an epoch of LightGCN goes: training by step, full validation, and PyG's own LightGCN beside it.

python bench/lightgcn.py                          # made-up purchases of Amazon Baby's size
python bench/lightgcn.py --dataset FOLDER         # a catalogue of your own
python bench/lightgcn.py --device cuda
"""

import argparse
import platform
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch

from mmlib.catalogues import Dataset, bring
from mmlib.evaluation.ranking import Task
from mmlib.recommenders import LightGCN
from mmlib.splits import by_name
from mmlib.training import fit


def made_up(n_users: int = 19_445, n_items: int = 7_050, n: int = 160_792, seed: int = 0) -> Dataset:
    """Long-tailed random purchases of Amazon Baby's size, five or more a user, split 8:1:1."""
    from mmlib.splits import random_by_user

    rng = np.random.default_rng(seed)
    more = max(0, int(1.13 * (n - 5 * n_users)))  # some come twice, and count once
    users = np.concatenate([np.repeat(np.arange(n_users), 5), rng.integers(0, n_users, more)])
    items = np.minimum(n_items * rng.beta(0.5, 2.5, len(users)), n_items - 1).astype(np.int64)
    pairs = np.unique(np.stack([users, items], 1), axis=0)
    table = pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1], "part": ""})
    item_table = pd.DataFrame(
        {"id": np.arange(n_items).astype(str), "title": "", "text": "", "image": "", "category": ""}
    )
    data = Dataset("made up, Baby's size", pd.DataFrame({"id": np.arange(n_users).astype(str)}), item_table, table)
    return random_by_user(data)


class Clock:
    """Adds up seconds by name; waits for the GPU where there is one."""

    def __init__(self, device: str) -> None:
        self.device, self.seconds = device, defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.wait()
        start = time.perf_counter()
        yield
        self.wait()
        self.seconds[name] += time.perf_counter() - start

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def parts_of_an_epoch(data: Dataset, device: str, batch_size: int) -> dict[str, float]:
    """The steps of one epoch of ``fit``, timed one by one."""
    torch.manual_seed(0)
    clock, model = Clock(device), LightGCN(data, layers=2).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0, fused=True)
    task = Task.of(data, "valid", device=device)
    batches = model.batches(batch_size, torch.Generator().manual_seed(0))
    while True:
        with clock("batches and negatives"):
            batch = next(batches, None)
        if batch is None:
            break
        with clock("forward: propagation, gathering, loss"):
            loss = sum(model.loss(batch).values())
        with clock("backward: loss, scattering, propagation"):
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
        with clock("optimiser"):
            optimiser.step()
    with clock("validation: ranking all items for all users"), torch.no_grad():
        task.means(model.embed(), 20)
    return dict(clock.seconds)


def whole_epochs(data: Dataset, device: str, batch_size: int, epochs: int) -> list[float]:
    """Seconds of each epoch of ``fit`` with full validation, after one to warm up."""
    torch.manual_seed(0)
    done = fit(LightGCN(data, layers=2), epochs=epochs + 1, batch_size=batch_size, patience=None, device=device)
    return done.history["seconds"].tolist()[1:]


def pyg_epochs(data: Dataset, device: str, batch_size: int, epochs: int) -> list[float]:
    """The same epochs with ``torch_geometric.nn.models.LightGCN``, its loss, and the same ranking for validation."""
    from torch_geometric.nn.models import LightGCN as Peer

    from mmlib.core.embeddings import Embeddings

    torch.manual_seed(0)
    own = LightGCN(data, layers=2).to(device)
    peer = Peer(data.n_users + data.n_items, 64, 2).to(device)
    edges = torch.stack([own.graph.col, own.graph.row])
    optimiser = torch.optim.Adam(peer.parameters(), lr=1e-3)
    task, seconds = Task.of(data, "valid", device=device), []
    generator, clock = torch.Generator().manual_seed(0), Clock(device)
    for _ in range(epochs):
        with clock("epoch"):
            for batch in own.batches(batch_size, generator):
                user, positive, negative = own.rows(batch)
                rank = peer(edges, torch.cat([torch.stack([user, positive]), torch.stack([user, negative])], 1))
                loss = peer.recommendation_loss(*rank.chunk(2), node_id=torch.cat([user, positive, negative]).unique())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            with torch.no_grad():
                task.means(Embeddings(*peer.get_embedding(edges).split([data.n_users, data.n_items])), 20)
        seconds.append(clock.seconds.pop("epoch"))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="a catalogue's folder; default: made-up purchases of Baby's size")
    parser.add_argument("--split", default="given", help="of --dataset (default: given)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--peer", action="store_true", help="time PyG's LightGCN too (slow)")
    given = parser.parse_args()
    data = by_name(bring(given.dataset), given.split, 0) if given.dataset else made_up()
    chip = (
        torch.cuda.get_device_name()
        if given.device == "cuda"
        else f"{platform.machine()}, {torch.get_num_threads()} threads"
    )
    print(f"{data.name}: {data.n_users:,} users, {data.n_items:,} items, {len(data.train):,} training purchases")
    print(f"{chip}, torch {torch.__version__}, batch {given.batch_size}\n")
    report(whole_epochs, "one epoch with full validation", data, given)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of the process: {peak:.2f} GB\n")
    parts_of_an_epoch(data, given.device, given.batch_size)
    seconds = parts_of_an_epoch(data, given.device, given.batch_size)
    for name, value in seconds.items():
        print(f"  {name:<45} {value:6.3f} s  {value / sum(seconds.values()):5.1%}")
    print(f"  {'sum':<45} {sum(seconds.values()):6.3f} s\n")
    if given.peer:
        report(pyg_epochs, "the same with PyG's LightGCN", data, given)


def report(measure: Callable[..., list[float]], what: str, data: Dataset, given: argparse.Namespace) -> None:
    seconds = measure(data, given.device, given.batch_size, given.epochs)
    print(
        f"{what}: median {np.median(seconds):.3f} s, {min(seconds):.3f} to {max(seconds):.3f} s ({len(seconds)} epochs)"
    )


if __name__ == "__main__":
    main()
