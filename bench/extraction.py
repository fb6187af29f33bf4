"""Extraction beside the bare model: rates for images and texts, and memory as reviews grow.

The bare model gets the same batches, prepared before the clock starts: pixels of 64 images, tokens of 64 texts of like
length. Both are timed in turn, several times, and the median of the paired ratios is told: of the time on the clock,
and of the work of all threads, which is what a single core would need. The machine should be idle.

    OMP_NUM_THREADS=1 python bench/extraction.py                     # the miniature, on 64-pixel PNG, 300-pixel JPEG
    python bench/extraction.py --encoder timm:NAME@FILE st:FOLDER    # others: what each of them reads
    python bench/extraction.py --device cuda --encoder ViT-B-32/openai
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from mmlib import encoders
from mmlib.core.dataset import Dataset
from mmlib.encoders.encoding import _batches, _moved, _stacked
from mmlib.encoders.images import read
from mmlib.encoders.windows import Windows, lengths

BATCH = 64
WORDS = "solid soft green blue boot shoe shirt the a with of for and fits well fine old new small price"


def catalogue(folder: Path, images: int, texts: int, *, side: int, suffix: str) -> Dataset:
    """Items with an image each, or with a text each of 3 to 60 words."""
    rng = np.random.default_rng(0)
    n = max(images, texts)
    for item in range(images):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))  # as smooth as photographs are
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{item}.{suffix}")
    words = [" ".join(rng.choice(WORDS.split(), int(np.clip(rng.lognormal(2.7, 0.6), 3, 60)))) for _ in range(texts)]
    items = pd.DataFrame({"id": [str(item) for item in range(n)], "title": words or "", "text": "", "category": ""})
    items["image"] = [f"{item}.{suffix}" for item in range(images)] or ""
    table = pd.DataFrame({"user": 0, "item": [0, 1, 2], "part": ["train", "valid", "test"]})
    data = Dataset("bench", pd.DataFrame({"id": ["u"]}), items, table.assign(part=""), images=folder)
    return data.with_parts(table["part"], "by hand", None)


def bare(data: Dataset, encoder: encoders.Encoder, kind: str) -> Callable[[], None]:
    """The model alone on prepared batches."""
    device = encoder.device
    if kind == "image":
        rows = [encoder.pixels(read(Path(str(data.image_path(item))), encoder.side)) for item in range(data.n_items)]
        given = [_stacked(batch) for batch, _ in _batches(rows, BATCH)]
    else:
        cut = Windows.of(data.items["title"].tolist(), encoder)
        size = lengths(cut.tokens, encoder)
        order = size.argsort(stable=True).split(BATCH)
        given = [cut.tokens[part][:, : int(size[part].max())] for part in order]

    def run() -> None:
        with torch.no_grad():
            for batch in given:
                (encoder.image if kind == "image" else encoder.text)(_moved(batch, device)).cpu()

    return run


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """On the clock, and of all threads together."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def compare(name: str, encoder: encoders.Encoder, data: Dataset, kind: str, rounds: int) -> None:
    alone = bare(data, encoder, kind)

    def whole() -> None:
        with tempfile.TemporaryDirectory() as shards:
            encoders.extract(data, encoder, batch_size=BATCH, folder=shards, precision="fp32")

    alone()
    whole()
    pairs = [(seconds(alone), seconds(whole)) for _ in range(rounds)]
    rates = [data.n_items / statistics.median(one[side][0] for one in pairs) for side in (0, 1)]
    share, work = (statistics.median(first[of] / second[of] for first, second in pairs) for of in (0, 1))
    said = f"bare {rates[0]:8,.0f} a second, extraction {rates[1]:8,.0f}, {share:5.0%} ({work:4.0%} of the work)"
    print(f"{name:44} {kind:5} {data.n_items:6,}: {said}", flush=True)


def memory(reviews: int) -> None:
    """Print by how much the peak of a process grows while it averages so many reviews of 1,000 users."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS.split(), 8)) for _ in range(1000)]
    table = pd.DataFrame({"user": np.arange(reviews) % 1000, "item": np.arange(reviews) // 1000 % 50, "part": "train"})
    table["review"] = [texts[row % 1000] for row in range(reviews)]
    table.loc[[0, 1], "part"] = ["valid", "test"]
    items = pd.DataFrame({"id": map(str, range(50)), "title": "a", "text": "", "category": "", "image": ""})
    users = pd.DataFrame({"id": map(str, range(1000))})
    data = Dataset("bench", users, items, table.assign(part="")).with_parts(table["part"], "by hand", None)
    encoder = encoders.load("small")
    len(data.reviews)  # the table itself, which the dataset holds, is not what is measured
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    encoders.extract(data, encoder)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--encoder", nargs="+", default=["small"])
    ask.add_argument("--device", default="cpu")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--images", type=int, default=2048)
    ask.add_argument("--texts", type=int, default=8192)
    ask.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = ask.parse_args()
    if options.memory:
        return memory(options.memory)
    print(f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads")
    for name in options.encoder:
        encoder = encoders.load(name, device=options.device)
        shown = name.split("@")[0].split("/")[-1]
        for side, suffix in ((64, "png"), (300, "jpg")) if "image" in encoder.widths else ():
            with tempfile.TemporaryDirectory() as folder:
                data = catalogue(Path(folder), options.images, 0, side=side, suffix=suffix)
                compare(f"{shown}, {side}-pixel {suffix}", encoder, data, "image", options.rounds)
        if "text" in encoder.widths:
            with tempfile.TemporaryDirectory() as folder:
                data = catalogue(Path(folder), 0, options.texts, side=0, suffix="")
                compare(f"{shown}, 3 to 60 words", encoder, data, "text", options.rounds)
    for reviews in (20_000, 160_000) if "small" in options.encoder else ():
        command = [sys.executable, __file__, "--memory", str(reviews)]
        grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        print(f"averaging {reviews:9,} reviews: peak memory grows by {grown:6.0f} MiB")


if __name__ == "__main__":
    main()
