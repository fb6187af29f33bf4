import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlib.catalogues import text_files
from mmlib.catalogues.reading import Reading
from mmlib.catalogues.text_files import blocks, lines
from mmlib.core.errors import InputError


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_come_with_their_numbers(tmp_path, pack):
    path = tmp_path / "any-name"
    path.write_bytes(pack(b"\xef\xbb\xbfone\r\n\n  \nfour\nfive"))
    assert list(lines(path, Reading())) == [(1, "one"), (4, "four"), (5, "five")]


@given(
    texts=st.lists(st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"])), max_size=20),
    size=st.integers(1, 50),
)
def test_blocks_join_to_the_file_and_count_its_lines(tmp_path_factory, texts, size):
    path = tmp_path_factory.mktemp("lines") / "x"
    whole = "\n".join(["first", *texts]).encode()
    path.write_bytes(whole)
    found = list(blocks(path, Reading(), size=size))
    assert b"".join(data for _, data in found) == whole
    for first, data in found:
        assert whole.split(b"\n")[first - 1] == data.split(b"\n")[0]


def test_a_cut_gzip_file_is_named(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"line\n" * 10_000)[:-20])
    with pytest.raises(InputError, match=r"x\.gz is a damaged gzip file.*Get it again"):
        list(lines(path, Reading("skip")))


@pytest.mark.parametrize("content", [b"", None])
def test_nothing_to_read(tmp_path, content):
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match="is empty" if content is not None else "There is no file"):
        list(lines(tmp_path / "x", Reading()))


def test_a_bad_line_stops_or_is_counted(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"good\nb\xffd\nlast\n")
    with pytest.raises(InputError, match=r"x, line 2: not UTF-8 text: byte 2 is 0xff"):
        list(lines(path, Reading()))
    bad = Reading("skip")
    assert [text for _, text in lines(path, bad)] == ["good", "last"]
    assert bad.bad_lines() == ("x: unreadable lines left out: 1 (x, line 2: not UTF-8 text: byte 2 is 0xff).",)


@pytest.mark.parametrize("size", [7, 100, 5000])
def test_a_line_too_long_is_never_held(tmp_path, size, monkeypatch):
    monkeypatch.setattr(text_files, "LONGEST", 1000)
    path = tmp_path / "x"
    path.write_bytes(b"a\n" + b"b" * 5000 + b"\nc\nd\n" + b"e" * 5000)
    bad = Reading("skip")
    seen = [(n, len(text)) for n, text in lines(path, bad)]
    assert [pair for pair in seen if pair[1] <= 1000] == [(1, 1), (3, 1), (4, 1)]
    found = list(blocks(path, Reading("skip"), size=size))
    assert max(len(data) for _, data in found) <= size + 5001
    assert sum(bad.counts.values()) == 2
