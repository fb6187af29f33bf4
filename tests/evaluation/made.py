"""Methods whose values are known, for tests of what compares and shows them."""

import numpy as np
import pandas as pd

from mmlib.evaluation import Method, Scores


def ranking(values, label: str = "a", slice: str = "all", about: dict | None = None, **more) -> Scores:
    """Scores of one slice from the users' values; ``more`` are further metrics, named ``ndcg_20`` for ``ndcg@20``."""
    columns = {name.replace("_", "@"): column for name, column in more.items()}
    table = pd.DataFrame({"user": range(len(values)), "slice": slice, "positives": 1, "recall@20": values} | columns)
    return Scores(label, table, about or {})


def method(label: str, mean: float, *, seeds=(0, 1, 2), users: int = 60, noise: float = 0.05, **values) -> Method:
    """A method whose users share what is easy for them; its second slice has the first third of the users."""
    easy = np.random.default_rng(99).normal(0, 0.06, users)
    runs = {}
    for seed in seeds:
        own = np.random.default_rng([seed, len(label), round(1000 * mean)]).normal(mean, noise, users)
        table = ranking(np.clip(own + easy, 0, 1), ndcg_20=0.5).per_user
        few = table[: users // 3].assign(slice="few purchases", **{"recall@20": np.clip(own[: users // 3], 0, 1)})
        both = pd.concat([table, few], ignore_index=True)
        runs[f"seed {seed}"] = Scores("as recorded", both.sample(frac=1, random_state=seed), {})
    return Method(label, runs, values)
