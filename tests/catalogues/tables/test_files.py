"""Files that cannot be read say which one, where, and what to do."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmlib.catalogues.reading import Reading
from mmlib.catalogues.tables.files import flat, header, read_table
from mmlib.core.errors import InputError


def refused(path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_table(path, Reading())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty; it needs a first row"),
        (b"a,b\n", "has no rows that can be read below its first line"),
        (b"a,b\n1,2\n3\n", "line 3: 1 cells between marks ',' instead of 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: 3 cells between marks ',' instead of 2"),
        (b"a,b\n1,2\n3,caf\xe9\n", "line 3: not UTF-8 text: byte 6 is 0xe9; save the file as UTF-8"),
        (b"caf\xe9,b\n1,2\n", "line 1: not UTF-8 text: byte 4 is 0xe9"),
        (b"a,a\n1,2\n", "two columns called 'a'"),
    ],
)
def test_a_damaged_csv(tmp_path, content, match):
    refused(tmp_path / "t.csv", content, rf"t\.csv.*{match}")


def test_a_damaged_parquet(tmp_path):
    refused(tmp_path / "t.parquet", b"PAR1 and then nothing", r"t\.parquet is damaged or not a parquet file")
    pd.DataFrame({"a": range(10_000)}).to_parquet(tmp_path / "t.parquet")
    cut = (tmp_path / "t.parquet").read_bytes()[:-100]
    refused(tmp_path / "t.parquet", cut, r"t\.parquet is damaged")


def not_utf8(kind: str) -> pa.Array:
    values = pa.array([b"caf\xe9", b"b"])
    if kind == "text":
        return values.view(pa.string())
    return {"bytes": values, "dictionary": pa.DictionaryArray.from_arrays([1, 0], values.view(pa.string()))}[kind]


@pytest.mark.parametrize("kind", ["text", "bytes", "dictionary"])
def test_parquet_that_is_not_utf_8(tmp_path, kind):
    pq.write_table(pa.table({"user": not_utf8(kind), "item": ["x", "y"]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet holds text that is not UTF-8 .*Decode it before"):
        read_table(tmp_path / "t.parquet", Reading())


def test_other_files(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*none\.csv"):
        header(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"notes\.docx is not a table.*\.csv, \.tsv, \.parquet"):
        header(tmp_path / "notes.docx")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_marks_and_blank_lines(tmp_path, delimiter):
    rows = [["id", "text"], ["01", '"a\nb"'], ["2", ""]]
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(delimiter.join(row) for row in rows).encode())
    assert header(path) == ["id", "text"]
    cells = read_table(path, Reading())
    assert cells.text.to_numpy().tolist() == [["01", "a\nb"], ["2", ""]]
    assert list(cells.line) == [3, 6]


def test_parquet_cells_become_text(tmp_path):
    frame = pd.DataFrame({"id": [1.0, None], "half": [0.5, 2], "list": [["a", "b"], None], "big": [2**60, -1]})
    frame = frame.assign(yes=[True, False], kind=pd.Categorical(["x", None]))
    frame.to_parquet(tmp_path / "t.parquet")
    cells = read_table(tmp_path / "t.parquet", Reading())
    assert cells.text.to_numpy().tolist() == [
        ["1", "0.5", "a|b", str(2**60), "true", "x"],
        ["", "2", "", "-1", "false", ""],
    ]
    assert (list(cells.line), cells.unit) == ([1, 2], "row")
    assert read_table(tmp_path / "t.parquet", Reading(), ["big"]).text.columns.tolist() == ["big"]


def test_flat():
    assert flat([["a", ["b"]], None, 3]) == ["a", "b", "3"]
