import json
import sys
from pathlib import Path

import nbformat
import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.kernel import PageError, execute

from .tiny import make


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("kernel"))


def run(workbook: Path, **parameters: object) -> Path:
    folder = workbook / "run"
    folder.mkdir(exist_ok=True)
    source, output = workbook / "notebooks" / "00_first.ipynb", folder / "00_first.ipynb"
    env = {"MMLIB_RUN": str(folder), "MMLIB_NOTEBOOKS": str(source.parent), "OMP_NUM_THREADS": "1", "PRICE": "$HOME"}
    execute(source, output, parameters, env=env, log=folder / "log.txt")
    return output


def test_the_kernel_is_this_interpreters_whatever_jupyter_finds(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """Not activated, another python3 kernel before ours, a temporary folder too deep for sockets."""
    spec = workbook / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    wrong = {"argv": ["/no/such/python", "-f", "{connection_file}"], "display_name": "wrong", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(wrong))
    deep = workbook / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setenv("JUPYTER_PATH", str(workbook / "jupyter"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    before = (workbook / "notebooks" / "00_first.ipynb").read_bytes()
    output = run(workbook, size=4)
    found = json.loads((workbook / "run" / "pages" / "00_first.metrics.json").read_text())
    assert found == {"total": 0.4, "python": sys.executable, "threads": "1", "price": "$HOME"}
    assert (workbook / "notebooks" / "00_first.ipynb").read_bytes() == before
    cells = nbformat.read(output, as_version=4).cells
    assert [cell.source for cell in cells if "injected-parameters" in cell.metadata.tags] == [
        "# Parameters\nsize = 4\n"
    ]
    log = (workbook / "run" / "log.txt").read_text()
    assert "printed by the page" in log
    assert "without encryption" not in log
    assert capfd.readouterr() == ("", "")


def test_what_a_page_raises(workbook: Path):
    with pytest.raises(PageError) as caught:
        run(workbook, mode="bad")
    first, second, log, page = str(caught.value).splitlines()
    assert first == "00_first failed in cell In [4]: IndexError: list index out of range"
    assert second == "  in the line: numbers[size]"
    assert Path(log.removeprefix("  log: ")).is_file()
    assert Path(page.removeprefix("  the page as far as it got: ")).is_file()


def test_an_input_error_is_its_message_alone(workbook: Path):
    with pytest.raises(InputError) as caught:
        run(workbook, mode="input")
    assert str(caught.value) == "There is no shop.\nBring one."


def test_a_name_that_papermill_lets_through_is_refused_by_the_page(workbook: Path):
    with pytest.raises(InputError, match=r'no parameter "mood". Did you mean "mode"'):
        run(workbook, mood="ok")


def test_a_dead_kernel_is_a_failure(workbook: Path):
    with pytest.raises(PageError, match="00_first failed: its kernel died"):
        run(workbook, mode="die")


def test_a_page_that_leaves_early_is_a_failure(workbook: Path):
    with pytest.raises(PageError, match=r"00_first stopped before its end.*not run is `print"):
        run(workbook, mode="exit")
