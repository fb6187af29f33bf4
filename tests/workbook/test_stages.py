"""What pages call: catalogues from the cache, audits of a run, recommenders by name."""

import numpy as np
import pandas as pd
import pytest

from mmlib.audit.report import Audit
from mmlib.core.dataset import Dataset
from mmlib.core.files import read_json
from mmlib.core.graph import bipartite
from mmlib.workbook import page, stages


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(page, "current", None)
    return tmp_path / "outputs"


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    rng = np.random.default_rng(0)
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in rng.permutation(15)[:8]]
    pd.DataFrame(pairs, columns=["user_id", "item_id"]).to_csv(folder / "ratings.csv", index=False)
    return folder


def test_audits_of_a_run_are_joined_in_its_folder(shop, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(page, "current", page.Page("04_x", tmp_path / "run"))
    data = stages.load(str(shop))
    before = Audit.from_json(read_json(tmp_path / "run" / "audit.json"))
    assert "held-out interactions in graphs" not in before.checked
    assert 'class="mm-verdict mm-v-leak"' not in (tmp_path / "run" / "audit.html").read_text()
    clean = stages.audit_of(data, graphs=[bipartite(data)])
    assert "held-out interactions in graphs" in clean.clean
    leaky = Dataset(data.name, data.users, data.items, data.interactions.assign(part="train"))
    object.__setattr__(leaky, "split", data.split)  # a graph made of all purchases
    found = stages.audit_of(data, graphs=[bipartite(leaky)])
    assert found.worst == "leak"
    kept = Audit.from_json(read_json(tmp_path / "run" / "audit.json"))
    assert kept.worst == "leak"
    assert "held-out interactions in graphs" not in kept.clean
    assert set(before.checked) < set(kept.checked)
    assert 'class="mm-verdict mm-v-leak"' in (tmp_path / "run" / "audit.html").read_text()
