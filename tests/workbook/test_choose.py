"""Options chosen on validation: by whom, from what, and what is judged then."""

from pathlib import Path

import pandas as pd
import pytest

from mmlib.__main__ import main
from mmlib.errors import InputError
from mmlib.files import read_json
from mmlib.workbook.choose import chosen, due
from mmlib.workbook.grid import read_sweep
from mmlib.workbook.pages import pair
from mmlib.workbook.run import finished
from mmlib.workbook.sweep import sweep

from .tiny import make

SWEEP = """\
base: ../toy.yaml
pages: ["00"]
grid: {size: [1, 2], lr: [0.4, 0.3], seed: [0, 1]}
also: [{fixed: {size: 2, lr: 9.0, mode: bad, seed: 0}}]
choose: {over: [lr, mode], metric: total}
"""


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its page's number is size * lr + seed; on the validation part a rate above .35 loses 5."""
    folder = make(tmp_path)
    page = folder / "notebooks" / "00_first.py"
    text = page.read_text().replace(
        "seed: int = 0  # of nothing\n", 'seed: int = 0  # of nothing\npart: str = "test"  # who judges\n'
    )
    page.write_text(text.replace("+ seed, 6)", '+ seed - 5 * (part == "valid" and lr > 0.35), 6)'))
    pair(folder / "notebooks")
    monkeypatch.chdir(folder)
    return folder


def read(workbook: Path, text: str, **overrides: object):
    path = workbook / "params" / "sweeps" / "x.yaml"
    path.write_text(text)
    return read_sweep(path, overrides)


def test_the_best_on_validation_are_judged_on_test(workbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, path = read(workbook, SWEEP), "params/sweeps/x.yaml"
    assert {each.parameters["part"] for each in one.plans} == {"valid"}
    assert (len(one.plans), len(one.judged)) == (9, 9)
    assert due(one) is one  # nothing is done yet
    assert main(["sweep", path, "--list"]) == 0
    assert capsys.readouterr().out.count("-p part valid") == 9
    assert main(["sweep", path, "--jobs", "2"]) == 1  # the run in mode "bad" failed
    folder = Path(capsys.readouterr().out.rstrip().rpartition("index: ")[2]).parent
    judged = read_json(folder / "sweep.json")
    assert folder.name.startswith("x-")
    assert "valid" not in folder.name
    table = pd.read_parquet(folder / "runs.parquet")
    assert table[["size", "lr", "seed", "status"]].to_numpy().tolist() == [
        [size, 0.3, seed, "done"] for size in (1, 2) for seed in (0, 1)
    ]  # .4 is better on the test part, but not on validation; 9 failed
    assert {run["parameters"]["part"] for run in judged["runs"]} == {"test"}
    assert judged["varying"] == ["size", "seed"]  # so that what is compared does not stumble over the rate
    assert [row["chosen"] for row in judged["tried"]] == [False, True, False, True, False]
    assert [row["total"] for row in judged["tried"]] == [-4.1, 0.8, -3.7, 1.1, None]
    index = (folder / "index.html").read_text()
    assert "chosen on the validation part, by the mean total of 9 runs" in index
    assert "<b>0.8000</b>" in index
    assert "a run failed" in index


def test_what_was_chosen_is_judged_once(workbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(workbook, "pages: ['00']\ngrid: {lr: [0.1, 0.3]}\nchoose: {over: [lr], metric: total}\n")
    path = "params/sweeps/x.yaml"
    assert main(["sweep", path]) == 0
    capsys.readouterr()
    assert main(["sweep", path, "--list"]) == 0  # what is due is the other half now
    (command,) = capsys.readouterr().out.splitlines()
    assert "-p lr 0.3" in command
    assert "-p part" not in command
    assert main(["sweep", path]) == 0
    assert "x-valid-" in (out := capsys.readouterr().out)
    assert "2 runs, 2 done before" in out
    assert "1 runs, 1 done before" in out


def test_nothing_to_choose_from(workbook: Path) -> None:
    file = workbook / "params" / "sweeps" / "x.yaml"
    text = "fixed: {mode: bad}\npages: ['00']\ngrid: {lr: [0.1, 0.2]}\nchoose: {over: [lr], metric: total}\n"
    one = read(workbook, text)
    assert not any(finished(each.folder) for each in one.plans)
    with pytest.raises(InputError, match="x-valid: nothing can be chosen"):
        chosen(one)
    read(workbook, text.replace("bad", "ok").replace("total", "totl"))
    with pytest.raises(InputError, match=r"recorded no totl to choose by; it has 00_first/total"):
        sweep(file)


@pytest.mark.parametrize(
    ("choose", "says"),
    [
        ("choose: [lr]", "choose: needs over, a list of parameters"),
        ("choose: {over: lr}", "choose: needs over, a list of parameters"),
        ("choose: {over: [lr], metrc: total}", "choose: has no key metrc; it has over, metric"),
        ("choose: {over: [mode]}", "choose: mode does not vary; size, lr vary"),
        ("choose: {over: [lr]}\ncompare: {vary: lr}", "choose: lr is what is compared"),
        ("choose: {over: [lr]}\nfixed: {part: valid}", "part must not be set"),
        ('choose: {over: [size]}\npages: ["00", "01"]', None),
        ('choose: {over: [size]}\npages: ["01"]', "every page needs that parameter; 01_second has None"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(workbook: Path, choose: str, says: str | None) -> None:
    pages = "" if "pages" in choose else "pages: ['00']\n"
    text = f"{pages}grid: {{size: [1, 2], lr: [0.1, 0.2]}}\n{choose}\n"
    if says is None:
        assert len(read(workbook, text).plans) == 4
        return
    with pytest.raises(InputError, match=says):
        read(workbook, text)
