"""HTML in texts, and items that are listed twice."""

import html
import time
from dataclasses import replace

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from mmlib.catalogues.clean import clean
from mmlib.catalogues.clean_items import plain
from mmlib.core.errors import InputError

from .test_clean import buys, cleaned, told


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("Tom &amp;amp;amp; Jerry", "Tom & Jerry"),
        ("6&quot; &#39;x&#x27; &eacute;", "6\" 'x' é"),
        ("&#38;lt;3 &AMP;gt;", "<3 >"),
        ("one<br>two<BR/>three<br />four", "one two three four"),
        ("<p class='x'>one</p><ul><li>two</li></ul>", "one two"),
        ('<b>W</b>ord and <a href="x>y">', 'Word and y">'),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("a<!-- no\nthis --> b<script>x<y</script>c <style a='b'>p{}</style>d", "a b c d"),
        ("I <3 it, a < b and c > d", "I <3 it, a < b and c > d"),
        ("<3 &nbsp; x\n y", "<3 x y"),
        ("<unknown> <brand X> </bold>", "<unknown> <brand X> </bold>"),
        ("two  spaces\nstay", "two  spaces\nstay"),
        ("AT&T R&D &", "AT&T R&D &"),
        ("?a=1&copy=2 &unheard; &#xD800;", "?a=1&copy=2 &unheard; \ufffd"),
        ("", ""),
    ],
)
def test_plain(text, meant):
    assert plain(text) == meant
    assert plain(meant) == meant


@settings(max_examples=30, deadline=None)
@forall(
    text=st.text(st.characters(codec="utf-8", exclude_characters="&<", exclude_categories=["Cc", "Cs"])),
    times=st.integers(1, 4),
)
def test_text_that_was_escaped_comes_back(text, times):
    written = text + " & done"
    escaped = written
    for _ in range(times):
        escaped = html.escape(escaped)
    assert plain(escaped) == " ".join(written.split())


def test_a_text_made_to_be_slow_is_not():
    begin = time.process_time()
    for text in ("<", "&amp;", "&", "<!--", "<br ", "<script>", "</script ", "<a", "&#", "&#x", "&lt;!--", "< ", "a "):
        assert plain(text * 50_000 + "&amp;").endswith("&")
    assert plain(f"&#{'9' * 5000};") == f"&#{'9' * 5000};"
    assert time.process_time() - begin < 10  # a tenth of that; minutes where a pattern is quadratic


def test_unescape_counts_the_cells_that_changed():
    data = buys((0, 0), (1, 1), titles=["A &amp; B"] + ["t"] * 7, texts=["x<br>y", "<b>z</b>"] + [""] * 6)
    data = replace(data, interactions=data.interactions.assign(review=["so&nbsp;so", "fine"]))
    done = cleaned(data, "unescape")
    assert done.items["title"].tolist() == ["A & B"] + ["t"] * 7
    assert done.items["text"].tolist() == ["x y", "z"] + [""] * 6
    assert done.interactions["review"].tolist() == ["so so", "fine"]
    assert "HTML taken out of titles 1, texts 2, reviews 1: interactions 2 -> 2" in done.notes[-1]
    assert "&amp;" in data.items["title"].iat[0]
    silent = replace(data, interactions=data.interactions.drop(columns="review"))
    assert "titles 1, texts 2: interactions" in clean(silent, ["unescape"]).notes[-1]


def with_pictures(data, folder, pictures):
    """Picture "a" of item 3 is the file 3.jpg with the bytes "a"; none for ``""``; a name alone for ``"?"``."""
    for item, picture in enumerate(pictures):
        if picture not in ("", "?"):
            (folder / f"{item}.jpg").write_bytes(picture.encode())
    images = [f"{item}.jpg" if picture else "" for item, picture in enumerate(pictures)]
    return replace(data, images=folder, items=data.items.assign(image=images))


@settings(max_examples=30, deadline=None)
@forall(
    log=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=30),
    facts=st.lists(
        st.tuples(st.sampled_from(["", "t"]), st.sampled_from(["", " x"]), st.sampled_from(["", "?", "a", "b"])),
        min_size=8,
        max_size=8,
    ),
)
def test_same_is_the_slow_twin(tmp_path_factory, log, facts):
    titles, texts, pictures = (list(column) for column in zip(*facts))
    data = with_pictures(buys(*log, titles=titles, texts=texts), tmp_path_factory.mktemp("pictures"), pictures)
    facts = [(title, text, picture.strip("?")) for title, text, picture in facts]
    first = [item if facts[item][:2] == ("", "") else facts.index(facts[item]) for item in range(8)]
    # the position of the first equal item is found among all, so an item that says nothing never is one
    done = cleaned(data, "same")
    assert done.items["id"].tolist() == [f"i{item}" for item in range(8) if first[item] == item]
    assert told(done) == {(f"u{user}", f"i{first[item]}", f"review {row}") for row, (user, item) in enumerate(log)}
    moved = sum(first[item] != item for _, item in log)
    again = len(set(log)) - len({(user, first[item]) for user, item in log})
    assert f"interactions moved: {moved}, of which now repeated: {again}: interactions" in done.notes[-1]


def test_same_title_with_another_picture_is_another_item(tmp_path):
    data = with_pictures(buys((0, 0), (0, 1), (1, 2), titles=["Cup"] * 3 + list("abcde")), tmp_path, "aab" + " " * 5)
    done = clean(data, ["same", "once"])
    assert told(done) == {("u0", "i0", "review 0"), ("u1", "i2", "review 2")}
    assert done.items["image"].tolist()[:2] == ["0.jpg", "2.jpg"]


def test_a_picture_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    data = with_pictures(buys((0, 0), (0, 1)), tmp_path, "a" * 8)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match=r"The picture of item i0, .*0\.jpg, cannot be read: Permission denied"):
        clean(data, ["same"])
