"""One row of each pair."""

import numpy as np
import pandas as pd

from mmlib.splits import first_rows, times_of


def table(**columns):
    return pd.DataFrame({"user": 0, "item": [0, 1, 0, 1, 2], "part": ["test", "", "train", "test", ""]} | columns)


def test_the_part_comes_before_the_time_unless_it_is_ignored():
    times = [1, 5, 2, 6, 0]
    assert first_rows(table(time=times)).tolist() == [False, False, True, True, True]
    assert first_rows(table(time=times), parts=False).tolist() == [True, True, False, False, True]


def test_without_times_the_first_row_stays():
    assert first_rows(table(), parts=False).tolist() == [True, True, False, False, True]
    assert first_rows(table().iloc[:0]).tolist() == []


def test_a_row_without_a_time_is_the_latest():
    assert first_rows(table(time=[np.nan, 5, 2, np.nan, 0]), parts=False).tolist() == [False, True, True, False, True]


def test_whole_moments_stay_whole():
    moments = [2**60, 2**60 + 1, 3, 4, 5]
    assert times_of(table(time=moments)).tolist() == moments
    assert times_of(table(time=pd.array(moments, dtype="Int64"))).dtype == np.int64
    assert np.isnan(times_of(table(time=pd.array([None, 1, 2, 3, 4], dtype="Int64")))[0])
