"""FREEDOM against a loop over its equations on ten nodes, and its pruning against what it should draw."""

import math
from dataclasses import replace

import pytest
import torch

from mmlib.core.graph import nearest_neighbours
from mmlib.recommenders import FREEDOM
from mmlib.recommenders.item_graphs import by_row_sums, similar_items
from mmlib.recommenders.modalities import contents, nearest_items

from .naive import (
    BATCH,
    ITEMS,
    PAIRS,
    USERS,
    batch_of_ten,
    content_of_ten,
    item_matrix,
    mean_of_layers,
    minus_log_sigmoid,
    purchase_matrix,
    redrawn,
    ten_nodes,
)


def build(**options) -> FREEDOM:
    model = FREEDOM(ten_nodes(), content_of_ten(), **({"dim": 3, "neighbours": 3, "content_weight": 0.2} | options))
    redrawn(model)
    return model


def naive_vectors(model: FREEDOM, share: dict[str, float], pairs: list[tuple[int, int]]) -> torch.Tensor:
    """h of all ten nodes."""
    table = model.table.detach()
    similar = sum(share[name] * item_matrix(name, model.neighbours, model.describe()["edge_weight"]) for name in share)
    items = table[USERS:]
    for _ in range(model.item_layers):
        items = similar @ items
    return mean_of_layers(purchase_matrix(pairs), table, model.layers) + torch.cat([torch.zeros(USERS, 3), items])


OPTIONS = [
    ({}, {"image": 0.1, "text": 0.9}),
    ({"modalities": "text+image", "weights": "0.3+0.7"}, {"text": 0.3, "image": 0.7}),
    ({"modalities": "image"}, {"image": 1.0}),
    ({"edge_weight": "cosine", "item_layers": 2}, {"image": 0.1, "text": 0.9}),
    ({"layers": 1, "content_weight": 0.0}, {"image": 0.1, "text": 0.9}),
]


@pytest.mark.parametrize(("options", "share"), OPTIONS)
def test_vectors_and_terms_follow_the_equations(options: dict, share: dict[str, float]) -> None:
    model = build(**options)
    h = naive_vectors(model, share, PAIRS)
    vectors = model.embed()
    torch.testing.assert_close(torch.cat([vectors.users, vectors.items]), h)
    expected = {"bpr": 0.0} | ({"content": 0.0} if model.content_weight else {})
    for u, i, j in BATCH:
        expected["bpr"] += minus_log_sigmoid(h[u] @ (h[USERS + i] - h[USERS + j])) / len(BATCH)
        for name, layer in model.project.items():
            x = content_of_ten().filled(name) @ layer.weight.detach().T + layer.bias.detach()
            expected["content"] += model.content_weight * minus_log_sigmoid(h[u] @ (x[i] - x[j])) / len(BATCH)
    terms = {name: float(term.detach()) for name, term in model.loss(batch_of_ten()).items()}
    assert terms == pytest.approx(expected, rel=1e-4)
    assert len(model.project) == (len(share) if model.content_weight else 0)


def test_training_reads_the_pruned_graph_and_inference_the_whole() -> None:
    model, share = build(pruning=0.5), {"image": 0.1, "text": 0.9}
    whole = model.embed().users.detach()
    model.start_epoch(1)
    drawn = [(int(u), int(i) - USERS) for u, i in zip(model.pruned.row, model.pruned.col) if u < USERS]
    assert len(drawn) == 4  # half of 9 interactions, rounded down as in the official code
    assert set(drawn) <= set(PAIRS)
    torch.testing.assert_close(model.pruned.csr.to_dense(), purchase_matrix(drawn))
    h = naive_vectors(model, share, drawn)
    expected = sum(minus_log_sigmoid(h[u] @ (h[USERS + i] - h[USERS + j])) for u, i, j in BATCH) / len(BATCH)
    assert float(model.loss(batch_of_ten())["bpr"].detach()) == pytest.approx(expected, rel=1e-4)
    assert torch.equal(model.embed().users, whole)
    full = float(build(pruning=0.0).loss(batch_of_ten())["bpr"].detach())
    assert float(model.eval().loss(batch_of_ten())["bpr"].detach()) == pytest.approx(full)


