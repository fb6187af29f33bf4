"""Windows hold every token once, and pooling is the weighted mean that it says it is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.encoders.windows import Windows, pool, windows

from .shop import tiny

SMALL = tiny()
ROOM = SMALL.context - 2
TEXTS = st.text(st.sampled_from("ab ,.é漢 \n-7"), min_size=1, max_size=400)


def content(tokens: torch.Tensor) -> list[int]:
    """The tokens of text in all windows, one after another."""
    start, end = SMALL.tokenizer.sot_token_id, SMALL.tokenizer.eot_token_id
    found = []
    for row in tokens.tolist():
        assert row[0] == start
        found += row[1 : row.index(end)]
    return found


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_no_token_is_dropped(text):
    tokens, weights = windows(text, SMALL)
    assert tokens.shape == (len(weights), SMALL.context)
    if len(tokens) > 1:
        assert int(weights.sum()) == len(content(tokens))
    if max((SMALL.count(word) for word in text.split()), default=0) <= ROOM:  # words were kept whole
        assert content(tokens) == SMALL.tokenizer.encode(text)


@pytest.mark.parametrize("count", [0, 1, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM, 2 * ROOM + 1])
def test_number_of_windows_at_the_edges(count):
    tokens, _ = windows("cat " * count, SMALL)
    assert len(tokens) == max(1, -(-count // ROOM))
    assert content(tokens) == SMALL.tokenizer.encode("cat " * count)
    if len(tokens) == 1:
        assert torch.equal(tokens, SMALL.tokenize(["cat " * count]))


def test_one_word_longer_than_a_window_is_halved():
    tokens, weights = windows("漢字" * 200, SMALL)
    assert len(tokens) > 2
    assert len(content(tokens)) == int(weights.sum())
    assert SMALL.tokenizer.decode(content(tokens)).replace(" ", "") == "漢字" * 200


@torch.no_grad()
def test_encode_is_the_naive_loop():
    texts = ["a red shoe", "word " * 130 + "end", "blue", "x. " * 60]
    expected = []
    for text in texts:
        tokens, weights = windows(text, SMALL)
        total = torch.zeros(SMALL.widths["text"])
        for row, weight in zip(tokens, weights):
            total += weight * SMALL.text(row.unsqueeze(0))[0]
        expected.append(total / total.norm())
    cut = Windows.of(texts, SMALL)
    assert torch.allclose(cut.encode(SMALL, batch_size=3), torch.stack(expected), atol=1e-5)
    rows = torch.tensor([3, 1, 3])
    assert torch.allclose(cut.encode(SMALL, rows), torch.stack(expected)[rows], atol=1e-5)


@torch.no_grad()
def test_the_end_of_a_long_text_counts():
    long = "shoe " * 100
    one, other = Windows.of([long + "red", long + "blue"], SMALL).encode(SMALL)
    assert not torch.allclose(one, other, atol=1e-4)
    assert torch.equal(*SMALL.tokenize([long + "red", long + "blue"]))  # cutting would not see it


def test_pool_weighs_by_tokens():
    vectors = torch.eye(3)
    got = pool(vectors, torch.tensor([0, 0, 2]), torch.tensor([3.0, 4.0, 9.0]), 3)
    assert torch.allclose(got, torch.tensor([[0.6, 0.8, 0], [0, 0, 0], [0, 0, 1.0]]))
