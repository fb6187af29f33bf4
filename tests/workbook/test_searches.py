"""Searches that all runs share."""

from mmlib.workbook import named_models


def test_graphs_of_a_model_are_searched_once(blocks, features, tmp_path, monkeypatch, capsys) -> None:
    """The seeds of a sweep read the same content, and one search of its neighbours serves them all."""
    outputs = tmp_path / "outputs"
    monkeypatch.setenv("MMLIB_OUTPUTS", str(outputs))
    first = {
        name: named_models.recommender(name, blocks, features, dim=8) for name in ("freedom", "lattice", "dualgnn")
    }
    assert len([*(outputs / "cache" / "nearest").glob("*/manifest.json")]) >= 2
    assert len([*(outputs / "cache" / "co-interaction").glob("*/manifest.json")]) == 1
    capsys.readouterr()
    for name, model in first.items():
        again = named_models.recommender(name, blocks, features, dim=8)
        for key, graph in model.read_graphs().items():
            assert graph.csr.values().tolist() == again.read_graphs()[key].csr.values().tolist(), (name, key)
    assert "built in" not in capsys.readouterr().out
    named_models.recommender("freedom", blocks, features, dim=8, neighbours=3)
    assert "nearest: built in" in capsys.readouterr().out
