"""The noise ceiling and its parts against slow twins."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from mmlib.audit import noise_ceiling


def random_sides(seed: int):
    rng = np.random.Generator(np.random.PCG64(seed))
    y, told = rng.normal(size=(9, 3)), rng.normal(size=(40, 3))
    return y, told, rng.integers(0, 9, 40), rng.integers(0, noise_ceiling.STRATA, 9)


@pytest.mark.parametrize("seed", range(5))
def test_both_sides_are_the_sums_of_the_docstring(seed):
    y, told, bought, stratum = random_sides(seed)
    left = right = 0.0
    for one in range(noise_ceiling.STRATA):
        items = [h for h in range(9) if stratum[h] == one and (bought == h).sum() >= 2]
        for k in range(3):
            relation = sum(y[h, k] * told[bought == h, k].mean() for h in items)
            norm = sum(y[h, k] ** 2 for h in items)
            left += max(relation, 0) ** 2 / norm if norm else 0
            for h in items:
                own = told[bought == h, k]
                products = [a * b for i, a in enumerate(own) for j, b in enumerate(own) if i != j]
                right += float(np.mean(products))
    found = noise_ceiling._both_sides(y, told, bought, stratum)
    assert found[0] == pytest.approx(left)
    assert found[1] == pytest.approx(right)


def test_honest_vectors_stay_below_the_ceiling_and_followers_of_noise_pass_it():
    rng = np.random.Generator(np.random.PCG64(0))
    mean = rng.normal(size=(200, 8))  # what buyers of an item expect
    bought = np.repeat(np.arange(200), 4)
    told = mean[bought] + 3 * rng.normal(size=(800, 8))
    stratum = np.arange(200) % noise_ceiling.STRATA
    truth, ceiling = noise_ceiling._both_sides(mean, told, bought, stratum)
    followed = np.stack([told[bought == h].mean(0) for h in range(200)])
    assert truth == pytest.approx(ceiling, rel=0.1)  # the very truth reaches the ceiling and does not pass it
    assert noise_ceiling._both_sides(followed, told, bought, stratum)[0] > 2 * ceiling


def test_whitened_profiles_have_length_one_and_hardly_a_favourite_direction():
    rng = np.random.Generator(np.random.PCG64(1))
    sums = rng.normal(size=(2000, 4)) * [1, 2, 3, 4]
    profiles = noise_ceiling._whitener(sums)(sums)
    assert np.allclose(np.linalg.norm(profiles, axis=1), 1)
    assert np.allclose(np.cov(profiles.T), np.eye(4) / 4, atol=0.08)  # of 1 : 16 before


def test_preference_is_students_t_over_users():
    rng = np.random.Generator(np.random.PCG64(2))
    y, users = rng.normal(size=(30, 5)), rng.normal(size=(80, 5))
    matched = noise_ceiling.Matched(y, users, np.ones(80, bool), np.ones(30, bool))
    pairs = {name: rng.random((80, 30)) < 0.1 for name in ("test", "valid")}
    t, n = noise_ceiling.preference(matched, *(csr_matrix(pairs[name].astype(float)) for name in ("test", "valid")))
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    values = []
    for user in range(80):
        test, valid = (np.flatnonzero(pairs[name][user]) for name in ("test", "valid"))
        if len(test) and len(valid):
            values.append((unit[test] @ users[user]).mean() - (unit[valid] @ users[user]).mean())
    expected = np.mean(values) / (np.std(values, ddof=1) / np.sqrt(len(values)))
    assert (t, n) == (pytest.approx(expected), len(values))
