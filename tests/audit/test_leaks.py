"""Each leak is planted once and found; its clean twin stays clean."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmlib.audit import leaks
from mmlib.audit.report import NotMade
from mmlib.audit.subject import Subject
from mmlib.core import graph as made
from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError

from .audited import ROWS, found, graph, ids, shop, tastes


def all_in_train(data: Dataset) -> Dataset:
    """What someone trains on who forgets the split."""
    return replace(data, interactions=data.interactions.assign(part="train"))


def reviewed(data: Dataset) -> Dataset:
    return replace(
        data,
        interactions=data.interactions.assign(
            review=[f"words of row {row} on item {item}" for row, item in enumerate(data.interactions["item"])]
        ),
    )


@pytest.fixture(scope="module")
def world() -> tuple[Dataset, np.ndarray]:
    return tastes()


def test_a_graph_of_users_and_items_with_held_out_pairs_is_a_leak(world):
    data = world[0]
    assert found(leaks.graphs, data, graphs={"bought": made.bipartite(data)}) == {}
    leak = found(leaks.graphs, data, graphs={"bought": made.bipartite(all_in_train(data))})["held-out pairs in bought"]
    assert (leak.severity, leak.count) == ("leak", len(data.valid) + len(data.test))
    held = {(f"u{u}", f"i{i}") for u, i in np.concatenate([data.valid, data.test])}
    assert {(example.users[0], example.items[0]) for example in leak.examples} <= held


def test_one_held_out_edge_is_found_in_either_direction_and_shape():
    data = shop(ROWS)  # users 0 1 2, items 0 .. 7; u0 has i3 in test
    for planted in (graph([0, 3], [3, 6], 11, 11), graph([0], [3], 3, 8), graph([3], [0], 8, 3)):
        some = found(leaks.graphs, data, graphs={"g": planted})
        if planted.n_rows == 11:  # 0 - 3 is u0 - i0, a training pair; 3 - 6 joins two items
            assert some == {}
        else:
            assert some["held-out pairs in g"].examples[0].items == ("i3",)
    both = graph([6, 0], [0, 6], 11, 11)
    assert found(leaks.graphs, data, graphs={"g": both})["held-out pairs in g"].count == 1


def test_a_graph_with_many_other_edges_is_only_suspected():
    data = shop(ROWS)
    some = found(leaks.graphs, data, graphs={"g": graph([0, 0, 0, 1, 1], [3, 5, 6, 6, 7], 3, 8)})
    assert some["held-out pairs in g"].severity == "warning"


@pytest.mark.parametrize("side", ["users", "items"])
@pytest.mark.parametrize("neighbours", [None, 5])
def test_edges_that_only_held_out_purchases_explain_are_leaks(world, side, neighbours):
    data = world[0]
    clean = made.co_interaction(data, side, neighbours=neighbours)
    leaky = made.co_interaction(all_in_train(data), side, neighbours=neighbours)
    assert found(leaks.graphs, data, graphs={"co": clean}) == {}
    leak = found(leaks.graphs, data, graphs={"co": leaky}).get("held-out edges in co")
    train = data.matrix("train").toarray()
    shared = train @ train.T if side == "users" else train.T @ train
    row, col = leaky.row.numpy(), leaky.col.numpy()
    expected = int(((shared[row, col] == 0) & (row < col)).sum())  # the slow twin
    assert (leak.count if leak else 0) == expected
    if neighbours is None:
        assert leak is not None
        assert leak.severity == "leak"


def test_counts_over_all_parts_are_leaks_although_the_edges_are_not():
    data = shop(ROWS)  # i1 and i2: together with u1 in train, and with u0 once valid counts
    pair = ([1, 2], [2, 1], 8, 8)
    assert found(leaks.graphs, data, graphs={"g": graph(*pair, [1, 1], "items by shared purchases")}) == {}
    leak = found(leaks.graphs, data, graphs={"g": graph(*pair, [2, 2], "items by shared purchases")})
    assert leak["held-out counts in g"].count == 1
    assert ids(leak["held-out counts in g"]) == [("i1", "i2")]


def test_a_graph_of_neighbours_by_content_is_left_alone(world):
    data, vectors = world
    near = made.nearest_neighbours(torch.tensor(vectors).float(), 10)
    assert found(leaks.graphs, data, graphs={"near": near}) == {}


def test_a_graph_of_another_dataset_is_refused():
    with pytest.raises(InputError, match="fits neither the 3 users nor the 8 items"):
        found(leaks.graphs, shop(ROWS), graphs={"g": graph([0], [1], 5, 5)})


def features(data: Dataset, vectors: np.ndarray | None = None, **more):
    item = {} if vectors is None else {"image": np.asarray(vectors)}
    present = {name: np.ones(len(values), dtype=bool) for name, values in item.items()}
    return SimpleNamespace(item=item, present=present, about={"dataset": data.key}, **{"reviews_by_user": None} | more)


def test_review_vectors_of_held_out_reviews_are_a_leak():
    data = reviewed(shop(ROWS))
    clean = features(data, reviews_by_user=torch.tensor([2, 2, 2]))
    leaky = features(data, reviews_by_user=torch.tensor([2, 4, 2]))
    assert found(leaks.provenance, data, features=clean) == {}
    leak = found(leaks.provenance, data, features=leaky)["held-out reviews in features"]
    assert (leak.severity, leak.count, leak.examples[0].users) == ("leak", 1, ("u1",))
    assert "2 held-out reviews" in leak.what


def test_features_of_another_split_are_a_warning_with_reviews_and_a_note_without():
    data, other = reviewed(shop(ROWS)), reviewed(shop([(u, i, p) for u, i, p in ROWS if (u, i) != (2, 4)]))
    with_reviews = features(other, reviews_by_user=torch.tensor([1, 0, 0]))
    assert found(leaks.provenance, data, features=with_reviews)["features of another dataset"].severity == "warning"
    assert found(leaks.provenance, data, features=features(other))["features of another dataset"].severity == "note"
    silent = SimpleNamespace(item={}, present={}, about={})
    with pytest.raises(NotMade, match="do not say"):
        found(leaks.provenance, data, features=silent)


def test_a_held_out_review_in_a_users_text_is_a_leak():
    data = reviewed(shop(ROWS))
    table = data.interactions
    clean = [table.loc[(table["user"] == u) & (table["part"] == "train"), "review"].tolist() for u in range(3)]
    leaky = [*clean[:2], " ".join(table.loc[table["user"] == 2, "review"]).upper().replace(" ", "\n")]
    assert found(leaks.texts, data, user_texts=clean) == {}
    leak = found(leaks.texts, data, user_texts=leaky)["held-out reviews in users' texts"]
    assert (leak.severity, leak.count) == ("leak", 2)
    assert [(example.users, example.items) for example in leak.examples] == [(("u2",), ("i5",)), (("u2",), ("i0",))]


def test_a_held_out_text_that_the_user_also_wrote_in_train_is_no_leak():
    data = shop(ROWS, review=["very good"] * len(ROWS))
    assert found(leaks.texts, data, user_texts=["very good"] * 3) == {}


def test_user_texts_of_another_number_than_users_are_refused():
    with pytest.raises(InputError, match="2 entries for 3 users"):
        found(leaks.texts, reviewed(shop(ROWS)), user_texts=["a", "b"])


def singular(matrix, width: int) -> np.ndarray:
    _, s, vt = np.linalg.svd(matrix.toarray(), full_matrices=False)
    return (vt.T * np.sqrt(s))[:, :width]


def knowing(data: Dataset, vectors: np.ndarray) -> set[str]:
    return set(found(leaks.vectors, data, features=features(data, vectors)))


def test_vectors_fitted_on_all_parts_are_suspected_and_those_of_train_are_not(world):
    given = Subject(world[0])
    assert knowing(given.data, singular(given.full, 64)) == {"image vectors know held-out interactions"}
    assert knowing(given.data, singular(given.train, 64)) == set()
    assert knowing(given.data, singular(given.train, 16)) == set()


def test_vectors_fitted_on_train_and_test_are_suspected_of_the_test_part(world):
    data = world[0]
    for width in (16, 64):
        fitted = singular(data.matrix("train") + data.matrix("test"), width)
        assert "image vectors know the test part" in knowing(data, fitted)
    assert "image vectors know the validation part" in knowing(
        data, singular(data.matrix("train") + data.matrix("valid"), 64)
    )


@pytest.mark.parametrize("noise", [0.0, 0.3, 2.0])
def test_content_that_is_taste_itself_stays_clean(world, noise):
    data, truth = world
    rng = np.random.Generator(np.random.PCG64(7))
    content = np.hstack([truth, noise * rng.normal(size=(len(truth), 12))])
    assert knowing(data, content) == set()


def test_vectors_of_another_catalogue_are_refused(world):
    with pytest.raises(InputError, match="299 image vectors for the 300 items"):
        knowing(world[0], np.ones((299, 3)))


def test_too_few_users_and_vectors_that_are_all_the_same_cannot_be_tested(world):
    with pytest.raises(NotMade, match="50 users"):
        knowing(shop(ROWS), np.random.default_rng(0).normal(size=(8, 3)))
    with pytest.raises(NotMade, match="all the same"):
        knowing(world[0], np.ones((300, 3)))


def test_items_without_a_vector_are_left_out(world):
    data, truth = world
    vectors, present = truth.copy(), np.arange(300) % 10 > 0
    vectors[~present] = 1000.0  # would drown everything if it were read
    given = SimpleNamespace(item={"text": vectors}, present={"text": present}, about={})
    assert found(leaks.vectors, data, features=given) == {}
