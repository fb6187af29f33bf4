"""Disks, folders of results, and packages: full, closed, damaged or missing."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mmlib as mm
from mmlib.core.files import write_json

from .cases_library import data, features, model, vectors
from .world import CSV, Case, Content, full_disk, locked, without


@contextlib.contextmanager
def no_space(folder: Path) -> Iterator[None]:
    """The system has no room for another file's name or bytes."""
    with failing(errno.ENOSPC):
        yield


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    with failing(errno.EROFS):
        yield


@contextlib.contextmanager
def failing(number: int) -> Iterator[None]:
    """Moving files into place and making folders fails with this error."""

    def fail(path: Any, *_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), str(path))

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "rename", "mkdir"):
            patch.setattr(os, name, fail)
        yield


def _swept(runs: str, varying: str = "[]") -> str:
    return f'{{"about": "", "varying": {varying}, "compare": {{}}, "runs": {runs}}}'


SPACE = "space|full|large|write"
TABLE: dict[str, Content] = {"a/ratings.csv": CSV}
WRITES: list[tuple[str, Any, dict[str, Content], str]] = [
    ("audit as a page", ("audit", "a", "--no-pictures", "--html", "out/audit.html"), TABLE, "audit.html"),
    ("audit as JSON", ("audit", "a", "--no-pictures", "--html", "out/audit.json"), TABLE, "audit.json"),
    ("mm.load, which keeps what it reads", lambda here: mm.load(str(here / "a")), TABLE, "outputs"),
    ("mm.fit, which keeps what it learns", lambda here: mm.fit(model("bpr"), epochs=1), {}, "outputs"),
    ("features", lambda here: features().save(here / "f"), {}, "features"),
    ("embeddings", lambda here: vectors().save(here / "e"), {}, "embeddings"),
    ("a dataset", lambda here: data().save(here / "d"), {}, "parquet"),
    ("a page's record", lambda here: _page(here).record(number=5), {}, "metrics.json"),
    (
        "the index of a sweep",
        ("report", "s"),
        {"s/sweep.json": _swept('[{"run": "x", "folder": "x", "parameters": {}, "error": ""}]')},
        "s",
    ),
    ("a run", ("run", "-p", "epochs", "1"), {}, "outputs"),
    ("a sweep", ("sweep", "s.yaml"), {"s.yaml": "grid: {seed: [0]}\n"}, "outputs"),
]


def _page(here: Path) -> Any:
    from mmlib.workbook.page import Page

    return Page("04_recommend", here / "run", {})


def _run(**changed: Any) -> Callable[[Path], None]:
    """A finished run of no pages, with files replaced; ``None`` takes one away."""

    def make(path: Path) -> None:
        folder = path.parent
        about = {"id": "r", "about": "", "file": None, "pages": ["04_recommend"], "given": {}, "parameters": {}}
        done = {"parameters": {}, "pages": {"04_recommend": 1.0}, "metrics": {"04_recommend": {"n": 1}}, "seconds": 1.0}
        write_json(folder / "params.json", about)
        write_json(folder / "metrics.json", done)
        write_json(folder / "env.json", {"gpu": None, "threads": 1, "platform": "x"})
        (folder / "pages").mkdir()
        page = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        write_json(folder / "pages" / "04_recommend.ipynb", page)
        for name, content in changed.items():
            where = folder / {"page": "pages/04_recommend.ipynb", "audit": "audit.html"}.get(name, f"{name}.json")
            where.unlink(missing_ok=True)
            if content is not None:
                where.write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


