"""Gap, alignment, uniformity and CKA against plain loops, on known clouds, and how often their intervals hold."""

import math

import numpy as np
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.evaluation.geometry import alignment, both, linear_cka, modality_gap, uniformity


def cloud(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def rows(x: torch.Tensor) -> list[np.ndarray]:
    return [row / np.linalg.norm(row) for row in x.double().numpy()]


def gram_cka(x: torch.Tensor, y: torch.Tensor, debiased: bool) -> float:
    """Kornblith et al., eq. 4 with n x n matrices; Song et al., eq. 5."""
    n = len(x)
    k, other = ((z - z.mean(0)) @ (z - z.mean(0)).T for z in (x.double(), y.double()))

    def hsic(a, b):
        if not debiased:
            return float((a * b).sum())
        a, b = a - torch.diag(a.diag()), b - torch.diag(b.diag())
        one = torch.ones(n, dtype=a.dtype)
        return float(
            (a @ b).trace() + (one @ a @ one) * (one @ b @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * one @ a @ b @ one
        )

    return hsic(k, other) / math.sqrt(hsic(k, k) * hsic(other, other))


def test_they_are_the_naive_values() -> None:
    x, y = cloud(37, 5), cloud(37, 5, 1) + 0.5
    a, b = rows(x), rows(y)
    assert modality_gap(x, y).value == pytest.approx(np.linalg.norm(np.mean(a, 0) - np.mean(b, 0)), rel=1e-5)
    for power in (1.0, 2.0):
        expected = np.mean([np.linalg.norm(p - q) ** power for p, q in zip(a, b)])
        assert alignment(x, y, power=power).value == pytest.approx(expected, rel=1e-5)
    pairs = [math.exp(-2 * np.linalg.norm(p - q) ** 2) for i, p in enumerate(a) for j, q in enumerate(a) if i != j]
    for block in (1, 10, 64):
        assert uniformity(x, block=block).value == pytest.approx(math.log(np.mean(pairs)), rel=1e-4)


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_in_its_features_form_is_that_of_the_gram_matrices(debiased: bool) -> None:
    x, y = cloud(30, 4), torch.cat([cloud(30, 4) @ cloud(4, 6, 2), cloud(30, 3, 3)], 1)
    assert linear_cka(x, y, debiased=debiased).value == pytest.approx(gram_cka(x, y, debiased), rel=1e-9)


def test_leaving_out_a_group_is_that_group_left_out(monkeypatch) -> None:
    """The sums by group give what the statistic of the other rows would."""
    from mmlib.evaluation import geometry

    x, y, seen = cloud(43, 4), cloud(43, 4, 1), []
    monkeypatch.setattr(geometry, "_jackknife", lambda statistic, n, level: seen.append(statistic) or None)
    modality_gap(x, y), uniformity(x), linear_cka(x, y)
    kept = torch.arange(43) % 40 != 2  # two of 43 items are in the group 2
    assert int((~kept).sum()) == 2
    gap, even, cka = (one(2) for one in seen)
    monkeypatch.undo()
    assert gap == pytest.approx(modality_gap(x[kept], y[kept]).value, rel=1e-5)
    assert even == pytest.approx(uniformity(x[kept]).value, rel=1e-5)
    assert cka == pytest.approx(linear_cka(x[kept], y[kept]).value, rel=1e-9)


def test_what_they_are_for() -> None:
    x = cloud(500, 16)
    assert modality_gap(x, x).value == 0
    assert modality_gap(x + 100, x - 100).value == pytest.approx(2, abs=0.05)  # two caps at opposite ends
    assert modality_gap(x + 1, x[torch.randperm(500)] + 1).value < 0.05  # one place, although no pair matches
    assert alignment(x, 3 * x).value == pytest.approx(0, abs=1e-6)
    assert alignment(x, -x).value == pytest.approx(4)
    assert alignment(x, x + 0.3 * cloud(500, 16, 1)).high < alignment(x, cloud(500, 16, 1)).low
    assert uniformity(torch.ones(50, 4)).value == pytest.approx(0, abs=1e-6)
    even, capped = uniformity(x), uniformity(x + 2)
    assert even.high < capped.low
    turned = torch.linalg.qr(cloud(16, 16, 2))[0]
    assert linear_cka(x, 5 * x @ turned + 7).value == pytest.approx(1)
    assert linear_cka(x, x[:, :8]).value > 0.5


def test_debiased_cka_of_unrelated_vectors_is_zero_and_the_printed_one_is_not() -> None:
    plain = [linear_cka(cloud(120, 60, s), cloud(120, 60, s + 99)).value for s in range(20)]
    fair = [linear_cka(cloud(120, 60, s), cloud(120, 60, s + 99), debiased=True).value for s in range(20)]
    assert np.mean(plain) == pytest.approx(60 / 180, abs=0.03)
    assert abs(np.mean(fair)) < 0.01


@pytest.mark.parametrize(
    "statistic",
    [
        lambda x: modality_gap(x[:, :4], x[:, 4:] + 1),
        lambda x: uniformity(x[:, :4] + 0.5),
        lambda x: linear_cka(x[:, :4], x[:, 2:], debiased=True),
        lambda x: alignment(x[:, :4], x[:, 2:6]),
    ],
    ids=["gap", "uniformity", "cka", "alignment"],
)
def test_intervals_hold_the_true_value_as_often_as_they_promise(statistic) -> None:
    true = statistic(cloud(6000, 8, 10_000)).value
    held = [(found := statistic(cloud(150, 8, seed))).low <= true <= found.high for seed in range(200)]
    assert 0.90 <= np.mean(held) <= 0.99


def test_few_items_have_no_interval_and_large_catalogues_are_thinned() -> None:
    assert math.isnan(modality_gap(cloud(9, 3), cloud(9, 3, 1)).low)
    assert not math.isnan(modality_gap(cloud(10, 3), cloud(10, 3, 1)).low)
    assert uniformity(cloud(3000, 6), most=500).users == 500
    assert uniformity(cloud(3000, 6), most=500).value == pytest.approx(uniformity(cloud(3000, 6)).value, abs=0.1)


def test_nothing_of_size_n_by_n_is_held(monkeypatch) -> None:
    largest, exp = [], torch.exp
    monkeypatch.setattr(torch, "exp", lambda x: largest.append(x.numel()) or exp(x))
    uniformity(cloud(2000, 4), block=50)
    assert max(largest) <= 50 * 2000


def test_what_needs_a_shared_space_says_so(features) -> None:
    wide = cloud(20, 9)
    for probe in (modality_gap, alignment):
        with pytest.raises(InputError, match="do not share a space"):
            probe(cloud(20, 6), wide)
    assert 0 <= linear_cka(cloud(20, 6), wide).value <= 1
    with pytest.raises(InputError, match="same items"):
        linear_cka(cloud(20, 6), cloud(19, 6))
    text, image = both(features)
    assert len(text) == len(image) == 18  # one of each is missing
    with pytest.raises(InputError, match="no modality 'fused'"):
        both(features, "fused")
