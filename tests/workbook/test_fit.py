"""``mm.fit``: what makes two trainings the same."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from mmlib.core.files import write_json
from mmlib.recommenders import BPR, LightGCN
from mmlib.workbook import fit


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def trained(blocks, capsys):
    """Train a model and give its vectors and whether it was taken from the cache."""

    def train(kind=BPR, *, seed=0, epochs=2, batch_size=64, data=blocks, **options):
        training = {name: options.pop(name) for name in ("schedule",) if name in options}
        torch.manual_seed(seed)
        model = kind(data, dim=4, **options) if issubclass(kind, BPR | LightGCN) else kind(data, **options)
        done = fit.fit(model, epochs=epochs, batch_size=batch_size, **training)
        return done.embeddings.items, "from cache" in capsys.readouterr().out

    return train


def test_a_fit_is_known_by_what_its_schedule_gives(trained) -> None:
    assert not trained(schedule=lambda epoch: 1 / (1 + epoch))[1]
    assert trained(schedule=lambda epoch: (1 + epoch) ** -1)[1]
    assert not trained(schedule=lambda epoch: 1 / (2 + epoch))[1]


class Hidden(BPR):
    """An option that is stored under another name, and one that is not stored but held by a function."""

    def __init__(self, data, features=None, *, strength=1.0, power=1.0, dim=4, **more) -> None:
        super().__init__(data, features, dim=dim, **more)
        self._how_much = strength
        self.bend = lambda value: value**power

    def loss(self, batch):
        return {name: self._how_much * self.bend(term) for name, term in super().loss(batch).items()}


def test_models_that_differ_in_any_option_never_share_an_entry(trained) -> None:
    first, cached = trained(Hidden)
    assert not cached
    for options in ({"strength": 5.0}, {"power": 3.0}):
        other, cached = trained(Hidden, **options)
        assert not cached
        assert not torch.equal(other, first)
    again, cached = trained(Hidden)
    assert cached
    assert torch.equal(again, first)


def test_threads_and_weights_and_data_are_part_of_what_was_trained(trained, blocks, shuffled, monkeypatch) -> None:
    assert not trained()[1]
    assert not trained(seed=1)[1]
    assert not trained(data=shuffled)[1]
    assert trained()[1]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 17)
    assert not trained()[1]


@pytest.fixture
def shuffled(blocks):
    return blocks.with_parts(reversed(blocks.interactions["part"].tolist()), "the other way round", 1)


@pytest.mark.parametrize("file", ["weights.safetensors", "history.parquet", "fit.json"])
def test_a_damaged_file_is_trained_again_not_read(trained, outputs, file, blocks, capsys) -> None:
    first, _ = trained()
    path = next((outputs / "cache" / "fit-bpr").glob(f"*/{file}"))
    facts, held = path.stat(), bytearray(path.read_bytes())
    held[-9] ^= 4
    path.write_bytes(held)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    torch.manual_seed(0)
    again = fit.fit(BPR(blocks, dim=4), epochs=2, batch_size=64)
    assert f"({file} is missing or not what was written), so it is built again" in capsys.readouterr().out
    assert torch.equal(again.embeddings.items, first)


def test_what_cannot_be_compared_is_trained_and_not_kept(blocks, outputs, capsys, tmp_path) -> None:
    model = BPR(blocks, dim=4)
    model.log = (tmp_path / "log.txt").open("w")
    fit.fit(model, epochs=1, batch_size=64)
    assert capsys.readouterr().out.count("BPR: not cached, as it holds a _io.TextIOWrapper, which cannot be") == 1
    assert not list((outputs / "cache").glob("fit-bpr/*"))


CELL = """
import torch
import mmlib as mm
from mmlib.core.embeddings import Embeddings
from mmlib.recommenders import BPR

shop = mm.Dataset.load("shop")
FACTOR = {factor}

def bend(value):
    return value {power}

class Mine(BPR):
    def loss(self, batch):
        return {{"loss": FACTOR * bend(sum(super().loss(batch).values()))}}

