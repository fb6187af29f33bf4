"""MMGCL against a loop over its equations on ten nodes; its encoder is tested with SLMRec."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmlib.core.errors import InputError
from mmlib.recommenders import MMGCL

from .naive import PAIRS, USERS, content_of_ten, mean_of_layers, minus_log_sigmoid, purchase_matrix, redrawn, ten_nodes
from .test_slmrec import TWICE, bought, different, naive_inputs, naive_nce, naive_read, naive_states, terms_of


def build(**options) -> MMGCL:
    options = {"dim": 4, "layers": 2, "l2": 0.0, "ssl_weight": 0.5, "edge_dropout": 0.3} | options
    model = MMGCL(ten_nodes(), content_of_ten(), **options)
    redrawn(model)
    return model


def drawn(monkeypatch) -> list[torch.Tensor]:
    """What ``torch.rand`` gives from here on."""
    found: list[torch.Tensor] = []
    real = torch.rand

    def noted(*size, **options) -> torch.Tensor:
        found.append(real(*size, **options))
        return found[-1]

    monkeypatch.setattr(torch, "rand", noted)
    return found


def thinned_matrix(kept: torch.Tensor) -> torch.Tensor:
    """The purchases' matrix without those that are not ``kept`` [9], in the order of users, then items."""
    return purchase_matrix([pair for pair, stays in zip(sorted(PAIRS), kept.tolist()) if stays])


@pytest.mark.parametrize("options", [{}, {"challenging": False}, {"edges": "shared", "repeats": True}])
def test_the_loss_follows_the_equations(options, monkeypatch) -> None:
    model, choices = build(temperature=0.6, **options), {"hidden": [], "part": [], "order": []}
    noise = torch.randn(10, 4, generator=torch.Generator().manual_seed(3))
    model.noise = mean_of_layers(purchase_matrix(), noise, 2)
    for name, key in (("multinomial", "hidden"), ("randint", "part"), ("randperm", "order")):
        real = getattr(torch, name)

        def noted(*given, real=real, key=key, **more):
            choices[key].append(real(*given, **more))
            return choices[key][-1]

        monkeypatch.setattr(torch, name, noted)
    rates = drawn(monkeypatch)
    terms = terms_of(model)
    monkeypatch.undo()
    assert len(rates) == (1 if model.edges == "shared" else 3)
    inputs = naive_inputs(model)
    plain = naive_states(model, inputs)
    margins = [
        naive_read(model, plain, u) @ (naive_read(model, plain, USERS + i) - naive_read(model, plain, USERS + j))
        for u, i, j in TWICE
    ]
    assert terms["bpr"] == pytest.approx(sum(minus_log_sigmoid(x) for x in margins) / len(margins), rel=1e-4)
    hidden = 1 + int(choices["hidden"][0])
    masked = naive_states(model, [noise if k == hidden else x for k, x in enumerate(inputs)])
    matrices = [thinned_matrix(rate >= 0.3) for rate in rates] * (3 if model.edges == "shared" else 1)
    dropped = [mean_of_layers(matrix, x, 2) for matrix, x in zip(matrices, inputs)]
    for side, nodes in enumerate([different([u for u, _, _ in TWICE], model.repeats), bought(model.repeats)]):
        expected = 0.0
        for n, node in enumerate(nodes):
            z = []
            for m, other in enumerate(nodes):
                parts = [h[other] for h in dropped]
                if m != n and model.challenging:
                    part = int(choices["part"][side])
                    parts[part] = dropped[part][nodes[int(choices["order"][side][m])]]
                layer = model.read_user if node < USERS else model.read_item
                y = layer.weight.detach() @ torch.cat(parts) + layer.bias.detach()
                z.append(float(F.cosine_similarity(naive_read(model, masked, node), y, dim=0)) / 0.6)
            expected += (math.log(sum(math.exp(value) for value in z)) - z[n]) / len(nodes)
        assert terms["users" if side == 0 else "items"] == pytest.approx(0.5 * expected, rel=1e-4)


def test_the_official_code_compares_users_with_items_of_the_dropped_view(monkeypatch) -> None:
    model = build(contrast="official", edges="shared")
    rates = drawn(monkeypatch)
    terms = terms_of(model)
    matrix = thinned_matrix(rates[0] >= 0.3)
    states = [mean_of_layers(matrix, x, 2) for x in naive_inputs(model)]
    sides = [[naive_read(model, states, row[0]) for row in TWICE], [naive_read(model, states, 4 + r[1]) for r in TWICE]]
    assert set(terms) == {"bpr", "contrast"}
    assert terms["contrast"] == pytest.approx(0.5 * 2 * naive_nce(*sides, 0.2), rel=1e-4)


def test_edges_are_dropped_both_ways_and_only_in_training() -> None:
    model = build(edge_dropout=0.5)
    torch.manual_seed(0)
    thin = model.thinned()
    dense = thin.csr.to_dense()
    assert torch.equal(dense, dense.T)
    assert 0 < int((thin.weight > 0).sum()) < len(thin.weight)
    assert model.eval().thinned() is model.graph


def test_noise_is_new_each_epoch_and_no_gradient_reaches_it() -> None:
    model = build()
    before = model.noise
    model.start_epoch(1)
    assert not torch.equal(before, model.noise)
    assert not model.noise.requires_grad
    assert "noise" not in model.state_dict()


def test_odds_choose_what_is_masked() -> None:
    model = build(odds="0+2")
    states, rows = torch.zeros(1, 3, 4), torch.tensor([2])
    masked = model.masked(states, rows, 2)
    assert masked.abs().sum(2).gt(0).tolist() == [[False, False, True]]
    torch.testing.assert_close(masked[0, 2], model.noise[2])
    assert {int(torch.multinomial(torch.tensor(model.chances), 1)) for _ in range(20)} == {1}
    for odds in ("0.5", "a+b"):
        with pytest.raises(InputError, match="a number for each of text, image"):
            build(odds=odds)
    for odds in ("0+0", "-1+2"):
        with pytest.raises(InputError, match="must not be negative, nor all of them 0"):
            build(odds=odds)
