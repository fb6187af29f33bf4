"""Small worlds with known answers, shared by all tests."""

import os

os.environ.setdefault("MMLIB_PROGRESS", "off")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers that each use all cores hold each other up
    os.environ.setdefault(
        "OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])))
    )

import pytest
import torch

from mmlib.core.dataset import Dataset
from mmlib.core.features import Features
from mmlib.training import block_world

make_dataset = block_world.made_up


@pytest.fixture
def blocks() -> Dataset:
    """Two blocks of users and items with one right answer."""
    return block_world.block_world()


@pytest.fixture
def features() -> Features:
    """Text and image vectors that tell the blocks apart, one of each missing; reviews for all users but the last."""
    return block_world.block_features()


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Runs the same test body on the CPU and, where there is one, on a GPU."""
    return request.param
