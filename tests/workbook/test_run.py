import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.core.files import write_json
from mmlib.workbook.kernel import PageError
from mmlib.workbook.paths import finished
from mmlib.workbook.planned_run import plan
from mmlib.workbook.read import read
from mmlib.workbook.run import run

from .tiny import make


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run"))


@pytest.fixture(autouse=True)
def inside(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workbook)


def test_a_run_from_start_to_report(
    workbook: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    done = run(plan(workbook / "params" / "toy.yaml", {"seed": 2}))
    assert not done.reused
    assert done.metrics["00_first"]["total"] == 2.5
    assert done.metrics["01_second"] == {"names": ["x", "y"]}
    left = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
    assert left >= {
        "params.json", "metrics.json", "env.json", "log.txt", "report.html",
        "pages/00_first.ipynb", "pages/01_second.ipynb"
    }  # fmt: skip
    kept = json.loads((done.folder / "metrics.json").read_text())
    assert set(kept) >= {"parameters", "pages", "metrics", "seconds"}
    assert kept["parameters"] == {"size": 5, "rate": 0.1, "mode": "ok", "seed": 2, "names": ["x", "y"]}
    assert list(kept["pages"]) == ["00_first", "01_second"]
    times = {name: (done.folder / name).stat().st_mtime_ns for name in left}
    assert max(times, key=lambda name: times[name]) == "metrics.json"
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out[1:]] == ["00_first", "01_second"]
    report = (done.folder / "report.html").read_text()
    assert "a tiny study" in report
    assert done.folder.name in report

    again = run(plan(workbook / "params" / "toy.yaml", {"seed": 2}))
    assert (again.reused, again.metrics, again.seconds) == (True, done.metrics, done.seconds)
    assert capsys.readouterr().out.splitlines() == [f"{done.folder.name}: done before in {done.seconds:.1f} s"]

    page = workbook / "notebooks" / "01_second.ipynb"
    page.write_text(page.read_text() + "\n")
    assert run(plan(workbook / "params" / "toy.yaml", {"seed": 2})).reused
    assert "have changed since; --force runs it again" in capsys.readouterr().out
    assert (done.folder / "metrics.json").stat().st_mtime_ns == times["metrics.json"]


def test_nothing_starts_when_something_is_wrong(workbook: Path):
    before = sorted((workbook / "outputs" / "runs").glob("*")) if (workbook / "outputs").exists() else []
    for params in ({"sice": 1}, {"size": 1.5}, {"pages": ["09"]}, Path("params/none.yaml")):
        with pytest.raises(InputError):
            run(plan(params))
    after = sorted((workbook / "outputs" / "runs").glob("*")) if (workbook / "outputs").exists() else []
    assert before == after


def test_a_failed_run_is_not_done(workbook: Path):
    one = plan({"mode": "bad", "pages": ["00"]})
    with pytest.raises(PageError, match="IndexError"):
        run(one, quiet=True)
    assert finished(one.folder) is None
    assert (one.folder / "params.json").exists()


