import numpy as np
import pytest
import torch
from torch_geometric.metrics import LinkPredNDCG, LinkPredPrecision, LinkPredRecall

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.evaluation import evaluate
from mmlib.evaluation.intervals import mean_of_shares

from ..conftest import make_dataset


def naive(
    vectors: Embeddings, data, part: str, k: int, mask_valid: bool, few: int | None = None, cold: bool = False
) -> dict[str, list[float]]:
    """Every metric by its definition, one user at a time, with lists and loops."""
    out: dict[str, list[float]] = {"recall": [], "ndcg": [], "precision": [], "hr": []}
    bought = data.purchases()
    for user in range(data.n_users):
        positives = {int(i) for u, i in data.part(part) if u == user and (few is None or bought[i] <= few)}
        if not positives:
            continue
        masked = {int(i) for u, i in data.train if u == user}
        masked |= {i for i in range(data.n_items) if cold and bought[i]}
        positives -= {i for i in positives if cold and bought[i]}
        if not positives:
            continue
        if part == "test" and mask_valid:
            masked |= {int(i) for u, i in data.valid if u == user}
        scores = (vectors.items @ vectors.users[user]).tolist()
        ranked = sorted((i for i in range(data.n_items) if i not in masked), key=lambda i: -scores[i])[:k]
        hits = [place for place, item in enumerate(ranked) if item in positives]
        ideal = sum(1 / np.log2(place + 2) for place in range(min(len(positives), k)))
        out["recall"].append(len(hits) / len(positives))
        out["precision"].append(len(hits) / k)
        out["hr"].append(float(bool(hits)))
        out["ndcg"].append(sum(1 / np.log2(place + 2) for place in hits) / ideal)
    return out


@pytest.fixture
def ragged():
    """30 users with 1 to 8 purchases among 25 items; some users have no test or validation purchase at all."""
    rng = np.random.default_rng(1)
    pairs, parts = [], []
    for user in range(30):
        bought = rng.permutation(25)[: 1 + user % 8]
        pairs += [(user, item) for item in bought]
        parts += ["train", *rng.choice(["train", "valid", "test"], size=len(bought) - 1)]
    return make_dataset(np.array(pairs), parts, 30, 25)


def vectors(data, device: str = "cpu") -> Embeddings:
    generator = torch.Generator().manual_seed(2)
    return Embeddings(*(torch.randn(n, 6, generator=generator).to(device) for n in (data.n_users, data.n_items)))


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("mask_valid", [True, False])
@pytest.mark.parametrize("k", [1, 3, 25, 40])
def test_every_metric_matches_its_definition(ragged, part: str, mask_valid: bool, k: int, device: str) -> None:
    scores = evaluate(vectors(ragged, device), ragged, part=part, k=[k], mask_valid=mask_valid, few=2)
    for name, few in (("all", None), ("few purchases", 2)):
        table = scores.per_user[scores.per_user["slice"] == name]
        for metric, values in naive(vectors(ragged), ragged, part, k, mask_valid, few).items():
            np.testing.assert_allclose(table[f"{metric}@{k}"], values, atol=1e-12, err_msg=f"{name} {metric}")


def test_recall_ndcg_and_precision_match_pyg(ragged) -> None:
    scores = evaluate(vectors(ragged), ragged, k=[5])
    users = torch.from_numpy(scores.per_user.loc[scores.per_user["slice"] == "all", "user"].to_numpy())
    rating = vectors(ragged).users @ vectors(ragged).items.T
    for part in (ragged.train, ragged.valid):
        rating[part[:, 0], part[:, 1]] = -torch.inf
    lists = rating[users].topk(5).indices
    place = {int(user): row for row, user in enumerate(users)}
    truth = torch.tensor([[place[u], i] for u, i in ragged.test.tolist()]).T
    for metric, name in (
        (LinkPredRecall(5), "recall@5"),
        (LinkPredNDCG(5), "ndcg@5"),
        (LinkPredPrecision(5), "precision@5"),
    ):
        metric.update(lists, truth)
        assert scores[name] == pytest.approx(float(metric.compute()), abs=1e-6)


def test_masking_validation_items_makes_room_for_test_items(blocks) -> None:
    wanted = torch.zeros(24, 20)
    wanted[tuple(blocks.test.T)] = 1
    wanted[tuple(blocks.valid.T)] = 2  # liked best, so it takes the first place unless it is masked
    vectors = Embeddings(wanted, torch.eye(20))
    assert evaluate(vectors, blocks, k=[1], mask_valid=True)["recall@1"] == 1
    assert evaluate(vectors, blocks, k=[1], mask_valid=False)["recall@1"] == 0


def test_means_and_note_say_who_is_counted(ragged) -> None:
    scores = evaluate(vectors(ragged), ragged, k=[5], few=2)
    row = scores.means().query("slice == 'all' and metric == 'recall@5'").iloc[0]
    values = scores.per_user.loc[scores.per_user["slice"] == "all", "recall@5"]
    assert row["mean"] == pytest.approx(values.mean())
    found = mean_of_shares(values.to_numpy())
    assert (row["low"], row["high"]) == (found.low, found.high)
    assert scores.about["left_out"] == 30 - len(values) > 0
    assert f"{scores.about['left_out']} users without test purchases are left out" in scores.note()
    assert "recall@5" in scores._repr_html_()


def test_bad_arguments_are_named(ragged) -> None:
    with pytest.raises(InputError, match="part = 'tset'"):
        evaluate(vectors(ragged), ragged, part="tset")
    with pytest.raises(InputError, match=r"k = 0 must be a whole number of at least 1"):
        evaluate(vectors(ragged), ragged, k=[0])
    with pytest.raises(InputError, match="give the dataset too"):
        evaluate(vectors(ragged))
    with pytest.raises(InputError, match="metric = 'recall@7'"):
        evaluate(vectors(ragged), ragged)["recall@7"]


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("mask_valid", [True, False])
def test_cold_items_may_be_ranked_among_themselves(part: str, mask_valid: bool, device: str) -> None:
    rng = np.random.default_rng(3)
    pairs = [(user, item) for user in range(12) for item in rng.permutation(15)[:8]]
    parts = ["train" if item < 9 else str(rng.choice(["valid", "test"])) for _, item in pairs]
    parts = ["test" if user == 11 else one for (user, _), one in zip(pairs, parts)]  # cold for who has no history too
    data = make_dataset(np.array(pairs), parts, 12, 15)
    assert (data.purchases() == 0).sum() >= 6

    class Direct:
        data = None

        def scores(self, users):
            return vectors(data, device).users[users] @ vectors(data, device).items.T

    found = [vectors(data, device)] if device == "cuda" else [vectors(data, device), Direct()]
    for model in found:
        options = {"part": part, "mask_valid": mask_valid, "candidates": "cold"}
        scores = evaluate(model, data, k=[2, 40], slices=["all"], **options)
        for k in (2, 40):
            expected = naive(vectors(data), data, part, k, mask_valid, cold=True)
            for name in ("recall", "ndcg"):
                np.testing.assert_allclose(scores.per_user[f"{name}@{k}"], expected[name], atol=1e-6)
        assert scores.about["candidates"] == "cold"


def test_ranking_cold_items_needs_some(ragged) -> None:
    everything = make_dataset(np.array([(0, 0), (1, 1), (0, 1), (1, 0)]), ["train", "train", "test", "valid"], 2, 2)
    with pytest.raises(InputError, match="no item without training purchases"):
        evaluate(vectors(everything), everything, candidates="cold")
    with pytest.raises(InputError, match="candidates"):
        evaluate(vectors(ragged), ragged, candidates="new")
