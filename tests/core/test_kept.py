"""Searches that a caller keeps."""

import torch

from mmlib.core.kept import keeping, kept
from mmlib.kernels import co_occurrence as cooccur
from mmlib.kernels import neighbours as nearest


def test_a_search_is_asked_of_the_keeper_and_else_made() -> None:
    x, asked = torch.randn(6, 3), []

    def keep(name, inputs, search):
        asked.append((name, sorted(inputs)))
        return tuple(2 * one for one in search())

    plain = nearest.top_k(x, 2)
    with keeping(keep):
        doubled = nearest.top_k(x, 2)
    assert all(torch.equal(two, 2 * one) for one, two in zip(plain, doubled))
    assert asked == [("nearest", ["include_self", "k", "x"])]
    assert torch.equal(nearest.top_k(x, 2)[0], plain[0])


def test_a_keeper_ends_with_its_block_also_after_an_error() -> None:
    try:
        with keeping(lambda name, inputs, search: (torch.zeros(1),)):
            assert kept("x", {}, lambda: (torch.ones(1),)) == (torch.zeros(1),)
            raise RuntimeError
    except RuntimeError:
        pass
    assert kept("x", {}, lambda: (torch.ones(1),)) == (torch.ones(1),)


def test_what_decides_the_result_is_named() -> None:
    """Otherwise a keeper would hand one search's result to another."""
    seen = []

    def keep(name, inputs, search):
        seen.append({key: str(value) for key, value in inputs.items()})
        return search()

    indptr, indices = torch.tensor([0, 2, 4, 6]), torch.tensor([0, 1, 1, 2, 0, 2])
    with keeping(keep):
        for options in ({}, {"minimum": 2}):
            cooccur.top_k(indptr, indices, 3, 1, **options)
        cooccur.top_k(indptr, indices, 3, None)
        cooccur.top_k(indptr, indices, 4, None)
        for include_self in (False, True):
            nearest.top_k(torch.eye(3), 1, include_self=include_self)
        nearest.top_k(torch.eye(3), 2)
        nearest.top_k(2 - torch.eye(3), 2)
    assert len({str(one) for one in seen}) == len(seen) == 8
