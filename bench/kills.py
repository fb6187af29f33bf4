"""Kill -9 at random moments of training, extraction, run and sweep: the next start gives the same and leaves nothing.

    python bench/kills.py [number of kills] [seed] | tee bench/results/kills-cpu.txt

Each kill has an empty folder for results. The victim is started, killed after a random share of the time that it takes,
alone or with a process below it first, and started again. Then the numbers must be those of a start that nobody killed,
bit for bit; the files of the folder the same, by name; nothing left in the temporary folder; and no process alive.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

HOUSE = Path(__file__).resolve().parents[1]
SHOP = {"users": 60, "items": 40, "purchases": 480, "categories": 4, "size": 32}
START = f"""
import mmlib as mm
from mmlib.core.files import digest
shop = mm.load("toy", shop={SHOP})
"""
TRAINING = (
    START
    + """
import torch
torch.manual_seed(0)
done = mm.fit(mm.LightGCN(shop, dim=16), epochs=120, batch_size=64, patience=None, checkpoint_seconds=0.0)
vectors, history = done.embeddings, done.history.drop(columns="seconds")
print("FOUND", vectors.key, digest(history.to_numpy()))
"""
)
EXTRACTION = (
    START
    + """
import sys
import mmlib.encoders.extract
sys.modules["mmlib.encoders.extract"].SHARD = 8  # many small files
clip, _ = mm.encoder(shop, "small", epochs=1)
print("FOUND", mm.extract(shop, clip, batch_size=4).key)
"""
)
SWEEP = f"""
pages: ["04"]
fixed: {{shop: {json.dumps(SHOP)}, recommender: bpr, start: random, epochs: 4}}
grid: {{seed: [0, 1]}}
"""
MMLIB = [sys.executable, "-m", "mmlib"]
RUN = [
    *MMLIB,
    "run",
    "--pages",
    "04",
    "-p",
    "shop",
    json.dumps(SHOP),
    "-p",
    "recommender",
    "bpr",
    "-p",
    "start",
    "random",
]
VICTIMS = {
    "training": ([sys.executable, "-c", TRAINING], 3),
    "extraction": ([sys.executable, "-c", EXTRACTION], 3),
    "run": ([*RUN, "-p", "epochs", "4"], 2),
    "sweep": ([*MMLIB, "sweep", "sweep.yaml", "--jobs", "2"], 2),
}  # command, and its share of the kills


def main(kills: int = 50, seed: int = 0) -> int:
    """Returns 0 if all starts after kills were as if nothing had happened."""
    rng = random.Random(seed)
    wanted = [name for name, (_, share) in VICTIMS.items() for _ in range(share)]
    plan = [wanted[place % len(wanted)] for place in range(kills)]
    good: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="kills", dir="/tmp") as folder:
        calm: dict[str, tuple[float, Any]] = {}
        for name in dict.fromkeys(plan):
            begun = time.monotonic()
            _start(name, Path(folder)).wait()
            calm[name] = time.monotonic() - begun, _state(name, Path(folder))
            print(
                f"{name}: {calm[name][0]:.1f} s when nobody kills it, {len(calm[name][1]['files'])} files", flush=True
            )
        for place, name in enumerate(plan, 1):
            moment = rng.random() * calm[name][0]
            said = _killed(name, Path(folder), moment, rng.random() < 0.5, rng) or _again(
                name, Path(folder), calm[name][1]
            )
            good[name] += not said
            print(f"[{place}/{kills}] {name}, kill -9 after {moment:5.2f} s: {said or 'the same'}", flush=True)
    for name, count in Counter(plan).items():
        print(f"{name}: {good[name]} of {count} the same numbers afterwards, nothing left behind")
    print(f"{good.total()} of {kills}")
    return int(good.total() < kills)


def _start(name: str, folder: Path, *, keep: bool = False) -> subprocess.Popen[bytes]:
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tmp").mkdir(parents=True)
        (folder / "sweep.yaml").write_text(SWEEP)
    env = os.environ | {"MMLIB_OUTPUTS": str(folder / "out"), "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}
    env |= {"PYTHONPATH": str(HOUSE), "MMLIB_NOTEBOOKS": str(HOUSE / "notebooks"), "MMLIB_PROGRESS": "off"}
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(VICTIMS[name][0], cwd=folder, env=env, stdout=said, stderr=subprocess.STDOUT)


def _killed(name: str, folder: Path, moment: float, below_first: bool, rng: random.Random) -> str:
    """Start it, kill it, and see to it that nothing goes on alone; what is wrong, if anything."""
    process = _start(name, folder)
    time.sleep(moment)
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if below_first and below:
        rng.choice(below).kill()
        time.sleep(rng.random() * 0.2)
    process.kill()
    process.wait()
    left = psutil.wait_procs(below, timeout=20)[1]
    return f"{len(left)} processes went on alone: {[one.cmdline()[:4] for one in left]}" if left else ""


def _again(name: str, folder: Path, calm: dict[str, Any]) -> str:
    """Start it again to its end; what differs from a start that nobody killed."""
    if _start(name, folder, keep=True).wait():
        return f"failed: {(folder / 'said').read_text()[-2000:]}"
    now = _state(name, folder)
    if now["numbers"] != calm["numbers"]:
        return f"other numbers: {now['numbers']} for {calm['numbers']}"
    more, less = now["files"] - calm["files"], calm["files"] - now["files"]
    return f"left behind: {sorted(more)}, missing: {sorted(less)}" if more or less else ""


def _state(name: str, folder: Path) -> dict[str, Any]:
    """The numbers, and the names of all files in the folders of results and of temporary files."""
    if VICTIMS[name][0][1] == "-c":
        numbers: Any = [line for line in (folder / "said").read_text().splitlines() if line.startswith("FOUND")]
    else:
        done = [json.loads(path.read_text()) for path in sorted(folder.glob("out/runs/*/metrics.json"))]
        numbers = [_without_times(one["metrics"]) for one in done]
    assert numbers, (folder / "said").read_text()
    names = {str(path.relative_to(folder)) for top in ("out", "tmp") for path in (folder / top).rglob("*")}
    return {"numbers": numbers, "files": names}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if "second" not in key}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
