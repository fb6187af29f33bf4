import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from mmlib.core.errors import InputError, closest, one_of
from mmlib.core.files import digest, read_json, whole, write_json


def test_a_block_that_fails_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole(path) as partial:
        partial.write_text(f"half {1 // 0}" if partial.write_text("half") else "")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_appear_whole_and_replace_old_ones(tmp_path) -> None:
    for text in ("one", "two"):
        with whole(tmp_path / "deep" / "folder") as partial:
            partial.mkdir()
            (partial / "file").write_text(text)
            assert text == "one" or (tmp_path / "deep" / "folder" / "file").read_text() == "one"
    assert (tmp_path / "deep" / "folder" / "file").read_text() == "two"
    assert len(list((tmp_path / "deep").iterdir())) == 1


def _write_slowly(path: Path) -> None:
    with whole(path) as partial, partial.open("w") as file:
        file.write("half")
        file.flush()
        time.sleep(60)


def test_a_killed_writer_leaves_nothing_under_the_name(tmp_path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_write_slowly, args=(tmp_path / "a",))
    process.start()
    while not list(tmp_path.iterdir()):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / "a").exists()


def test_json_is_readable_and_strict(tmp_path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"n": np.float64(1.5), "v": np.arange(3), "p": Path("x")})
    assert read_json(path) == {"n": 1.5, "v": [0, 1, 2], "p": "x"}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"n": float("nan")})
    assert read_json(path)["n"] == 1.5
    with pytest.raises(InputError, match="no file"):
        read_json(tmp_path / "b.json")


def test_digests_are_the_same_everywhere_and_tell_things_apart(tmp_path) -> None:
    assert digest(np.arange(3, dtype=np.int64), "a", {"b": 1, "a": None}) == "224177dd0f036c5f"
    big = np.arange(3, dtype=">i8")
    assert digest(big) == digest(big.astype("<i8"))
    assert digest(np.zeros((2, 3))) != digest(np.zeros((3, 2)))
    assert digest("ab", "c") != digest("a", "bc")
    (tmp_path / "f").write_bytes(b"x")
    assert digest(tmp_path / "f") == digest(b"x")


def test_choices_are_named_with_the_closest() -> None:
    assert one_of("colour", "red", ("red", "blue")) == "red"
    with pytest.raises(InputError, match=r"colour = 'rde' is not known; choose one of 'red', 'blue'\. Did you mean"):
        one_of("colour", "rde", ("red", "blue"))
    assert closest("zzz", ["abc"]) == ""
