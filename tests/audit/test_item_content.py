"""Texts and outside ids: copies, near copies, boilerplate, cuts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from mmlib.audit import duplicates, item_content
from mmlib.audit.report import NotMade

from .audited import ROWS, found, ids, shop

LONG = "a soft grey blanket of washed cotton with a fringe on both ends that keeps small children warm in spring"
TEXTS = [f"{word} is what this item is made for and nothing else will do so well" for word in "abcdefgh"]
OTHERS = ["one lamp", "two chairs of oak", "a red kite", "four small cups", "the old clock", "wool", "tea tin", "bag"]


def with_texts(*texts: str, **columns: list[str]):
    return shop(ROWS, len(texts), items={"text": list(texts), **columns})


def test_the_same_description_is_found_through_case_and_marks():
    assert found(duplicates.same_text, with_texts(*OTHERS)) == {}
    copy = found(duplicates.same_text, with_texts(*OTHERS[:3], "Two chairs,  of OAK!", *OTHERS[4:]))["same text"]
    assert (copy.severity, copy.count, ids(copy)) == ("warning", 2, [("i1", "i3")])  # u0: i1 in train, i3 in test
    assert "(1 pair)" in copy.what


def test_the_same_title_is_found():
    data = shop(ROWS, 8, items={"title": ["Cup", "Pot", "Pan", "Jug", "cup.", "Mug", "Tin", "Can"]})
    assert ids(found(duplicates.same_title, data)["same title"]) == [("i0", "i4")]
    assert found(duplicates.same_title, shop(ROWS)) == {}


def test_a_description_with_one_other_word_is_a_near_copy_and_another_one_is_not():
    near = found(duplicates.near_text, with_texts(LONG, *OTHERS[1:7], LONG.replace("small", "little")))[
        "near-same text"
    ]
    assert ids(near) == [("i0", "i7")]
    half = " ".join(LONG.split()[:10]) + " which dries in the sun within an hour or even less"
    assert found(duplicates.near_text, with_texts(LONG, half, LONG.upper(), *OTHERS[3:])) == {}


WORDS = st.sampled_from(["red", "blue", "cup", "lamp", "for", "the", "garden", "oak", "small", "with"])


@settings(max_examples=40, deadline=None)
@forall(st.lists(st.lists(WORDS, min_size=8, max_size=24), min_size=2, max_size=6), st.data())
def test_near_texts_equal_the_comparison_of_all_with_all(texts, draw):
    more = []
    for words in texts:  # a near copy of each, with one word changed
        place = draw.draw(st.integers(0, len(words) - 1))
        more.append([*words[:place], "other", *words[place + 1 :]])
    written = [" ".join(words) for words in texts + more]

    def runs(text):
        words = text.split()
        return {tuple(words[k : k + 3]) for k in range(len(words) - 2)}

    first = {text: place for place, text in reversed(list(enumerate(written)))}
    slow = []
    for a in sorted(first.values()):
        for b in sorted(first.values()):
            x, y = runs(written[a]), runs(written[b])
            if a < b and len(x & y) >= duplicates.NEAR * len(x | y):
                slow.append((a, b))
    assert duplicates.near_texts(written) == slow


def test_many_variants_of_one_text_are_one_group(monkeypatch):
    """More than are compared with each: what a text shares most with comes first."""
    monkeypatch.setattr(duplicates, "MOST", 5)
    rare = [f"{LONG} number{n} of the series" for n in range(40)]
    others = [f"{' '.join(f'w{n}x{k}' for k in range(12))} keeps small children warm in spring" for n in range(20)]
    assert duplicates.joined(duplicates.near_texts(rare + others)) == [list(range(40))]


def test_a_column_of_outside_ids_shows_items_that_are_one():
    codes = ["007", "008", "009", "", "007", "nan", *[f"1{k}" for k in range(14)]]
    data = shop(ROWS, 20, items={"imdbId": codes, "brand_id": ["a", "b"] * 10, "colour": ["red"] * 20})
    some = found(duplicates.same_outside_id, data)
    assert {kind: (one.count, ids(one)) for kind, one in some.items()} == {"same imdbId": (2, [("i0", "i4")])}
    assert found(duplicates.same_outside_id, shop(ROWS, 8, items={"asin": [f"B{k}" for k in range(8)]})) == {}
    with pytest.raises(NotMade, match="no column with an outside id"):
        found(duplicates.same_outside_id, shop(ROWS))


@settings(max_examples=30, deadline=None)
@forall(st.lists(st.sets(st.integers(0, 7), min_size=2, max_size=3), max_size=3))
def test_crossing_equals_the_loop_over_test_pairs(groups):
    disjoint: list[list[int]] = []
    for group in groups:
        rest = sorted(group - {item for known in disjoint for item in known})
        disjoint += [rest] if len(rest) > 1 else []
    data = shop(ROWS)
    bought = {(user, item) for user, item in data.train.tolist()}
    slow = [
        [user, item]
        for user, item in data.test.tolist()
        if any(item in group and any((user, other) in bought for other in group) for group in disjoint)
    ]
    given = type("G", (), {"data": data})
    assert duplicates.crossing(given, disjoint).tolist() == slow


def test_one_text_on_many_items_is_boilerplate_and_no_copy():
    data = with_texts(*["Buy now"] * 5, *OTHERS[5:])
    assert found(item_content.boilerplate, data)["one text on many items"].count == 5
    assert found(duplicates.same_text, data) == found(item_content.boilerplate, with_texts(*OTHERS)) == {}


def test_texts_beyond_the_encoders_context_are_counted_longest_first():
    data = with_texts("w " * 30, *OTHERS[1:7], "w " * 20)
    cut = found(item_content.cut_texts, data, context=20)["texts cut by the encoder"]
    assert (cut.severity, cut.count, ids(cut)) == ("warning", 2, [("i0",), ("i7",)])
    assert cut.examples[0].text == "35 tokens"  # 30, three of the title, start and end
    assert found(item_content.cut_texts, data, context=35) == {}
    assert (
        found(item_content.cut_texts, data, context=36, tokens=lambda text: 2 * len(text.split()))[
            "texts cut by the encoder"
        ].count
        == 2
    )
    with pytest.raises(NotMade, match="not given"):
        found(item_content.cut_texts, data)


def test_items_without_a_description_are_noted():
    assert ids(found(item_content.empty_texts, with_texts("", *OTHERS[1:7], " "))["missing texts"]) == [
        ("i0",),
        ("i7",),
    ]
    assert found(item_content.empty_texts, with_texts(*OTHERS)) == {}
    with pytest.raises(NotMade):
        found(item_content.empty_texts, shop(ROWS))


def test_a_column_that_flags_flaws_is_believed():
    flags = ["ok", "placeholder", "duplicate_of_another_item", "ok", "placeholder", "none", "ok", "ok"]
    some = found(item_content.flagged, shop(ROWS, 8, items={"poster_flag": flags}))
    assert {kind: (one.severity, one.count) for kind, one in some.items()} == {
        "poster_flag: duplicate_of_another_item": ("warning", 1),
        "poster_flag: placeholder": ("warning", 2),
    }
    assert found(item_content.flagged, shop(ROWS, 8, items={"poster_flag": ["ok"] * 8})) == {}
    with pytest.raises(NotMade):
        found(item_content.flagged, shop(ROWS))


def test_groups_are_what_pairs_connect():
    assert duplicates.joined([(5, 9), (1, 2), (2, 7)]) == [[1, 2, 7], [5, 9]]
    assert duplicates.joined([]) == []
    assert all(isinstance(item, int) for group in duplicates.joined([(np.int64(1), np.int64(2))]) for item in group)


def test_what_the_reader_warned_of_is_a_warning():
    data = replace(shop(ROWS, 8), notes=("Warning: Items with no row: 3.", "Every rating counts."))
    (one,) = found(item_content.warned, data).values()
    assert (one.severity, one.what) == ("warning", "Items with no row: 3.")
