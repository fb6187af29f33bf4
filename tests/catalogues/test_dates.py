"""Dates in a user's tables: read where the whole column says how, refused with the option where it does not."""

import pytest

from mmlib.catalogues import formats
from mmlib.core.errors import InputError

MAY_31 = 1717113600  # 2024-05-31 at midnight, UTC


def times(folder, cells, columns=None):
    rows = "".join(f"u{place};i;{cell}\n" for place, cell in enumerate(cells))
    (folder / "i.csv").write_text("user;item;time\n" + rows, encoding="utf-8")
    return formats.read(folder, "tables", columns).interactions["time"].tolist()


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-05-31", "2024-06-01"],
        ["31/05/2024", "01/06/2024"],
        ["05/31/2024", "06/01/2024"],
        ["31.5.2024", "1.6.2024"],
        ["5-31-24", "6-1-24"],
        ["2024/05/31", "2024/06/01"],
        ["31 May 2024", "1 Jun 2024"],
        ["May 31, 2024", "Jun 1, 2024"],
        ["05 31, 2024", "06 1, 2024"],
        ["31/05/2024 00:00", "01/06/2024 00:00"],
        ["5/31/2024 12:00:00 AM", "6/1/2024 12:00:00 AM"],
        ["2024-05-31T02:00:00+02:00", "2024-06-01T00:00:00Z"],
    ],
)
def test_a_cell_that_can_only_be_one_day_decides_for_its_column(tmp_path, cells):
    assert times(tmp_path, cells) == [MAY_31, MAY_31 + 86400]


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["01/02/2024", "03/04/2024"], "%m/%d/%Y"),
        (["1.2.24", "3.4.24"], "%m.%d.%y"),
        (["01-02-2024 10:00", "01-03-2024 11:00"], "%m-%d-%Y %H:%M"),
    ],
)
def test_dates_that_may_be_two_days_ask_which(tmp_path, cells, pattern):
    with pytest.raises(InputError, match=r"i\.csv: time may have the day .*01 February 2024 as .*time_format"):
        times(tmp_path, cells)
    assert times(tmp_path, cells, {"time_format": pattern})[0] // 86400 == 1704153600 // 86400


def test_days_that_are_the_same_either_way_are_read(tmp_path):
    assert times(tmp_path, ["02/02/2024", "", "03/03/2024"])[::2] == [1706832000, 1709424000]


def test_mixed_dates_are_named_by_row(tmp_path):
    cells = ["31/05/2024", "30/05/2024", "2024-05-29", "05/28/2024"]
    with pytest.raises(
        InputError, match=r"line 4: .* a date such as '31/05/2024', but is '2024-05-29' .*\(2 such lines\)"
    ):
        times(tmp_path, cells)
    with pytest.raises(InputError, match=r"line 2: .* but is '31/05/2024' .*time_format.*\(3 such lines\)"):
        times(tmp_path, cells, {"time_format": "%Y-%m-%d"})
    with pytest.raises(InputError, match=r"time_format.*'dd/mm/yyyy' is no pattern of dates"):
        times(tmp_path, cells, {"time_format": "dd/mm/yyyy"})
    with pytest.raises(InputError, match=r"time_format.*'%Q' is no pattern"):
        times(tmp_path, cells, {"time_format": "%Q"})
    assert times(tmp_path, ["20240531", "20240601"], {"time_format": "%Y%m%d"}) == [MAY_31, MAY_31 + 86400]


def ratings(folder, cells, columns=None):
    rows = "".join(f"u{place};i;{cell}\n" for place, cell in enumerate(cells))
    (folder / "i.csv").write_text("user;item;rating\n" + rows)
    data = formats.read(folder, "tables", columns)
    return data.interactions["rating"].tolist(), data.notes


def test_decimal_commas(tmp_path):
    found, notes = ratings(tmp_path, ["4,5", "3", "-0,25"])
    assert found == [4.5, 3, -0.25]
    assert "i.csv: commas in rating were read as decimal points." in notes
    assert ratings(tmp_path, ["4,500", "3,125"], {"decimal": ","})[0] == [4.5, 3.125]


@pytest.mark.parametrize(
    ("cells", "columns", "match"),
    [
        (
            ["4,500", "3"],
            None,
            r"line 2: '4,500' in column 'rating' may be a fraction or thousands.*\"decimal\": \",\"",
        ),
        (["4,5", "3.5"], None, r"line 2: the rating must be a number, with a point and no comma, but is '4,5'"),
        (
            ["4,5", "3"],
            {"decimal": "."},
            r"line 2: the rating must be a number, with a point and no comma, but is '4,5'",
        ),
        (["4,5"], {"decimal": ";"}, r"decimal'\] = ';' is not known"),
        (["1,2,3", "4,5"], None, r"line 2: .* but is '1,2,3'"),
    ],
)
def test_commas_that_are_no_decimals(tmp_path, cells, columns, match):
    with pytest.raises(InputError, match=match):
        ratings(tmp_path, cells, columns)
