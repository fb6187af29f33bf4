"""Items that nobody has bought: what reads content knows for whom they are, and what does not cannot."""

import numpy as np
import pytest
import torch

from mmlib.evaluation import evaluate
from mmlib.recommenders import FREEDOM, GRCN, LATTICE, MGCN, MICRO, VBPR, DualGNN, ItemKNN, LightGCN, SLMRec
from mmlib.training import fit

from ..conftest import make_dataset


@pytest.fixture
def cold(blocks):
    """The block world without training purchases of the last item of each block."""
    table = blocks.interactions
    held = table["item"].isin([9, 19]).to_numpy()
    parts = np.where(held, "test", np.where(table["part"] == "test", "train", table["part"]))
    return make_dataset(table[["user", "item"]].to_numpy(), list(parts), 24, 20, review=table["review"])


def found(model, data) -> float:
    """How often the new item of a user's own block comes before the other one."""
    done = fit(model, epochs=40, lr=0.02, batch_size=64, patience=None, keep="last", evaluate_every=0, device="cpu")
    return evaluate(done, data, k=[1], candidates="cold", mask_valid=False)["recall@1"]


@pytest.mark.parametrize(
    "model", [VBPR, LATTICE, MICRO, FREEDOM, MGCN, GRCN, DualGNN, SLMRec], ids=lambda one: one.__name__
)
def test_content_says_for_whom_a_new_item_is(model, cold, features) -> None:
    torch.manual_seed(0)
    assert cold.purchases()[[9, 19]].sum() == 0
    assert found(model(cold, features, dim=8), cold) == 1


def test_so_do_neighbours_by_content_and_purchases_do_not(cold, features) -> None:
    model = ItemKNN(cold, features, on="content", neighbours=5)
    assert evaluate(model, cold, k=[1], candidates="cold")["recall@1"] == 1
    torch.manual_seed(0)
    assert found(LightGCN(cold, dim=8), cold) < 0.9
