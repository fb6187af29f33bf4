"""Options chosen on validation: by whom, from what, and what is judged then."""

from pathlib import Path

import pandas as pd
import pytest

from mmlib.__main__ import main
from mmlib.core.errors import InputError
from mmlib.core.files import read_json, write_json
from mmlib.workbook.pages import pair
from mmlib.workbook.selection import chosen, due, edges
from mmlib.workbook.sweep_file import Sweep, read_sweep

from .tiny import make

SWEEP = """\
base: ../toy.yaml
pages: ["00"]
grid: {size: [1, 2], rate: [0.4, 0.3]}
also: [{fixed: {size: 2, rate: 0.35, names: [b]}}]
choose: {over: [rate, names], metric: total}
"""


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its page's number is size * rate + seed; on the validation part a rate above .35 loses 5."""
    folder = make(tmp_path)
    page = folder / "notebooks" / "00_first.py"
    seed = "seed: int = 0  # of nothing\n"
    more = 'part: str = "test"  # who judges\nnames: list[str] = ["a"]  # what to call them\n'
    text = page.read_text().replace(seed, seed + more)
    page.write_text(text.replace("+ seed, 6)", '+ seed - 5 * (part == "valid" and rate > 0.35), 6)'))
    pair(folder / "notebooks")
    monkeypatch.chdir(folder)
    return folder


def read(workbook: Path, text: str, **overrides: object) -> Sweep:
    path = workbook / "params" / "sweeps" / "x.yaml"
    path.write_text(text)
    return read_sweep(path, overrides)


def pretend(one: Sweep, totals: dict[str, float | str | None]) -> None:
    """Let runs be done without running them: the totals by rate, those of seed 1 higher by 10."""
    for each in one.plans:
        total = totals[str(each.parameters["rate"])]
        total = total + 10 * each.parameters["seed"] if isinstance(total, float) else total
        write_json(each.folder / "metrics.json", {"metrics": {"00_first": {"total": total}}, "seconds": 1.0})


