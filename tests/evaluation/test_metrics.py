import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score
from torch_geometric.metrics import (
    LinkPredAveragePopularity,
    LinkPredCoverage,
    LinkPredHitRatio,
    LinkPredMAP,
    LinkPredMRR,
    LinkPredNDCG,
    LinkPredPrecision,
    LinkPredRecall,
)

from mmlib.core.embeddings import Embeddings
from mmlib.evaluation import evaluate
from mmlib.evaluation.metrics import gini, of_lists, of_users
from mmlib.evaluation.ranking import Task

from ..conftest import make_dataset

PYG = {
    "recall": LinkPredRecall,
    "ndcg": LinkPredNDCG,
    "precision": LinkPredPrecision,
    "hr": LinkPredHitRatio,
    "map": LinkPredMAP,
    "mrr": LinkPredMRR,
}


def by_hand(*hits: int, positives: int, k: int) -> dict[str, float]:
    found = of_users(torch.tensor([hits], dtype=torch.bool), torch.tensor([positives]), [k])
    return {name.split("@")[0]: float(value[0]) for name, value in found.items()}


def test_one_list_by_hand() -> None:
    found = by_hand(0, 1, 0, 1, 0, positives=3, k=5)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    expected = {
        "recall": 2 / 3,
        "ndcg": (1 / np.log2(3) + 1 / np.log2(5)) / ideal,
        "precision": 2 / 5,
        "hr": 1,
        "map": (1 / 2 + 2 / 4) / 3,
        "mrr": 1 / 2,
    }
    assert found == pytest.approx(expected)


def test_the_best_list_is_worth_one_and_a_list_without_hits_nothing() -> None:
    best = by_hand(1, 1, 1, positives=7, k=3)
    assert best == pytest.approx({"recall": 3 / 7, "ndcg": 1, "precision": 1, "hr": 1, "map": 1, "mrr": 1})
    assert set(by_hand(0, 0, 0, positives=7, k=3).values()) == {0}


def test_a_hit_behind_k_does_not_count() -> None:
    found = of_users(torch.tensor([[0, 0, 1]], dtype=torch.bool), torch.tensor([1]), [2, 3])
    assert {name: float(value[0]) for name, value in found.items() if name.endswith("@2")}.keys() == {
        f"{name}@2" for name in PYG
    }
    assert all(float(value[0]) == 0 for name, value in found.items() if name.endswith("@2"))
    assert float(found["mrr@3"][0]) == float(found["map@3"][0]) == pytest.approx(1 / 3)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[object, Embeddings, list[int]]:
    """A catalogue of 2 to 9 items and 1 to 6 users, some without test purchases, with scores that tie."""
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(2, 9))
    part = st.sampled_from(["", "train", "valid", "test"])
    drawn = draw(st.lists(part, min_size=n_users * n_items, max_size=n_users * n_items))
    pairs = [(u, i) for u in range(n_users) for i in range(n_items)]
    kept = [(pair, part) for pair, part in zip(pairs, drawn) if part]
    # a user and an item more, so that no part is empty whatever was drawn
    more = [((n_users, i), part) for i, part in enumerate(("train", "valid", "test"))][: n_items + 1]
    kept += more
    data = make_dataset(np.array([p for p, _ in kept]), [part for _, part in kept], n_users + 1, max(n_items, 3))
    levels = draw(st.integers(1, 3))  # scores from so few levels tie
    numbers = st.integers(0, levels).map(float)
    rows = [draw(st.lists(numbers, min_size=2, max_size=2)) for _ in range(data.n_users + data.n_items)]
    table = torch.tensor(rows)
    return (
        data,
        Embeddings(table[: data.n_users], table[data.n_users :]),
        draw(st.lists(st.integers(1, 12), min_size=1, max_size=2)),
    )


def pyg(metric, lists: torch.Tensor, task: Task) -> float:
    truth = [(row, int(i)) for row, user in enumerate(task.users.tolist()) for i in positives_of(task, user)]
    metric.update(lists, torch.tensor(truth).T)
    return float(metric.compute())


def positives_of(task: Task, user: int) -> list[int]:
    return task.truth.items[task.truth.indptr[user] : task.truth.indptr[user + 1]].tolist()


