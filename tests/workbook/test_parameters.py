from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlib.core.errors import InputError
from mmlib.workbook.parameters import Parameter, as_text, check, known_parameters, page_parameters, parse, read_yaml

CELL = """# %% [markdown]
# # Title

# %% tags=["parameters"]
{body}
# %%
epochs = "not a parameter"
"""
BODY = """\
# training
epochs: int = 60  # how long
lr: float = 1e-3  # how fast
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


def page(folder: Path, body: str = BODY, name: str = "00_page") -> Path:
    path = folder / f"{name}.py"
    path.write_text(CELL.format(body=body))
    return path


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Parameter]:
    return page_parameters(page(tmp_path))


def test_page_parameters_reads_names_types_defaults_and_help(known: dict[str, Parameter]):
    assert list(known) == ["epochs", "lr", "split", "shop", "sizes", "limit", "strict", "weights"]
    assert known["epochs"] == Parameter("epochs", "int", 60, "how long", "00_page")
    assert known["split"].help == 'a # inside "text" is kept'
    assert known["sizes"] == Parameter("sizes", "list[int]", [10, 20], "lengths", "00_page")
    assert known["limit"].type == "int | None"
    assert known["weights"].default == {"a": 1.0}


def test_page_without_the_cell_has_no_parameters(tmp_path: Path):
    path = tmp_path / "00_page.py"
    path.write_text("# %%\nx: int = 1\n")
    assert page_parameters(path) == {}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import os", "line 5: the parameters cell holds only lines such as"),
        ("epochs = 3", "holds only lines"),
        ("epochs: int", "holds only lines"),
        ("epochs: int = 3 * 20", "3 \\* 20 is not a plain int"),
        ("epochs: int = 0.5", "0.5 is not a plain int"),
        ("epochs: Path = 'x'", "is not a plain Path"),
        ("epochs: int = 1\nepochs: int = 2", "line 6: epochs is assigned twice"),
        ("Epochs: int = 1", "Epochs cannot be a parameter"),
        ("pages: int = 1", "pages cannot be a parameter"),
        ("epochs: int = (", "line"),
    ],
)
def test_the_cell_holds_nothing_else(tmp_path: Path, body: str, says: str):
    with pytest.raises(InputError, match=says):
        page_parameters(page(tmp_path, body))


def test_two_cells_are_refused(tmp_path: Path):
    path = page(tmp_path)
    path.write_text(path.read_text() * 2)
    with pytest.raises(InputError, match="2 cells tagged parameters"):
        page_parameters(path)


def test_a_parameter_means_the_same_on_every_page(tmp_path: Path):
    page(tmp_path, "epochs: int = 1", "00_a")
    page(tmp_path, "epochs: int = 1  # other help\nlr: float = 1.0", "01_b")
    assert list(known_parameters(tmp_path)) == ["epochs", "lr"]
    page(tmp_path, "epochs: int = 2", "02_c")
    with pytest.raises(InputError, match="epochs is int = 1 in 00_a but int = 2 in 02_c"):
        known_parameters(tmp_path)
    page(tmp_path, "epochs: float = 1.0", "02_c")
    with pytest.raises(InputError, match="epochs is int = 1 in 00_a but float"):
        known_parameters(tmp_path)


def test_check_keeps_values_and_makes_floats(known: dict[str, Parameter]):
    given = {"epochs": 5, "lr": 1, "sizes": [], "limit": None, "strict": True, "weights": {"b": 2}, "shop": {"n": 1}}
    found = check(given, known)
    assert found == given
    assert type(found["lr"]) is float
    assert type(found["weights"]["b"]) is float


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epoch": 5}, 'There is no parameter "epoch". Did you mean "epochs"?'),
        ({"epochs": 5.0}, "epochs must be int, not 5.0 (float)."),
        ({"epochs": True}, "epochs must be int, not True (bool). Write a number"),
        ({"epochs": "5"}, "Write it without quotes."),
        ({"lr": True}, "lr must be float, not True"),
        ({"lr": "1e-3"}, "lr must be float, not '1e-3' (str). Write 1.0e-3: to YAML 1.1"),
        ({"lr": "1e5"}, "Write 1.0e+5"),
        ({"lr": "1.5e5"}, "Write 1.5e+5"),
        ({"lr": "fast"}, "lr must be float, not 'fast' (str). It is: how fast."),
        ({"lr": float("nan")}, "lr must be float, not nan"),
        ({"lr": float("inf")}, "lr must be float, not inf"),
        ({"split": 28861}, "split must be str, not 28861 (int). Put it in quotes"),
        ({"split": True}, "Put it in quotes: YAML 1.1 reads yes, no, on, off"),
        ({"strict": 1}, "strict must be bool, not 1"),
        ({"sizes": 3}, "sizes must be list[int], not 3"),
        ({"sizes": [3, 0.5]}, "sizes must be list[int]"),
        ({"shop": [1]}, "shop must be dict"),
        ({"limit": 0.5}, "limit must be int | None"),
    ],
)
def test_check_names_parameter_type_value_and_remedy(known: dict[str, Parameter], given: dict, says: str):
    with pytest.raises(InputError) as caught:
        check(given, known)
    assert says in str(caught.value)


def test_check_tells_all_problems_at_once(known: dict[str, Parameter]):
    with pytest.raises(InputError) as caught:
        check({"epoch": 5, "strict": 1}, known)
    assert len(str(caught.value).splitlines()) == 2


def test_parse_reads_text_by_the_declared_type(known: dict[str, Parameter]):
    given = {"epochs": "5", "lr": "1e-3", "split": "8:1:1", "strict": "true", "limit": "none", "sizes": "[1, 2]"}
    found = parse(given | {"weights": "{a: 0.5}", "shop": '{"users": 1e3}'}, known)
    assert found == {
        "epochs": 5, "lr": 0.001, "split": "8:1:1", "strict": True, "limit": None, "sizes": [1, 2],
        "weights": {"a": 0.5}, "shop": {"users": 1000.0},
    }  # fmt: skip
    assert parse({"limit": "7"}, known) == {"limit": 7}
    assert parse({"split": "5"}, known) == {"split": "5"}


@pytest.mark.parametrize(
    ("name", "text"), [("epochs", "5.5"), ("epochs", "x"), ("strict", "1"), ("sizes", "1"), ("sizes", "[")]
)
def test_parse_refuses_what_does_not_fit(known: dict[str, Parameter], name: str, text: str):
    with pytest.raises(InputError, match=f"{name} must be"):
        parse({name: text}, known)


@given(
    st.one_of(
        st.tuples(st.just("int"), st.integers()),
        st.tuples(st.just("float"), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just("bool"), st.booleans()),
        st.tuples(st.just("str"), st.text()),
        st.tuples(st.just("list[int]"), st.lists(st.integers())),
        st.tuples(st.just("dict[str, float]"), st.dictionaries(st.text(), st.floats(0, 1))),
        st.tuples(st.just("int | None"), st.none() | st.integers()),
    )
)
def test_parse_reads_what_as_text_writes(case: tuple):
    kind, value = case
    known = {"x": Parameter("x", kind, value, "", "00")}
    assert parse({"x": as_text(value)}, known) == {"x": value}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lr: 1.0e-3\nlr: 2.0e-3\n", "lr is given twice (again on line 2)"),
        ("shop:\n  users: 1\n  users: 2\n", "users is given twice"),
        ("split: 8:1:1\n", "8:1:1 (line 1) is the number 28861 to YAML 1.1"),
        ("seed: 012\n", "012 (line 1) is the number 10"),
        ("- a\n", "holds a list"),
        ("a: [1\n", "cannot be read"),
        ("a: !!python/object:os.system x\n", "cannot be read"),
    ],
)
def test_read_yaml_refuses(tmp_path: Path, text: str, says: str):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert says in str(caught.value)
    assert "x.yaml" in str(caught.value)


def test_read_yaml(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(
        'about: text\npages: ["00", 4]\nseed: 0\nlr: 1.0e-3\nbase: &a {x: 1}\nmore: {<<: *a, y: 2}\n'
    )
    assert read_yaml(tmp_path / "x.yaml")["lr"] == 0.001
    assert read_yaml(tmp_path / "x.yaml")["more"] == {"x": 1, "y": 2}
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}
    with pytest.raises(InputError, match=r"There is no file .*missing.yaml"):
        read_yaml(tmp_path / "missing.yaml")
