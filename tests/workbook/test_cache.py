import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.cache import cached, code_version, is_whole


def number(folder: Path) -> int:
    return int((folder / "number").read_text())


def build_of(value: int, calls: list[Path] | None = None):
    def build(folder: Path) -> None:
        if calls is not None:
            calls.append(folder)
        (folder / "number").write_text(str(value))

    return build


def entry(root: Path, stage: str) -> Path:
    return next(path for path in (root / stage).iterdir() if path.is_dir() and path.suffix != ".work")


def test_builds_once_and_reads_afterwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    calls: list[Path] = []
    for _ in range(2):
        assert cached("count", {"a": 1}, build_of(7, calls), number, root=tmp_path) == 7
    assert len(calls) == 1
    key = entry(tmp_path, "count").name
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("count: built in ")
    assert first.endswith(f" s -> {key}")
    assert second == f"count: from cache {key}"
    manifest = json.loads((entry(tmp_path, "count") / "manifest.json").read_text())
    assert (manifest["stage"], manifest["inputs"], manifest["files"]) == ("count", {"a": 1}, {"number": 1})
    assert {"code", "seconds", "created", "mmlib"} <= set(manifest)


def test_other_inputs_and_other_stages_are_other_entries(tmp_path: Path):
    assert cached("count", {"a": 1}, build_of(1), number, root=tmp_path) == 1
    assert cached("count", {"a": 2}, build_of(2), number, root=tmp_path) == 2
    assert cached("sum", {"a": 1}, build_of(3), number, root=tmp_path) == 3
    assert cached("count", {"a": 1}, build_of(4), number, root=tmp_path) == 1


def test_other_code_is_another_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "made_up_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    root = tmp_path / "cache"

    def ask(value: int, code: str = "made_up_package") -> int:
        return cached("count", {}, build_of(value), number, code=[code], root=root)

    assert (ask(1), ask(2)) == (1, 1)
    assert ask(3, "made_up_package.inner") == 3
    (package / "inner.py").write_text("x = 2\n")
    assert (ask(4), ask(5, "made_up_package.inner")) == (4, 5)
    assert "made_up_package.inner" not in sys.modules  # looked up, not imported


def test_unknown_module_is_refused(tmp_path: Path):
    for name in ("mmlib.no_such_room", "no_such_package", "no_such_package.inner"):
        with pytest.raises(InputError, match=f"no module {name}"):
            cached("count", {}, build_of(1), number, code=[name], root=tmp_path)
    assert code_version("mmlib.workbook") != code_version("mmlib.workbook.cache")


@pytest.mark.parametrize("damage", ["no manifest", "broken manifest", "wrong manifest", "short file", "no file"])
def test_damaged_entries_are_built_again(tmp_path: Path, damage: str):
    cached("count", {}, build_of(77), number, root=tmp_path)
    folder = entry(tmp_path, "count")
    if damage == "no manifest":
        (folder / "manifest.json").unlink()
    elif damage == "broken manifest":
        (folder / "manifest.json").write_text("{")
    elif damage == "wrong manifest":
        (folder / "manifest.json").write_text("[1]")
    elif damage == "short file":
        (folder / "number").write_text("7")
    else:
        (folder / "number").unlink()
    assert not is_whole(folder)
    assert cached("count", {}, build_of(78), number, root=tmp_path) == 78
    assert is_whole(folder)


def test_an_error_keeps_the_work_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def fails(folder: Path) -> None:
        (folder / "half").write_text("done")
        (folder / ".number.123.partial").write_text("torn")
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck") as caught:
        cached("count", {}, fails, number, root=tmp_path)
    work = next((tmp_path / "count").glob("*.work"))
    assert str(work) in caught.value.__notes__[0]
    assert str(work) in capsys.readouterr().out

    def goes_on(folder: Path) -> None:
        assert sorted(path.name for path in folder.iterdir()) == ["half"]  # torn files are gone
        build_of(5)(folder)

    assert cached("count", {}, goes_on, number, root=tmp_path) == 5
    assert not work.exists()


SCRIPT = """
import sys, time
from pathlib import Path
from mmlib.workbook.cache import cached

def build(folder):
    log = folder / "steps"
    for step in range(len(log.read_text()) if log.exists() else 0, 4):
        with log.open("a") as file:
            file.write(str(step))
        with Path("calls").open("a") as file:
            file.write(f"{sys.argv[1]}{step} ")
        print("step", step, flush=True)
        time.sleep(float(sys.argv[2]))
    for _ in range(400):
        if len(sys.argv) < 4 or Path(sys.argv[3]).exists():
            break
        time.sleep(0.05)

print(cached("steps", {}, build, lambda folder: (folder / "steps").read_text(), root=Path("cache")))
"""


def start(folder: Path, name: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-uc", SCRIPT, name, *more]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ)


def test_of_two_processes_one_builds_and_the_other_waits(tmp_path: Path):
    first = start(tmp_path, "a", "0", "gate")
    assert first.stdout is not None
    assert first.stdout.readline() == "step 0\n"
    second = start(tmp_path, "b", "0", "gate")
    assert second.stdout is not None
    assert second.stdout.readline().startswith("steps: another process is building")
    (tmp_path / "gate").touch()
    built, waited = first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]
    assert "steps: built in" in built
    assert waited.startswith("steps: from cache")
    assert built.endswith("0123\n")
    assert waited.endswith("0123\n")
    assert (tmp_path / "calls").read_text().split() == ["a0", "a1", "a2", "a3"]


def test_asking_at_the_very_same_time(tmp_path: Path):
    all_ = [start(tmp_path, name, "0.02") for name in "abcd"]
    outs = [one.communicate(timeout=60)[0] for one in all_]
    assert all(out.endswith("0123\n") for out in outs)
    assert sum("built in" in out for out in outs) == 1
    assert len((tmp_path / "calls").read_text().split()) == 4


def test_a_killed_build_goes_on_where_it_was(tmp_path: Path):
    one = start(tmp_path, "a", "0.3")
    assert one.stdout is not None
    while "step 1" not in one.stdout.readline():
        pass
    one.send_signal(signal.SIGKILL)
    one.wait()
    one.stdout.close()
    out, _ = start(tmp_path, "b", "0").communicate(timeout=60)
    assert out.endswith("0123\n")
    assert "waiting" not in out
    assert (tmp_path / "calls").read_text().split() == ["a0", "a1", "b2", "b3"]
