import math

import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.recommenders import LightGCN
from mmlib.training.start import start_table


@pytest.fixture
def learnt(blocks) -> Embeddings:
    return Embeddings(3 + torch.randn(24, 8), 2 + 0.5 * torch.randn(20, 8))


def test_kept_as_it_is_by_default(blocks, learnt) -> None:
    model = LightGCN(blocks, dim=8, start=learnt)
    assert torch.equal(model.table.data, torch.cat([learnt.users, learnt.items]))
    model.table.data.zero_()  # the start is copied, not shared
    assert learnt.users.abs().sum() > 0


def test_xavier_scale_has_the_random_starts_size(blocks, learnt) -> None:
    users, items = start_table(blocks, 8, learnt, scale="xavier").split([24, 20])
    assert users.pow(2).mean().sqrt().item() == pytest.approx(math.sqrt(2 / 32), rel=1e-5)
    assert items.pow(2).mean().sqrt().item() == pytest.approx(math.sqrt(2 / 28), rel=1e-5)
    torch.testing.assert_close(users / users.norm(), learnt.users / learnt.users.norm())


def test_centring_takes_out_the_mean_before_scaling(blocks, learnt) -> None:
    users, _ = start_table(blocks, 8, learnt, scale="xavier", centre=True).split([24, 20])
    torch.testing.assert_close(users.mean(0), torch.zeros(8), atol=1e-6, rtol=0)
    assert users.pow(2).mean().sqrt().item() == pytest.approx(math.sqrt(2 / 32), rel=1e-5)


def test_wrong_shapes_and_choices_are_named(blocks, learnt) -> None:
    with pytest.raises(InputError, match=r"users of shape \(24, 8\).*dim=16"):
        start_table(blocks, 16, learnt)
    with pytest.raises(InputError, match="start_scale = 'xavir'"):
        start_table(blocks, 8, learnt, scale="xavir")
