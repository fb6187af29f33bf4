"""The commands about data, on small catalogues made here."""

import os
import re

import numpy as np
import pandas as pd
import pytest

from mmlib.__main__ import main
from mmlib.core.dataset import Dataset
from mmlib.core.files import read_json
from mmlib.splits import by_name


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder of tables: 12 users, 9 items, two of them with the same description."""
    monkeypatch.setenv("MMLIB_DATA", str(tmp_path / "fetched"))
    folder = tmp_path / "my-shop"
    folder.mkdir()
    rng = np.random.default_rng(0)
    pairs = [(f"u{u}", f"i{i}") for u in range(12) for i in rng.permutation(9)[:6]]
    pd.DataFrame(pairs, columns=["user_id", "item_id"]).to_csv(folder / "ratings.csv", index=False)
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(9)], "title": [f"Thing {i}" for i in range(9)]})
    items["description"] = [f"a thing with the number {i} and some words that say what it is" for i in range(9)]
    items.loc[[2, 5], "description"] = "one description that two things share, word for word"
    items.to_csv(folder / "items.csv", index=False)
    return folder


def test_what_a_catalogue_holds(shop, capsys) -> None:
    assert main(["data", str(shop)]) == 0
    out = capsys.readouterr().out
    assert "users                        12" in out
    assert "hash of" not in out
    assert main(["data", str(shop), "-p", "split", "8:1:1", "-p", "clean", "['core=3']"]) == 0
    out = capsys.readouterr().out
    assert "hash of test" in out
    assert "core" in out


def test_the_audit_finds_what_is_planted(shop, tmp_path, capsys) -> None:
    assert main(["audit", str(shop), "--html", str(tmp_path / "a.html")]) == 0
    out = capsys.readouterr().out
    assert "same text (2)" in out
    assert "i2, i5" in out
    page = (tmp_path / "a.html").read_text()
    assert "Passport of the split" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert main(["audit", str(shop), "--html", str(tmp_path / "a.json"), "--no-pictures"]) == 0
    assert read_json(tmp_path / "a.json")["dataset"] == "my-shop"


def test_a_leak_makes_the_audit_fail(shop, tmp_path, capsys) -> None:
    """Under a claim of time, a training purchase after the test part began is a leak."""
    data = Dataset.load(saved(shop, tmp_path))
    moments = data.interactions["part"].map({"train": 300, "valid": 200, "test": 100})
    parts = data.interactions["part"].tolist()
    timed = Dataset(data.name, data.users, data.items, data.interactions.assign(time=moments))
    timed.with_parts(parts, "global time, 8:1:1", None).save(tmp_path / "leaky")
    assert main(["audit", str(tmp_path / "leaky"), "-p", "split", "given"]) == 1
    assert "LEAK" in capsys.readouterr().out


def saved(shop, tmp_path):
    from mmlib.catalogues import bring

    by_name(bring(shop), "8:1:1", 0).save(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "no-such-shop"], "there is no folder"),
        (["data", "amazon-2014/Babi"], 'Did you mean "amazon-2014/Baby"'),
        (["data", "amazon-2014/Baby"], "bring it with: mmlib data fetch amazon-2014/Baby"),
        (["data", "fetch", "amazon-2014/Babi"], 'Did you mean "amazon-2014/Baby"'),
        (["data", "fetch", "amazon-2014/Baby", "--pictures-only"], "leave --pictures-only out"),
        (["data", "toy", "--no-pictures"], "belong to: mmlib data fetch"),
        (["audit", "SHOP", "-p", "split", "9:9:9"], "9:9:9"),
        (["audit", "SHOP", "-p", "clean", "['cor=5']"], 'Did you mean "core"'),
        (["audit", "SHOP", "-p", "epochs", "5"], "what is loaded is said by split"),
        (["audit", "SHOP", "-p", "reader", "{nane: x}"], 'Did you mean "name"'),
    ],
)
def test_what_cannot_be_is_said(shop, capsys, words, message) -> None:
    assert main([str(shop) if word == "SHOP" else word for word in words]) == 2
    assert message in capsys.readouterr().err


def test_public_names_are_listed(shop, capsys) -> None:
    assert main(["data", "fetch"]) == 0
    out = capsys.readouterr().out
    assert "amazon-2014/Baby" in out
    assert "movielens/100k" in out
    assert not os.path.exists(os.environ["MMLIB_DATA"])