RUNS: list[tuple[str, dict[str, Any], str]] = [
    ("metrics are broken", {"metrics": "{"}, "metrics.json"),
    ("metrics are empty", {"metrics": ""}, "metrics.json"),
    ("metrics are a list", {"metrics": "[]"}, "metrics.json"),
    ("metrics are not UTF-8", {"metrics": b"\xff\xfe{"}, "metrics.json"),
    ("metrics are nested without end", {"metrics": "[" * 100_000}, "metrics.json"),
    ("metrics name no pages", {"metrics": '{"metrics": {}, "seconds": 1}'}, "metrics.json|page"),
    (
        "metrics of a page are text",
        {"metrics": '{"metrics": {"04_recommend": "x"}, "pages": {"04_recommend": 1}, "seconds": 1}'},
        "metrics.json",
    ),
    ("parameters are missing", {"params": None}, "params.json"),
    ("parameters are broken", {"params": "{"}, "params.json"),
    ("parameters are a list", {"params": "[]"}, "params.json"),
    ("a page is missing", {"page": None}, "04_recommend.ipynb"),
    ("a page is broken", {"page": "{"}, "04_recommend.ipynb"),
    ("a page is empty", {"page": ""}, "04_recommend.ipynb"),
    ("a page is a list", {"page": "[]"}, "04_recommend.ipynb"),
    ("a page is no notebook", {"page": '{"a": 1}'}, "04_recommend.ipynb"),
    (
        "a page of a later form",
        {"page": '{"cells": 5, "metadata": {}, "nbformat": 99, "nbformat_minor": 0}'},
        "04_recommend.ipynb",
    ),
    ("the audit is not UTF-8", {"audit": b"\xff\xfe\xff"}, "audit.html"),
]
SWEEPS: list[tuple[str, str, str]] = [
    ("broken", "{", "sweep.json"),
    ("empty", "", "sweep.json"),
    ("a list", "[]", "sweep.json"),
    ("text", '"x"', "sweep.json"),
    ("without runs", '{"about": "", "varying": [], "compare": {}}', "sweep.json"),
    ("with no runs at all", '{"about": "", "varying": [], "compare": {}, "runs": []}', "sweep.json|no run"),
    ("with runs of text", '{"about": "", "varying": [], "compare": {}, "runs": ["a"]}', "sweep.json"),
    (
        "with runs without folders",
        '{"about": "", "varying": [], "compare": {}, "runs": [{"run": "a", "parameters": {}}]}',
        "sweep.json",
    ),
    (
        "with a folder that is a number",
        _swept('[{"run": "a", "folder": 5, "parameters": {}, "error": ""}]'),
        "sweep.json",
    ),
    (
        "with text for what varies",
        _swept('[{"run": "a", "folder": "x", "parameters": {}, "error": ""}]', "5"),
        "sweep.json",
    ),
]

PAGE = '# %% tags=["parameters"]\nepochs: int = 200  # how long\n'


def pages(**files: Content) -> dict[str, Content]:
    """A project with these pages."""
    return {
        "pyproject.toml": "",
        **{f"notebooks/{name.replace('__', '.')}": content for name, content in files.items()},
    }


NOTEBOOKS: list[tuple[str, tuple[str, ...], dict[str, Content], str]] = [
    ("no pages", ("params",), pages(readme__txt="x"), "notebooks"),
    ("a page with a syntax error", ("params",), pages(**{"00_a__py": PAGE + "epochs: int =\n"}), "00_a.py, line 3"),
    ("a page with two cells of parameters", ("params",), pages(**{"00_a__py": PAGE + PAGE}), "00_a.py"),
    ("a parameter assigned twice", ("params",), pages(**{"00_a__py": PAGE + "epochs: int = 4\n"}), "epochs"),
    ("a parameter without a type", ("params",), pages(**{"00_a__py": PAGE + "lr = 4\n"}), "00_a.py, line 3"),
    (
        "a parameter that is computed",
        ("params",),
        pages(**{"00_a__py": PAGE + "lr: float = 1 / 3\n"}),
        "00_a.py, line 3",
    ),
    ("a parameter of an unknown type", ("params",), pages(**{"00_a__py": PAGE + "lr: complex = 1\n"}), "lr|complex"),
    (
        "a parameter with a default of another type",
        ("params",),
        pages(**{"00_a__py": PAGE + "lr: float = 'x'\n"}),
        "lr",
    ),
    (
        "two pages that disagree",
        ("params",),
        pages(**{"00_a__py": PAGE, "01_b__py": PAGE.replace("200", "201")}),
        "epochs.*01_b",
    ),
    ("a page that is not UTF-8", ("params",), pages(**{"00_a__py": PAGE.encode() + b"# \xff\xfe\n"}), "00_a.py"),
    ("a page with a zero byte", ("params",), pages(**{"00_a__py": PAGE + "x: int = 1\0\n"}), "00_a.py"),
    ("a page that is a folder", ("params",), pages(**{"00_a__py/x": "x"}), "00_a.py"),
    ("a notebook that was never made", ("run", "-p", "epochs", "5"), pages(**{"00_a__py": PAGE}), "00_a.*mmlib pair"),
    (
        "an edited notebook whose text is older",
        ("pair",),
        pages(**{"00_a__py": PAGE, "00_a__ipynb": lambda path: _edited(path)}),
        "00_a.ipynb.*--back",
    ),
    ("a broken notebook", ("pair", "--back"), pages(**{"00_a__py": PAGE, "00_a__ipynb": "{broken"}), "00_a.ipynb"),
    ("a notebook that is a list", ("pair", "--back"), pages(**{"00_a__py": PAGE, "00_a__ipynb": "[]"}), "00_a.ipynb"),
    (
        "a newer broken notebook",
        ("pair",),
        pages(**{"00_a__py": PAGE, "00_a__ipynb": lambda path: _newer(path, "{broken")}),
        "00_a.ipynb",
    ),
    (
        "a notebook that is not UTF-8",
        ("pair", "--check"),
        pages(**{"00_a__py": PAGE, "00_a__ipynb": b"\xff\xfe\xff"}),
        "00_a.ipynb",
    ),
]