torch.manual_seed(0)
done = mm.fit(Mine(shop, dim=4), epochs=2, batch_size=64)
print("sum", float(done.embeddings.items.sum()), float(done.embeddings.items.abs().sum()))
"""


def run(how: str, folder: Path, *cells: str) -> list[tuple[str, bool]]:
    """What a class in ``__main__`` learnt, and whether it came from the cache, for each cell of one session."""
    command, given = [sys.executable, "-"], "\n".join(cells)
    if how == "script":
        (folder / "script.py").write_text(given)
        command, given = [sys.executable, "script.py"], ""
    elif how == "notebook":
        rest = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        notebook = {"cells": [rest | {"source": cell} for cell in cells], "metadata": {"kernelspec": kernel}}
        write_json(folder / "page.ipynb", notebook | {"nbformat": 4, "nbformat_minor": 4})
        words = ["nbconvert", "--execute", "--to", "markdown", "--stdout", "page.ipynb"]
        command, given = [sys.executable, "-m", "jupyter", *words], ""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    found = re.findall(r"fit-mine: (from cache|built)|(sum \S+ \S+)", done.stdout)
    assert len(found) == 2 * len(cells), done.stdout
    return [(sums, how == "from cache") for (how, _), (_, sums) in zip(found[::2], found[1::2])]


@pytest.mark.parametrize("how", ["standard input", "script", "notebook"])
def test_a_class_of_a_cell_or_script_is_trained_and_cached_by_its_code(how, blocks, tmp_path) -> None:
    blocks.save(tmp_path / "shop")
    plain = CELL.format(factor=1.0, power="")
    ((first, cached),) = run(how, tmp_path, plain)
    assert not cached
    cells = [CELL.format(factor=1.0, power="** 2"), CELL.format(factor=3.0, power="")]
    again, helper, constant = run(how, tmp_path, f"# moved\n{plain}", *cells)  # as in a session that goes on
    assert again == (first, True)
    assert not helper[1]
    assert not constant[1]
    assert len({first, helper[0], constant[0]}) == 3


EDITED = """
import json, sys, torch
from pathlib import Path
import mmlib as mm

shop, file = mm.Dataset.load("shop"), Path("mine.py")
for before, after in json.loads(sys.argv[1]):
    sys.modules.pop("mine", None)
    file.write_text(file.read_text().replace(*before))
    import mine
    file.write_text(file.read_text().replace(*after))  # edited while the session goes on
    torch.manual_seed(0)
    done = mm.fit(mine.Mine(shop, dim=4), epochs=2, batch_size=64)
    print("sum", float(done.embeddings.items.sum()), float(done.embeddings.items.abs().sum()))
"""
ONE, NINE = "1.0 *", "9.0 *"


def test_the_code_that_was_imported_counts_not_what_lies_on_the_disk(blocks, tmp_path) -> None:
    """In both orders: the old code's result is never kept as the new code's, nor the other way round."""
    blocks.save(tmp_path / "shop")
    code = textwrap.dedent("""
        from mmlib.recommenders import BPR
        class Mine(BPR):
            def loss(self, batch):
                return {name: 1.0 * term for name, term in super().loss(batch).items()}
        """)
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "session.py").write_text(EDITED)

    def session(*edits: tuple[tuple[str, str], tuple[str, str]]) -> list[tuple[str, bool]]:
        """What is learnt after each import, the code being edited before and after it."""
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "session.py", json.dumps(edits)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env, check=True).stdout
        found = re.findall(r"fit-mine: (from cache|built)|(sum \S+ \S+)", done)
        return [(sums, how == "from cache") for (how, _), (_, sums) in zip(found[::2], found[1::2])]

    ((old, cached),) = session(((ONE, ONE), (ONE, NINE)))
    assert not cached
    (new, cached), again, edited = session(
        ((NINE, NINE), (NINE, ONE)),  # imports the edited code; taken back on the disk meanwhile
        ((ONE, ONE), (ONE, ONE)),
        ((ONE, NINE), (NINE, NINE)),
    )
    assert not cached
    assert new != old
    assert again == (old, True)
    assert edited == (new, True)
