"""docs/adding-a-model.md: what it shows is run."""

import re
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-model.md"


def test_what_the_page_shows_runs(blocks, features, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path))
    model, used = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    body = model[model.index("class Mine") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 25
    space = {"shop": blocks, "features": features}
    torch.manual_seed(0)
    exec(compile(model, str(PAGE), "exec"), space)
    exec(compile(used, str(PAGE), "exec"), space)
    assert space["found"], space["found"]
    assert space["found"].table["rule"].iloc[-1] == "takes a step"
    assert space["fit"].model.describe()["temperature"] == 0.1
    assert 0 <= space["scores"]["recall@10"] <= 1
    assert space["fit"].history["loss/infonce"].is_monotonic_decreasing