def test_popular_edges_are_pruned_more_often() -> None:
    """With one edge kept, each purchase is kept with its probability p."""
    model, rounds = build(pruning=0.9), 4000
    kept = dict.fromkeys(PAIRS, 0)
    for epoch in range(rounds):
        model.start_epoch(epoch)
        assert len(model.pruned.weight) == 2  # one interaction, both ways
        kept[int(model.pruned.row[0]), int(model.pruned.col[0]) - USERS] += 1
    weight = {(u, i): 1 / math.sqrt(sum(v == u for v, _ in PAIRS) * sum(j == i for _, j in PAIRS)) for u, i in PAIRS}
    for pair in PAIRS:
        p = weight[pair] / sum(weight.values())
        assert kept[pair] / rounds == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / rounds))


def test_each_epoch_draws_anew_and_without_pruning_none() -> None:
    model = build(pruning=0.5)
    torch.manual_seed(0)
    first = [model.start_epoch(1), model.pruned.edges.as_tensor().clone()][1]
    model.start_epoch(2)
    assert not torch.equal(first, model.pruned.edges.as_tensor())
    torch.manual_seed(0)
    model.start_epoch(1)
    assert torch.equal(first, model.pruned.edges.as_tensor())
    whole = build(pruning=0.0)
    whole.start_epoch(1)
    assert whole.pruned is whole.graph


def test_a_directed_graph_is_normalised_by_its_row_sums() -> None:
    graph = nearest_neighbours(contents("X", content_of_ten())["text"](), 2, normalisation="none")
    dense = graph.csr.to_dense()
    degree = dense.sum(1)
    scale = torch.where(degree > 0, degree.clamp(min=1e-12).rsqrt(), 0)
    torch.testing.assert_close(by_row_sums(graph).csr.to_dense(), scale.unsqueeze(1) * dense * scale)


def graphs_of(features, weight: str):
    searches = nearest_items(contents("X", features, "image"), 2)
    return similar_items({name: one.run() for name, one in searches.items()}, weight)


def test_items_without_content_are_nobodys_neighbours() -> None:
    """Filled vectors are all alike: among them the nearest would be told by their ids."""
    features = content_of_ten()
    bare = replace(features, present=features.present | {"image": torch.tensor([True, True, False, False, True, True])})
    for weight in ("binary", "cosine"):
        graph = graphs_of(bare, weight)["image"].csr.to_dense()
        assert graph[2].tolist() == graph[:, 2].tolist() == [0, 0, 1, 0, 0, 0]
        assert graph[3].tolist() == graph[:, 3].tolist() == [0, 0, 0, 1, 0, 0]
        assert ((graph[[0, 1, 4, 5]] > 0).sum(1) <= 2).all()
    empty = replace(features, present=features.present | {"image": torch.zeros(ITEMS, dtype=torch.bool)})
    assert torch.equal(graphs_of(empty, "cosine")["image"].csr.to_dense(), torch.eye(ITEMS))


def test_half_precision_is_near_and_learnt_features_learn() -> None:
    batch = batch_of_ten()
    near = float(build(precision="bfloat16").loss(batch)["content"].detach())
    assert near == pytest.approx(float(build().loss(batch)["content"].detach()), rel=0.05)
    learnt = build(learn_features=True)
    learnt.loss(batch)["content"].backward()
    assert learnt.content["text"].vectors.grad.abs().sum() > 0
    assert not any("vectors" in name for name, _ in build().named_parameters())


def test_only_the_items_of_the_batch_are_projected(monkeypatch) -> None:
    model, asked = build(), []
    forward = model.project["image"].forward
    monkeypatch.setattr(model.project["image"], "forward", lambda x: asked.append(len(x)) or forward(x))
    model.loss(batch_of_ten())
    assert asked == [len({item for _, i, j in BATCH for item in (i, j)})]
