"""Small catalogues that several models are worked out on by hand."""

import pytest

from mmlib.core.dataset import Dataset
from mmlib.core.features import Features

from .gaps import content_with_gap, gaps
from .naive import ten_nodes


@pytest.fixture
def tiny() -> Dataset:
    return ten_nodes()


@pytest.fixture
def gapped() -> Dataset:
    return gaps()


@pytest.fixture
def content() -> Features:
    return content_with_gap()
