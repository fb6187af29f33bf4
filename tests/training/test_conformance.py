"""``check`` refuses each broken model by the name of the rule that it breaks, and says what to do."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mmlib as mm


class Good(mm.Recommender):
    """BPR on the vectors of users and items, an L2 term beside it."""

    def __init__(self, data, features=None, *, dim: int = 8, l2: float = 1e-3):
        super().__init__(data)
        self.l2 = l2
        self.table = mm.start_table(data, dim)

    def embed(self):
        return mm.Embeddings(*self.table.split([self.data.n_users, self.data.n_items]))

    def loss(self, batch):
        vectors = self.embed()
        user = vectors.users[batch.users]
        better = (user * vectors.items[batch.positives]).sum(1) - (user * vectors.items[batch.negatives[:, 0]]).sum(1)
        return {"bpr": -nn.functional.logsigmoid(better).mean(), "l2": self.l2 * self.table.square().mean()}


class ReadsTheTestPart(Good):
    """Its loss pulls users to their neighbours in a graph of all interactions."""

    def loss(self, batch):
        pairs = torch.from_numpy(self.data.interactions[["user", "item"]].to_numpy().copy())
        counts = torch.zeros(self.data.n_users, self.data.n_items)
        counts[pairs[:, 0], pairs[:, 1]] = 1
        vectors = self.embed()
        return super().loss(batch) | {"pull": (vectors.users - counts @ vectors.items).square().mean()}


class GraphOfAll(Good):
    """Its vectors are propagated over all interactions."""

    def embed(self):
        mine = super().embed()
        pairs = self.data.interactions[["user", "item"]].to_numpy()
        counts = torch.zeros(self.data.n_users, self.data.n_items)
        counts[pairs[:, 0], pairs[:, 1]] = 1 / 9
        return mm.Embeddings(mine.users + counts @ mine.items, mine.items)


class RecordsWrongly(Good):
    def describe(self):
        return super().describe() | {"dim": 64}


class TakesAFunction(Good):
    def __init__(self, data, features=None, *, pick=max):
        super().__init__(data)


class NeverTrains(Good):
    def __init__(self, data, features=None):
        super().__init__(data)
        self.scale = nn.Parameter(torch.ones(3))

    def loss(self, batch):
        return super().loss(batch) | {"l2 of scale": self.scale.square().sum()}  # L2 alone


class TermOfNothing(Good):
    def loss(self, batch):
        return super().loss(batch) | {"align": self.table.detach().mean()}


class LossOfAVector(Good):
    def loss(self, batch):
        return super().loss(batch) | {"each": self.embed().users[batch.users].sum(1)}


class InfiniteLoss(Good):
    def loss(self, batch):
        return {name: term / 0 for name, term in super().loss(batch).items()}


class Unseeded(Good):
    def loss(self, batch):
        noise = float(np.random.default_rng().normal())
        return super().loss(batch) | {"noise": noise * self.table.mean()}


class HoldsOutside(Good):
    """What it learns is not all in its state."""

    def __init__(self, data, features=None):
        super().__init__(data)
        self.shift = torch.randn(8)

    def embed(self):
        mine = super().embed()
        return mm.Embeddings(mine.users + self.shift, mine.items)


class CountsSteps(Good):
    """Its loss depends on a count that a checkpoint does not hold."""

    steps = 0

    def loss(self, batch):
        self.steps += 1
        return {name: term / self.steps for name, term in super().loss(batch).items()} | {
            "s": self.steps * self.table.sum()
        }


class WrongWay(Good):
    def loss(self, batch):
        terms = super().loss(batch)
        return terms | {"bpr": -terms["bpr"]}


class MeanOfHistory(Good):
    """Users are the mean of their items: NaN for those without any."""

    def embed(self):
        mine = super().embed()
        pairs = torch.from_numpy(self.data.train)
        had = torch.zeros(self.data.n_users, self.data.n_items)
        had[pairs[:, 0], pairs[:, 1]] = 1
        return mm.Embeddings(mine.users + had @ mine.items / had.sum(1, keepdim=True), mine.items)


class DividesByNorm(Good):
    """Missing rows, which are zero, divided by their length."""

    def __init__(self, data, features=None):
        super().__init__(data, dim=6)
        self.register_buffer("text", torch.where(features.present["text"][:, None], features.item["text"], 0.0))

    def embed(self):
        mine = super().embed()
        return mm.Embeddings(mine.users, mine.items + self.text / self.text.norm(dim=1, keepdim=True))


class WritesToFeatures(Good):
    def __init__(self, data, features=None):
        super().__init__(data)
        features.item["text"].mul_(2)


class ShowsTheTestPart(Good):
    def batches(self, batch_size, generator):
        for batch in super().batches(batch_size, generator):
            yield batch
        users, items = torch.from_numpy(self.data.test).T
        yield type(batch)(users, items, items[:, None])


MUTANTS: dict[type[Good], str] = {
    ReadsTheTestPart: "held out interactions reach nothing",
    GraphOfAll: "held out interactions reach nothing",
    RecordsWrongly: "records its options",
    TakesAFunction: "records its options",
    NeverTrains: "every parameter trains",
    TermOfNothing: "every parameter trains",
    LossOfAVector: "loss terms are finite scalars",
    InfiniteLoss: "loss terms are finite scalars",
    Unseeded: "same seed same result",
    HoldsOutside: "weights make another model the same",
    CountsSteps: "goes on from a checkpoint",
    WrongWay: "learns the block world",
    MeanOfHistory: "users without history are finite",
    DividesByNorm: "missing content is finite",
    WritesToFeatures: "leaves features alone",
    ShowsTheTestPart: "learns only from training interactions",
}


def broken(model: Any, *given: Any, **options: Any) -> dict[str, str]:
    """The rules that a model breaks, each with its remedy."""
    table = mm.check(model, *given, **options).table
    return dict(table.loc[~table["passed"], ["rule", "remedy"]].to_numpy())


def test_a_model_that_does_all_follows_every_rule(blocks, features) -> None:
    found = mm.check(Good, blocks, features, dim=16)
    assert found, found
    assert len(found.table) >= 13
    assert "Good follows" in repr(found)
    assert found._repr_html_().count("<tr") == len(found.table) + 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_a_broken_model_is_refused_by_the_rule_that_it_breaks(mutant) -> None:
    found = broken(mutant)
    assert MUTANTS[mutant] in found
    assert not mm.check(mutant)


def test_a_rule_is_broken_with_its_remedy() -> None:
    assert "leave describe() to mm.Recommender" in broken(RecordsWrongly)["records its options"]
    assert "scale" in broken(NeverTrains)["every parameter trains"]
    assert "data.train alone" in broken(ReadsTheTestPart)["held out interactions reach nothing"]


def test_the_given_catalogue_is_tried_too(blocks, features) -> None:
    class OnlySmall(Good):
        def embed(self):
            mine = super().embed()
            return mm.Embeddings(mine.users, mine.items[:20])

        def loss(self, batch):
            return {"length": self.table.square().mean()}

    larger = mm.training.block_world.made_up(
        np.array([(0, 0), (1, 24), (0, 3), (1, 3)]), ["train", "train", "test", "valid"], 2, 25
    )
    assert broken(OnlySmall, larger)["takes a step"] == "embed() gives 20 items, but made-up has 25."


def test_a_model_that_takes_no_features_is_checked_too() -> None:
    class Plain(Good):
        def __init__(self, data, *, width: int = 8):
            super().__init__(data, dim=width)

    assert mm.check(Plain, width=16)


def test_what_is_no_constructor_is_refused(blocks) -> None:
    with pytest.raises(mm.InputError, match="give the class"):
        mm.check(Good(blocks), blocks)
