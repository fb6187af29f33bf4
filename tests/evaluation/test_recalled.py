"""Places of targets against a plain loop: ties, items without content, hidden ones, both similarities."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from mmlib.core.errors import InputError
from mmlib.evaluation.item_vectors import ItemVectors
from mmlib.evaluation.recalled import Recalled, places


@pytest.mark.parametrize("similarity", ["cosine", "inner product"])
@pytest.mark.parametrize("block", [1, 7, 100])
def test_places_are_the_naive_ones(similarity: str, block: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 4, generator=generator)
    present = torch.rand(30, generator=generator) > 0.3
    x[5] = x[6]  # a tie
    present[5] = present[6] = True
    x[~present] = 0
    queries, targets = torch.randn(40, 4, generator=generator), torch.arange(40) % 30
    hidden = (torch.rand(40, 30, generator=generator) < 0.2).numpy()
    found = places(
        queries, targets, ItemVectors(x, present), hidden=csr_matrix(hidden), similarity=similarity, block=block
    )
    score = (queries @ x.T).numpy()
    if similarity == "cosine":
        score = score / np.linalg.norm(queries, axis=1)[:, None] / np.maximum(np.linalg.norm(x, axis=1), 1e-9)
    for n, target in enumerate(targets.tolist()):
        asked = [j for j in range(30) if present[j] and not hidden[n, j] and j != target]
        ahead = sum(score[n, j] >= score[n, target] - 1e-6 for j in asked)
        assert found[n] == (1 + ahead if present[target] else 30)
    assert (score[np.arange(40), targets] < 0).any()  # a zero vector in the place of missing content would be ahead


def test_recall_its_interval_and_chance() -> None:
    one = Recalled(torch.tensor([1, 3, 8, 21] * 20), torch.arange(80), "users", 40.0, 3)
    found = one.recall(3)
    assert found.value == 0.5
    assert 0.38 < found.low < 0.5 < found.high < 0.62
    assert one.chance(3) == 3 / 40
    assert one.summary(8)["recall@8"] == 0.75
    assert one.summary(8)["left out"] == 3
    draws = Recalled(torch.tensor([[1, 3, 8, 21] * 20, [1, 1, 1, 1] * 20]), torch.arange(80), "users", 40.0)
    assert draws.recall(3).value == 0.75
    assert draws.recall(3).seeds == 2


def test_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(InputError, match="similarity"):
        places(torch.ones(1, 2), torch.tensor([0]), ItemVectors(torch.ones(3, 2), torch.ones(3) > 0), similarity="dot")
