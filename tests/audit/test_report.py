"""The table of flaws and the checks that speak with it fit each other."""

import re
from pathlib import Path

import pytest

from mmlib.audit import report
from mmlib.audit.report import FLAWS, SEVERITIES, SHOWN, Example, found


def test_every_flaw_is_found_by_a_check_and_every_check_finds_a_known_flaw() -> None:
    code = "".join(path.read_text() for path in Path(report.__file__).parent.glob("*.py"))
    for kind, flaw in FLAWS.items():
        assert f'"{kind}"' in code, kind
        assert flaw["severity"] in SEVERITIES
        assert re.search(r"[.}]$", flaw["what"]), kind
        assert re.search(r"\.$", flaw["remedy"]), kind
    for kind in re.findall(r'\bfound\(\s*"([^"]+)"', code):
        assert kind in FLAWS


def test_a_finding_says_its_numbers_and_keeps_the_first_examples() -> None:
    (one,) = found("{column}: {value}", 1234, (Example(str(n)) for n in range(99)), column="flag", value="bad")
    assert (one.kind, one.severity, one.count) == ("flag: bad", "warning", 1234)
    assert one.what == "1,234 items are flagged 'bad' in the column flag."
    assert [example.text for example in one.examples] == [str(n) for n in range(SHOWN)]
    assert found("pairs in several parts", 0) == []
    assert found("missing texts", 1, severity="leak", of=2, share=0.5)[0].severity == "leak"
    with pytest.raises(KeyError):
        found("no such flaw", 1)
