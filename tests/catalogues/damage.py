"""Damage to files, and what every reader must make of it: a sound dataset or an InputError, and nothing else."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError

pieces = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b"\n", b"\r", b"\t", b",", b"::", b"|", b'"', b"\xff", b"\x00", b"[", b"{", b"-1", b"9" * 19, b" "]
    ),
)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), pieces), min_size=1, max_size=4)


def edited(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Each edit puts bytes at a share of the length, in place of so many."""
    for share, length, piece in edits:
        place = round(share * len(content))
        content = content[:place] + piece + content[place + length :]
    return content


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def survives(read: Callable[[], Dataset]) -> Dataset | None:
    """Read; check that what comes is sound."""
    try:
        data = read()
    except InputError:
        return None
    assert data.users["id"].is_unique
    assert data.items["id"].is_unique
    table = data.interactions
    assert len(table) > 0
    assert not table.duplicated(["user", "item"]).any()
    assert table["user"].between(0, data.n_users - 1).all()
    assert table["item"].between(0, data.n_items - 1).all()
    assert set(table["part"]) <= {"train", "valid", "test", ""}
    assert not data.items.isna().any(axis=None)
    return data


def pairs(data: Dataset) -> list[tuple[str, str, str]]:
    """(user, item, part) with the original ids, in order."""
    users = data.users["id"].iloc[data.interactions["user"]]
    items = data.items["id"].iloc[data.interactions["item"]]
    return sorted(zip(users, items, data.interactions["part"]))
