"""A finished sweep of made-up runs, for tests of what reads sweeps."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmlib.core.files import write_json

STARTS, RECOMMENDERS, EPOCHS, SEEDS = ("random", "mmcpr"), ("lightgcn", "mixgcf"), (6, 60), (0, 1)
PARAMETERS = {
    "dataset": "toy",
    "split": "8:1:1",
    "split_seed": 0,
    "mask_valid": True,
    "k": [10, 20],
    "encoder": "small",
}


def _write_run(place: Path, values: dict, *, users: int = 30) -> dict:
    """A finished run with one ranking and its costs."""
    seed = [values["seed"], values["epochs"], len(values["start"]), len(values["recommender"])]
    recall = 0.3 + 0.1 * (values["start"] == "mmcpr") + 0.05 * np.random.default_rng(seed).standard_normal(users)
    table = pd.DataFrame(
        {"user": range(users), "slice": "all", "positives": 1, "recall@20": recall, "ndcg@20": recall / 2}
    )
    named = table.assign(page="04_recommend", label=f"{values['recommender']} from {values['start']}", model="x")
    place.mkdir(parents=True)
    named.to_parquet(place / "per_user.parquet")
    found = {"04_recommend": {"seconds": 1.0 + values["seed"], "best_epoch": values["epochs"]}}
    write_json(place / "metrics.json", {"metrics": found, "seconds": 9.0})
    return {"run": place.name, "folder": str(place), "parameters": PARAMETERS | values, "error": ""}


def write_sweep(folder: Path) -> Path:
    """Two recommenders, two starts, two budgets and two seeds; the start from mmcpr is better by 0.1."""
    runs = [
        _write_run(folder / f"{r}-{s}-{e}-{seed}", {"recommender": r, "start": s, "epochs": e, "seed": seed})
        for r in RECOMMENDERS
        for s in STARTS
        for e in EPOCHS
        for seed in SEEDS
    ]
    about = {
        "about": "",
        "varying": ["recommender", "start", "epochs", "seed"],
        "compare": {"vary": "start", "baseline": "random"},
    }
    write_json(folder / "sweep.json", about | {"runs": runs})
    return folder
