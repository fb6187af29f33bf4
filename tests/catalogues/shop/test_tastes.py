"""Purchases follow tastes, popularity and the time for sale, as much as the options say."""

import numpy as np
import pandas as pd
import pytest

from mmlib.catalogues.shop.tastes import WEIGHTS, YEAR, attributes, history_lengths, liking, normal, purchases, tastes


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def bought(taste_noise=0.25, popularity=0.0, new_items=0.0, users=200, items=100, each=10, hidden=0.3, seed=0):
    facts = attributes(stream(seed), items, 6)
    sides = tastes(stream(seed + 1), facts, users, hidden)
    options = {"taste_noise": taste_noise, "popularity": popularity, "new_items": new_items}
    return sides, purchases(stream(seed + 2), sides, np.full(users, each), items=items, **options)


def total(sides, users, items) -> np.ndarray:
    return sum(liking(sides, fact, users, items) for fact in sides)


def test_attributes_cover_every_category():
    facts = attributes(stream(), 50, 12)
    assert facts["category"].value_counts().between(4, 5).all()
    assert tuple(facts.columns) == tuple(WEIGHTS)
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize("hidden", [0.0, 0.3, 1.0])
def test_the_hidden_share_is_a_share_of_variance(hidden):
    facts = attributes(stream(), 600, 12)
    sides = tastes(stream(1), facts, 4000, hidden)
    users, items = np.arange(4000), stream(2).integers(600, size=4000)
    style = liking(sides, "style", users, items).var()
    seen = sum(liking(sides, fact, users, items) for fact in WEIGHTS).var()
    assert style == pytest.approx(hidden, rel=0.15)
    assert seen == pytest.approx(1 - hidden, rel=0.15)


def test_lengths_are_long_tailed_and_add_up():
    n = history_lengths(stream(), 600, 9000, 5, 200)
    assert (n.min() >= 5, n.sum(), n.max() > 3 * np.median(n)) == (True, 9000, True)
    assert history_lengths(stream(), 600, 9000, 5, 20).max() == 20
    assert history_lengths(stream(), 10, 50, 5, 20).tolist() == [5] * 10


def test_nobody_buys_twice_and_everyone_as_often_as_asked():
    _, table = bought()
    assert not table.duplicated(["user", "item"]).any()
    assert (table["user"].value_counts() == 10).all()
    assert table.groupby("user")["time"].is_monotonic_increasing.all()
    assert table["time"].between(YEAR[0], YEAR[0] + YEAR[1] - 1).all()


def test_less_noise_means_purchases_that_are_liked_more():
    means = []
    for taste_noise in (0.1, 0.5, 3.0, 100.0):
        sides, table = bought(taste_noise)
        means.append(total(sides, table["user"].to_numpy(), table["item"].to_numpy()).mean())
    assert means == sorted(means, reverse=True)
    everyone = total(sides, np.repeat(np.arange(200), 100), np.tile(np.arange(100), 200))
    assert means[0] > everyone.mean() + everyone.std()
    assert means[-1] == pytest.approx(everyone.mean(), abs=0.1)


def test_the_first_choice_follows_the_softmax():
    """One user, many draws: the shares of the first choice against the formula of the docstring."""
    facts = attributes(stream(), 8, 2)
    one = tastes(stream(1), facts, 1, 0.3)
    sides = {fact: (np.repeat(users, 20_000, axis=0), items) for fact, (users, items) in one.items()}
    options = {"taste_noise": 0.8, "popularity": 0.0, "new_items": 0.0}
    table = purchases(stream(2), sides, np.ones(20_000, dtype=int), items=8, **options)
    shares = np.bincount(table["item"], minlength=8) / 20_000
    expected = np.exp(total(one, np.zeros(8, dtype=int), np.arange(8)) / 0.8)
    assert np.abs(shares - expected / expected.sum()).max() < 0.015


def test_popularity_and_new_items():
    def counts(**options) -> np.ndarray:
        return np.sort(np.bincount(bought(3.0, users=600, **options)[1]["item"], minlength=100))[::-1]

    assert counts(popularity=1.0)[:10].sum() > 2 * counts()[:10].sum()
    _, table = bought(3.0, new_items=1.0)
    assert table["time"].min() > YEAR[0] + 0.75 * YEAR[1]
    assert table["time"].max() < YEAR[0] + YEAR[1]
    _, table = bought(3.0, new_items=0.3, users=600)
    first = (table.groupby("item")["time"].min() - YEAR[0]) / YEAR[1]
    n = table["item"].value_counts()
    assert n[first[first > 0.75].index].mean() < 0.4 * n[first[first <= 0.75].index].mean()


def test_the_block_size_changes_nothing(monkeypatch):
    _, one = bought()
    monkeypatch.setattr("mmlib.catalogues.shop.tastes.BLOCK", 700)
    pd.testing.assert_frame_equal(bought()[1], one)


def test_normal_is_nearly_normal():
    values = normal(stream(), (200, 500))
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(values) < 1.96).mean() == pytest.approx(0.95, abs=0.005)
