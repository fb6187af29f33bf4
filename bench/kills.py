"""Kill -9 at random moments of training, extraction, run and sweep: the next start gives the same and leaves nothing.

    python bench/kills.py [number of kills] [seed] | tee bench/results/kills-cpu.txt

Each kill has an empty folder for results. The victim is started, killed after a random share of the time that it takes,
alone or with a process below it first, and started again. Then the numbers must be those of a start that nobody killed,
bit for bit; the files of the folder the same, by name; nothing left in the temporary folder; and no process alive.
"""

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
import papermill  # noqa: F401
import psutil
import torch

import mmlib as mm
import mmlib.encoders
import mmlib.workbook.run
import mmlib.workbook.sweep
from mmlib.__main__ import main as main_of_mmlib
from mmlib.core.files import digest

HOUSE = Path(__file__).resolve().parents[1]
SHOP = {"users": 60, "items": 40, "purchases": 480, "categories": 4, "size": 32}


def training(folder: Path) -> None:
    """A tiny shop and LightGCN on it, with a checkpoint after each epoch."""
    shop = mm.load("toy", shop=SHOP)
    torch.manual_seed(0)
    model = mm.LightGCN(shop, dim=16)
    done = mm.fit(model, epochs=60, batch_size=64, patience=None, checkpoint_seconds=0.0)
    print("FOUND", done.embeddings.key, digest(done.history.drop(columns="seconds").to_numpy()), flush=True)


def extraction(folder: Path) -> None:
    """A tiny shop, an encoder tuned for an epoch, and its features, in many small shards."""
    shop = mm.load("toy", shop=SHOP)
    clip, _ = mm.encoder(shop, "small", epochs=1)
    sys.modules["mmlib.encoders.encoding"].SHARD = 8  # type: ignore[attr-defined]
    print("FOUND", mm.extract(shop, clip, batch_size=4).key, flush=True)


def run(folder: Path) -> None:
    """One page from the command line to its report."""
    given = {"shop": json.dumps(SHOP), "recommender": "bpr", "start": "random", "epochs": "4"}
    options = [word for name, value in given.items() for word in ("-p", name, value)]
    raise SystemExit(main_of_mmlib(["run", "--pages", "04", *options]))


def sweep(folder: Path) -> None:
    """Two such runs, two at a time."""
    raise SystemExit(main_of_mmlib(["sweep", str(folder / "sweep.yaml"), "--jobs", "2"]))


SWEEP = f"""
pages: ["04"]
fixed: {{shop: {json.dumps(SHOP)}, recommender: bpr, start: random, epochs: 4}}
grid: {{seed: [0, 1]}}
"""
VICTIMS: dict[str, tuple[Callable[[Path], None], int]] = {
    "run": (run, 2),
    "training": (training, 12),
    "extraction": (extraction, 10),
    "sweep": (sweep, 1),
}  # what is done, and its share of the kills


def main(kills: int = 50, seed: int = 0) -> int:
    """Returns 0 if all starts after kills were as if nothing had happened."""
    rng = random.Random(seed)
    wanted = [name for name, (_, share) in VICTIMS.items() for _ in range(share)]
    plan = [wanted[place * 7 % len(wanted)] for place in range(kills)]
    good: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="kills", dir="/tmp") as folder:
        calm: dict[str, tuple[float, Any]] = {}
        for name in dict.fromkeys(plan):
            begun = time.monotonic()
            _start(name, Path(folder)).join()
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


def _start(name: str, folder: Path, *, keep: bool = False) -> Process:
    """A fork of this process, which has imported all that it needs and computed nothing."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tmp").mkdir(parents=True)
        (folder / "sweep.yaml").write_text(SWEEP)
    process = multiprocessing.get_context("fork").Process(target=_be, args=(name, folder))
    process.start()
    return process


def _be(name: str, folder: Path) -> None:
    os.setsid()
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ |= {"MMLIB_OUTPUTS": str(folder / "out"), "TMPDIR": str(folder / "tmp"), "MMLIB_PROGRESS": "off"}
    os.environ |= {"PYTHONPATH": str(HOUSE), "MMLIB_NOTEBOOKS": str(HOUSE / "notebooks")}
    tempfile.tempdir = None
    os.chdir(folder)
    VICTIMS[name][0](folder)


def _killed(name: str, folder: Path, moment: float, below_first: bool, rng: random.Random) -> str:
    """Start it, kill it, and see to it that nothing goes on alone; what is wrong, if anything."""
    process = _start(name, folder)
    time.sleep(moment)
    below = psutil.Process(process.pid).children(recursive=True) if process.is_alive() else []
    if below_first and below:
        with contextlib.suppress(psutil.NoSuchProcess):
            rng.choice(below).kill()
        time.sleep(rng.random() * 0.2)
    process.kill()
    process.join()
    left = psutil.wait_procs(below, timeout=30)[1]
    return f"{len(left)} processes went on alone" if left else ""


def _again(name: str, folder: Path, calm: dict[str, Any]) -> str:
    """Start it again to its end; what differs from a start that nobody killed."""
    process = _start(name, folder, keep=True)
    process.join()
    if process.exitcode:
        return f"failed: {(folder / 'said').read_text()[-2000:]}"
    now = _state(name, folder)
    if now["numbers"] != calm["numbers"]:
        return f"other numbers: {now['numbers']} for {calm['numbers']}"
    more, less = now["files"] - calm["files"], calm["files"] - now["files"]
    return f"left behind: {sorted(more)}, missing: {sorted(less)}" if more or less else ""


def _state(name: str, folder: Path) -> dict[str, Any]:
    """The numbers, and the names of all files in the folders of results and of temporary files."""
    if name in ("training", "extraction"):
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