def _edited(path: Path) -> None:
    import json

    page = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": "a",
                "metadata": {},
                "outputs": [],
                "source": "my work",
            }
        ]
    }
    _newer(path, json.dumps(page | {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def _newer(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (2_000_000_000, 2_000_000_000))


@contextlib.contextmanager
def no_place(folder: Path) -> Iterator[None]:
    """Nothing says where data go."""
    with pytest.MonkeyPatch.context() as patch, without("platformdirs")(folder):
        patch.delenv("MMLIB_DATA")
        yield


RUN = ("run", "-p", "epochs", "1", "--pages", "04")
MISSING: list[tuple[str, Any, dict[str, Content], str]] = [
    ("papermill", RUN, {}, "papermill.*pip install"),
    ("jupytext", ("pair",), pages(**{"00_a__py": PAGE}), "jupytext.*pip install"),
    ("nbformat", ("pair",), pages(**{"00_a__py": PAGE}), "nbformat.*pip install"),
    ("jupytext", ("pair", "--back"), pages(**{"00_a__py": PAGE, "00_a__ipynb": "{}"}), "jupytext.*pip install"),
    ("jinja2", ("report", "r"), {"r/.": _run()}, "jinja2.*pip install"),
    ("requests", ("data", "fetch", "movielens/100k", "--folder", "to"), {}, "requests.*pip install"),
]

CASES = [
    *[
        Case(
            f"full disk: {id}",
            call,
            (says, SPACE),
            files,
            full_disk(),
            new=r"^outputs/cache/.*work|log.txt|^outputs/runs",
        )
        for id, call, files, says in WRITES
    ],
    *[
        Case(
            f"no room: {id}",
            call,
            ("space", "mmlib|out|s|f|e|d"),
            files,
            no_space,
            new=r"^outputs/cache/.*work|log.txt",
        )
        for id, call, files, says in WRITES
    ],
    *[
        Case(f"read-only disk: {id}", call, ("read-only",), files, read_only, new=r"^outputs/cache/.*work|log.txt")
        for id, call, files, says in WRITES
    ],
    *[
        Case(f"closed folder: {id}", call, ("permission",), {**files, "outputs/x": ""}, locked("outputs", mode=0o500))
        for id, call, files, says in WRITES
        if says == "outputs"
    ],
    Case(
        "platformdirs is not installed: data fetch", ("data", "fetch", "movielens/100k"), ("MMLIB_DATA",), {}, no_place
    ),
    Case("outputs is a file", ("run", "-p", "epochs", "1"), ("outputs",), {"outputs": "x"}),
    Case(
        "outputs is a file, for mm.load", lambda here: mm.load(str(here / "a")), ("outputs",), TABLE | {"outputs": "x"}
    ),
    *[
        Case(f"report of a run: {id}", ("report", "r"), (says,), {"r/.": _run(**changed)}, new="^r/$")
        for id, changed, says in RUNS
    ],
    *[
        Case(f"report of a sweep: {id}", ("report", "s"), (says,), {"s/sweep.json": content})
        for id, content, says in SWEEPS
    ],
    *[Case(f"pages: {id}", words, (f"(?s){says}",), files) for id, words, files, says in NOTEBOOKS],
    *[
        Case(
            f"{package} is not installed: {'mm' if callable(call) else ' '.join(call[:2])}",
            call,
            (says,),
            files,
            without(package),
        )
        for package, call, files, says in MISSING
    ],
]
