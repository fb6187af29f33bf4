"""Time and peak memory of every kernel beside its plain twin, on generated data of a known size.

    OMP_NUM_THREADS=2 python bench/kernels.py --device cpu --sizes baby | tee bench/results/kernels-cpu.txt

Seconds are the best of at least three runs. Memory is what a run needs above what was there before it: resident
memory on CPU (Linux only), allocated tensors on CUDA. A plain twin that needs more than ``--limit`` GiB is left out.
"""

import argparse
import ctypes
import gc
import platform
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlib.kernels import co_occurrence as cooccur
from mmlib.kernels import contrast, rank, sample
from mmlib.kernels import neighbours as nearest

Loss = Callable[[Tensor, Tensor], Tensor]
SIZES = {  # users, items, pairs, contrastive batch
    "tiny": (300, 200, 2_000, 512),
    "baby": (19_445, 7_050, 118_551, 8_192),
    "electronics": (192_403, 63_001, 1_254_441, 32_768),
}


@dataclass(frozen=True)
class Case:
    """One line of the table; ``plain_bytes`` is what the plain twin needs at least."""

    name: str
    detail: str
    fast: Callable[[], object]
    plain: Callable[[], object]
    plain_bytes: int = 0


def long_tailed(n: int, m: int, pairs: int, device: str) -> sample.Seen:
    """Exactly ``pairs`` distinct (user, item) pairs; items follow a shifted power law, users are near even."""
    g = torch.Generator().manual_seed(0)
    weight = (torch.arange(m) + 12.0) ** -0.8
    keys = torch.empty(0, dtype=torch.long)
    while len(keys) < pairs:
        items = weight.multinomial(pairs, replacement=True, generator=g)
        keys = torch.cat([keys, torch.randint(n, (pairs,), generator=g) * m + items]).unique()
    keys = keys[torch.randperm(len(keys), generator=g)[:pairs]]
    return sample.Seen.from_pairs(keys // m, keys % m, n, m).to(device)


def cases(size: str, device: str) -> Iterator[Case]:
    """The kernels at one size. k = 20 places, 64-d vectors, 32 co-interaction neighbours."""
    n, m, pairs, batch = SIZES[size]
    seen = long_tailed(n, m, pairs, device)
    users, items, content = (torch.randn(rows, d, device=device) for rows, d in [(n, 64), (m, 64), (m, 512)])
    asked = torch.randint(n, (2048,), device=device)
    bought = sets(seen)
    fast: Callable[[], object]
    plain: Callable[[], object]
    for count in 1, 64:
        fast, plain = partial(sample.uniform, seen, asked, count), partial(plain_uniform, bought, asked, count, m)
        yield Case("sample.uniform", f"{len(asked):,} users x {count}", fast, plain)

    what = f"{n:,} users, {m:,} items, 64-d, k 20"
    fast = partial(rank.top_k, users, items, 20, seen=seen)
    yield Case("rank.top_k", what, fast, partial(plain_rank, users, items, seen), 4 * n * m)
    yield Case("rank.top_k", "  beside a plain loop over blocks", fast, partial(plain_rank_blocks, users, items, seen))
    ranked = torch.randint(-1, m, (n, 20), device=device)
    yield Case("rank.hits", f"{n:,} users, k 20", partial(rank.hits, ranked, seen), partial(plain_hits, bought, ranked))

    fast, plain = partial(nearest.top_k, content, 10), partial(plain_nearest, content)
    yield Case("nearest.top_k", f"{m:,} items, 512-d, k 10", fast, plain, 4 * m * m)
    for what, matrix in [("users", csr(seen)), ("items", csr(transposed(seen)))]:
        fast, plain = partial(cooccur.top_k, *matrix, 32), partial(plain_cooccur, *matrix)
        pairs = int(matrix[1].bincount().square().sum())
        yield Case("cooccur.top_k", f"{len(matrix[0]) - 1:,} {what}, k 32", fast, plain, 12 * pairs)

    a, b = (torch.randn(batch, 64, device=device, requires_grad=True) for _ in range(2))
    losses: list[tuple[str, Loss, Loss]] = [
        ("contrast.info_nce", contrast.info_nce, plain_info_nce),
        ("contrast.pairwise_bce", contrast.pairwise_bce, plain_pairwise_bce),
    ]
    for name, loss, twin in losses:
        fast, plain = partial(forward_backward, loss, a, b), partial(forward_backward, twin, a, b)
        yield Case(name, f"{batch:,} pairs, 64-d, with backward", fast, plain, 4 * 4 * batch**2)


def forward_backward(loss: Loss, a: Tensor, b: Tensor) -> None:
    loss(a, b).backward()


def plain_uniform(bought: list[set[int]], asked: Tensor, count: int, m: int) -> list[list[int]]:
    """Draw until something new comes."""
    drawn = []
    for user in asked.tolist():
        row: list[int] = []
        while len(row) < count:
            item = random.randrange(m)
            if item not in bought[user]:
                row.append(item)
        drawn.append(row)
    return drawn


def plain_rank(users: Tensor, items: Tensor, seen: sample.Seen) -> Tensor:
    """The whole users x items matrix."""
    z = users @ items.T
    z[seen.of(torch.arange(len(users), device=users.device))] = -torch.inf
    return z.topk(20).indices


def plain_rank_blocks(users: Tensor, items: Tensor, seen: sample.Seen, block: int = 1024) -> Tensor:
    """1,024 users at a time, a new matrix and a full ``topk`` each."""
    best = []
    for rows in torch.arange(len(users), device=users.device).split(block):
        z = users[rows] @ items.T
        z[seen.of(rows)] = -torch.inf
        best.append(z.topk(20).indices)
    return torch.cat(best)


def plain_hits(bought: list[set[int]], ranked: Tensor) -> list[list[bool]]:
    return [[i in bought[u] for i in row] for u, row in enumerate(ranked.tolist())]


def plain_nearest(x: Tensor) -> Tensor:
    """The whole items x items matrix."""
    x = F.normalize(x)
    return (x @ x.T).fill_diagonal_(-torch.inf).topk(10).indices


def plain_cooccur(indptr: Tensor, indices: Tensor, n_cols: int) -> list[np.ndarray]:
    """SciPy's sparse product, then a sort of each row; on CPU."""
    ones = np.ones(len(indices), dtype=np.float32)
    a = sp.csr_matrix((ones, indices.cpu().numpy(), indptr.cpu().numpy()), shape=(len(indptr) - 1, n_cols))
    shared = a @ a.T - sp.diags_array(np.diff(indptr.cpu().numpy()).astype(np.float32))
    rows = zip(shared.indptr, shared.indptr[1:])
    return [shared.indices[i:j][np.argsort(-shared.data[i:j], kind="stable")[:32]] for i, j in rows]


def plain_info_nce(a: Tensor, b: Tensor) -> Tensor:
    z = F.normalize(a) @ F.normalize(b).T / 0.1
    own = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(z, own) + F.cross_entropy(z.T, own)) / 2


