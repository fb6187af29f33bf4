"""Peak memory and time of one contrastive step at a batch of 8,192, the batch encoded at once and in chunks.

    OMP_NUM_THREADS=2 python bench/tuning.py | tee bench/results/tuning-cpu.txt     # a minute
    python bench/tuning.py --device cuda | tee bench/results/tuning-cuda.txt

Each way runs in a process of its own. On CPU the peak is of resident memory (Linux), on CUDA of allocated tensors;
"above" is without what was there before the step: Python, libraries, weights and the batch itself. Loss and
gradients of the two ways are compared.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from mmlib.encoders import load
from mmlib.encoders.chunked import in_chunks
from mmlib.kernels.contrast import info_nce

MIB = 2**20


def peak(device: str) -> float:
    """MiB, of the whole process since it began."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def held(device: str) -> float:
    """MiB, now."""
    if device == "cuda":
        return torch.cuda.memory_allocated() / MIB
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def one_way(batch: int, chunk: int, device: str) -> None:
    """Print what one step takes, as JSON: small-vlmo of 16 numbers a token, texts of 24 tokens."""
    encoder = load("small-vlmo", dim=16, device=device).train()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (batch, 3, 64, 64), dtype=torch.uint8, generator=generator).to(device)
    tokens = torch.randint(1, 49000, (batch, 24), generator=generator).to(device)
    scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07), device=device))

    def image(part: Tensor) -> Tensor:
        return encoder.image(encoder.normalise(part))

    before, start = held(device), time.perf_counter()
    images, texts = in_chunks(image, chunk, encoder, pixels), in_chunks(encoder.text, chunk, encoder, tokens)
    loss = info_nce(images, texts, temperature=(-scale).exp(), block=min(chunk, 1024))
    loss.backward()
    seconds, after = time.perf_counter() - start, peak(device)
    slopes = torch.cat([one.grad.flatten() for one in encoder.parameters() if one.grad is not None])
    norms = [float(part.norm()) for part in slopes.double().tensor_split(20)]
    found = {"peak": after, "above": after - before, "seconds": seconds, "loss": loss.item(), "gradients": norms}
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--chunk", type=int, default=64)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        return one_way(args.batch, args.chunk, args.device)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.device}; batch {args.batch:,}")
    print(f"{'encoded':<20}{'peak MiB':>10}{'above MiB':>11}{'seconds':>9}{'loss':>10}")
    found = []
    for name, chunk in (("at once", args.batch), (f"in chunks of {args.chunk}", args.chunk)):
        command = [sys.executable, __file__, "--alone", f"--batch={args.batch}", f"--chunk={chunk}"]
        told = subprocess.run([*command, f"--device={args.device}"], check=True, capture_output=True, text=True)
        one = json.loads(told.stdout.splitlines()[-1])
        found.append(one)
        print(f"{name:<20}{one['peak']:>10,.0f}{one['above']:>11,.0f}{one['seconds']:>9.1f}{one['loss']:>10.6f}")
    once, chunked = found
    apart = max(abs(a - b) / max(a, 1e-12) for a, b in zip(once["gradients"], chunked["gradients"]))
    less = {name: once[name] / chunked[name] for name in ("above", "peak", "seconds")}
    print(f"chunks need 1/{less['above']:.1f} of the memory above, 1/{less['peak']:.1f} of the process's peak, and")
    print(f"{1 / less['seconds']:.2f} times the seconds; losses differ by {abs(once['loss'] - chunked['loss']):.1e},")
    print(f"norms of gradients by at most {apart:.1e} of themselves")


if __name__ == "__main__":
    main()