def test_half_a_metrics_file_is_no_proof(tmp_path: Path):
    for text in ("{", "[]", "{}"):
        (tmp_path / "metrics.json").write_text(text)
        assert finished(tmp_path) is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_is_asked_to_stop_says_so_and_leaves_nothing_behind(workbook: Path, short: Path, number, code):
    import psutil

    (workbook / "gate").unlink(missing_ok=True)
    command = [sys.executable, "-m", "mmlib", "run", "-p", "mode", "wait", "--pages", "00", "-p", "seed", str(code)]
    one = plan({"mode": "wait", "pages": ["00"], "seed": code})
    env = os.environ | {"TMPDIR": str(short)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)
    log = one.folder / "log.txt"
    while not (log.exists() and "Executing Cell 4" in log.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    below = psutil.Process(process.pid).children(recursive=True)
    assert below
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert said.strip().splitlines()[-1] == "mmlib: stopped; the same command goes on from what is done.", said
    assert "Traceback" not in said
    assert psutil.wait_procs(below, timeout=0.5)[1] == []
    assert [*short.iterdir()] == []


def test_sockets_of_a_killed_run_are_removed_by_the_next(short: Path, monkeypatch: pytest.MonkeyPatch):
    from mmlib.workbook import kernel

    monkeypatch.setattr("tempfile.tempdir", str(short))
    with kernel.socket_folder() as mine:
        prefix = mine.name.rsplit("-", 2)[0]
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        left = [short / f"{prefix}-{dead.pid}-abc", short / f"{prefix}-{os.getppid()}-abc", short / "mmlib-x"]
        for folder in left:
            folder.mkdir()
        with kernel.socket_folder() as other:
            assert [folder.exists() for folder in (mine, other, *left)] == [True, True, False, True, True]
    assert not mine.exists()


def test_a_run_knows_its_data_and_its_threads(workbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one = plan({"pages": ["00"]})
    assert replace(one, parameters=one.parameters | {"threads": one.threads + 1}).id != one.id
    assert replace(one, parameters=one.parameters | {"threads": one.threads}).threads == one.threads
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert one.threads == 7
    folder = run(replace(one, parameters=one.parameters | {"threads": 3})).folder
    done = json.loads((folder / "metrics.json").read_text())
    assert (done["threads"], done["metrics"]["00_first"]["threads"]) == (3, "3")
    assert done["data"] == {"key": "", "passport": None}


def test_other_data_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The id holds what the catalogue's files say, not how its folder is called."""
    shop = tmp_path / "a" / "shop"
    shop.mkdir(parents=True)
    (shop / "ratings.csv").write_text("user_id,item_id\n" + "".join(f"u{n % 5},i{n % 7}\n" for n in range(30)))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first = plan({"pages": ["00"]})

    def id_() -> str:
        return replace(first, parameters=first.parameters | {"dataset": "shop"}).id

    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path / "a")
    before = id_()
    assert id_() == before
    monkeypatch.chdir(tmp_path / "b")
    assert id_() == before  # the same data elsewhere
    text = (tmp_path / "b" / "shop" / "ratings.csv").read_text()
    (tmp_path / "b" / "shop" / "ratings.csv").write_text(text.replace("u1,i1", "u2,i1", 1))
    after = id_()
    assert after != before
    monkeypatch.setenv("MMLIB_PLANNED", f"{after} shop")  # as a page that was planned on other data
    with pytest.raises(InputError, match=r"shop was edited after this run was planned\. Start the same command again"):
        read("shop")


def test_a_killed_run_starts_again_and_its_kernel_is_gone(workbook: Path):
    import psutil

    (workbook / "gate").unlink(missing_ok=True)
    one = plan({"mode": "wait", "pages": ["00"]})
    command = [sys.executable, "-m", "mmlib", "run", "-p", "mode", "wait", "--pages", "00"]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    log = one.folder / "log.txt"
    while not (log.exists() and "Executing Cell 4" in log.read_text()):
        assert killed.poll() is None
        time.sleep(0.05)
    kernels = psutil.Process(killed.pid).children(recursive=True)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert finished(one.folder) is None
    write_json(one.folder / "pages" / "00_first.metrics.json", {"left over": 1})
    (workbook / "gate").touch()
    found = run(one).metrics["00_first"]
    assert (found["total"], found["threads"]) == (0.3, str(one.threads))
    assert "left over" not in found
    assert kernels
    assert psutil.wait_procs(kernels, timeout=10)[1] == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a kernel may live for a second longer")
def test_a_kernel_that_was_starting_when_its_run_was_killed_leaves_nothing(workbook: Path, tmp_path: Path):
    import psutil

    from mmlib.workbook import kernel

    command = [sys.executable, "-m", "mmlib", "run", "--force", "-p", "mode", "wait", "--pages", "00"]
    (tmp_path / "t").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "t")}
    killed = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    while not (kernels := killed.children()):
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kernel.tempfile, "gettempdir", lambda: str(tmp_path / "t"))
        with kernel.socket_folder():  # removes the folder of the one that was killed
            pass
    assert psutil.wait_procs(kernels, timeout=20)[1] == []
    assert list((tmp_path / "t").iterdir()) == []
