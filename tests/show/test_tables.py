import pandas as pd
from bs4 import BeautifulSoup

from mmlib.evaluation.protocols import protocols
from mmlib.evaluation.published import beside
from mmlib.show import facts, listing, protocol, published_table

MINE = pd.DataFrame({"method": ["<i>mine</i>"], "mean": [0.07]})


def text(html) -> str:
    return BeautifulSoup(html.text, "html.parser").get_text(" ")


def test_each_protocol_has_its_block_and_its_words():
    rows = beside(MINE, "Baby", "recall@20", ["mmrec", "micro"], mix=True)
    page = BeautifulSoup(published_table(rows, protocols()).text, "html.parser")
    assert len(page.find_all("table")) == 3
    assert page.find_all("td")[1].get_text() == "<i>mine</i>"
    every = [row.find_all("td")[-1].get_text() for row in page.find_all("tr") if row.find("td")]
    assert every == rows["protocol"].tolist()
    assert "cannot be ranked against each other" in page.get_text()
    assert "Protocol mmrec on amazon-2014/Baby" in page.get_text()
    assert "masked: training items; validation items are not masked (public code)" in page.get_text()


def test_one_protocol_needs_no_warning():
    rows = beside(None, "Baby", "recall@20", "mmrec")
    assert "cannot be ranked" not in text(published_table(rows, protocols()))
    assert "FREEDOM 0.0992 mmrec" in text(published_table(rows, protocols()))


def test_a_protocol_is_shown_aspect_by_aspect():
    shown = text(protocol(protocols()["lmm"], methods=3))
    assert "methods 3" in shown
    assert "split 8:1:1 at random" in shown


def test_a_listing_shows_every_cell_in_full():
    long = "x" * 200 + "<"
    shown = listing(pd.DataFrame({"n": [1], "words": [long]}), "a note")
    assert long in text(shown)
    assert "mm-words" in BeautifulSoup(shown.text, "html.parser").table["class"]  # a page breaks its lines


def test_whole_numbers_stay_whole_beside_others() -> None:
    table = facts({"raw": {"items": 570, "R@1": 0.142105}, "after": {"items": 570}})
    assert table["raw"].tolist() == [570, 0.1421]
    assert str(table["raw"]["items"]) == "570"
    assert table["after"]["R@1"] == ""
