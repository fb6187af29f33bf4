"""The figure and the sentence of text-to-image retrieval show the values that they are given."""

import pytest
import torch

from mmlib.evaluation.retrieval import retrieval
from mmlib.show import text_and_image, text_and_image_answer


@pytest.fixture
def found():
    torch.manual_seed(0)
    text = torch.randn(40, 5)
    return {"raw encoder": retrieval(text, torch.randn(40, 5)), "after <training>": retrieval(text, text)}


def test_the_figure_draws_shares_of_pairs_and_recall(found) -> None:
    fig = text_and_image(found)
    lines = [trace for trace in fig.data if trace.xaxis == "x"]
    assert len(lines) == 4
    assert all(sum(trace.y) == pytest.approx(1) for trace in lines)
    recall = {trace.name: trace for trace in fig.data if trace.xaxis == "x2"}
    assert set(recall) == {"raw encoder", "after <training>", "chance"}
    assert list(recall["after <training>"].y) == [1.0] * len(recall["chance"].x)
    for name in ("raw encoder", "chance"):
        k, y = recall[name].x[5], recall[name].y[5]
        assert y == pytest.approx(found["raw encoder"].recall(int(k)) if name != "chance" else k / 40)
    assert sum(trace.showlegend is not False for trace in fig.data) == 3
    assert "R@10 1.000" in fig.layout.meta["caption"]
    assert all(axis.title.text for axis in (fig.layout.xaxis, fig.layout.yaxis, fig.layout.xaxis2, fig.layout.yaxis2))


def test_the_sentence_names_recall_and_chance(found) -> None:
    said = text_and_image_answer(found).text
    assert "<b>after &lt;training&gt;</b>" in said
    assert "100% of cases (chance 25.0%)" in said
    assert f"{found['raw encoder'].other:+.2f} for others" in said


def test_nothing_to_compare_is_said() -> None:
    assert "nothing to compare" in text_and_image({}).layout.meta["caption"]
    assert "no text and image" in text_and_image_answer({}).text
