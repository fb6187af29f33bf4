import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmlib.core.files import content
from mmlib.workbook.cache import cached, damage


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
    assert (manifest["stage"], manifest["inputs"]) == ("count", {"a": 1})
    assert manifest["files"] == {"number": content(entry(tmp_path, "count") / "number")}
    assert {"code", "seconds", "created", "mmlib"} <= set(manifest)


def test_other_inputs_and_other_stages_are_other_entries(tmp_path: Path):
    assert cached("count", {"a": 1}, build_of(1), number, root=tmp_path) == 1
    assert cached("count", {"a": 2}, build_of(2), number, root=tmp_path) == 2
    assert cached("sum", {"a": 1}, build_of(3), number, root=tmp_path) == 3
    assert cached("count", {"a": 1}, build_of(4), number, root=tmp_path) == 1


def test_other_code_is_another_entry(tmp_path: Path):
    def ask(value: int, *code: object) -> int:
        return cached("count", {}, build_of(value), number, code=code, root=tmp_path)

    assert (ask(1, number), ask(2, number)) == (1, 1)
    assert (ask(3, build_of), ask(4, number, build_of), ask(5, number)) == (3, 4, 1)


def flip(path: Path) -> None:
    """One bit, size and times as they were."""
    facts, held = path.stat(), bytearray(path.read_bytes())
    held[-1] ^= 1
    path.write_bytes(held)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


DAMAGES = {
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "broken manifest": lambda folder: (folder / "manifest.json").write_text("{"),
    "wrong manifest": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "wrong names": lambda folder: (folder / "manifest.json").write_text('{"files": {"no": 1}}'),
    "short file": lambda folder: (folder / "number").write_text("7"),
    "no file": lambda folder: (folder / "number").unlink(),
    "one bit": lambda folder: flip(folder / "number"),
}


@pytest.mark.parametrize("harm", DAMAGES.values(), ids=DAMAGES)
def test_damaged_entries_are_built_again_and_never_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], harm):
    cached("count", {}, build_of(77), number, root=tmp_path)
    folder = entry(tmp_path, "count")
    assert not damage(folder)
    harm(folder)
    assert damage(folder)
    capsys.readouterr()
    assert cached("count", {}, build_of(78), number, root=tmp_path) == 78
    said, built = capsys.readouterr().out.splitlines()
    assert said.startswith(f"count: {folder.name} is damaged (")
    assert said.endswith("missing or not what was written), so it is built again")
    assert built.startswith("count: built in")
    assert not damage(folder)


def test_what_was_checked_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mmlib.core.files._SETTLED", -1)
    cached("count", {}, build_of(1), number, root=tmp_path)
    cached("count", {}, build_of(1), number, root=tmp_path)
    seen: list[Path] = []
    monkeypatch.setattr("mmlib.core.files.digest", lambda path: seen.append(path))
    assert not damage(entry(tmp_path, "count"))
    assert seen == []


def test_what_failed_before_it_wrote_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def fails(folder: Path) -> None:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck") as caught:
        cached("count", {}, fails, number, root=tmp_path)
    assert not hasattr(caught.value, "__notes__")
    assert capsys.readouterr().out == ""
    assert [path.suffix for path in (tmp_path / "count").iterdir()] == [".lock"]


def test_work_that_nobody_came_back_for_is_dropped(tmp_path: Path):
    for name, age in (("old", 8), ("new", 6)):
        work = tmp_path / "count" / f"{name}.work"
        work.mkdir(parents=True)
        (work / "half").write_text("")
        for path in (work / "half", work):
            os.utime(path, (time.time() - age * 24 * 3600,) * 2)
    cached("count", {}, build_of(1), number, root=tmp_path)
    assert [path.name for path in (tmp_path / "count").glob("*.work")] == ["new.work"]


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
from mmlib.core.files import content
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
