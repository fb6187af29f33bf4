import pytest

from mmlib.core import progress as module
from mmlib.core.progress import progress


def test_lines_tell_rate_and_time_left(monkeypatch, capsys) -> None:
    clock = iter([0.0, *(5.0 * n for n in range(1, 7))])
    monkeypatch.setenv("MMLIB_PROGRESS", "lines")
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    assert list(progress(range(6), "reading", unit="file")) == list(range(6))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "reading: 2/6 file, 20 s left, 0.2 file/s",
        "reading: 4/6 file, 10 s left, 0.2 file/s",
        "reading: 6/6 file, 0 s left, 0.2 file/s",
    ]


@pytest.mark.parametrize("how", ["off", "lines", "bar"])
def test_everything_passes_through(monkeypatch, capsys, how: str) -> None:
    monkeypatch.setenv("MMLIB_PROGRESS", how)
    assert list(progress((n for n in range(3)), "x")) == [0, 1, 2]
    assert capsys.readouterr().out == ""


def test_papermill_is_not_a_person(monkeypatch) -> None:
    monkeypatch.setitem(module.sys.modules, "ipykernel", object())
    for name in [name for name in module.os.environ if name.startswith(("JPY_", "VSCODE_"))]:
        monkeypatch.delenv(name)
    assert not module._someone_watches()
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    assert module._someone_watches()


def test_a_bar_of_which_fewer_were_taken_is_gone_and_not_red(monkeypatch) -> None:
    notebook = pytest.importorskip("tqdm.notebook")
    pytest.importorskip("ipywidgets")
    bars, make = [], notebook.tqdm.__init__
    monkeypatch.setenv("MMLIB_PROGRESS", "bar")
    monkeypatch.setattr("tqdm.auto.tqdm", notebook.tqdm)
    monkeypatch.setattr(notebook, "display", lambda *_: None)
    monkeypatch.setattr(notebook.tqdm, "__init__", lambda self, *a, **o: (bars.append(self), make(self, *a, **o))[1])
    coming = progress(range(6), "training")
    assert [next(coming) for _ in range(2)] == [0, 1]
    coming.close()
    (bar,) = bars
    assert bar.container.layout.visibility == "hidden"
    assert bar.container.children[1].bar_style != "danger"
