"""How pages look: thin, typed, paired, without outputs. What they compute is tested where they run."""

import ast
import json
import re
import statistics
from pathlib import Path

import pytest

from mmlib.workbook.pages import KERNEL, notebook_text
from mmlib.workbook.parameters import STUDY, in_cell, known_parameters
from mmlib.workbook.planned_run import plan
from mmlib.workbook.sweep_file import read_sweep

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "notebooks").glob("[0-9]*.py"))
PARAMS = sorted((ROOT / "params").glob("*.yaml"))
SWEEPS = sorted((ROOT / "params" / "sweeps").glob("*.yaml"))
MEDIAN, LONGEST = 5, 12
WITH_OR_WITHOUT = "07_compare"  # shows a sweep, published figures, or both
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.While)


def cells(page: Path) -> list[dict]:
    return json.loads(notebook_text(page))["cells"]


def code(page: Path) -> list[str]:
    """Sources of the code cells, that with the parameters first."""
    return ["".join(cell["source"]) for cell in cells(page) if cell["cell_type"] == "code"]


def lines(source: str) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in source.splitlines())


def problems(page: Path) -> list[str]:
    """What a page does that pages do not do, one sentence each."""
    found, sources = [], code(page)
    trees = [ast.parse(re.sub(r"^[%!].*$", "pass", source, flags=re.MULTILINE)) for source in sources]
    lengths = [lines(source) for source in sources]
    if statistics.median(lengths) > MEDIAN:
        found.append(f"the median code cell has {statistics.median(lengths)} lines")
    found += [
        f"a code cell has {length} lines: {source}" for length, source in zip(lengths, sources) if length > LONGEST
    ]
    for tree in trees:
        found += [f"line {node.lineno} defines" for node in ast.walk(tree) if isinstance(node, DEFINITIONS)]
    if page.stem != WITH_OR_WITHOUT:
        found += [f"hides a result: {ast.unparse(node)}" for tree in trees for node in ast.walk(tree) if _hides(node)]
    for tree in trees[2:]:
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        found += [f"imports {ast.unparse(node)} after the second code cell" for node in imports]
    if f'mm.begin("{page.stem}", globals())' not in sources[1]:
        found.append(f'the second code cell does not call mm.begin("{page.stem}", globals())')
    declared = in_cell(page)
    if not declared:
        found.append("there is no cell tagged parameters")
    if any(not one.help for one in declared.values()):
        found.append("a parameter has no comment")
    found += [
        f"{one.line} is declared as {STUDY[name].line}"
        for name, one in declared.items()
        if name in STUDY and one.line != STUDY[name].line
    ]
    if any("exit(" in source for source in sources):
        found.append("exits, which papermill takes for success")
    tags = {tag for cell in cells(page) for tag in cell["metadata"].get("tags", [])}
    if "raises-exception" in tags:
        found.append("goes on after an error")
    if cells(page)[0]["cell_type"] != "markdown" or not "".join(cells(page)[0]["source"]).startswith("# "):
        found.append("does not begin with a title")
    return found


def _hides(node: ast.AST) -> bool:
    """Whether it puts something else, or nothing, in the place of a result."""
    return isinstance(node, ast.IfExp)


def header(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("# ---\n")[1]


HEADER = "# jupyter:\n#   kernelspec:\n" + "".join(f"#     {name}: {value}\n" for name, value in KERNEL.items())


def test_there_are_pages():
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_thin(page: Path):
    assert problems(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_the_plain_kernel_and_nothing_else(page: Path):
    assert header(page) == HEADER


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_notebook_is_made_of_the_text(page: Path):
    notebook = page.with_suffix(".ipynb")
    assert notebook.exists(), "run mmlib pair"
    assert notebook.read_text(encoding="utf-8") == notebook_text(page), "run mmlib pair"


def test_every_notebook_has_its_text():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == {page.stem for page in PAGES}


def test_a_parameter_means_the_same_on_every_page():
    assert known_parameters(ROOT / "notebooks")


@pytest.mark.parametrize("path", PARAMS, ids=lambda path: path.stem)
def test_a_parameter_file_says_what_it_is_and_is_right(path: Path):
    assert path.read_text(encoding="utf-8").startswith("#"), "open with what it answers, where, and in how long"
    plan(path, notebooks=ROOT / "notebooks")


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_file_says_what_it_is_and_is_right(path: Path):
    assert path.read_text(encoding="utf-8").startswith("#"), "open with what it answers, where, and in how long"
    assert len(read_sweep(path, notebooks=ROOT / "notebooks").plans) > 1


GOOD = '# ---\n{header}# ---\n\n# %% [markdown]\n# # Title\n\n# %% tags=["parameters"]\n'
GOOD += "size: int = 3  # how many\n\n# %%\n"
GOOD += 'import mmlib as mm\n\npage = mm.begin("00_made_up", globals())\n'


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", None),
        ("# %%\ndef f():\n    return 1\n", "line 1 defines"),
        ("# %%\nclass A:\n    pass\n", "line 1 defines"),
        ("# %%\nrows = sorted(rows, key=lambda row: row[0])\n", "line 1 defines"),
        ("# %%\nimport numpy as np\n", "imports import numpy as np"),
        ("# %%\n" + "size += 1\n" * 13, "a code cell has 13 lines"),
        (("# %%\n" + "size += 1\n" * 6) * 4, "the median code cell has 6"),
        ("# %%\nshown = table if size else None\n", "hides a result: table if size else None"),
        ("# %%\nsys.exit(0)\n", "exits"),
        ('# %% tags=["raises-exception"]\n1 / 0\n', "goes on after an error"),
    ],
)
def test_the_rules_can_be_broken(tmp_path: Path, more: str, says: str | None):
    page = tmp_path / "00_made_up.py"
    page.write_text(GOOD.format(header=HEADER) + "\n" + more)
    found = problems(page)
    assert header(page) == HEADER
    assert (not found) if says is None else any(says in one for one in found)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("seed: int = 0  # of initial weights, shuffling and negatives", None),
        ("seed: int = 0  # of chance", "is declared as seed: int = 0  # of initial weights"),
        ("seed: int = 1  # of initial weights, shuffling and negatives", "is declared as seed: int = 0"),
        ("seed: float = 0.0  # of initial weights, shuffling and negatives", "is declared as seed: int = 0"),
    ],
)
def test_a_line_that_departs_from_the_declaration_is_noticed(tmp_path: Path, line: str, says: str | None):
    page = tmp_path / "00_made_up.py"
    page.write_text(GOOD.format(header=HEADER).replace("size: int = 3  # how many", line))
    assert (not problems(page)) if says is None else any(says in one for one in problems(page))


def test_a_missing_begin_title_or_comment_is_noticed(tmp_path: Path):
    page = tmp_path / "00_other.py"
    page.write_text(GOOD.format(header=HEADER).replace("# # Title", "# Title").replace("  # how many", ""))
    found = " ".join(problems(page))
    assert "mm.begin" in found
    assert "no comment" in found
    assert "title" in found
