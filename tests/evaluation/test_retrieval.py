"""Retrieval against a naive loop, and what it says of easy cases."""

import math

import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.evaluation.retrieval import BINS, own_ranks, retrieval, text_to_image


def naive(queries: list[list[float]], targets: list[list[float]]):
    """Own cosines, other cosines and ranks, one pair at a time."""

    def cosine(a: list[float], b: list[float]) -> float:
        lengths = math.hypot(*a) * math.hypot(*b)
        return sum(x * y for x, y in zip(a, b)) / lengths if lengths else 0.0

    own, others, ranks = [], [], []
    for i, query in enumerate(queries):
        found = [cosine(query, target) for target in targets]
        own.append(found[i])
        others += found[:i] + found[i + 1 :]
        ranks.append(1 + sum(value >= found[i] - 1e-6 for j, value in enumerate(found) if j != i))
    return own, others, ranks


@pytest.mark.parametrize("block", [1, 7, 64])
def test_it_is_the_naive_count(block: int) -> None:
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(30, 4, generator=generator)
    image = text + torch.randn(30, 4, generator=generator)
    image[3] = image[8]  # a tie
    image[5] = 0  # no direction
    found = retrieval(text, image, block=block)
    own, others, ranks = naive(text.tolist(), image.tolist())
    assert found.own.tolist() == pytest.approx(own, abs=1e-5)
    assert found.rank.tolist() == ranks
    assert found.other == pytest.approx(sum(others) / len(others), abs=1e-6)
    bins = [min(BINS - 1, int((value + 1) / 2 * BINS)) for value in others]
    assert found.others.tolist() == [bins.count(k) for k in range(BINS)]
    assert found.recall(10) == sum(rank <= 10 for rank in ranks) / 30
    assert found.chance(10) == pytest.approx(1 / 3)
    assert found.summary()["R@1"] == found.recall(1)


def test_easy_cases() -> None:
    eye = torch.eye(20)
    assert retrieval(eye, 3 * eye).recall(1) == 1
    assert retrieval(eye, eye).other == 0
    assert retrieval(eye, eye.roll(1, 0)).recall(1) == 0
    assert retrieval(eye, torch.ones(20, 20)).recall(19) == 0  # all alike: found last
    assert retrieval(eye, torch.zeros(20, 20)).rank.tolist() == [20] * 20
    one = retrieval(eye[:1], eye[:1])
    assert math.isnan(one.other)
    assert one.chance(10) == 1
    torch.manual_seed(0)
    random = retrieval(torch.randn(2000, 8), torch.randn(2000, 8))
    assert random.recall(100) == pytest.approx(random.chance(100), abs=0.02)
    assert random.interval(100).value == random.recall(100)
    assert random.interval(100).low < random.chance(100) < random.interval(100).high


@pytest.mark.parametrize("shapes", [((3, 4), (3, 5)), ((3, 4), (4, 4)), ((0, 4), (0, 4))])
def test_shapes_are_checked(shapes) -> None:
    with pytest.raises(InputError, match="cosines need"):
        retrieval(*map(torch.zeros, shapes))


def test_nothing_of_size_n_by_n_is_held(monkeypatch) -> None:
    largest = []
    histc = torch.histc
    monkeypatch.setattr(torch, "histc", lambda x, *rest: largest.append(x.numel()) or histc(x, *rest))
    vectors = torch.randn(3000, 4)
    retrieval(vectors, vectors, block=100)
    assert max(largest) <= 100 * 3000


class Swapping:
    """A model whose text vectors are the raw image vectors, and the other way round."""

    def __init__(self, features: Features) -> None:
        self.features = features

    def text_and_image(self, rows):
        return self.features.item["image"][rows], self.features.item["text"][rows]


def test_text_to_image_compares_items_that_have_both(features) -> None:
    found = text_to_image(features, {"after training": Swapping(features)})
    rows = [row for row in range(20) if row not in (3, 15)]
    expected = retrieval(features.item["text"][rows], features.item["image"][rows])
    assert list(found) == ["raw encoder", "after training"]
    assert torch.equal(found["raw encoder"].rank, expected.rank)
    torch.testing.assert_close(found["after training"].own, expected.own)
    assert len(text_to_image(features, most=7)["raw encoder"].rank) == 7


def test_text_to_image_leaves_out_what_cannot_be_compared(features) -> None:
    text = {"text": features.item["text"]}
    assert text_to_image(Features(text, {"text": features.present["text"]}), {"model": Swapping(features)}) == {}
    wide = Features(features.item | {"image": torch.randn(20, 9)}, features.present)

    class Blind:
        def text_and_image(self, rows):
            raise InputError("no image")

    assert list(text_to_image(wide, {"seeing": Swapping(features), "blind": Blind()})) == ["seeing"]
    lonely = {name: torch.arange(20) == 4 for name in features.present}
    assert text_to_image(Features(features.item, lonely), {"seeing": Swapping(features)}) == {}


def test_ranks_of_unit_vectors_without_their_histograms() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(50, 6), dim=1)
    assert torch.equal(own_ranks(vectors, vectors.flip(1), block=9), retrieval(vectors, vectors.flip(1)).rank)
