"""VBPR against a loop over its score, term by term."""

import math

import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.features import Features
from mmlib.recommenders import VBPR
from mmlib.training.learner import Batch

PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (3, 5), (3, 2)]


def build(data, content, **options) -> VBPR:
    torch.manual_seed(0)
    model = VBPR(data, content, **({"dim": 2, "content_dim": 3, "l2": 0.1} | options))
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def batch_of() -> Batch:
    return Batch(torch.tensor([0, 1, 3, 0]), torch.tensor([1, 3, 5, 2]), torch.tensor([[4], [0], [4], [4]]))


def parts(model: VBPR, content: Features, u: int, i: int) -> dict[str, torch.Tensor]:
    """Everything that eq. 4 names for a user and an item, the modalities read as one long vector."""
    names = list(model.content)
    f = torch.cat([content.filled(name)[i] for name in names])
    weight = torch.cat([model.project[name].weight.detach() for name in names], 1)  # [D (+ 1), all widths]
    return {
        "gamma_u": model.table.detach()[u],
        "gamma_i": model.table.detach()[4 + i],
        "theta_u": model.theta.detach()[u],
        "E f": weight[:3] @ f,
        "beta_i": model.item_bias.detach()[i] if model.biases else torch.zeros(1),
        "beta' f": weight[3] @ f if model.biases else torch.zeros(()),
    }


def score(model: VBPR, content: Features, u: int, i: int) -> float:
    has = parts(model, content, u, i)
    both = has["gamma_u"] @ has["gamma_i"] + has["theta_u"] @ has["E f"]
    return float(both + has["beta_i"] + has["beta' f"])


@pytest.mark.parametrize("modalities", [None, "image"])
@pytest.mark.parametrize("biases", [True, False])
def test_scores_and_loss_follow_the_equation(tiny, content, modalities, biases: bool) -> None:
    model = build(tiny, content, modalities=modalities, biases=biases, l2_content=0.3)
    vectors = model.embed()
    expected = torch.tensor([[score(model, content, u, i) for i in range(6)] for u in range(4)])
    torch.testing.assert_close(vectors.users @ vectors.items.T, expected)
    batch, bpr, squares = batch_of(), 0.0, 0.0
    for u, i, j in zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist()):
        bpr += math.log1p(math.exp(float(expected[u, j] - expected[u, i]))) / 4
        one, other = parts(model, content, u, i), parts(model, content, u, j)
        held = [one[name] for name in ("gamma_u", "gamma_i", "theta_u", "beta_i")]
        squares += sum(float(x.pow(2).sum()) for x in [*held, other["gamma_i"], other["beta_i"]])
    weights = sum(float(layer.weight.detach().pow(2).sum()) for layer in model.project.values())
    terms = {name: float(term.detach()) for name, term in model.loss(batch).items()}
    assert terms["bpr"] == pytest.approx(bpr, rel=1e-5)
    assert terms["l2"] == pytest.approx(0.1 / 2 * squares / 4, rel=1e-5)
    assert terms["l2_content"] == pytest.approx(0.3 / 2 * weights, rel=1e-5)


@pytest.mark.parametrize("reading", ["squared", "norm"])
def test_the_usual_toolbox_holds_the_final_vectors(tiny, content, reading: str) -> None:
    model = build(tiny, content, biases=False, l2_on="final", l2_reading=reading)
    batch = batch_of()
    triples = zip(batch.users.tolist(), batch.positives.tolist(), batch.negatives[:, 0].tolist())
    squares = [0.0, 0.0, 0.0]  # of users, positives, negatives
    for u, i, j in triples:
        for place, item, names in (
            (0, i, ("gamma_u", "theta_u")),
            (1, i, ("gamma_i", "E f")),
            (2, j, ("gamma_i", "E f")),
        ):
            squares[place] += sum(float(parts(model, content, u, item)[name].pow(2).sum()) for name in names)
    expected = sum(squares) / 2 if reading == "squared" else sum(math.sqrt(x) for x in squares)
    terms = {name: float(term.detach()) for name, term in model.loss(batch).items()}
    assert set(terms) == {"bpr", "l2"}
    assert terms["l2"] == pytest.approx(0.1 * expected / 4, rel=1e-5)


def test_only_the_items_of_the_batch_are_projected(tiny, content, monkeypatch) -> None:
    model, asked = build(tiny, content), []
    whole = model.projected
    monkeypatch.setattr(model, "projected", lambda items: asked.append(items) or whole(items))
    model.loss(batch_of())
    assert [items.tolist() for items in asked] == [[0, 1, 2, 3, 4, 5]]
    asked.clear()
    model.loss(Batch(torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([[4], [1]])))
    assert [items.tolist() for items in asked] == [[1, 4]]


def test_gradients_are_those_of_projecting_every_item(tiny, content) -> None:
    model, batch = build(tiny, content), batch_of()
    model.loss(batch)["bpr"].backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    vectors = model.embed()
    margin = (vectors.users[batch.users] * (vectors.items[batch.positives] - vectors.items[batch.negatives[:, 0]])).sum(
        1
    )
    torch.nn.functional.softplus(-margin).mean().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad)


def test_half_precision_is_near_and_learnt_features_learn(tiny, content) -> None:
    exact = build(tiny, content).embed()
    near = build(tiny, content, precision="bfloat16").embed()
    torch.testing.assert_close(near.items, exact.items, atol=0.1, rtol=0.05)
    assert not torch.equal(near.items, exact.items)
    assert not any("content" in name for name, _ in build(tiny, content).named_parameters())
    learnt = build(tiny, content, learn_features=True)
    learnt.loss(batch_of())["bpr"].backward()
    assert learnt.content["text"].vectors.grad.abs().sum() > 0


def test_the_id_factors_may_start_from_vectors(tiny, content) -> None:
    start = Embeddings(torch.randn(4, 2), torch.randn(6, 2))
    vectors = VBPR(tiny, content, dim=2, content_dim=3, start=start).embed()
    torch.testing.assert_close(vectors.users[:, :2], start.users)
    torch.testing.assert_close(vectors.items[:, :2], start.items)
    assert vectors.dim == 2 + 3 + 1
