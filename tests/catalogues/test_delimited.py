"""Rows of cells: Arrow reads what the csv module reads, flaws are named by line, cells get meaning."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import delimited
from mmlib.catalogues.cells import interactions, read_cells
from mmlib.catalogues.delimited import Layout
from mmlib.catalogues.reading import Reading
from mmlib.core.errors import InputError

from .damage import edited, edits

NAMES = ("user", "item", "other", "rating", "time", "part")
FOUND = {name: name for name in NAMES if name != "other"}
ROW = "u1\ti1\tany\t4.5\t1e9\t0\n"
slow = pytest.mark.parametrize("slow", [False, True], ids=["arrow", "csv"])


def read(path, bad: Reading, mark: str = "\t", header: bool = False) -> pd.DataFrame:
    return interactions(read_cells(path, Layout(mark, NAMES, header), bad, list(FOUND)), FOUND, {})


@pytest.mark.parametrize("mark", ["\t", ",", "|", "::", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@slow
def test_rows_are_read(tmp_path, monkeypatch, mark, end, slow):
    if slow:
        monkeypatch.setattr(delimited, "_by_arrow", lambda *_: None)
    lines = ["a\tb\tc\td\te\tf", "u1\ti1\tx\t4.5\t100\t0", "", "007\té\tx\t-2\t3e2\tTEST", "u1\ti2\t\t.5\t0\tval"]
    (tmp_path / "f").write_bytes(end.join(lines).replace("\t", mark).encode())
    assert read(tmp_path / "f", Reading(), mark, True)[
        ["user", "item", "rating", "time", "part"]
    ].to_numpy().tolist() == [
        ["u1", "i1", 4.5, 100, "train"],
        ["007", "é", -2, 300, "test"],
        ["u1", "i2", 0.5, 0, "valid"],
    ]


BAD = [
    ("u1\ti1\tx\t4.5\t100\n", "5 cells between marks '\\\\t' instead of 6"),
    ("u1\ti1\tx\t4.5\t100\t0\t1\n", "7 cells between"),
    ("u1\t \tx\t4.5\t100\t0\n", "the item is missing"),
    ("\ti1\tx\t4.5\t100\t0\n", "the user is missing"),
    ("u1\ti1\tx\t\t100\t0\n", "the rating is missing"),
    ("u1\ti1\tx\tgood\t100\t0\n", "the rating must be a number, but is 'good'"),
    ("u1\ti1\tx\tnan\t100\t0\n", "the rating must be a number, but is 'nan'"),
    ("u1\ti1\tx\t1_0\t100\t0\n", "the rating must be a number, but is '1_0'"),
    ("u1\ti1\tx\t1e999\t100\t0\n", "the rating must be a number, but is '1e999'"),
    ("u1\ti1\tx\t1\t1e30\t0\n", "the time '1e30' .column 'time'. is not in seconds since 1970"),
    ("u1\ti1\tx\t4.5\t100\t3\n", "the part must be 0, 1 or 2"),
    (b"u1\ti\xff\tx\t4.5\t100\t3\n", "not UTF-8 text: byte 5 is 0xff"),
    (b"u1\ti1\tx\xff\t4.5\t100\t0\n", "not UTF-8 text: byte 8 is 0xff"),
    ("u1\ti\0\tx\t4.5\t100\t0\n", "the item 'i.x00' holds a zero byte"),
    ("u1\ti1\t" + "x" * (17 << 20) + "\t4.5\t100\t0\n", "longer than 16 MiB"),
]


@pytest.mark.parametrize(("line", "why"), BAD, ids=[why for _, why in BAD])
@slow
def test_a_bad_line_stops_with_its_number_or_is_counted(tmp_path, monkeypatch, line, why, slow):
    if slow:
        monkeypatch.setattr(delimited, "_by_arrow", lambda *_: None)
    line = line if isinstance(line, bytes) else line.encode()
    (tmp_path / "f").write_bytes(2 * ROW.encode() + line + ROW.encode())
    with pytest.raises(InputError, match=rf"f, line 3: .*{why}.*on_bad='skip'"):
        read(tmp_path / "f", Reading())
    bad = Reading("skip")
    assert len(read(tmp_path / "f", bad)) == 3
    assert bad.counts == {str(tmp_path / "f"): 1}
    assert bad.bad_lines()[0].startswith("f: unreadable lines left out: 1 (f, line 3: ")


def test_blank_lines_and_cells_of_several_lines_count(tmp_path):
    (tmp_path / "f").write_text('\nuser,item\n\n"a\nb",i\nc,\n,d\n')
    layout, bad = Layout(",", ("user", "item"), True, True), Reading("skip")
    table = interactions(
        read_cells(tmp_path / "f", layout, bad, ["user", "item"]), {"user": "user", "item": "item"}, []
    )
    assert table[["user", "item"]].to_numpy().tolist() == [["a\nb", "i"]]
    assert sorted(example.split(":")[0] for example in bad.examples) == ["f, line 6", "f, line 7"]


@pytest.mark.parametrize("content", ["names\n", "names", "\n\n", "names\n\n \n"])
def test_no_rows_at_all(tmp_path, content):
    (tmp_path / "f").write_text(content)
    with pytest.raises(InputError, match="f has no rows that can be read below its first line"):
        read(tmp_path / "f", Reading(), header=True)


@settings(max_examples=100, deadline=None)
@given(changes=edits, quoted=st.booleans(), mark=st.sampled_from([",", "::"]))
def test_arrow_and_csv_give_the_same_cells(tmp_path_factory, changes, quoted, mark):
    path, names = tmp_path_factory.mktemp("rows") / "f", ("a", "b", "c")
    path.write_bytes(edited(f'u1{mark}"i{mark}1"{mark}x\nu2{mark}"a""b"{mark}é\n'.encode() * 3, changes) or b"\n")
    layout, found = Layout(mark, names, quoted=quoted and len(mark) == 1), []
    for by_arrow in (delimited._by_arrow, lambda *_: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(delimited, "_by_arrow", by_arrow)
            bad = Reading("skip")
            try:
                text, _ = delimited.read(path, layout, bad, names)
                found.append((text.to_numpy().tolist(), bad.counts, bad.examples))
            except InputError as error:
                found.append(str(error))
    if not bad.counts:
        assert found[0] == found[1]
        if isinstance(found[1], tuple):
            assert len(delimited.lines_of(path, layout)) == len(found[1][0])
            text = io.StringIO(path.read_bytes().decode().removeprefix("\ufeff"), newline="")
            if quoted and len(mark) == 1:
                assert [row for row in csv.reader(text) if len(row) > 1] == found[1][0]
