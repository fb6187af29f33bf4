"""The one declaration, and what pages repeat or add."""

from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.parameters import PAGES, STUDY, in_cell, known_parameters

ROOT = Path(__file__).parents[2]
CELL = '# %% [markdown]\n# # Title\n\n# %% tags=["parameters"]\n{body}\n# %%\nepochs = "not a parameter"\n'


def page(folder: Path, body: str, name: str = "00_page") -> Path:
    path = folder / f"{name}.py"
    path.write_text(CELL.format(body=body))
    return path


def test_the_pages_are_those_that_are_there():
    assert list(PAGES) == sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.py"))


@pytest.mark.parametrize("one", STUDY.values(), ids=lambda one: one.name)
def test_a_parameter_is_declared_in_full(one):
    assert one.help
    assert one.pages
    assert set(one.pages) <= set(PAGES)
    assert one.fit(one.default) == one.default
    assert len(one.line) <= 120  # fits a page's cell


def test_a_cell_is_found_by_its_tag(tmp_path: Path):
    path = page(tmp_path, "size: int = 1  # how large")
    assert list(in_cell(path)) == ["size"]
    path.write_text("# %%\nx: int = 1\n")
    assert in_cell(path) == {}
    path.write_text(CELL.format(body="size: int = 1") * 2)
    with pytest.raises(InputError, match="2 cells tagged parameters"):
        in_cell(path)
    with pytest.raises(InputError, match="There is no page"):
        in_cell(tmp_path / "09_none.py")


def test_a_parameter_means_the_same_on_every_page(tmp_path: Path):
    page(tmp_path, "size: int = 1", "00_a")
    page(tmp_path, "size: int = 1  # other help\nrate: float = 1.0\nseed: int = 0", "01_b")
    assert set(known_parameters(tmp_path)) == {*STUDY, "size", "rate"}
    assert list(known_parameters(tmp_path, ["01_b"])) == ["size", "rate", "seed"]
    page(tmp_path, "size: int = 2", "02_c")
    with pytest.raises(InputError, match="size is int = 1 in 00_a but int = 2 in 02_c"):
        known_parameters(tmp_path)
    page(tmp_path, "seed: int = 3", "02_c")
    with pytest.raises(InputError, match="seed is int = 0 for all pages but int = 3 in 02_c"):
        known_parameters(tmp_path)
