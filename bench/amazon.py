"""Ten million reviews of Amazon's form of 2014, gzipped, read, cut to the 5-core and split: seconds and peak memory.

python bench/amazon.py FOLDER                         # makes the files in FOLDER if they are not there yet
python bench/amazon.py FOLDER --reviews 200_000       # a small one first
"""

import argparse
import gzip
import json
import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mmlib.catalogues import formats
from mmlib.splits import random_by_user

os.environ.setdefault("MMLIB_PROGRESS", "off")
PER_USER, PER_ITEM = 4, 40  # reviews, on average
WORDS = 3_000
TEXTS = 30_000  # more than gzip's window holds, so they compress as other English does
CHUNK = 50_000  # lines written at a time


def texts(rng: np.random.Generator, least: int, most: int) -> list[str]:
    """Made-up sentences of ``least`` to ``most`` characters, as JSON writes them; one in twenty has an HTML entity."""
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    weights = 1 / np.arange(3, 3 + len(letters))
    lengths = rng.integers(2, 10, WORDS)
    words = ["".join(rng.choice(letters, n, p=weights / weights.sum())) for n in lengths]
    often = np.minimum(WORDS * rng.random((TEXTS, most // 4)) ** 2, WORDS - 1).astype(int)
    made = []
    for row, length in zip(often, rng.integers(least, most, TEXTS)):
        text = " ".join(words[word] for word in row)[:length].capitalize() + "."
        made.append(json.dumps(text if length % 20 else f"It is 5&#34; wide. {text}"))
    return made


def names(n: int, start: str, letters: int) -> list[str]:
    """n distinct ids such as A01CZ7Q2, in no order that means anything."""
    spread = 2_654_435_761  # Knuth's multiplicative hash; odd, so it permutes the numbers below a power of two
    return [f"{start}{(place * spread) % 2**32:0{letters}X}" for place in range(n)]


def make(folder: Path, n: int, seed: int = 0) -> None:
    """Write ``reviews_Made.json.gz`` with n reviews of long-tailed users and items, and ``meta_Made.json.gz``."""
    rng = np.random.default_rng(seed)
    users, items = names(max(10, n // PER_USER), "A", 13), names(max(10, n // PER_ITEM), "B", 9)
    bodies, summaries = texts(rng, 80, 600), texts(rng, 10, 60)
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "part", "wb", compresslevel=1) as file:
        for start in range(0, n, CHUNK):
            size = min(CHUNK, n - start)
            user, item = len(users) * rng.random(size) ** 2, len(items) * rng.random(size) ** 2.5
            drawn = rng.integers(0, TEXTS, (2, size)).tolist()
            stars = rng.choice([1, 2, 3, 4, 5], size, p=[0.06, 0.05, 0.09, 0.2, 0.6]).tolist()
            times = (1_400_000_000 - 86_400 * (4_000 * rng.random(size) ** 2).astype(int)).tolist()
            lines = [
                f'{{"reviewerID": "{users[u]}", "asin": "{items[i]}", "reviewerName": "J. Doe", "helpful": [0, 0], '
                f'"reviewText": {bodies[b]}, "overall": {r}.0, "summary": {summaries[s]}, "unixReviewTime": {t}, '
                f'"reviewTime": "05 21, 2014"}}\n'
                for u, i, b, s, r, t in zip(user.astype(int).tolist(), item.astype(int).tolist(), *drawn, stars, times)
            ]
            file.write("".join(lines).encode())
    with gzip.open(folder / "meta_Made.json.gz", "wb", compresslevel=1) as file:
        for place, item_id in enumerate(items):
            about = {
                "asin": item_id,
                "imUrl": f"http://example.com/{item_id}.jpg",
                "title": json.loads(summaries[place % TEXTS]),
            }
            about |= {
                "description": json.loads(bodies[place % TEXTS]),
                "brand": "Acme",
                "categories": [["Baby", "Toys"]],
            }
            file.write(f"{about!r}\n".encode())
    (folder / "part").rename(folder / "reviews_Made.json.gz")


@contextmanager
def timed(what: str) -> Iterator[None]:
    start, worked = time.perf_counter(), time.process_time()
    yield
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what:<40}{seconds:>7.1f} s   of cores {worked:>6.1f} s   peak so far {peak:.2f} GB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reviews", type=lambda text: int(text.replace("_", "")), default=10_000_000)
    args = parser.parse_args()
    folder = args.folder / str(args.reviews)
    if not (folder / "reviews_Made.json.gz").is_file():
        start = time.perf_counter()
        make(folder, args.reviews)
        print(f"made the files in {time.perf_counter() - start:.1f} s")
    print(f"{args.reviews:,} reviews, {(folder / 'reviews_Made.json.gz').stat().st_size / 1e9:.2f} GB gzipped")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with timed("both"):
        with timed("read: reviews, 5-core, texts, metadata"):
            data = formats.read(folder, "amazon", text="alignrec", core=5)
        with timed("8:1:1 split"):
            data = random_by_user(data, "8:1:1")
    print()
    print("\n".join([*data.notes, repr(data), *(f"{part}: {sha}" for part, sha in data.split.hashes.items())]))  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