@settings(max_examples=20, deadline=None)
@given(worlds())
def test_all_metrics_match_pyg_with_ties_short_lists_and_users_without_positives(world) -> None:
    data, vectors, k = world
    scores = evaluate(vectors, data, k=k)
    task = Task.of(data, "test")
    lists, _ = task.lists(vectors, max(k))
    beyond = torch.where(lists < 0, data.n_items, lists)  # PyG takes -1 for another user's item
    popularity = torch.cat([torch.from_numpy(data.purchases()), torch.zeros(1, dtype=torch.int64)])
    for at in k:
        for name, metric in PYG.items():
            assert scores[f"{name}@{at}"] == pytest.approx(pyg(metric(at), beyond, task), abs=1e-6), name
        coverage = pyg(LinkPredCoverage(at, data.n_items + 1), beyond, task)  # one item more: the empty place
        empty = bool((lists[:, :at] < 0).any())
        expected = (coverage * (data.n_items + 1) - empty) / data.n_items
        assert scores[f"coverage@{at}"] == pytest.approx(expected, abs=1e-6)
        if not empty:
            expected = pyg(LinkPredAveragePopularity(at, popularity), beyond, task)
            assert scores[f"popularity@{at}"] == pytest.approx(expected, rel=1e-6)


def test_whole_rankings_match_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((20, 15)) < 0.3
    truth[:, 0] = True
    rating = rng.random((20, 15))
    hits = torch.from_numpy(np.take_along_axis(truth, np.argsort(-rating), 1))
    found = of_users(hits, torch.from_numpy(truth.sum(1)), [4, 15])
    expected = [average_precision_score(*row) for row in zip(truth, rating)]
    np.testing.assert_allclose(found["map@15"], expected)
    assert found["ndcg@15"].mean() == pytest.approx(ndcg_score(truth, rating))


def test_map_over_all_positives_is_ours_times_the_share_that_fits_in_the_list() -> None:
    rng = np.random.default_rng(1)
    hits = rng.random((200, 6)) < 0.4
    positives = hits.sum(1) + rng.integers(1, 9, 200)
    ours = of_users(torch.from_numpy(hits), torch.from_numpy(positives), [5])["map@5"]
    theirs = []
    for row, count in zip(hits[:, :5], positives):
        precisions = [row[: place + 1].mean() for place in range(5) if row[place]]
        theirs.append(sum(precisions) / count)
    assert (positives > 5).sum() > 50  # else both are the same
    np.testing.assert_allclose(ours * np.minimum(positives, 5) / positives, theirs)


def test_lists_by_hand() -> None:
    items = np.array([[0, 1, 2], [0, 1, -1], [0, 3, 2]])
    purchases = np.array([6, 3, 2, 1, 0, 0])
    found = of_lists(items, purchases, [2, 3])
    assert found["coverage@2"] == 3 / 6
    assert found["popularity@2"] == pytest.approx((3 * 6 + 2 * 3 + 1) / 6)
    assert found["coverage@3"] == 4 / 6
    assert found["popularity@3"] == pytest.approx((3 * 6 + 2 * 3 + 2 * 2 + 1) / 8)
    assert found["relative popularity@3"] == pytest.approx(found["popularity@3"] / 2)
    assert found["gini@3"] == pytest.approx(slow_gini([3, 2, 2, 1, 0, 0]))
    assert found["share@3"] == 1


def test_lists_of_some_items_count_their_places_only() -> None:
    items = np.array([[0, 1, 2], [0, 1, -1], [0, 3, 2]])
    rare = np.array([False, False, True, True, True, True])
    found = of_lists(items, np.array([6, 3, 2, 1, 0, 0]), [3], rare)
    assert found["coverage@3"] == 2 / 4
    assert found["popularity@3"] == pytest.approx(5 / 3)
    assert found["share@3"] == 3 / 8
    assert found["gini@3"] == pytest.approx(slow_gini([2, 1, 0, 0]))
    nothing = of_lists(items, np.ones(6, dtype=int), [3], np.arange(6) > 3)
    assert nothing["coverage@3"] == nothing["share@3"] == 0
    assert np.isnan(nothing["popularity@3"])


def slow_gini(times: list[int]) -> float:
    """Half the mean difference between two different items, relative to the mean."""
    m = len(times)
    pairs = sum(abs(a - b) for a in times for b in times)
    return pairs / (m * (m - 1)) / 2 / np.mean(times)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=12).filter(any))
def test_gini_is_half_the_relative_mean_difference(times) -> None:
    assert gini(np.array(times)) == pytest.approx(slow_gini(times))


def test_gini_runs_from_equal_shares_to_one_that_takes_all() -> None:
    assert gini(np.full(7, 3)) == pytest.approx(0)
    assert gini(np.array([0, 0, 9, 0])) == pytest.approx(1)
    assert np.isnan(gini(np.array([5])))
    assert np.isnan(gini(np.zeros(4)))
