import pandas as pd
import pytest
import torch

from mmlib.core.embeddings import Embeddings
from mmlib.core.errors import InputError
from mmlib.evaluation import Scores, evaluate


@pytest.fixture
def scores(blocks) -> Scores:
    generator = torch.Generator().manual_seed(1)
    return evaluate(
        Embeddings(torch.randn(24, 4, generator=generator), torch.randn(20, 4, generator=generator)), blocks
    )


def test_a_table_that_was_written_and_read_is_the_same(scores: Scores, tmp_path) -> None:
    scores.per_user.to_parquet(tmp_path / "one.parquet")
    read = Scores(scores.label, pd.read_parquet(tmp_path / "one.parquet"), {})
    pd.testing.assert_frame_equal(read.means(), scores.means())
    both = pd.concat([scores.per_user, read.per_user.assign(slice="other")], ignore_index=True)
    assert Scores("both", both, {}).mean("map@20", "all") == scores["map@20"]


def test_means_hold_users_metrics_and_not_those_of_the_lists(scores: Scores) -> None:
    metrics = set(scores.means()["metric"])
    assert {"map@10", "mrr@20", "recall@20"} <= metrics
    assert not any(name.startswith(("coverage", "gini", "popularity")) for name in metrics)
    assert len(metrics) == 12


def test_lists_are_asked_for_like_other_metrics(scores: Scores) -> None:
    row = scores.lists.query("slice == 'all' and metric == 'gini@20'")
    assert scores["gini@20"] == row["value"].item()
    with pytest.raises(InputError, match=r"slice = 'nowhere'.*'all'"):
        scores.mean("gini@20", "nowhere")
    with pytest.raises(InputError, match=r"metric = 'ginni@20'.*gini@20"):
        scores["ginni@20"]


def test_the_page_shows_a_row_a_slice(scores: Scores) -> None:
    text = scores._repr_html_()
    for word in ("all", "few purchases", "recall@20", "coverage@10", "are left out"):
        assert word in text
    assert text.count("<th>all</th>") == 2  # users' metrics and the lists'


def test_scores_without_lists_are_as_before() -> None:
    table = pd.DataFrame({"user": range(12), "slice": "all", "positives": 1, "recall@20": [0.0, 1.0] * 6})
    one = Scores("made", table, {"part": "test", "mask_valid": True, "few": 5, "left_out": 0})
    assert one["recall@20"] == 0.5
    assert "few purchases: items bought at most 5 times" in one.note()
    assert "0.5000 [0.2238, 0.7762]" in one._repr_html_()
    few = Scores("made", table[:2], one.about)
    assert "too few users to say (2)" in few._repr_html_()
    assert "0.5" not in few._repr_html_()
