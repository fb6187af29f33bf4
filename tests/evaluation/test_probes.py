"""How far neighbours by content are neighbours by purchases, against plain loops and in worlds with a known answer."""

import numpy as np
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.item_cf import by_purchases
from mmlib.evaluation.knock_out import knock_out
from mmlib.evaluation.probes import neighbour_overlap

from .test_alignrec_probes import content, cosine, world


def test_it_is_the_naive_share() -> None:
    data, features = world(users=20), content(1.0)
    features.present["text"][[4, 9]] = False
    found = neighbour_overlap(data, features, "text", k=3)
    bought, x = by_purchases(data.matrix("train"), 3).toarray(), features.item["text"].numpy()
    there, shares = [i for i in range(60) if i not in (4, 9)], []
    for i in there:
        if (bought[i] > 0).sum() < 3:
            continue
        near = sorted((j for j in there if j != i), key=lambda j: -cosine(x[i], x[j]))[:3]
        shares.append(sum(bought[i, j] > 0 for j in near) / 3)
    assert 0 < np.mean(shares) < 1
    assert found["items"] == len(shares)
    assert found["share"].value == pytest.approx(np.mean(shares))
    assert found["chance"] == pytest.approx(3 / 57)
    assert found["left out"] == 60 - len(shares)


def test_content_of_the_taste_shares_its_neighbours_and_that_of_others_does_not() -> None:
    data, clear = world(users=300), content(0.1)
    own = neighbour_overlap(data, clear, k=9)
    foreign = [neighbour_overlap(data, knock_out(clear, "permute", seed=seed), k=9)["share"] for seed in range(12)]
    assert own["share"].value == 1
    assert own["share"].low > 0.9
    assert np.mean([one.value for one in foreign]) == pytest.approx(own["chance"], abs=0.03)


def test_few_items_say_nothing_and_wrong_names_are_refused(blocks, features) -> None:
    alone = neighbour_overlap(blocks, features, k=19)
    assert alone["items"] == 0
    assert np.isnan(alone["share"].value)
    with pytest.raises(InputError, match="k = 0"):
        neighbour_overlap(blocks, features, k=0)
    with pytest.raises(InputError, match="modality"):
        neighbour_overlap(blocks, features, "txt")


def test_a_graph_of_random_vectors_is_at_chance() -> None:
    data, noise = world(users=300), content(0.1)
    noise.item["text"] = torch.randn(60, 8, generator=torch.Generator().manual_seed(2))
    found = neighbour_overlap(data, noise, "text", k=9)
    assert found["share"].low < found["chance"] < found["share"].high
