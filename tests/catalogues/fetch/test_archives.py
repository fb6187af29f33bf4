import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmlib.catalogues.fetch import archives
from mmlib.catalogues.fetch.archives import unpack
from mmlib.core.errors import InputError


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_outer_folder_is_taken_off(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"ml/": b"", "ml/u.data": b"1", "ml/more/x": b"2"})
    assert unpack(archive, tmp_path / "out") == tmp_path / "out"
    assert files(tmp_path / "out") == {"u.data": b"1", "more/x": b"2"}


@pytest.mark.parametrize("members", [{"u.data": b"1"}, {"a/x": b"1", "b/x": b"2"}, {"a": b"1", "b/a": b"2"}])
def test_an_archive_without_one_outer_folder_stays_as_it_is(tmp_path: Path, members: dict[str, bytes]) -> None:
    unpack(packed(tmp_path / "a.zip", members), tmp_path / "out")
    assert files(tmp_path / "out") == members


@pytest.mark.parametrize(
    "name", ["../evil", "ml/../../evil", "/evil", "\\evil", "..\\evil", "C:\\evil", "C:evil", "ml/../evil", "."]
)
def test_no_member_leaves_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    archive = packed(tmp_path / "in" / "a.zip", {"ml/good": b"1", name: b"2"})
    with pytest.raises(InputError, match="outside its folder"):
        unpack(archive, tmp_path / "in" / "out")
    assert list(files(tmp_path)) == ["in/a.zip"]


def test_links_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("ml/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_members_of_one_name_are_refused_in_whatever_case(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="twice"):
        unpack(packed(tmp_path / "a.zip", {"ml/Ratings.csv": b"1", "ml/ratings.CSV": b"2"}), tmp_path / "out")


def test_a_bomb_stays_packed(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", {f"ml/{n}": bytes(1_000_000) for n in range(3)})
    assert archive.stat().st_size < 10_000
    with pytest.raises(InputError, match="would unpack to 3,000,000 bytes, more than 2,999,999"):
        unpack(archive, tmp_path / "out", most=2_999_999)
    assert not (tmp_path / "out").exists()
    unpack(archive, tmp_path / "out", most=3_000_000)


def test_a_member_cannot_be_longer_than_it_says(tmp_path: Path) -> None:
    data = bytearray(packed(tmp_path / "a.zip", {"ml/x": bytes(1_000_000)}).read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    data[place : place + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out", most=100)
    assert not (tmp_path / "out").exists()


def test_a_disk_too_small_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(InputError, match="Make room"):
        unpack(packed(tmp_path / "a.zip", {"x": b"1"}), tmp_path / "out")


def test_an_encrypted_or_empty_archive_or_a_file_inside_a_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no files"):
        unpack(packed(tmp_path / "a.zip", {}), tmp_path / "out")
    with pytest.raises(InputError, match=r"cannot be (unpacked|written)"):
        unpack(packed(tmp_path / "b.zip", {"x": b"1", "x/y": b"2"}), tmp_path / "out")
    data = bytearray(packed(tmp_path / "c.zip", {"x": b"1"}).read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        unpack(tmp_path / "c.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.none() | st.integers(0, 10_000))
def test_damage_gives_the_right_files_or_none(tmp_path: Path, place: int, value: int, cut: int | None) -> None:
    members = {"ml/a": bytes(range(256)) * 4, "ml/b": b"text " * 50}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    data = bytearray(buffer.getvalue())
    data[place % len(data)] = value
    out = tmp_path / f"{place}-{value}-{cut}"
    (tmp_path / "a.zip").write_bytes(data if cut is None else data[: cut % len(data)])
    try:
        unpack(tmp_path / "a.zip", out)
    except InputError:
        assert not out.exists()
    else:
        assert sorted(files(out).values()) == sorted(members.values()) or len(files(out)) < 2
