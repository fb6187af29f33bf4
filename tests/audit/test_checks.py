"""The whole audit: what it says of a clean shop, of a flawed one, and that it survives being written."""

import json
import subprocess
import sys
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from mmlib import splits
from mmlib.audit import CHECKS, Audit, audit
from mmlib.catalogues.shop import generate
from mmlib.core.errors import InputError
from mmlib.core.files import read_json, write_json

from .audited import ROWS, drawn, graph, shop


@pytest.fixture(scope="module")
def toy_shop(tmp_path_factory):
    shop = generate(tmp_path_factory.mktemp("toy") / "shop", users=150, items=120, purchases=1800, size=48)
    return splits.random_by_user(shop, "8:1:1")


def test_a_generated_shop_has_no_leak_and_every_check_is_accounted_for(toy_shop):
    report = audit(toy_shop, context=77)
    assert report.worst == "warning"  # so few users resolve little
    assert report.of("small test part").count == 150
    assert report.of("missing images").count == 6
    assert set(report.checked) | set(report.not_made) == set(CHECKS)
    assert set(report.clean) < set(report.checked)
    assert report.not_made["held-out interactions in graphs"] == "no graph was given"
    assert report.passport["hashes"] == toy_shop.split.hashes
    assert report.notes == toy_shop.notes


def test_the_same_dataset_gives_the_same_audit(toy_shop):
    assert audit(toy_shop, context=20) == audit(toy_shop, context=20)


def test_the_worst_comes_first():
    data = shop([*ROWS, (1, 4, "train")])
    leaky = {"bought": graph([0], [3], 3, 8)}
    report = audit(data, graphs=leaky)
    order = [one.severity for one in report.findings]
    assert order == sorted(order, key=["leak", "warning", "note"].index)
    assert report.worst == "leak"
    assert {one.kind for one in report.findings if one.severity == "leak"} == {
        "held-out pairs in bought",
        "pairs in several parts",
    }
    assert repr(report).startswith("Audit of tiny: 2 leaks, ")


def test_an_audit_survives_being_written(tmp_path, toy_shop):
    report = audit(toy_shop, context=20)
    write_json(tmp_path / "audit.json", report.to_json())
    assert Audit.from_json(read_json(tmp_path / "audit.json")) == report
    for wrong in ({}, {"findings": 3}, {**report.to_json(), "findings": [{}]}):
        with pytest.raises(InputError, match="not an audit"):
            Audit.from_json(wrong)


def test_no_finding_at_all_is_called_clean():
    empty = Audit("shop", {}, (), ("one check",), ("one check",), {}, {})
    assert (empty.worst, empty.of("leak")) == ("clean", None)
    assert "nothing found; 1 checks made" in repr(empty)


def test_what_cannot_be_audited_is_refused_before_any_work():
    data = shop(ROWS)
    with pytest.raises(InputError, match="not split"):
        audit(replace(data, split=None))
    with pytest.raises(InputError, match="context = 0"):
        audit(data, context=0)
    with pytest.raises(InputError, match="graph 1 is not a graph: it has no row"):
        audit(data, graphs=[np.eye(3)])
    with pytest.raises(InputError, match="mine is not a graph"):
        audit(data, graphs={"mine": object()})


def test_graphs_are_named_by_what_they_say_of_themselves():
    two = [graph([0], [3], 3, 8, name="bought"), graph([1], [4], 3, 8, name="bought"), graph([2], [5], 3, 8)]
    kinds = {one.kind for one in audit(shop(ROWS), graphs=two).findings}
    assert {"held-out pairs in bought", "held-out pairs in bought (2)"} < kinds


def test_pictures_are_not_read_when_they_are_not_wanted(tmp_path, monkeypatch):
    data = replace(shop(ROWS, 8, items={"image": [drawn(tmp_path, seed) for seed in range(8)]}), images=tmp_path)
    monkeypatch.setattr("mmlib.audit.subject.look", lambda data: pytest.fail("a picture was read"))
    report = audit(data, images=False)
    assert report.not_made["placeholder images"] == "images were not to be read"
    assert "missing images" in report.clean


def test_titles_cannot_become_code():
    title = "<script>alert(1)</script>"
    data = shop(ROWS, 8, items={"title": [title] * 8})
    found = audit(data)
    assert "<script>" not in found._repr_html_()
    assert all(text in unescape(found._repr_html_()) for one in found.findings for text in (one.what, one.remedy))
    assert json.dumps(audit(data).to_json())


def test_an_audit_is_quick_to_begin():
    """What takes seconds to import is not needed for it."""
    code = "import sys, mmlib.audit; assert not {'torch', 'sklearn', 'papermill'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
