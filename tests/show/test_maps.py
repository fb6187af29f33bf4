import json

import numpy as np
import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.show import alignment, alignment_pair, pair_cosine

from .conftest import EVIL


def slow_cosine(u, v):
    cos = [[float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for b in v] for a in u]
    n = len(u)
    return np.mean([cos[i][i] for i in range(n)]), np.mean([cos[i][j] for i in range(n) for j in range(n) if i != j])


def test_pair_cosine_is_that_of_the_double_loop(two_spaces):
    found = pair_cosine(*two_spaces)
    pairs, random = slow_cosine(*(x.numpy() for x in two_spaces))
    assert found == {"pairs": pytest.approx(pairs, abs=1e-6), "random": pytest.approx(random, abs=1e-6)}


def test_pair_cosine_leaves_out_zero_rows_and_refuses_other_shapes(two_spaces):
    content, ids = two_spaces
    holed = ids.clone()
    holed[3] = 0
    keep = torch.arange(8) != 3
    assert pair_cosine(content, holed) == pytest.approx(pair_cosine(content[keep], ids[keep]))
    assert np.isnan(pair_cosine(content[:1], ids[:1])["random"])
    with pytest.raises(InputError, match=r"\[8, 5\].*\[8, 4\]"):
        pair_cosine(content, ids[:, :4])


def test_alignment_joins_the_two_points_of_each_item(shop, two_spaces):
    fig = alignment(shop, *two_spaces, sample=6, seed=1)
    line = np.column_stack([fig.data[0].x, fig.data[0].y]).astype(float).reshape(6, 3, 2)
    assert np.isnan(line[:, 2]).all()
    points = {"content": {}, "ID": {}}
    for trace in fig.data[1:]:
        kind = "ID" if "ID vector" in trace.hovertemplate else "content"
        for row, x, y in zip(trace.customdata, trace.x, trace.y):
            points[kind][int(row)] = (x, y)
    for row in range(6):
        assert np.allclose(line[row, 0], points["content"][row], atol=1e-3)
        assert np.allclose(line[row, 1], points["ID"][row], atol=1e-3)
    assert len(fig.layout.meta["cards"]) == 6


def test_alignment_is_repeatable_and_escapes(shop, two_spaces):
    one, two = (alignment(shop, *two_spaces, seed=3).to_json() for _ in range(2))
    assert one == two
    fig = json.loads(one)
    texts = [text for trace in fig["data"] for text in trace.get("text", [])]
    assert any("&lt;script&gt;" in text for text in texts)
    assert not any("<script" in text for text in texts)
    assert {trace["name"] for trace in fig["data"] if trace.get("name")} >= {"&lt;b&gt;cups&lt;/b&gt;", "other"}
    assert EVIL.split()[0] in fig["layout"]["meta"]["cards"][0]["title"]  # plain text; the page sets it as text


def test_pair_names_both_cosines_in_the_titles(shop, two_spaces):
    content, ids = two_spaces
    fig = alignment_pair(shop, (content, ids), (content, content))
    before, after = (note.text for note in fig.layout.annotations if note.name != "caption")
    assert before.startswith("Before")
    assert f"pairs {pair_cosine(content, ids)['pairs']:.3f}" in before
    assert "pairs 1.000" in after
    assert f"random {pair_cosine(content, content)['random']:.3f}" in after


def test_300_points_with_pictures_stay_below_500_kb(shop, two_spaces):
    from dataclasses import replace

    import pandas as pd

    many = replace(shop, items=pd.concat([shop.items.iloc[:5]] * 40, ignore_index=True))
    content, ids = (torch.randn(200, 6, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    fig = alignment(many, content, ids)
    assert sum(len(trace.x) for trace in fig.data[1:]) == 300
    assert len(fig.to_json()) < 500_000


def test_wrong_sizes_are_refused(shop, two_spaces):
    content, ids = two_spaces
    with pytest.raises(InputError, match="7 ID vectors"):
        alignment(shop, content, ids[:7])
    with pytest.raises(InputError, match="equal shapes"):
        alignment(shop, content, ids[:, :3])
