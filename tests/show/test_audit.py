"""The audit's page: complete, self-contained, and readable without colours."""

import re
import subprocess
import sys
from html.parser import HTMLParser

from mmlib.audit import Audit, Example, Finding
from mmlib.show.audit import audit_html, audit_page

EVIL = "<script>alert('x')</script>"


def report(*findings: Finding) -> Audit:
    passport = {"protocol": "random per user, 8:1:1", "seed": 7, "counts": {"test": 1234}, "unseen": {"test users": 2}}
    passport |= {"hashes": {"test": "0123456789abcdef"}}
    return Audit(EVIL, passport, findings, ("a", "b"), ("b",), {"c": "no graph was given"}, {"Gini": 0.4}, ("A note.",))


def finding(severity: str, *examples: Example) -> Finding:
    return Finding("same picture", severity, 4321, f"What {EVIL} is.", "Merge the copies.", examples)


class Balance(HTMLParser):
    """Whether every element that is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open += [] if tag in ("img", "br", "meta") else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_everything_is_said(shop):
    page = audit_html(report(finding("leak"), finding("note")), shop)
    for said in ("random per user, 8:1:1", "1,234", "0123456789abcdef", "4,321", "Merge the copies.", "0.4", "A note."):
        assert said in page
    assert "no graph was given" in page
    assert page.index("LEAK") < page.index("NOTE")
    assert Balance(page).open == []
    assert Balance(audit_page(report(finding("leak")), shop)).open == []


def test_severity_is_a_word_and_a_shape_beside_the_colour(shop):
    marks = []
    for severity in ("leak", "warning", "note"):
        tags = re.findall(
            r'<span class="mm-tag mm-(\w+)">(\S+) (\w+)</span>', audit_html(report(finding(severity)), shop)
        )
        assert {(name, word) for name, _, word in tags} == {(severity, severity.upper())}
        marks.append(tags[0][1])
    assert len(set(marks)) == 3
    assert "CLEAN" in audit_html(report(), shop)


def test_examples_show_pictures_of_their_items(shop):
    ids = shop.items["id"].astype(str).tolist()
    case = Example("two of a kind", (ids[0], ids[1]), ("u 1",))
    page = audit_html(report(finding("warning", case, Example("gone", ("not there",)))), shop)
    assert page.count("<img") == 2
    assert page.count("data:image") == 2
    assert f"user u 1; item {ids[0]}, {ids[1]}" in page
    assert "item not there" in page
    assert "<img" not in audit_html(report(finding("warning", case)), shop, embed=False)
    assert "<img" not in audit_html(report(finding("warning", case)))


def test_nothing_is_fetched_and_nothing_runs(shop):
    page = audit_page(report(finding("leak", Example(EVIL, (EVIL,), (EVIL,)))), shop)
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_pages_kernel_does_not_wait_for_what_makes_reports() -> None:
    """They take seconds to import, and every page draws the audit."""
    code = (
        "import sys, mmlib.show, mmlib.show.audit; assert not {'nbformat', 'nbconvert', 'papermill'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
