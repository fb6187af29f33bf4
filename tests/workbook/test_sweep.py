import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mmlib.workbook.pages import pair
from mmlib.workbook.paths import finished
from mmlib.workbook.sweep import _write_plan, collect, slurm_script, sweep
from mmlib.workbook.sweep_file import read_sweep

from .tiny import make

SWEEP = """\
about: what size does
base: ../toy.yaml
pages: ["00"]
grid: {mode: [ok, wait, bad]}
"""


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("sweep"))
    (folder / "params" / "sweeps" / "sizes.yaml").write_text(SWEEP)
    return folder


@pytest.fixture(autouse=True)
def inside(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workbook)


def test_a_killed_sweep_goes_on_and_failures_do_not_stop_it(workbook: Path, capsys: pytest.CaptureFixture[str]):
    import psutil

    file = workbook / "params" / "sweeps" / "sizes.yaml"
    one = read_sweep(file)
    command = [sys.executable, "-m", "mmlib", "sweep", str(file), "--jobs", "2"]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    done, log = one.plans[0].folder, one.plans[1].folder / "log.txt"
    while not (finished(done) and log.exists() and "Executing Cell 4" in log.read_text()):
        assert killed.poll() is None
        time.sleep(0.1)
    below = psutil.Process(killed.pid).children(recursive=True)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert psutil.wait_procs(below, timeout=20)[1] == []  # neither workers nor kernels go on alone

    made = (done / "metrics.json").stat().st_mtime_ns
    (workbook / "gate").touch()
    folder = sweep(read_sweep(file))
    assert folder == one.folder
    assert (done / "metrics.json").stat().st_mtime_ns == made  # not made again
    out = capsys.readouterr().out
    assert "3 runs, 1 done before" in out
    assert "mode=bad: FAILED: 00_first failed in cell In [4]: IndexError: list index out of range" in out
    assert out.rstrip().endswith("2 done, 1 failed")

    table = pd.read_parquet(folder / "runs.parquet")
    assert table["mode"].tolist() == ["ok", "wait", "bad"]
    assert table["status"].tolist() == ["done", "done", "failed"]
    assert table["00_first/total"].tolist()[:2] == [0.5, 0.5]
    index = (folder / "index.html").read_text()
    assert "what size does" in index
    assert "IndexError: list index out of range" in index
    assert index.count("report.html") == 2


def test_a_process_that_dies_ends_its_run_not_the_sweep(workbook: Path):
    import psutil

    (workbook / "gate").unlink(missing_ok=True)
    file = workbook / "params" / "sweeps" / "dying.yaml"
    grids = "grid: {mode: [wait], lr: [0.5, 0.25]}\nalso: [{fixed: {mode: ok}}]\n"
    file.write_text(f"base: ../toy.yaml\npages: ['00']\nfixed: {{seed: 7}}\n{grids}")
    one = read_sweep(file)
    command = [sys.executable, "-m", "mmlib", "sweep", str(file), "--jobs", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    logs = [each.folder / "log.txt" for each in one.plans[:2]]
    while not all(log.exists() and "Executing Cell 4" in log.read_text() for log in logs):
        assert process.poll() is None
        time.sleep(0.1)
    below = psutil.Process(process.pid).children(recursive=True)
    victim = next(one for one in below if any("ipykernel" in " ".join(kernel.cmdline()) for kernel in one.children()))
    victim.kill()
    psutil.wait_procs([victim], timeout=20)
    (workbook / "gate").touch()
    said = process.communicate(timeout=120)[0]
    assert said.count("its process died (SIGKILL), as it does when memory runs out") == 2  # as it goes, and at the end
    assert said.rstrip().splitlines()[-2] == "2 done, 1 failed"
    assert process.returncode == 1


def test_a_sweep_that_is_asked_to_stop_ends_its_runs(workbook: Path, short: Path):
    import psutil

    (workbook / "gate").unlink(missing_ok=True)
    file = workbook / "params" / "sweeps" / "stopped.yaml"
    file.write_text("base: ../toy.yaml\npages: ['00']\nfixed: {seed: 8, mode: wait}\ngrid: {lr: [0.5, 0.25, 0.125]}\n")
    one = read_sweep(file)
    command = [sys.executable, "-m", "mmlib", "sweep", str(file), "--jobs", "2"]
    env = os.environ | {"TMPDIR": str(short)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    logs = [each.folder / "log.txt" for each in one.plans[:2]]
    while not all(log.exists() and "Executing Cell 4" in log.read_text() for log in logs):
        assert process.poll() is None
        time.sleep(0.1)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (143, "mmlib: stopped; the same command goes on from what is done.\n")
    left = psutil.wait_procs(below, timeout=0.5)[1]  # what has ended may still be listed
    assert [one for one in left if one.status() != psutil.STATUS_ZOMBIE] == []
    assert [*short.iterdir()] == []


SUM = """
# %% tags=["parameters"]
seed: int = 0  # of the numbers

# %%
import os

import torch
from mmlib.workbook.page import begin

page = begin("02_sum", globals())
torch.manual_seed(seed)
x = torch.randn(3_000_000)
page.record(total=float(x.sum()).hex(), threads=torch.get_num_threads(), jobs=os.environ["JOBS"])
"""


def test_jobs_leave_results_alone(workbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same bits for one job and for two: each run has one thread, unless the file or -p threads says otherwise."""
    notebooks = workbook / "notebooks"
    (notebooks / "02_sum.py").write_text((notebooks / "00_first.py").read_text().split("# %% tags")[0] + SUM)
    pair(notebooks)
    file = workbook / "params" / "sweeps" / "sums.yaml"
    file.write_text("pages: ['02']\ngrid: {seed: [0, 1]}\n")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        found = {}
        for jobs in (1, 2):
            monkeypatch.setenv("JOBS", str(jobs))
            folder = sweep(read_sweep(file, outputs=tmp_path / str(jobs)), jobs)
            found[jobs] = pd.read_parquet(folder / "runs.parquet")
        assert [found[jobs]["02_sum/jobs"].tolist() for jobs in (1, 2)] == [["1", "1"], ["2", "2"]]
        for name in ("run", "02_sum/total", "02_sum/threads"):
            assert found[1][name].tolist() == found[2][name].tolist(), name
        assert set(found[1]["02_sum/threads"]) == {1}
        plans = [
            *read_sweep(file).plans,
            *read_sweep(file, {"threads": 2}).plans,
            *read_sweep(file, {"threads": 0}).plans,
        ]
        cores = len(os.sched_getaffinity(0))
        assert [each.threads for each in plans] == [1, 1, 2, 2, cores, cores]
        assert "-p threads 1" in plans[0].command({})
    finally:
        for path in notebooks.glob("02_sum.*"):
            path.unlink()


def test_numbers_can_be_gathered_while_a_sweep_goes_on(workbook: Path):
    one = read_sweep(workbook / "params" / "sweeps" / "sizes.yaml", {"seed": 3})
    _write_plan(one, {})
    assert collect(one.folder)["status"].tolist() == ["waiting"] * 3


def test_the_slurm_script_runs_one_command_a_task(workbook: Path, tmp_path: Path):
    one = read_sweep(workbook / "params" / "sweeps" / "sizes.yaml")
    script = tmp_path / "array.sh"
    script.write_text(slurm_script(one, "params/sweeps/sizes.yaml"))
    assert "#SBATCH --array=0-2\n" in script.read_text()
    fake = tmp_path / "mmlib"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "3"}
    said = subprocess.run(["bash", script], env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "run"
    assert said[2:5] == ["-p", "mode", "wait"]
