import shlex
from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.workbook.declaration import parse
from mmlib.workbook.pages import pair
from mmlib.workbook.parameters import known_parameters
from mmlib.workbook.planned_run import plan
from mmlib.workbook.run import run_plan

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
        run_plan(one)
    assert not one.folder.exists()
    given.check_defaults()  # it says itself what it wants
    plan({"pages": ["00_first"]}).check_defaults()
