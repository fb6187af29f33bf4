"""``mm.fit``: what makes two trainings the same."""

import pytest
import torch

from mmlib.workbook import fit, named_models


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def test_a_fit_depends_on_all_the_code_that_it_uses() -> None:
    found = fit._modules("mmlib.recommenders.mixgcf")
    assert {f"mmlib.recommenders.{name}" for name in ("mixgcf", "lightgcn", "ngcf", "bpr", "start")} <= found
    assert "mmlib.recommenders.vbpr" not in found


def test_a_fit_is_known_by_what_its_schedule_gives(blocks, capsys) -> None:
    def trained(schedule) -> str:
        torch.manual_seed(0)
        model = named_models.recommender("bpr", blocks, dim=4)
        fit.fit(model, epochs=2, batch_size=64, schedule=schedule)
        return capsys.readouterr().out

    assert "built in" in trained(lambda epoch: 1 / (1 + epoch))
    assert "from cache" in trained(lambda epoch: (1 + epoch) ** -1)
    assert "built in" in trained(lambda epoch: 1 / (2 + epoch))
