"""A sweep of somebody's own model, whose options vary, and what page 07 reads of it."""

from pathlib import Path

from mmlib.workbook.sweep import sweep
from mmlib.workbook.sweep_file import read_sweep
from mmlib.workbook.sweep_results import sweep_methods

from .test_what_there_is import MINE, TINY


def test_a_sweep_of_ones_own_model_is_read_as_methods(tmp_path: Path) -> None:
    (tmp_path / "warm_models.py").write_text(MINE)
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    file = tmp_path / "mine.yaml"
    file.write_text(
        "about: how warm\nbase: tiny.yaml\npages: [04_recommend]\n"
        "fixed: {recommender: 'warm_models:Mine', start: random}\n"
        "grid: {model_options: [{warmth: 0.2, dim: 4}, {warmth: 0.3, dim: 8}]}\n"
    )
    folder = sweep(read_sweep(file, outputs=tmp_path / "outputs"), jobs=2)
    methods = sweep_methods(folder)
    assert list(methods) == ["warmth 0.2, dim 4", "warmth 0.3, dim 8"]
