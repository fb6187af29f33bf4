import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmlib.__main__ import main
from tests.workbook.tiny import make


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("main"))
    (folder / "params" / "sweeps" / "x.yaml").write_text("base: ../toy.yaml\ngrid: {rate: [0.5, 1.5]}\n")
    return folder


@pytest.fixture(autouse=True)
def inside(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workbook)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(f"mmlib {name}" in out for name in ("run", "sweep", "report", "data", "params"))
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_the_light_commands_load_neither_torch_nor_papermill(workbook: Path):
    program = """
import sys
from mmlib.__main__ import main
for words in (["params"], ["pair", "--check"], ["sweep", "params/sweeps/x.yaml", "--list"]):
    assert main(words) == 0, words
heavy = {"torch", "papermill", "plotly", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_params_lists_all(capsys: pytest.CaptureFixture[str]):
    assert main(["params"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "type", "default", "pages", "range", "what", "it", "is"]
    named = {line.split()[0]: line.split() for line in lines}
    assert named["size"] == ["size", "int", "3", "00", "how", "large"]
    assert named["rate"] == ["rate", "float", "0.1", "00", "how", "fast"]
    assert named["epochs"][:8] == ["epochs", "int", "200", "00", "04", "06", "at", "least"]
    assert main(["params", "cima_weight"]) == 0
    assert "range: at least 0, at most 1\nread by: 00_quickstart, 03_pretrain" in capsys.readouterr().out
    assert main(["params", "cima_wieght"]) == 2
    assert 'Did you mean "cima_weight"' in capsys.readouterr().err


def test_pair(workbook: Path, capsys: pytest.CaptureFixture[str]):
    page = workbook / "notebooks" / "01_second.py"
    before = page.read_text()
    page.write_text(before.replace("tiny", "small"))
    assert main(["pair", "--check"]) == 1
    assert "notebooks/01_second.ipynb is not made from its .py" in capsys.readouterr().out
    assert main(["pair"]) == 0
    assert main(["pair", "--check"]) == 0
    page.write_text(before)
    assert main(["pair"]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "-p", "sice", "3"], 'mmlib: There is no parameter "sice". Did you mean "size"'),
        (["run", "-p", "size", "x"], "mmlib: size must be int, not 'x'"),
        (["run", "-p", "rate", "-inf"], "mmlib: rate must be float"),
        (["run", "none.yaml"], "mmlib: There is no file none.yaml."),
        (["run", "--pages", "07"], 'There is no page "07"'),
        (["sweep", "params/toy.yaml"], 'a sweep has no key "size"'),
        (["sweep", "params/sweeps/x.yaml", "--jobs", "0"], "--jobs 0: give at least 1"),
        (["report", "outputs"], "holds no finished run"),
    ],
)
def test_wrong_input_is_one_message_and_exit_2(words: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 2
    found = capsys.readouterr()
    assert says in found.err
    assert "Traceback" not in found.err


def test_run_and_report(workbook: Path, capsys: pytest.CaptureFixture[str]):
    words = ["run", "params/toy.yaml", "-p", "rate", "1e-1", "-p", "size", "7", "--pages", "00", "--verbose"]
    assert main(words) == 0
    found = capsys.readouterr()
    assert "printed by the page" in found.err
    last = found.out.splitlines()[-1]
    assert last.startswith("report: outputs/runs/toy-")
    report = Path(last.removeprefix("report: "))
    assert report.is_file()
    report.unlink()
    assert main(["report", str(report.parent)]) == 0
    assert report.is_file()
    assert main(["run", "-p", "mode", "die", "--pages", "00"]) == 1
    assert "its kernel died" in capsys.readouterr().err


def test_sweep_lists_its_commands(capsys: pytest.CaptureFixture[str]):
    assert main(["sweep", "params/sweeps/x.yaml", "--list", "-p", "seed", "3"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "mmlib run params/sweeps/../toy.yaml -p rate 0.5 -p seed 3 -p threads 1 --pages 00_first 01_second"
    assert "-p rate 1.5" in second
    assert main(["sweep", "params/sweeps/x.yaml", "--slurm"]) == 0
    assert "#SBATCH --array=0-1" in capsys.readouterr().out


def test_the_installed_command_is_this_one(workbook: Path):
    command = Path(sys.executable).with_name("mmlib")
    if not command.exists():
        pytest.skip("mmlib is not installed in this environment")
    said = subprocess.run(
        [command, "params"], capture_output=True, text=True, check=True, env={**os.environ, "PATH": ""}
    )
    assert "how large" in said.stdout
