import os
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.declaration import parse
from mmlib.workbook.pages import pair
from mmlib.workbook.parameters import known_parameters
from mmlib.workbook.planned_run import plan
from mmlib.workbook.run import run, variables
from mmlib.workbook.sweep_file import read_sweep

from .finished import write_sweep
from .tiny import make


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make(tmp_path))
    return tmp_path


def test_plan_of_a_file(workbook: Path):
    one = plan(workbook / "params" / "toy.yaml", {"rate": 1})
    assert (one.name, one.about, one.pages) == ("toy", "a tiny study", ("00_first", "01_second"))
    assert one.given == {"size": 5, "rate": 1.0, "names": ["x", "y"]}
    assert one.parameters == {"size": 5, "rate": 1.0, "mode": "ok", "seed": 0, "names": ["x", "y"]}
    assert one.page_values("01_second") == {"size": 5, "names": ["x", "y"]}
    assert one.folder == workbook / "outputs" / "runs" / one.id


def test_the_id_depends_on_parameters_and_pages_only(workbook: Path):
    one = plan({"size": 5})
    assert one.id.startswith("run-")
    assert plan({"size": 5, "about": "words", "rate": 0.1}).id == one.id  # 0.1 is the default
    assert plan({}, {"size": 5}).id == one.id
    assert plan({"size": 6}).id != one.id
    assert plan({"size": 5, "pages": ["00_first"]}).id != one.id
    assert plan({"size": 5, "rate": 2}).id == plan({"size": 5, "rate": 2.0}).id


def test_a_parameter_of_other_pages_is_fine(workbook: Path):
    assert plan({"names": ["z"], "pages": ["00_first"]}).id == plan({"pages": ["00_first"]}).id


@pytest.mark.parametrize("pages", [["01", "00"], ["01_second", "00_first"], [1, 0]])
def test_pages_by_name_and_number(workbook: Path, pages: list):
    assert plan({"pages": pages}).pages == ("01_second", "00_first")
    assert plan({"pages": ["00"]}, pages=["01"]).pages == ("01_second",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"sice": 1}, 'Did you mean "size"'),
        ({"size": "1"}, "size must be int"),
        ({"pages": ["02"]}, 'There is no page "02"'),
        ({"pages": ["00_frist"]}, 'Did you mean "00_first"'),
        ({"pages": "00"}, "pages must be a list"),
        ({"pages": []}, "pages must be a list"),
        ({"about": 3}, "about: must be text"),
    ],
)
def test_plan_refuses(workbook: Path, content: dict, says: str):
    with pytest.raises(InputError, match=says):
        plan(content)


def test_a_wrong_file_is_named(workbook: Path):
    (workbook / "params" / "bad.yaml").write_text("rate: fast\n")
    with pytest.raises(InputError, match=r"params/bad.yaml: rate must be float"):
        plan(workbook / "params" / "bad.yaml")
    with pytest.raises(InputError, match="There is no file"):
        plan(workbook / "params" / "none.yaml")


def test_the_command_makes_the_same_run(workbook: Path):
    base = {"size": 5, "about": "a tiny study", "names": ["x", "y"]}
    one = plan(workbook / "params" / "toy.yaml", {"names": ["it's", "b c"], "rate": 1e-7}, pages=["01", "00"])
    words = shlex.split(one.command(base))
    assert words[:3] == ["mmlib", "run", str(workbook / "params" / "toy.yaml")]
    assert words[-3:] == ["--pages", "01_second", "00_first"]
    given = {words[place + 1]: words[place + 2] for place, word in enumerate(words) if word == "-p"}
    assert set(given) == {"rate", "names"}
    again = plan(words[2], parse(given, known_parameters(workbook / "notebooks")), words[-2:])
    assert again.id == one.id


def test_a_page_that_reads_a_sweep_waits_for_one(workbook: Path):
    text = (workbook / "notebooks" / "01_second.py").read_text()
    given = '# %% tags=["parameters"]\nsweep: str = ""  # a finished sweep\n'
    (workbook / "notebooks" / "02_third.py").write_text(text.split("# %% tags")[0] + given)
    assert plan({}).pages == ("00_first", "01_second")
    assert plan({}, {"sweep": "starts"}).pages == ("00_first", "01_second", "02_third")
    assert plan({}, pages=["02"]).pages == ("02_third",)
    assert plan({"pages": ["01", "02"]}).pages == ("01_second", "02_third")


def test_a_default_that_was_edited_since_is_refused(workbook: Path):
    one, given = plan({"pages": ["00_first"]}), plan({"pages": ["00_first"], "rate": 0.5})
    page = workbook / "notebooks" / "00_first.py"
    page.write_text(page.read_text().replace("rate: float = 0.1", "rate: float = 0.2"))
    pair(page.parent)
    with pytest.raises(InputError, match=r"rate was 0\.1 by default when this was planned, and is 0\.2 now"):
        run(one)
    assert not one.folder.exists()
    given.check_defaults()  # it says itself what it wants
    plan({"pages": ["00_first"]}).check_defaults()


