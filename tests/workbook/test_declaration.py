"""What a declared parameter takes and refuses, as a value and as text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlib.core.errors import InputError
from mmlib.workbook.declaration import Parameter, as_text, check, declared_in, parse

BODY = """\
# training
epochs: int = 60  # how long
rate: float = 1e-3  # how fast
split: str = "8:1:1"  # a # inside "text" is kept
shop: dict = {}
sizes: list[int] = [
    10,
    20,
]  # lengths
limit: int | None = None  # none: all
strict: bool = False
weights: dict[str, float] = {"a": 1}
"""


@pytest.fixture
def known() -> dict[str, Parameter]:
    return declared_in(BODY, Path("00_page.py"), 5)


def test_a_cell_declares_names_types_defaults_and_help(known: dict[str, Parameter]):
    assert list(known) == ["epochs", "rate", "split", "shop", "sizes", "limit", "strict", "weights"]
    assert known["epochs"] == Parameter("epochs", "int", 60, "how long", ("00_page",))
    assert known["epochs"].line == "epochs: int = 60  # how long"
    assert known["split"].help == 'a # inside "text" is kept'
    assert known["sizes"] == Parameter("sizes", "list[int]", [10, 20], "lengths", ("00_page",))
    assert known["limit"].type == "int | None"
    assert known["weights"].default == {"a": 1.0}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import os", "line 5: the parameters cell holds only lines such as"),
        ("epochs = 3", "holds only lines"),
        ("epochs: int", "holds only lines"),
        ("epochs: int = 3 * 20", "3 \\* 20 is not a plain int"),
        ("epochs: int = 0.5", "0.5 is not a plain int"),
        ("epochs: Path = 'x'", "is not a plain Path"),
        ("epochs: int.__class__ = 1", "is not a plain"),
        ("epochs: int = 1\nepochs: int = 2", "line 6: epochs is assigned twice"),
        ("Epochs: int = 1", "Epochs cannot be a parameter"),
        ("pages: int = 1", "pages cannot be a parameter"),
        ("epochs: int = (", "line"),
    ],
)
def test_the_cell_holds_nothing_else(body: str, says: str):
    with pytest.raises(InputError, match=says):
        declared_in(body, Path("00_page.py"), 5)


def test_check_keeps_values_and_makes_floats(known: dict[str, Parameter]):
    given = {"epochs": 5, "rate": 1, "sizes": [], "limit": None, "strict": True, "weights": {"b": 2}, "shop": {"n": 1}}
    found = check(given, known)
    assert found == given
    assert type(found["rate"]) is float
    assert type(found["weights"]["b"]) is float


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epoch": 5}, 'There is no parameter "epoch". Did you mean "epochs"?'),
        ({"epochs": 5.0}, "epochs must be int, not 5.0 (float)."),
        ({"epochs": True}, "epochs must be int, not True (bool)."),
        ({"epochs": "5"}, "Write it as a number, without quotes."),
        ({"epochs": 10**12}, "epochs must be int, not 1000000000000 (int)"),
        ({"rate": True}, "rate must be float, not True"),
        ({"rate": "1e-3"}, "rate must be float, not '1e-3' (str). Write it as a number"),
        ({"rate": "fast"}, "rate must be float, not 'fast' (str). It is: how fast."),
        ({"rate": float("nan")}, "rate must be float, not nan"),
        ({"rate": float("inf")}, "rate must be float, not inf"),
        ({"split": 28861}, "split must be str, not 28861 (int). Put it in quotes"),
        ({"split": True}, "Put it in quotes"),
        ({"strict": "yes"}, "strict must be bool, not 'yes' (str). Write true or false."),
        ({"sizes": 3}, "sizes must be list[int], not 3"),
        ({"sizes": [3, 0.5]}, "sizes must be list[int]"),
        ({"shop": [1]}, "shop must be dict"),
        ({"shop": {1: 2}}, "shop must be dict"),
        ({"limit": 0.5}, "limit must be int | None"),
    ],
)
def test_check_names_parameter_type_value_and_remedy(known: dict[str, Parameter], given: dict, says: str):
    with pytest.raises(InputError) as caught:
        check(given, known)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "kind", "good", "bad", "words"),
    [
        ({"ge": 0}, "int", 0, -1, "at least 0"),
        ({"gt": 0}, "float", 0.1, 0, "above 0"),
        ({"ge": 0, "le": 1}, "float", 1, 1.1, "at least 0, at most 1"),
        ({"gt": 0, "lt": 1}, "float", 0.5, 1.0, "above 0, below 1"),
        ({"choices": ("a", "b")}, "str", "a", "c", "one of 'a', 'b'"),
        ({"min_length": 1, "each": 1}, "list[int]", [1], [], "not empty, each at least 1"),
        ({"min_length": 1, "each": 1}, "list[int]", [1], [1, 0], "not empty, each at least 1"),
        ({"ge": 0}, "int | None", None, -1, "at least 0"),
    ],
)
def test_ranges(rules: dict, kind: str, good: object, bad: object, words: str):
    one = Parameter("x", kind, good, rules=rules)
    assert one.fit(good) == good
    assert one.range == words
    with pytest.raises(InputError) as caught:
        one.fit(bad)
    assert f"x must be {kind}, {words}, not" in str(caught.value)


def test_check_tells_all_problems_at_once(known: dict[str, Parameter]):
    with pytest.raises(InputError) as caught:
        check({"epoch": 5, "strict": 1}, known)
    assert len(str(caught.value).splitlines()) == 2


def test_parse_reads_text_by_the_declared_type(known: dict[str, Parameter]):
    given = {"epochs": "5", "rate": "1e-3", "split": "8:1:1", "strict": "true", "limit": "none", "sizes": "[1, 2]"}
    found = parse(given | {"weights": "{a: 0.5}", "shop": '{"users": 1e3}'}, known)
    assert found == {
        "epochs": 5, "rate": 0.001, "split": "8:1:1", "strict": True, "limit": None, "sizes": [1, 2],
        "weights": {"a": 0.5}, "shop": {"users": 1000.0},
    }  # fmt: skip
    assert parse({"limit": "7"}, known) == {"limit": 7}
    assert parse({"split": "5"}, known) == {"split": "5"}


@pytest.mark.parametrize(
    ("name", "text"),
    [("epochs", "5.5"), ("epochs", "x"), ("strict", "1"), ("sizes", "1"), ("sizes", "["), ("epochs", "012")],
)
def test_parse_refuses_what_does_not_fit(known: dict[str, Parameter], name: str, text: str):
    with pytest.raises(InputError, match=name):
        parse({name: text}, known)


@given(
    st.one_of(
        st.tuples(st.just("int"), st.integers(-(10**9), 10**9)),
        st.tuples(st.just("float"), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just("bool"), st.booleans()),
        st.tuples(st.just("str"), st.text()),
        st.tuples(st.just("list[int]"), st.lists(st.integers(-(10**9), 10**9))),
        st.tuples(st.just("dict[str, float]"), st.dictionaries(st.text(), st.floats(0, 1))),
        st.tuples(st.just("int | None"), st.none() | st.integers(-(10**9), 10**9)),
    )
)
def test_parse_reads_what_as_text_writes(case: tuple):
    kind, value = case
    known = {"x": Parameter("x", kind, value)}
    assert parse({"x": as_text(value)}, known) == {"x": value}


def test_a_name_or_a_pair_of_names():
    one = Parameter("encoder", "str | dict", "small", rules={"min_length": 1})
    assert one.read("timm:resnet18") == one.fit("timm:resnet18") == "timm:resnet18"
    assert one.read("12") == "12"  # a text, whatever it looks like
    pair = {"image": "timm:resnet18", "text": "st:x/y"}
    assert one.read("{image: timm:resnet18, text: 'st:x/y'}") == one.read(as_text(pair)) == one.fit(pair) == pair
    for wrong in (7, ["a"], ""):
        with pytest.raises(InputError, match="encoder must be"):
            one.fit(wrong)
