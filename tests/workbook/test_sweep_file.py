from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.sweep_file import Sweep, read_sweep

from .tiny import make


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make(tmp_path))
    return tmp_path


def read(workbook: Path, text: str, **overrides: object) -> Sweep:
    path = workbook / "params" / "sweeps" / "x.yaml"
    path.write_text(text)
    return read_sweep(path, overrides)


def shown(one: Sweep, *names: str) -> list[tuple]:
    return [tuple(each.parameters[name] for name in names) for each in one.plans]


def test_the_last_name_varies_fastest(workbook: Path):
    one = read(workbook, "base: ../toy.yaml\nfixed: {rate: 1}\ngrid: {seed: [1, 0], mode: [ok, bad]}\n")
    assert shown(one, "size", "rate", "seed", "mode") == [
        (5, 1.0, 1, "ok"), (5, 1.0, 1, "bad"), (5, 1.0, 0, "ok"), (5, 1.0, 0, "bad")
    ]  # fmt: skip
    assert one.varying == ("mode", "seed")
    assert {each.name for each in one.plans} == {"toy"}
    assert one.folder.parent == workbook / "outputs" / "sweeps"
    assert one.id.startswith("x-")


def test_also_skip_and_runs_given_twice(workbook: Path):
    text = """
    fixed: {rate: 1.0}
    grid: {size: [1, 2], seed: [0, 1]}
    also:
      - {fixed: {size: 3}, grid: {seed: [0]}}
      - {fixed: {size: 1, seed: 0}}
    skip:
      - {size: 2, seed: 1}
    """
    assert shown(read(workbook, text), "size", "seed", "rate") == [(1, 0, 1.0), (1, 1, 1.0), (2, 0, 1.0), (3, 0, 1.0)]


def test_no_grid_is_one_run_and_overrides_win(workbook: Path):
    assert shown(read(workbook, "fixed: {size: 7}\n", seed=4), "size", "seed") == [(7, 4)]
    assert shown(read(workbook, "grid: {size: [7, 8]}\n", size=1), "size") == [(1,)]


def test_pages_of_the_sweep_and_of_the_base(workbook: Path):
    assert read(workbook, 'base: ../toy.yaml\npages: ["01"]\n').plans[0].pages == ("01_second",)
    assert read(workbook, "base: ../toy.yaml\n").plans[0].pages == ("00_first", "01_second")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gird: {size: [1]}", 'no key "gird". Did you mean "grid"'),
        ("size: 3", 'no key "size"'),
        ("grid: {sice: [1]}", 'Did you mean "size"'),
        ("grid: {size: [1, 2, x]}", "'size': 'x'}: size must be int"),
        ("grid: {size: 3}", r"grid: size: 3 cannot be; give one `name: list of values`"),
        ("grid: {size: []}", r"grid: size: \[\] cannot be; give one `name: list of values`"),
        ("grid: [size]", r"grid: \['size'\] cannot be"),
        ("also: [3]", "also: 0: 3 cannot be; give a list, each entry with the keys fixed and grid"),
        ("also: [{size: 3}]", 'also: has no key "size"'),
        ("grid: {size: [1]}\nskip: [{size: 2}]", "skip: no run has"),
        ("grid: {size: [1]}\nskip: [{size: 1}]", "leaves no run"),
        ("grid: {size: [1]}\nskip: [3]", "skip: 0: 3 cannot be"),
        ("base: none.yaml", "There is no file .*none.yaml"),
        ("grid: {size: [1]}\npages: ['07']", 'no page "07"'),
        ("grid: {size: [1]}\ncompare: {varies: size}", 'compare: has no key "varies". Did you mean "vary"'),
    ],
)
def test_a_wrong_file_is_refused(workbook: Path, text: str, says: str):
    with pytest.raises(InputError, match=says) as caught:
        read(workbook, text)
    assert "x.yaml" in str(caught.value) or "none.yaml" in str(caught.value)
