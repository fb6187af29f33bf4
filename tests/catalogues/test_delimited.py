"""Plain rows: the fast way and the slow way say the same, and each error names its line."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import delimited as rows
from mmlib.catalogues.line_reader import BadLines
from mmlib.core.errors import InputError

from .damage import edited, edits

COLUMNS = {"user": (0, "id"), "item": (1, "id"), "rating": (3, "number"), "time": (4, "time"), "part": (5, "part")}
ROW = "u1\ti1\tany\t4.5\t1e9\t0\n"


def shape(mark: str = "\t", after: int = 0) -> rows.Shape:
    return rows.Shape(mark, 6, COLUMNS, after)


def plain(table: pd.DataFrame) -> list[list]:
    return table.astype({"user": object, "item": object}).to_numpy().tolist()


@pytest.mark.parametrize("mark", ["\t", ",", "|", "::", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_rows_are_read(tmp_path, mark, end, size):
    lines = [
        "names, whatever they are",
        "u1\ti1\tx\t4.5\t100\t0",
        "",
        "007\té\tx\t-2\t3e2\tTEST",
        "u1\ti2\t\t.5\t0\tval",
    ]
    (tmp_path / "f").write_bytes(end.join(lines).replace("\t", mark).encode())
    table = rows.read(tmp_path / "f", shape(mark, 1), BadLines(), size=size)
    assert plain(table) == [
        ["u1", "i1", 4.5, 100, "train"],
        ["007", "é", -2, 300, "test"],
        ["u1", "i2", 0.5, 0, "valid"],
    ]
    assert table["user"].cat.categories.tolist() == ["u1", "007"]


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
    ("u1\ti1\tx\t1\t1e30\t0\n", "the time must be a number, but is '1e30'"),
    ("u1\ti1\tx\t4.5\t100\t3\n", "the part must be 0, 1 or 2"),
    (b"u1\ti\xff\tx\t4.5\t100\t3\n", "not UTF-8 text: byte 5 is 0xff"),
    (b"u1\ti1\tx\xff\t4.5\t100\t0\n", "not UTF-8 text: byte 8 is 0xff"),
    ("u1\ti1\tx\t4.5\t100\t0\ru1\ti1\tx\t4.5\t100\t0\n", "11 cells"),
    ("u1\ti1\t" + "x" * (17 << 20) + "\t4.5\t100\t0\n", "the line is longer than 16 MiB"),
]


@pytest.mark.parametrize(("line", "why"), BAD, ids=[why for _, why in BAD])
@pytest.mark.parametrize("size", [8 << 20, 64 << 20])
def test_a_bad_line_stops_with_its_number_or_is_counted(tmp_path, line, why, size):
    line = line if isinstance(line, bytes) else line.encode()
    (tmp_path / "f").write_bytes(2 * ROW.encode() + line + ROW.encode())
    with pytest.raises(InputError, match=rf"f, line 3: .*{why}.*on_bad='skip'"):
        rows.read(tmp_path / "f", shape(), BadLines(), size=size)
    bad = BadLines("skip")
    assert len(rows.read(tmp_path / "f", shape(), bad, size=size)) == 3
    assert bad.counts == {str(tmp_path / "f"): 1}
    assert why.replace("\\\\", "\\") in bad.notes()[0]


@pytest.mark.parametrize("content", ["names\n", "names", "\n\n", "names\n\n \n"])
def test_no_rows_at_all(tmp_path, content):
    (tmp_path / "f").write_text(content)
    with pytest.raises(InputError, match="f has no rows that can be read below its first line"):
        rows.read(tmp_path / "f", shape(after=1), BadLines())


@settings(max_examples=50, deadline=None)
@given(changes=edits, size=st.sampled_from([20, 1 << 20]))
def test_the_fast_way_says_what_the_slow_way_says(tmp_path_factory, changes, size):
    path = tmp_path_factory.mktemp("rows") / "f"
    path.write_bytes(edited(ROW.encode() * 5, changes) or b"\n")
    found = []
    for fast in (rows._fast, lambda *_: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "_fast", fast)
            bad = BadLines("skip")
            try:
                table = rows.read(path, shape(), bad, size=size)
                found.append((plain(table), bad.counts, bad.examples))
            except InputError as error:
                found.append(str(error))
    assert found[0] == found[1]
