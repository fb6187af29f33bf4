"""Recommenders by name, with the options that they have, and somebody's own."""

import sys
from pathlib import Path

import pytest

from mmlib.core.errors import InputError
from mmlib.recommenders import LightGCN
from mmlib.workbook.named_models import RECOMMENDERS, model_class, options_of, reads_content, recommender, takes_start

MINE = """\
from mmlib.recommenders import BPR

class Mine(BPR):
    def __init__(self, data, features=None, *, dim=64, warmth=0.2, start=None):
        super().__init__(data, dim=dim, start=start)
        self.warmth = warmth

class Other:
    pass
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_every_recommender_has_a_name(blocks, features) -> None:
    assert {"bpr", "lightgcn", "mixgcf", "ngcf", "vbpr", "ease", "itemknn", "popularity"} <= set(RECOMMENDERS)
    assert [reads_content(name) for name in ("vbpr", "lightgcn", "itemknn")] == [True, False, False]
    assert reads_content("itemknn", {"on": "content"})
    assert [takes_start(name) for name in ("lightgcn", "freedom", "ease")] == [True, True, False]
    assert recommender("itemknn", blocks, features, on="content").describe()["on"] == "content"


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_no_option_is_dropped_in_silence(blocks, features, name: str) -> None:
    for wrong in ("layrs", "dimm"):
        with pytest.raises(InputError, match=f"{name} has no option '{wrong}'"):
            recommender(name, blocks, features, **{wrong: 4})
    if "layers" in options_of(name):
        assert recommender(name, blocks, features, layers=4).describe()["layers"] == 4
    else:
        with pytest.raises(InputError, match=f"{name} has no option 'layers'"):
            recommender(name, blocks, features, layers=4)


def test_options_and_starts_that_cannot_be(blocks, features) -> None:
    with pytest.raises(InputError, match=r"micro has no option 'tempreature'.*Did you mean \"temperature\""):
        recommender("micro", blocks, features, tempreature=1)
    with pytest.raises(InputError, match="no option 'message_dropout'"):
        recommender("mixgcf", blocks, message_dropout=0.2)
    model = recommender("mixgcf", blocks, backbone="ngcf", message_dropout=0.2)
    assert model.describe()["message_dropout"] == 0.2
    with pytest.raises(InputError, match="ease does not learn from vectors"):
        recommender("ease", blocks, start=LightGCN(blocks, dim=8).embed())
    with pytest.raises(InputError, match='Did you mean "lightgcn"'):
        recommender("lightgnc", blocks)


@pytest.mark.parametrize("by", ["cwd", "MMLIB_MODELS", "path"])
def test_somebodys_own_model_is_found(here: Path, by: str, blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"own_models_{by.lower()}"
    folder = here if by == "cwd" else here / "beside"
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(MINE)
    if by == "MMLIB_MODELS":
        monkeypatch.setenv(by, str(folder))
    elif by == "path":
        monkeypatch.syspath_prepend(str(folder))
    model = recommender(f"{module}:Mine", blocks, dim=8, warmth=0.5)
    assert (type(model).__name__, model.dim, model.warmth) == ("Mine", 8, 0.5)
    assert takes_start(f"{module}:Mine")
    with pytest.raises(InputError, match=r"has no option 'warmht'.*Did you mean \"warmth\""):
        recommender(f"{module}:Mine", blocks, warmht=1)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_such:Mine", "there is no module no_such"),
        ("own_models:Mien", 'own_models has no Mien. Did you mean "Mine"? Its recommenders: BPR, Mine'),
        ("own_models:Other", "Other is no class made of mm.Recommender"),
        ("broken_models:Mine", "broken_models cannot be imported: ZeroDivisionError: division by zero"),
        ("needy_models:Mine", "needy_models cannot be imported: No module named 'no_such_package'"),
        ("../x.py:Mine", "write module:Class"),
        ("own_models:", "write module:Class"),
    ],
)
def test_what_is_wrong_with_it_is_said(here: Path, name: str, says: str) -> None:
    (here / "own_models.py").write_text(MINE)
    (here / "broken_models.py").write_text("1 / 0\n")
    (here / "needy_models.py").write_text("import no_such_package\n")
    with pytest.raises(InputError) as caught:
        model_class(name)
    assert says in str(caught.value)


def test_graphs_of_a_model_are_searched_once(blocks, features, tmp_path, monkeypatch, capsys) -> None:
    """The seeds of a sweep read the same content, and one search of its neighbours serves them all."""
    outputs = tmp_path / "outputs"
    monkeypatch.setenv("MMLIB_OUTPUTS", str(outputs))
    first = {name: recommender(name, blocks, features, dim=8) for name in ("freedom", "lattice", "dualgnn")}
    assert len([*(outputs / "cache" / "nearest").glob("*/manifest.json")]) >= 2
    assert len([*(outputs / "cache" / "co-interaction").glob("*/manifest.json")]) == 1
    capsys.readouterr()
    for name, model in first.items():
        again = recommender(name, blocks, features, dim=8)
        for key, graph in model.read_graphs().items():
            assert graph.csr.values().tolist() == again.read_graphs()[key].csr.values().tolist(), (name, key)
    assert "built in" not in capsys.readouterr().out
    recommender("freedom", blocks, features, dim=8, neighbours=3)
    assert "nearest: built in" in capsys.readouterr().out
