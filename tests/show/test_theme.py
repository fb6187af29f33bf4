import plotly.graph_objects as go
import pytest

from mmlib.show import caption, category_styles
from mmlib.show.theme import HEIGHT, OTHER, PALETTE, SYMBOLS, log_ticks, shorten, style


def test_caption_adds_its_own_height_and_replaces_the_last_one():
    fig = style(go.Figure())
    plot = fig.layout.height - fig.layout.margin.t - fig.layout.margin.b
    caption(caption(fig, "first"), "word " * 80)
    notes = [note.text for note in fig.layout.annotations if note.name == "caption"]
    assert len(notes) == 1
    assert "first" not in notes[0]
    assert notes[0].count("<br>") >= 2
    assert fig.layout.height - fig.layout.margin.t - fig.layout.margin.b == plot
    assert fig.layout.meta["caption"] == "word " * 80
    assert HEIGHT < fig.layout.height == caption(style(go.Figure()), "word " * 80).layout.height


def test_caption_keeps_other_annotations_and_escapes():
    fig = style(go.Figure()).add_annotation(text="kept")
    caption(fig, "a <b> & c")
    assert [note.text for note in fig.layout.annotations] == ["kept", "a &lt;b&gt; &amp; c"]


def test_category_styles_do_not_depend_on_order_and_end_with_other():
    names = ["b"] * 3 + ["a"] * 3 + ["c"] + [""]
    styles = category_styles(names)
    assert list(styles) == ["a", "b", "c", OTHER]
    assert styles == category_styles(reversed(names))
    many = category_styles([f"c{k:02}" for k in range(30)])
    assert len(many) == len(PALETTE) + 1
    assert len({(one.colour, one.symbol) for one in many.values()}) == len(many)


def test_no_two_categories_differ_by_colour_alone():
    assert len(set(SYMBOLS[: len(PALETTE)])) == len(PALETTE) == len(set(PALETTE))


@pytest.mark.parametrize(("values", "expected"), [([1, 30], [1, 2, 5, 10, 20, 50]), ([], [1])])
def test_log_ticks(values, expected):
    assert log_ticks(values)[: len(expected)] == expected


def test_shorten():
    assert shorten("a\n  b") == "a b"
    assert shorten("abcdef", 4) == "abc…"
