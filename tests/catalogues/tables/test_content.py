"""Text from several columns, and categories with several values."""

import pandas as pd
import pytest

from mmlib.catalogues.tables.content import _values, joined


def test_one_column_is_taken_unchanged():
    assert joined(pd.DataFrame({"blurb": [" no stop ", ""]}), ["blurb"]) == ["no stop", ""]
    assert joined(pd.DataFrame({"genres": ["A|B", ""]}), ["genres"]) == ["Genres: A, B.", ""]
    assert joined(pd.DataFrame({"x": ["1"]}), []) == [""]


def test_facts_are_labelled_and_prose_is_not():
    raw = pd.DataFrame(
        {
            "shortNote": ["brief", ""],
            "main_actors": ["Tom; Jim", "['Ann', 'Bo']"],
            "saga": ["long; " * 20, "short"],
            "plot": ["It rains!", "It rains; again"],
        }
    )
    first, second = joined(raw, ["shortNote", "main_actors", "saga", "plot"])
    assert first == f"Short note: brief. Main actors: Tom, Jim. {('long; ' * 20).strip()}. It rains!"
    assert second == "Main actors: Ann, Bo. short. It rains; again."


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("genre", ["A|B", "C", ""], [["A", "B"], ["C"], []]),
        ("category", ["Home > Kitchen", "Toys"], [["Home", "Kitchen"], ["Toys"]]),
        ("category", ["Home, Kitchen", "Toys"], [["Home, Kitchen"], ["Toys"]]),
        ("genres", ["Home, Kitchen", "Toys"], [["Home", "Kitchen"], ["Toys"]]),
        ("categories", ["[['Baby', 'Toys'], ['Gifts']]", "[broken"], [["Baby", "Toys", "Gifts"], ["[broken"]]),
    ],
)
def test_values_of_a_category(name, cells, expected):
    assert _values(pd.Series(cells, name=name)) == expected