def test_the_best_on_validation_are_judged_on_test(workbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, path = read(workbook, SWEEP), "params/sweeps/x.yaml"
    assert {each.parameters["part"] for each in one.plans} == {"valid"}
    assert (len(one.plans), len(one.judged)) == (5, 5)
    assert due(one) is one  # nothing is done yet
    assert main(["sweep", path, "--list"]) == 0
    assert capsys.readouterr().out.count("-p part valid") == 5
    assert main(["sweep", path, "--jobs", "2"]) == 0
    folder = Path(capsys.readouterr().out.rstrip().rpartition("index: ")[2]).parent
    judged = read_json(folder / "sweep.json")
    assert folder.name.startswith("x-")
    assert "valid" not in folder.name
    table = pd.read_parquet(folder / "runs.parquet")
    assert table[["size", "rate", "status"]].to_numpy().tolist() == [
        [1, 0.3, "done"],
        [2, 0.35, "done"],
    ]  # .4 is better on the test part, but not on validation
    assert {run["parameters"]["part"] for run in judged["runs"]} == {"test"}
    assert judged["varying"] == ["size"]  # so that what is compared does not stumble over the rate
    assert [row["chosen"] for row in judged["tried"]] == [False, True, False, False, True]
    assert [row["total"] for row in judged["tried"]] == pytest.approx([-4.6, 0.3, -4.2, 0.6, 0.7])
    index = (folder / "index.html").read_text()
    assert "The best may lie beyond: 1: rate 0.3 is the smallest tried." in index
    assert "chosen on the validation part, by the mean total of 5 runs" in index
    assert "<b>0.3000</b>" in index
    assert f'href="../{one.id}/index.html"' in index
    assert "The runs on the validation part" in (one.folder / "index.html").read_text()

    assert main(["sweep", path, "--list"]) == 0  # what is due is the other half now
    commands = capsys.readouterr().out.splitlines()
    assert len(commands) == 2
    assert not any("-p part" in one for one in commands)
    assert main(["sweep", path, "--slurm"]) == 0
    assert "gathers all" in capsys.readouterr().out


def test_nothing_is_judged_before_all_is_done_on_validation(workbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "pages: ['00']\ngrid: {rate: [0.1, 0.2], mode: [ok, bad]}\nchoose: {over: [rate], metric: total}\n"
    one = read(workbook, text)
    assert main(["sweep", "params/sweeps/x.yaml", "--jobs", "2"]) == 1
    out = capsys.readouterr().out
    assert "the test part was not read: 2 runs on the validation part are not done" in out
    assert [path.name for path in (workbook / "outputs" / "sweeps").iterdir()] == [one.id]
    with pytest.raises(InputError, match="is not done on the validation part"):
        chosen(one)
    assert main(["sweep", "params/sweeps/x.yaml", "--slurm"]) == 0
    assert "--slurm prints those with the chosen options" in capsys.readouterr().out


def test_the_mean_over_seeds_chooses_and_the_first_of_equals(workbook: Path) -> None:
    text = "pages: ['00']\ngrid: {seed: [0, 1], rate: [0.1, 0.2, 0.3]}\nchoose: {over: [rate], metric: total}\n"
    one = read(workbook, text)
    pretend(one, {"0.1": 1.0, "0.2": 2.0, "0.3": 2.0})
    found = chosen(one)
    assert [(each.parameters["rate"], each.parameters["seed"]) for each in found.plans] == [(0.2, 0), (0.2, 1)]
    assert [row["total"] for row in found.tried] == [6.0, 7.0, 7.0]
    again = chosen(read(workbook, text.replace(", 0.3]", "]")))
    assert [each.id for each in again.plans] == [each.id for each in found.plans]
    assert again.id != found.id  # the same runs, chosen from others
    for bad in (None, "much"):
        pretend(one, {"0.1": 1.0, "0.2": 2.0, "0.3": bad})
        with pytest.raises(InputError, match="recorded no number total to choose by"):
            chosen(one)


def test_chosen_numbers_at_the_edge_of_what_was_tried() -> None:
    def row(name: str, rate: float, options: dict, chosen: bool = False) -> dict:
        return {"recommender": name, "rate": rate, "model_options": options, "runs": 1, "total": 1.0, "chosen": chosen}

    tried = [row("ease", 0.1, {"ridge": ridge}, ridge == 30) for ridge in (10, 20, 30)]
    tried += [row("bpr", rate, {}, rate == 0.2) for rate in (0.1, 0.2, 0.3)]
    assert edges(tried, ["rate", "model_options"]) == ["ease: ridge 30 is the largest tried"]
    tried[1]["chosen"], tried[2]["chosen"], tried[3]["chosen"], tried[4]["chosen"] = True, False, True, False
    assert edges(tried, ["rate", "model_options"]) == ["bpr: rate 0.1 is the smallest tried"]


def test_what_the_command_line_sets_is_not_chosen(workbook: Path) -> None:
    text = "pages: ['00']\ngrid: {size: [1, 2], rate: [0.1, 0.2]}\nchoose: {over: [rate, size]}\n"
    assert read(workbook, text, rate=0.3).choose["over"] == ["size"]
    one = read(workbook, text, rate=0.3, size=4)
    assert (one.choose, one.judged, [each.parameters["part"] for each in one.plans]) == ({}, (), ["test"])


@pytest.mark.parametrize(
    ("choose", "says"),
    [
        ("choose: [rate]", "cannot be; give over, a list of parameters"),
        ("choose: {}", "choose: over: {} cannot be; give over, a list"),
        ("choose: {over: rate}", "choose: over: rate cannot be; give over, a list"),
        ("choose: {over: [rate], metrc: total}", 'choose: has no key "metrc". Did you mean "metric"'),
        ("choose: {over: [mode]}", "choose: mode does not vary.*In this sweep size, rate varies"),
        ("choose: {over: [rate]}\ncompare: {vary: rate}", "choose: rate is compared"),
        ("choose: {over: [rate]}\ncompare: {vary: size, within: [rate]}", "choose: rate is compared"),
        ("choose: {over: [rate, seed]}\nalso: [{grid: {seed: [1, 2]}}]", "choose: seed is no option of a method"),
        ("choose: {over: [rate]}\nfixed: {part: valid}", "leave part out"),
        ('choose: {over: [size]}\npages: ["00", "01"]', "01_second has no parameter part"),
        (
            "choose: {over: [rate]}\nalso: [{fixed: {size: 1, rate: 0.1, seed: 1}}]",
            "has not the same seeds for each of",
        ),
        ("also: [{fixed: {size: 3}, choose: {over: [rate]}}]", 'also: has no key "choose"'),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(workbook: Path, choose: str, says: str) -> None:
    pages = "" if "pages" in choose else "pages: ['00']\n"
    with pytest.raises(InputError, match=says):
        read(workbook, f"{pages}grid: {{size: [1, 2], rate: [0.1, 0.2]}}\n{choose}\n")