def test_a_model_is_found_beside_the_sweeps_file_wherever_its_base_lies(tmp_path: Path):
    (tmp_path / "sweeps").mkdir()
    mine = "from mmlib.recommenders import BPR\n\nclass Mine(BPR):\n    pass\n"
    (tmp_path / "sweeps" / "models_beside.py").write_text(mine)
    (tmp_path / "base.yaml").write_text("recommender: models_beside:Mine\n")
    (tmp_path / "sweeps" / "x.yaml").write_text("base: ../base.yaml\npages: ['04']\ngrid: {seed: [0, 1]}\n")
    with pytest.raises(InputError, match="there is no module models_beside in"):
        plan(tmp_path / "base.yaml")
    (one, _) = read_sweep(tmp_path / "sweeps" / "x.yaml").plans
    assert "model" in one.contents
    words = shlex.split(one.command({}))  # that of a Slurm task, which knows nothing of the sweep
    assert words[:3] == [f"MMLIB_MODELS={tmp_path / 'sweeps'}", "mmlib", "run"]
    assert str(tmp_path / "sweeps") in variables(one)["MMLIB_MODELS"].split(os.pathsep)


def test_a_run_that_reads_a_sweep_is_another_run_when_the_sweep_has_changed(tmp_path: Path):
    folder = write_sweep(tmp_path)

    def id_() -> str:
        return plan({"sweep": str(folder)}, pages=["07"]).id

    before = id_()
    assert id_() == before
    (folder / "lightgcn-random-6-1" / "metrics.json").unlink()
    fewer = id_()
    table = pd.read_parquet(folder / "mixgcf-mmcpr-60-1" / "per_user.parquet")
    table.assign(**{"recall@20": 0.5}).to_parquet(folder / "mixgcf-mmcpr-60-1" / "per_user.parquet")
    assert len({before, fewer, id_()}) == 3
    with pytest.raises(InputError, match=r"no sweep\.json in it"):
        plan({"sweep": str(tmp_path / "nowhere")}, pages=["07"]).id  # noqa: B018


def test_pages_are_told_their_data_and_find_public_catalogues_where_they_are(workbook: Path):
    """``MMLIB_DATA`` is where downloads lie."""
    one = plan({"pages": ["00_first"]})
    one = replace(one, parameters=one.parameters | {"dataset": "amazon-2014/Baby"})
    one.__dict__["contents"] = {"dataset": "k"}  # found before
    told = variables(one)
    assert "MMLIB_DATA" not in told
    assert told["MMLIB_PLANNED"] == "k amazon-2014/Baby"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"epochs": -1}, "epochs must be int, at least 1"),
        ({"patience": -1}, "patience must be int, at least 0"),
        ({"dim": -3}, "dim must be int, at least 1"),
        ({"k": []}, "k must be list[int], not empty"),
        ({"seed": 2**64}, "seed must be int, at least 0, at most"),
        ({"threads": 1000}, "threads must be int, at least 0, at most 256"),
        ({"lr": 0.0}, "lr must be float, above 0"),
        ({"start": "mmcrp"}, 'Did you mean "mmcpr"'),
        ({"recommender": "lightgnc"}, 'Did you mean "lightgcn"'),
        ({"recommender": "no_such:Mine"}, "there is no module no_such"),
        ({"recommender": "ease", "start": "mmcpr"}, 'set start = "random"'),
        ({"recommender": "freedom", "model_options": {"layrs": 9}}, 'Did you mean "layers"'),
        ({"recommender": "freedom", "model_options": {"neighbours": "ten"}}, "neighbours of freedom must be int"),
        ({"recommender": "lightgcn", "model_options": {"backbone": "ngcf"}}, "lightgcn has no option 'backbone'"),
        ({"encoder": "small", "encoder_epochs": 0}, "give encoder_epochs of at least 1"),
        ({"modalities": "RX"}, "give a subset of the letters R, T, V, G"),
        ({"modalities": "RTT"}, "each once"),
        ({"modalities": "RG"}, "or give cima_weight 0"),
        ({"split": "8:1"}, "split = '8:1' is not known"),
        ({"clean": ["corr=5"]}, "there is no step 'corr'"),
        ({"knock_out": "permutate"}, 'Did you mean "permute"'),
        ({"knock_out": "zero audio"}, "knock_out: modality"),
        ({"knock_out": "drop text", "knock_out_at": "test"}, 'it cannot be at "test"'),
    ],
)
def test_what_cannot_be_together_is_refused_before_any_work(values: dict, says: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(values)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"recommender": "ease"},
        {"recommender": "mixgcf", "model_options": {"backbone": "ngcf", "message_dropout": 0.1}},
        {"modalities": "RG", "cima_weight": 0.0},
        {"start": "mmcpr without cima", "modalities": "G", "pages": ["04"]},
        {"layers": 4, "recommender": "vbpr"},  # said on the page
        {"recommender": "lightgnc", "pages": ["02"]},  # a page that reads no recommender
    ],
)
def test_what_goes_together_is_taken(values: dict) -> None:
    assert plan(values).pages