def plain_pairwise_bce(a: Tensor, b: Tensor) -> Tensor:
    z = F.normalize(a) @ F.normalize(b).T / 0.1
    return F.binary_cross_entropy_with_logits(z, torch.eye(len(a), device=a.device))


def sets(seen: sample.Seen) -> list[set[int]]:
    return [set(part.tolist()) for part in seen.items.cpu().tensor_split(seen.indptr[1:-1].cpu())]


def csr(seen: sample.Seen) -> tuple[Tensor, Tensor, int]:
    return seen.indptr, seen.items, seen.n_items


def transposed(seen: sample.Seen) -> sample.Seen:
    users, items = seen.of(torch.arange(seen.n_users, device=seen.device))
    return sample.Seen.from_pairs(items, users, seen.n_items, seen.n_users)


def seconds(run: Callable[[], object], device: str) -> float:
    """The best of at least three runs and at most about two seconds, after one to warm up."""
    times: list[float] = []
    run()
    while len(times) < 3 or (sum(times) < 2 and len(times) < 50):
        synchronise(device)
        start = time.perf_counter()
        run()
        synchronise(device)
        times.append(time.perf_counter() - start)
    return min(times)


def mebibytes(run: Callable[[], object], device: str) -> float:
    """Peak memory of one run above what was held before it; NaN where it cannot be known."""
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = resident("VmRSS")
        run()
        return (resident("VmHWM") - before) / 2**10
    except OSError:
        return float("nan")


def resident(field: str) -> int:
    """A memory figure of this process in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def machine(device: str) -> str:
    """The processor or GPU by name, and the versions."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    name = torch.cuda.get_device_name() if device == "cuda" else f"{name}, {torch.get_num_threads()} threads"
    return f"{name}; torch {torch.__version__}, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sizes", choices=SIZES, default="baby")
    parser.add_argument("--limit", type=float, default=8.0, help="GiB that a plain twin may need (default: 8)")
    options = parser.parse_args()
    torch.manual_seed(0)
    print(f"{machine(options.device)}\nsize: {options.sizes}\n")
    print(f"{'kernel':22}{'':42}{'s':>10}{'plain s':>10}{'faster':>8}{'MiB':>9}{'plain MiB':>11}")
    for case in cases(options.sizes, options.device):
        fast, fast_memory = seconds(case.fast, options.device), mebibytes(case.fast, options.device)
        line = f"{case.name:22}{case.detail:42}{fast:10.4f}"
        if case.plain_bytes > options.limit * 2**30:
            print(f"{line}{'-':>10}{'-':>8}{fast_memory:9.1f}{case.plain_bytes / 2**20:>10,.0f}+", flush=True)
            continue
        plain, plain_memory = seconds(case.plain, options.device), mebibytes(case.plain, options.device)
        print(f"{line}{plain:10.4f}{plain / fast:7.1f}x{fast_memory:9.1f}{plain_memory:11.1f}", flush=True)


if __name__ == "__main__":
    main()
