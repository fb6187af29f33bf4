"""MICRO against dense matrices and loops over the paper's equations."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlib.core.errors import InputError
from mmlib.core.features import Features
from mmlib.recommenders import MICRO

from .test_lattice import BATCH, NGCF, agree, both, build, by_rows, collaborative, expected_terms, numbers


def views(model: MICRO, content: Features) -> list[Tensor]:
    """Eq. 5-6: H^m of all items, for each modality."""
    found = []
    for name in model.modal:
        raw, learnt = both(model, content, name)
        a = model.skip * by_rows(raw) + (1 - model.skip) * by_rows(learnt)
        project = model.modal[name].project
        transformed = content.filled(name) @ project.weight.T + project.bias
        h = transformed if model.inputs == "features" else model.network.table[4:]
        for _ in range(model.item_layers):
            h = a @ h
        found.append(h)
    return found


def fused(model: MICRO, found: list[Tensor]) -> Tensor:
    """Eq. 7-9."""
    if len(found) == 1:
        return found[0]
    w, b, q = model.attention[0].weight, model.attention[0].bias, model.attention[2].weight[0]
    rows = []
    for i in range(len(found[0])):
        score = [torch.exp(q @ torch.tanh(w @ h[i] + b)) for h in found]
        rows.append(sum(one / sum(score) * h[i] for one, h in zip(score, found)))
    return torch.stack(rows)


def cosine(x: Tensor, y: Tensor) -> Tensor:
    """0 with a vector of zeros, which an item without neighbours has."""
    return x @ y / (x.norm() * y.norm()).clamp(min=1e-30)


def information(a: Tensor, b: Tensor, i: int, t: float) -> Tensor:
    """Eq. 11 for rows i of a and b."""
    right = torch.exp(cosine(a[i], b[i]) / t)
    wrong = [torch.exp(cosine(a[i], b[j]) / t) + torch.exp(cosine(a[i], a[j]) / t) for j in range(len(a)) if j != i]
    return torch.log(right / (right + sum(wrong)))


def contrast(model: MICRO, found: list[Tensor], h: Tensor, items: list[int], content: Features) -> Tensor:
    """Eq. 10, or what the official code has in its place, over the items that have the modality."""
    h, total, t = h[items], torch.zeros(()), model.temperature
    for name, one in zip(model.modal, found):
        own, there = one[items], [i for i, item in enumerate(items) if content.present[name][item]]
        for i in there:
            if model.contrast == "mutual":
                pair = information(own, h, i, t) + information(h, own, i, t)
                total = total - pair / 2 / len(found) / len(there)
            else:
                total = total - information(own, h, i, t) / len(there)
    return total


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"contrast": "one-way", "normalisation": "row", "self_loops": True},
        {"contrast_items": "batch", "backbone": "mf", "temperature": 0.1},
        {"contrast_weight": 0.0, "item_layers": 2, "l2_on": "parameters"},
        {"contrast_weight": 0.0, "l2_reading": "norm"},
        {"contrast_weight": 0.0, "l2_reading": "norm", "l2_on": "parameters"},
        {"inputs": "features", "graph_gradient": "every"},
        {"inputs": "features", "item_layers": 0, "contrast_weight": 0.0},
        {"inputs": "features", "item_layers": 0, "contrast_items": "batch"},
        {"modalities": "text", "include_self": False},
        NGCF | {"contrast_items": "batch"},
    ],
    ids=str,
)
def test_micro_follows_its_equations(tiny, content, options: dict) -> None:
    model = build(tiny, content, MICRO, **({"contrast_weight": 0.7} | options))
    found = views(model, content)
    h = fused(model, found)
    expected = expected_terms(model, h)
    if model.contrast_weight:
        items = list(range(6)) if model.contrast_items == "all" else [0, 1, 2, 3, 4, 5]  # the batch has all six
        expected["contrast"] = 0.7 * contrast(model, found, h, items, content)
    agree(model, model.loss(BATCH), expected)
    vectors, x = model.embed(), collaborative(model)
    torch.testing.assert_close(vectors.users, x[:4])
    torch.testing.assert_close(
        vectors.items, x[4:] + h / h.norm(dim=1, keepdim=True).clamp(min=1e-30), atol=1e-5, rtol=1e-4
    )


def test_contrast_over_a_batch_knows_its_items_only(tiny, content) -> None:
    model = build(tiny, content, MICRO, contrast_items="batch", contrast_weight=1.0)
    few = type(BATCH)(BATCH.users[:2], BATCH.positives[:2], BATCH.negatives[:2])  # items 0, 1, 3 and 4
    found = views(model, content)
    expected = contrast(model, found, fused(model, found), [0, 1, 3, 4], content)
    assert numbers(model.loss(few))["contrast"] == pytest.approx(float(expected.detach()), rel=1e-4)


def test_after_the_first_batch_only_the_attention_and_the_vectors_learn(tiny, content) -> None:
    model = build(tiny, content, MICRO)
    model.start_epoch(1)
    first = numbers(model.loss(BATCH))
    again = model.loss(BATCH)
    assert numbers(again) == pytest.approx(first, rel=1e-5)
    sum(again.values()).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad.abs().sum() > 0) == (not name.startswith("modal")), name


@pytest.mark.parametrize("temperature", [0.5, 0.05, 0.03])
def test_at_low_temperatures_the_contrast_is_what_it_is_in_float64(tiny, content, temperature: float) -> None:
    """To take the item itself off the sum of all would leave rounding errors, below 0 at times."""
    model = build(tiny, content, MICRO, temperature=temperature, modalities="text")
    generator = torch.Generator().manual_seed(0)
    view, fused = (torch.randn(50, 64, generator=generator).requires_grad_() for _ in range(2))
    found = model.disagreement(view.unsqueeze(0), fused, torch.zeros(50, dtype=torch.long))
    a, b = (F.normalize(x.double()) for x in (view, fused))
    expected = torch.zeros((), dtype=torch.float64)
    for x, y in ((a, b), (b, a)):
        z = torch.cat([x @ y.T, (x @ x.T).fill_diagonal_(-torch.inf)], 1) / temperature
        expected = expected + (z.logsumexp(1) - z.diagonal()).mean() / 2
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=0)
    for one, other in zip(torch.autograd.grad(found, [view, fused]), torch.autograd.grad(expected, [view, fused])):
        assert (one - other).norm() < 1e-3 * other.norm()
    with pytest.raises(InputError, match=r"at least 0\.02"):
        build(tiny, content, MICRO, temperature=0.01)


def test_variants_and_the_settings_of_the_paper_are_options(tiny, content) -> None:
    assert list(MICRO.variants()) == ["CF+feats", "MICRO/feats", "MICRO w/o contrast", "MICRO"]
    terms = {name: build(tiny, content, MICRO, **one).loss(BATCH) for name, one in MICRO.variants().items()}
    assert {name for name, one in terms.items() if "contrast" in one} == {"MICRO", "MICRO/feats"}
