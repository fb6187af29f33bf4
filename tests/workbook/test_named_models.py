"""Recommenders by name, with the options that they have."""

import pytest

from mmlib.core.errors import InputError
from mmlib.recommenders import LightGCN
from mmlib.workbook import named_models


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))


def test_every_recommender_has_a_name(blocks, features) -> None:
    assert {"bpr", "lightgcn", "mixgcf", "ngcf", "vbpr", "ease", "itemknn", "popularity"} <= set(
        named_models.RECOMMENDERS
    )
    assert named_models.reads_content("vbpr")
    assert not named_models.reads_content("lightgcn")
    assert not named_models.reads_content("itemknn")
    assert named_models.reads_content("itemknn", {"on": "content"})
    model = named_models.recommender("itemknn", blocks, features, model_options={"on": "content"}, dim=8, l2=0.1)
    assert model.on == "content"
    assert named_models.recommender("lightgcn", blocks, dim=8, layers=1, l2=0.5).describe()["l2"] == 0.5
    paper = named_models.recommender("vbpr", blocks, features, dim=8).describe()["l2"]
    assert named_models.recommender("vbpr", blocks, features, dim=8, l2=0.5).describe()["l2"] == paper
    assert named_models.recommender("vbpr", blocks, features, model_options={"l2": 0.5}).describe()["l2"] == 0.5


def test_options_and_starts_that_cannot_be(blocks, features) -> None:
    with pytest.raises(InputError, match=r"no option 'layrs'.*Did you mean \"layers\""):
        named_models.recommender("lightgcn", blocks, model_options={"layrs": 3})
    with pytest.raises(InputError, match=r"micro has no option 'tempreature'.*Did you mean \"temperature\""):
        named_models.recommender("micro", blocks, features, model_options={"tempreature": 1})
    with pytest.raises(InputError, match="no option 'message_dropout'"):
        named_models.recommender("mixgcf", blocks, model_options={"message_dropout": 0.2})
    options = {"backbone": "ngcf", "message_dropout": 0.2}
    assert named_models.recommender("mixgcf", blocks, model_options=options).describe()["message_dropout"] == 0.2
    with pytest.raises(InputError, match="ease does not learn from vectors"):
        named_models.recommender("ease", blocks, start=LightGCN(blocks, dim=8).embed())
    with pytest.raises(InputError, match='Did you mean "lightgcn"'):
        named_models.recommender("lightgnc", blocks)
