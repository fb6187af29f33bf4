"""Code as it was imported, and objects by all that they hold."""

import functools
import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from mmlib import audit, catalogues, encoders, recommenders, training
from mmlib.workbook.fingerprint import Unknown, fingerprint

MODULE = """
import math
from functools import lru_cache

import torch

from made_up.helpers import doubled, Base
from made_up import constants

WEIGHTS = {"a": 1.0, "b": [2, 3]}
PASSED = []


def table(n, scale=1.0):
    return [WEIGHTS["a"] * scale + constants.SHIFT for _ in range(n)]


@lru_cache
def kept(n):
    return n + 1


@torch.no_grad()
def bare(x):
    return x * 2


class Mine(Base):
    size = 3

    def loss(self, batch):
        inner = lambda value: value + 5
        return doubled(sum(table(inner(kept(2))))) + self.half + bare(1.0)

    @property
    def half(self):
        from .late import later

        return later() * 0.5
"""
HELPERS = (
    "def doubled(x):\n    return within(x)\n\n\ndef within(x):\n    return x * 2\n\n\nclass Base:\n    depth = 1\n"
)
FILES = {"__init__": "", "mine": MODULE, "helpers": HELPERS, "constants": "SHIFT = 0.5\n"}
FILES |= {"late": "def later():\n    return 7\n"}


def write(folder: Path, name: str, old: str = "", new: str = "") -> None:
    (folder / "made_up").mkdir(exist_ok=True)
    assert old in FILES[name]
    (folder / "made_up" / f"{name}.py").write_text(FILES[name].replace(old, new, 1))


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    for name in FILES:
        write(tmp_path, name)

    def load():
        for name in [name for name in sys.modules if name.partition(".")[0] == "made_up"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return importlib.import_module("made_up.mine")

    yield SimpleNamespace(folder=tmp_path, load=load)
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_up"]:
        del sys.modules[name]


EDITS = {
    "a method": ("mine", "value + 5", "value + 6"),
    "an attribute of the class": ("mine", "size = 3", "size = 4"),
    "a property": ("mine", "* 0.5", "* 0.25"),
    "a function's body": ("mine", 'WEIGHTS["a"] * scale', 'WEIGHTS["a"] + scale'),
    "a default": ("mine", "scale=1.0", "scale=1.5"),
    "a constant": ("mine", "[2, 3]", "[2, 4]"),
    "what a decorator keeps": ("mine", "return n + 1", "return n + 2"),
    "what a library's decorator wraps": ("mine", "return x * 2", "return x * 3"),
    "a helper of a helper in another module": ("helpers", "return x * 2", "return x * 3"),
    "a base": ("helpers", "depth = 1", "depth = 2"),
    "a constant of a module": ("constants", "0.5", "0.75"),
    "what is imported late": ("late", "return 7", "return 8"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_code_is_followed_to_all_that_it_names(package, edit) -> None:
    before = fingerprint(package.load().Mine)
    assert fingerprint(package.load().Mine) == before  # imported again
    write(package.folder, *edit)
    assert fingerprint(package.load().Mine) != before
    write(package.folder, edit[0])
    assert fingerprint(package.load().Mine) == before


def test_code_that_plays_no_part_does_not_count(package) -> None:
    before = fingerprint(package.load().Mine)
    write(package.folder, "mine", "import math\n", "\n\n\nimport math\n\ndef other():\n    return 1\n")
    assert fingerprint(package.load().Mine) == before


def test_code_edited_on_the_disk_counts_when_it_is_imported(package) -> None:
    old = package.load().Mine
    before = fingerprint(old)
    write(package.folder, "helpers", "return x * 2", "return x * 3")
    assert fingerprint(old) == before
    after = fingerprint(package.load().Mine)
    assert after != before
    write(package.folder, "helpers")  # taken back, while the edited one is in memory
    assert fingerprint(sys.modules["made_up.mine"].Mine) == after


def test_values_by_content() -> None:
    class Options:
        def __init__(self, **held) -> None:
            self.__dict__.update(held)

    def scaled(by):
        return lambda x: x * by

    table = torch.arange(6.0)
    different = [
        1, 1.0, "1", b"1", True, None, [1, 2], (1, 2), [2, 1], {"a": 1}, {"a": 2}, {1, 2}, {1, 3},
        np.arange(3), np.arange(3.0), np.arange(4), table, table.reshape(2, 3), table.to(torch.bfloat16),
        table.reshape(2, 3).to_sparse_csr(), torch.eye(2).to_sparse_csr(), torch.eye(2).to_sparse(),
        pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), Path("a"), Path("b"),
        scaled(2), scaled(3), functools.partial(max, 1), functools.partial(max, 2), functools.partial(min, 1),
        Options(a=1), Options(a=2), Options(b=1), Options(a=Options(b=table)), Options(a=Options(b=table + 1)),
        torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), np.exp, np.log, torch.exp, torch.log,
    ]  # fmt: skip
    keys = [fingerprint(value) for value in different]
    assert len(set(keys)) == len(different)
    assert keys == [fingerprint(value) for value in different]
    assert fingerprint({1, 2, 3, "x"}) == fingerprint({"x", 3, 2, 1})
    assert fingerprint(torch.arange(6.0)) == fingerprint(table)
    ring = Options()
    ring.me = ring
    assert fingerprint(ring) != fingerprint(Options(me=1))


def test_what_is_computed_once_and_kept_is_no_content(blocks) -> None:
    class Lazy:
        @functools.cached_property
        def table(self) -> int:
            return 1

    one = Lazy()
    before = fingerprint(one)
    assert one.table == 1
    assert fingerprint(one) == before


def test_what_cannot_be_compared_is_named(tmp_path) -> None:
    for value, name in ((threading.Lock(), "lock"), ((tmp_path / "a").open("w"), "TextIOWrapper")):
        with pytest.raises(Unknown, match=name):
            fingerprint([value])


def test_all_processes_agree() -> None:
    """On code, and on objects of libraries that hold sets and texts in an order of their own."""
    script = "from mmlib import encoders, training; from mmlib.workbook.fingerprint import fingerprint\n"
    script += "print(fingerprint(training.fit, encoders.load('small', seed=0)))"

    def said(seed: int) -> str:
        env = os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(
            [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
        ).stdout

    assert said(1) == said(2) != ""


def test_all_code_of_this_package_can_be_compared() -> None:
    steps = [training.fit, encoders.extract, encoders.ContrastiveTuning, audit.audit, catalogues.bring]
    steps += [getattr(recommenders, name) for name in recommenders.__all__]
    assert len({fingerprint(step) for step in steps}) == len(steps)
