"""Popularity, item-kNN and EASE against plain loops, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmlib.core import item_cf as module
from mmlib.core.errors import InputError
from mmlib.evaluation import evaluate
from mmlib.recommenders import EASE, ItemKNN, Popularity
from mmlib.training import fit

from ..conftest import make_dataset


@pytest.fixture
def shop():
    """8 users x 7 items; item 6 was never bought in training."""
    rng = np.random.default_rng(4)
    pairs = np.argwhere(rng.random((8, 6)) < 0.45)
    parts = ["train"] * len(pairs) + ["valid", "test"]
    return make_dataset(np.concatenate([pairs, [(0, 6), (1, 6)]]), parts, 8, 7)


def everyone(model) -> np.ndarray:
    return model.scores(torch.arange(model.data.n_users)).numpy()


@pytest.mark.parametrize("shrink", [0.0, 3.0])
@pytest.mark.parametrize("block", [2, 1024])
def test_item_knn_follows_its_equation(shop, monkeypatch, shrink: float, block: int) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    bought = shop.matrix("train").toarray()
    s = np.zeros((7, 7))
    for j in range(7):
        for i in range(7):
            shared = (bought[:, i] * bought[:, j]).sum()
            if i != j and shared:
                s[j, i] = shared / (np.sqrt(bought[:, i].sum() * bought[:, j].sum()) + shrink)
    for k in (2, 100):
        found = ItemKNN(shop, neighbours=k, shrink=shrink).similar.toarray()
        for j in range(7):
            best = np.sort(s[j])[::-1][:k]
            np.testing.assert_allclose(np.sort(found[j])[::-1][: len(best)], best, rtol=1e-6)
            assert (found[j] > 0).sum() <= k
    np.testing.assert_allclose(everyone(ItemKNN(shop, shrink=shrink)), bought @ s, rtol=1e-5)


def test_item_knn_on_content(blocks, features) -> None:
    model = ItemKNN(blocks, features, on="content", neighbours=5)
    text, image = (features.filled(name).numpy() for name in ("text", "image"))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (text, image)]
    there = [features.present[name].numpy() for name in ("text", "image")]
    assert not all(has.all() for has in there)
    cosine = np.zeros((20, 20))
    for i in range(20):
        for j in range(20):
            shared = [x[i] @ x[j] for x, has in zip(unit, there) if has[i] and has[j]]
            cosine[i, j] = np.mean(shared) if shared else 0
    np.fill_diagonal(cosine, -1)
    found = model.similar.toarray()
    for item in range(20):
        near = np.argsort(-cosine[item])[:5]
        np.testing.assert_allclose(found[item, near], np.maximum(cosine[item, near], 0), rtol=1e-4, atol=1e-6)
    assert evaluate(model, k=[3])["recall@3"] > 0.9
    with pytest.raises(InputError, match="reads image and text"):
        ItemKNN(blocks, on="content")


def test_items_without_content_are_not_alike(blocks, features) -> None:
    gone = {name: has.clone() for name, has in features.present.items()}
    for has in gone.values():
        has[:3] = False
    similar = ItemKNN(blocks, replace(features, present=gone), on="content", neighbours=19).similar
    assert similar[:3].nnz == similar[:, :3].nnz == 0
    assert similar.nnz > 0


def test_ease_solves_its_problem(shop) -> None:
    """B is the minimiser of |X - XB|^2 + ridge |B|^2 with a zero diagonal: its gradient is zero elsewhere (eq. 4)."""
    model, x = EASE(shop, ridge=2.0), shop.matrix("train").toarray()
    b = model.weights.astype(float)
    assert np.diag(b) == pytest.approx(np.zeros(7))
    gradient = x.T @ (x @ b - x) + 2.0 * b
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-5
    assert np.abs(b).max() > 0.05
    np.testing.assert_allclose(everyone(model), x @ b, atol=1e-6)


def test_ease_says_its_size_and_refuses(shop, capsys) -> None:
    EASE(shop)
    assert "7 x 7 matrix" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"7 x 7 items, 0\.0 GB.*most_items = 6"):
        EASE(shop, most_items=6)
    with pytest.raises(InputError, match="ridge = 0 must be a finite number above 0"):
        EASE(shop, ridge=0)


def test_popularity_counts_training_purchases(blocks) -> None:
    vectors = Popularity(blocks).embed()
    assert (vectors.users @ vectors.items.T)[5].tolist() == blocks.purchases().tolist()


@pytest.mark.parametrize("make", [Popularity, ItemKNN, EASE], ids=lambda make: make.__name__)
def test_what_is_not_trained_is_evaluated_as_it_is(blocks, make) -> None:
    model = make(blocks)
    done = fit(model, epochs=50, metric="recall@3", device="cpu")
    assert len(done.history) == 1
    assert done.history["valid/recall@3"].iloc[0] == pytest.approx(evaluate(model, part="valid", k=[3])["recall@3"])
    assert evaluate(done, k=[3])["recall@3"] == evaluate(model, k=[3])["recall@3"]
    with pytest.raises(InputError, match="is not trained"):
        model.loss(next(model.batches(8, torch.Generator())))
    if make is not Popularity:
        assert evaluate(model, k=[3])["recall@3"] == 1
        with pytest.raises(InputError, match="has no vectors"):
            model.embed()


def test_neighbours_of_any_number(shop) -> None:
    with pytest.raises(InputError, match="neighbours = 0"):
        ItemKNN(shop, neighbours=0)
