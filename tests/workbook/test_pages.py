import json
import os
from pathlib import Path

import nbformat
import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.pages import notebook_text, pair, stale, take_back

from .tiny import make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path) / "notebooks"


def test_a_notebook_is_made_of_the_text_and_nothing_else(folder: Path):
    text = (folder / "00_first.ipynb").read_text()
    assert text == notebook_text(folder / "00_first.py")  # the same bytes each time
    notebook = json.loads(text)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    cells = notebook["cells"]
    assert [cell["id"] for cell in cells] == [f"00_first-{place:02d}" for place in range(len(cells))]
    assert [cell["metadata"] for cell in cells] == [{}, {"tags": ["parameters"]}, {}, {}, {}]
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code"
    )


def test_pair_writes_what_changed(folder: Path):
    assert pair(folder) == []
    page = folder / "00_first.py"
    page.write_text(page.read_text().replace("# A tiny page", "# A small page"))
    assert pair(folder, check=True) == ["00_first"]
    assert pair(folder, check=True) == ["00_first"]  # a check writes nothing
    assert pair(folder) == ["00_first"]
    assert pair(folder) == []
    assert "A small page" in (folder / "00_first.ipynb").read_text()


def edit(path: Path, text: str) -> None:
    """As JupyterLab does: change a cell, run it, save."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source += text
    notebook.cells[-1].execution_count = 3
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="out\n")]
    notebook.cells[-1].metadata["scrolled"] = True
    notebook.metadata.kernelspec.name = "my-own-env"
    nbformat.write(notebook, path)
    os.utime(path, (os.path.getmtime(path.with_suffix(".py")) + 10,) * 2)


def test_edits_made_in_the_notebook_are_not_lost(folder: Path):
    path = folder / "00_first.ipynb"
    before = path.with_suffix(".py").read_text()
    edit(path, "\nprint('new')")
    with pytest.raises(InputError, match="mmlib pair --back"):
        pair(folder)
    assert take_back(folder) == ["00_first"]
    assert path.with_suffix(".py").read_text() == before.rstrip("\n") + "\nprint('new')\n"
    assert pair(folder) == ["00_first"]  # the outputs are gone
    assert "out" not in [cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells]
    assert (take_back(folder), pair(folder)) == ([], [])


def test_force_drops_edits(folder: Path):
    path = folder / "00_first.ipynb"
    edit(path, "\nprint('new')")
    assert pair(folder, force=True) == ["00_first"]
    assert path.read_text() == notebook_text(path.with_suffix(".py"))


def test_a_notebook_that_was_only_run_is_made_again(folder: Path):
    edit(folder / "00_first.ipynb", "")
    assert pair(folder) == ["00_first"]


def test_stale_notebooks_are_refused(folder: Path):
    pages, page = ["00_first", "01_second"], folder / "00_first.py"
    stale(folder, pages)
    os.utime(page, (page.stat().st_mtime + 10,) * 2)
    stale(folder, pages)  # newer, but the same
    page.write_text(page.read_text().replace("0.1", "0.2"))
    os.utime(page, (page.stat().st_mtime + 20,) * 2)
    (folder / "01_second.ipynb").unlink()
    with pytest.raises(InputError, match="The notebook of 00_first, 01_second is not made"):
        stale(folder, pages)
