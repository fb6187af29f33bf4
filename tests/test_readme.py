"""What the README says is what works."""

import re
import shlex
from pathlib import Path

import pytest

from mmlib.__main__ import _parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)[::-1])
COMMANDS = [
    line.partition("#")[0].strip()
    for _, block in re.findall(r"```(sh)\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", [line for line in COMMANDS if "bin/mmlib" in line])
def test_commands_are_understood_and_their_files_are_there(command: str) -> None:
    words = shlex.split(command)[1:]
    _parser().parse_args(words)
    for word in words:
        if word.endswith((".yaml", ".ipynb")) and word != "out.ipynb":
            assert (ROOT / word).exists(), word


def test_make_targets_and_links_are_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"make (demo|test|lab|lint)", README)) <= targets
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_python_example_runs(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path))
    small = BLOCKS["python"].replace('"toy"', '"toy", shop={"users": 80, "items": 60, "purchases": 900}')
    small = re.sub(r"epochs=\d+", "epochs=1", small)
    assert small.count("epochs=1") == 3
    names: dict = {}
    exec(small, names)
    assert names["mm"].evaluate(names["model"], part="test").means()["mean"].notna().any()
