"""The item graphs of FREEDOM and LATTICE at the size of Amazon Electronics: seconds and peak memory.

python bench/graphs.py                                    # 63,001 items, 768-d pictures and words
python bench/graphs.py --items 7050 --width 384

Each step runs in a process of its own; "before" is what that process held when the step began, its vectors included.
"""

import argparse
import platform
import resource
import subprocess
import sys
import time

import torch

from mmlib.core.features import Features
from mmlib.recommenders.item_graphs import similar_items
from mmlib.recommenders.modalities import Modality, contents, nearest_items
from mmlib.recommenders.plug_in import MinedGraph

STEPS = {
    "freedom": "FREEDOM: k = 10 by pictures and by words",
    "lattice": "LATTICE: raw graphs",
    "learnt": "LATTICE: learnt graphs and their gradient",
}


def random_content(n: int, width: int) -> torch.nn.ModuleDict:
    """Clusters of vectors, so that neighbours mean something: two modalities [n, width]."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(500, width, generator=generator)
    item = {}
    for name in ("image", "text"):
        which = torch.randint(500, (n,), generator=generator)
        item[name] = torch.randn(n, width, generator=generator).add_(centres[which])
    present = {name: torch.ones(n, dtype=torch.bool) for name in item}
    return contents("bench", Features(item, present))


def peak() -> float:
    """Gigabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def step(name: str, n: int, width: int) -> None:
    content = random_content(n, width)
    graphs = [one for one in content.values() if isinstance(one, Modality)]
    before, start = peak(), time.perf_counter()
    if name == "freedom":
        made = similar_items({name: one.run() for name, one in nearest_items(content, 10).items()}, "binary")
        edges = sum(len(one.weight) for one in made.values())
    elif name == "lattice":
        lists = [one.run() for one in nearest_items(content, 10).values()]
        made = [MinedGraph(one, 64, k=10, include_self=True, lists=each) for one, each in zip(graphs, lists)]
        edges = sum(one.index.numel() for one in made)
    else:
        latent = [MinedGraph(one, 64, k=10, include_self=True) for one in graphs]
        start = time.perf_counter()
        found = [one.learnt(anew=True) for one in latent]
        sum(weight.sum() for _, weight in found).backward()
        edges = sum(index.numel() for index, _ in found)
    seconds = time.perf_counter() - start
    print(f"{STEPS[name]:<48}{seconds:>8.1f}{edges:>12,}{before:>10.2f}{peak():>8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=63_001)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return step(options.step, options.items, options.width)
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{options.items:,} items, {options.width}-d pictures and words")
    print(f"{'':<48}{'s':>8}{'edges':>12}{'GB before':>10}{'peak':>8}", flush=True)
    for name in STEPS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--step", name], check=True)


if __name__ == "__main__":
    main()
