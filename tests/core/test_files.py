import errno
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from mmlib.core.errors import InputError, closest, one_of
from mmlib.core.files import content, digest, read_json, whole, writable, write_json


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


def _write_too_much(how: str, folder: Path, answers) -> None:
    values = torch.zeros(100_000)
    write = {
        "text": lambda partial: partial.write_text("a" * 200_000),
        "parquet": lambda partial: pd.DataFrame({"x": np.random.default_rng(0).random(99_999)}).to_parquet(partial),
        "torch": lambda partial: torch.save({"x": values}, partial),
        "safetensors": lambda partial: save_file({"x": values}, partial),
    }[how]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        with whole(folder / "file") as partial:
            write(partial)
    except Exception as error:
        answers.send((type(error).__name__, str(error)))


@pytest.mark.parametrize("how", ["text", "parquet", "torch", "safetensors"])
def test_a_full_disk_is_told_in_one_line_with_the_remedy(tmp_path, how: str) -> None:
    answers, end = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_write_too_much, args=(how, tmp_path, end))
    process.start()
    assert answers.poll(60)
    kind, said = answers.recv()
    process.join()
    assert kind == "InputError"
    assert said.startswith(f"{tmp_path / 'file'} cannot be written: the disk is full. Free some space")
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_is_closed_to_writers_is_named(tmp_path, code: int) -> None:
    said = f"{os.strerror(code)}. Open {tmp_path} to writing.*MMLIB_OUTPUTS .* of results, MMLIB_DATA .* of downloads"
    with pytest.raises(InputError, match=said), writable(tmp_path / "a"):
        raise OSError(code, os.strerror(code), str(tmp_path / "a"))
    with pytest.raises(OSError, match="/another/place"), writable(tmp_path / "a"):
        raise OSError(code, os.strerror(code), "/another/place")  # not what is written


def test_what_is_in_place_is_on_the_disk(tmp_path, monkeypatch) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (steps.append(os.readlink(f"/proc/self/fd/{handle}")), sync(handle))
    )
    monkeypatch.setattr(os, "replace", lambda one, other: (steps.append("moved"), replace(one, other)))
    write_json(tmp_path / "proof.json", 1)
    assert steps[0].endswith(".partial")
    assert steps[1:] == ["moved", str(tmp_path)]
    steps.clear()
    with whole(tmp_path / "folder") as partial:
        partial.mkdir()
        (partial / "inner").write_text("x")
    assert [step.split(".")[-1] for step in steps] == [
        "partial/inner",
        "partial",
        "moved",
        str(tmp_path).split(".")[-1],
    ]


def test_other_content_of_equal_size_and_time_is_noticed(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    facts = path.stat()
    first = content(path)
    path.write_text("two")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert content(path) != first
    monkeypatch.setattr("mmlib.core.files._SETTLED", -1)  # as if it had lain there for long
    second = content(path)
    monkeypatch.setattr("mmlib.core.files.digest", lambda path: "read again")
    assert content(path) == second
    path.write_text("six")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert content(path) == "read again"


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
