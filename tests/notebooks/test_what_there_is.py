"""Runs of the README's command on catalogues with little in them, and with a model of somebody's own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.core.files import read_json
from mmlib.workbook.planned_run import plan
from mmlib.workbook.run import run

ROOT = Path(__file__).parents[2]
TINY = ROOT / "params" / "tiny.yaml"
MINE = """\
import mmlib as mm
from mmlib.training.start import xavier

class Mine(mm.BPR):
    def __init__(self, data, features=None, *, dim=64, warmth=0.2, start=None):
        super().__init__(data, dim=dim, start=start)
"""


def catalogue(folder: Path, users: int) -> Path:
    """Interactions alone."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    pairs = [(f"u{user}", f"i{item}") for user in range(users) for item in rng.permutation(20)[:10]]
    pd.DataFrame(pairs, columns=["user_id", "item_id"]).to_csv(folder / "ratings.csv", index=False)
    return folder


@pytest.mark.parametrize("users", [3, 30])
def test_interactions_alone_end_with_a_report_of_what_there_is(tmp_path: Path, users: int, capsys) -> None:
    given = {"dataset": str(catalogue(tmp_path / "shop", users)), "layers": 1, "recommender": "bpr"}
    result = run(plan(TINY, given, outputs=tmp_path / "outputs"))
    done, said = read_json(result.folder / "metrics.json"), capsys.readouterr().out
    report = (result.folder / "report.html").read_text()
    content = {"00_quickstart", "01_features", "02_graphs", "03_pretrain", "05_alignment", "06_probes"}
    assert set(done["left_out"]) == content
    assert list(done["pages"]) == ["04_recommend"]
    assert done["metrics"]["04_recommend"]["bpr from random"]["all"]["recall@10"]["users"] == users
    for text in (
        "01_features is left out: ",
        "has neither images nor texts. Bring a table of items with titles, texts or images.",
    ):
        assert text in said
        assert text in report
    assert "04_recommend: The start is random: " in report
    assert "Without effect on bpr, which has no such option: layers = 1." in report
    with pytest.raises(InputError, match="01_features is left out"):  # nothing else was asked for
        run(plan(TINY, given, ["01"], outputs=tmp_path / "outputs"))


def test_somebodys_own_model_runs_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text(MINE)
    file = tmp_path / "mine.yaml"
    file.write_text(TINY.read_text() + "recommender: my_models:Mine\nstart: random\npages: [04_recommend]\n")
    first = run(plan(file, outputs=tmp_path / "outputs"))
    assert first.metrics["04_recommend"]["my_models:Mine from random"]["all"]["recall@10"]["mean"] > 0
    (tmp_path / "my_models.py").write_text(MINE.replace("0.2", "0.3"))
    assert plan(file, outputs=tmp_path / "outputs").folder != first.folder  # another model is another run
