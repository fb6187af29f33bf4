"""YAML 1.2 as people write it, and what nobody should have written."""

import time
from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.yaml_file import read_value, read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
BOMB += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("8:1:1", "8:1:1"),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("on", "on"),
        ("2014-01-01", "2014-01-01"),
        ("2024-99-99", "2024-99-99"),
        ("true", True),
        ("null", None),
        ("{on: 1, k: [1, 2.5]}", {"on": 1, "k": [1, 2.5]}),
        ("{base: &a {x: 1}, more: {<<: *a, y: 2}}", {"base": {"x": 1}, "more": {"x": 1, "y": 2}}),
    ],
)
def test_values_are_what_they_look_like(text: str, value: object):
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lr: 1.0e-3\nlr: 2.0e-3\n", 'line 2: found duplicate key "lr"'),
        ("shop:\n  users: 1\n  users: 2\n", 'duplicate key "users"'),
        ("seed: 012\n", "012 begins with 0"),
        ("seed: " + "9" * 5000, "has too many digits"),
        ("seed: 0x" + "f" * 5000, "has too many digits"),
        ("lr: .nan", "is no finite number"),
        ("lr: 1.0e+999", "is no finite number"),
        ("- a\n", "holds a list"),
        ("a: [1\n", "line 2"),
        ("? [a, b]\n: c\n", "a list or mapping cannot be a name"),
        ("shop:\n  ? {a: 1}\n  : 1\n", "a list or mapping cannot be a name"),
        ("a: &a [*a]\n", "an alias (*) stands inside what it stands for"),
        ("a: &a {b: *a}\n", "an alias (*) stands inside what it stands for"),
        (BOMB, "holds more than 10,000 values"),
        ("a: " + "[" * 5000, "nested deeper than 50"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested deeper than 50"),
        ("a: !!python/object:os.system x\n", "is no plain value"),
        ("a: !!int x\n", "x is no number"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("a: \x00", "not allowed"),
    ],
)
def test_what_cannot_be_is_refused_at_once_with_its_line(tmp_path: Path, text: str, says: str):
    (tmp_path / "x.yaml").write_text(text)
    begun = time.monotonic()
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert time.monotonic() - begun < 8
    assert says in str(caught.value)
    assert "x.yaml" in str(caught.value)


def test_files(tmp_path: Path):
    (tmp_path / "x.yaml").write_text('\ufeffabout: text\npages: ["00", 4]\nlr: 1e-3\n')
    assert read_yaml(tmp_path / "x.yaml") == {"about": "text", "pages": ["00", 4], "lr": 0.001}
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}
    with pytest.raises(InputError, match=r"There is no file .*missing.yaml"):
        read_yaml(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("about: Größe\n".encode("latin-1"))
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_yaml(tmp_path / "latin.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path)
