import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError


def test_embeddings_survive_a_round_trip_and_refuse_what_cannot_score(tmp_path) -> None:
    vectors = Embeddings(torch.randn(3, 4), torch.randn(5, 4), {"model": "made up"})
    vectors.save(tmp_path)
    assert Embeddings.load(tmp_path).key == vectors.key
    assert Embeddings.load(tmp_path).about == {"model": "made up"}
    with pytest.raises(InputError, match="Users have 4 dimensions, items 3"):
        Embeddings(torch.randn(3, 4), torch.randn(5, 3))
    with pytest.raises(InputError, match="item vectors hold NaN"):
        Embeddings(torch.randn(3, 4), torch.full((5, 4), torch.nan))
    assert "made up" in vectors._repr_html_()
