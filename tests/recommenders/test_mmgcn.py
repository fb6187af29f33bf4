"""MMGCN against a loop over its layers, node by node."""

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.embeddings import Embeddings
from mmlib.core.features import Features
from mmlib.recommenders import MMGCN

from .gaps import BOUGHT, BUYERS, batch_of, detached, mean_bpr, squares, triples


def build(data, content, **options) -> MMGCN:
    torch.manual_seed(0)
    model = MMGCN(data, content, **({"dim": 2, "content_dim": 4, "l2": 0.1} | options))
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def by_hand(model: MMGCN, content: Features) -> tuple[torch.Tensor, torch.Tensor]:
    """Eq. 1-9 for one node after the other."""
    neighbours = [[4 + i for i in BOUGHT[u]] for u in range(4)] + [BUYERS[i] for i in range(6)]
    total = torch.zeros(10, 2)
    for name in model.content:
        x = [*getattr(model, f"preference_{name}").detach()]
        for i in range(6):
            f = content.filled(name)[i]
            map_ = model.project[name]
            x.append(map_.weight.detach() @ f + map_.bias.detach() if model.describe()["content_dim"] else f)
        if model.unit_inputs:
            x = [vector / vector.norm() for vector in x]
        for hop in model.hops[name]:
            w1, w2, w3 = (layer.weight.detach() for layer in (hop.gather, hop.keep, hop.combine))
            b2, b3 = (0 if layer.bias is None else layer.bias.detach() for layer in (hop.keep, hop.combine))
            after = []
            for node in range(10):
                given = [w1 @ x[other] for other in neighbours[node]] or [torch.zeros(len(w1))]
                h = sum(given) / len(given) if model.aggregation == "mean" else torch.stack(given).amax(0)
                h = F.leaky_relu(h)
                own = F.leaky_relu(w2 @ x[node] + b2) + model.table.detach()[node]
                if model.describe()["combination"] == "concat":
                    after.append(F.leaky_relu(w3 @ torch.cat([h, own]) + b3))
                else:
                    after.append(F.leaky_relu(w3 @ h + b3 + own))
            x = after
        total += torch.stack(x)
    if model.fusion == "mean":
        total /= len(model.content)
    return total[:4], total[4:]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 3, "modalities": "image"},
        {"content_dim": 0},
        {"aggregation": "max"},
        {"combination": "concat"},
        {"square": True},
        {"square": True, "combination": "concat"},
        {"fusion": "mean", "bias": True, "unit_inputs": True},
    ],
)
def test_vectors_and_loss_follow_the_equations(gapped, content, options) -> None:
    model = build(gapped, content, **options)
    users, items = by_hand(model, content)
    vectors = model.embed()
    torch.testing.assert_close(vectors.users.detach(), users)
    torch.testing.assert_close(vectors.items.detach(), items)
    terms = detached(model.loss(batch_of()))
    assert terms["bpr"] == pytest.approx(mean_bpr(users, items), rel=1e-5)
    held = 0.0
    for u, i, j in triples():
        held += squares(model.table[u], model.table[4 + i], model.table[4 + j])
        held += squares(*(getattr(model, f"preference_{name}")[u] for name in model.content))
    assert terms["l2"] == pytest.approx(0.1 / 2 * held / 4, rel=1e-5)


def test_the_l2_term_as_public_code_has_it(gapped, content) -> None:
    model, batch = build(gapped, content, l2_reading="mean"), batch_of()
    items = torch.stack([batch.positives, batch.negatives[:, 0]]) + 4
    held = [model.table[batch.users], *model.table[items]]
    held += [getattr(model, f"preference_{name}")[batch.users] for name in model.content]
    expected = 0.1 * sum(float(x.detach().pow(2).mean()) for x in held)
    assert detached(model.loss(batch))["l2"] == pytest.approx(expected, rel=1e-5)


def test_gradients_of_the_maximum_are_those_of_the_loop(gapped, content) -> None:
    model = build(gapped, content, aggregation="max", layers=1)
    model.final().pow(2).sum().backward()
    step = 1e-2 * torch.randn_like(model.table)
    expected = float((model.table.grad * step).sum())
    values = []
    for sign in (1, -1):
        model.table.data += sign * step
        values.append(squares(*by_hand(model, content)))
        model.table.data -= sign * step
    assert (values[0] - values[1]) / 2 == pytest.approx(expected, rel=1e-2)


def test_frozen_ids_are_saved_but_not_trained(gapped, content) -> None:
    model = build(gapped, content, frozen_ids=True)
    trained = {name for name, _ in model.named_parameters()}
    assert not any("table" in name or "preference" in name for name in trained)
    assert {"table", "preference_text", "preference_image"} <= set(model.state_dict())
    assert set(model.loss(batch_of())) == {"bpr"}
    users, items = by_hand(model, content)
    torch.testing.assert_close(model.embed().users.detach(), users)
    torch.testing.assert_close(model.embed().items.detach(), items)


def test_features_may_be_learnt_and_ids_started(gapped, content) -> None:
    assert not any("content" in name for name, _ in build(gapped, content).named_parameters())
    learnt = build(gapped, content, learn_features=True)
    learnt.loss(batch_of())["bpr"].backward()
    assert learnt.content["image"].vectors.grad.abs().sum() > 0
    near, exact = (build(gapped, content, precision=precision).embed() for precision in ("bfloat16", "float32"))
    torch.testing.assert_close(near.items, exact.items, atol=0.5, rtol=0.1)
    start = Embeddings(torch.randn(4, 2), torch.randn(6, 2))
    assert torch.equal(MMGCN(gapped, content, dim=2, start=start).table.data, torch.cat([start.users, start.items]))
