import gzip
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from mmlib.__main__ import main
from mmlib.catalogues.fetch import fetch, is_there, place, public
from mmlib.catalogues.fetch.download import Remote
from mmlib.catalogues.fetch.public import PUBLIC, Public, named
from mmlib.catalogues.fetch.web import Patience
from mmlib.core.errors import InputError

from . import server as at
from .server import Server

QUICK = Patience(hosts=("127.0.0.1",), connect=2.0, read=2.0, attempts=2, pause=0.01, longest=0.1)
REVIEWS, META = gzip.compress(b'{"asin": "a"}\n', mtime=0), gzip.compress(b"{'asin': 'a'}\n", mtime=0)


@pytest.fixture
def baby(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A catalogue of two files on the server of this test."""
    files = (Remote(f"{server.url}/r.json.gz", "r.json.gz"), Remote(f"{server.url}/m.json.gz", "m.json.gz"))
    monkeypatch.setitem(public.PUBLIC, "amazon/Test", Public("amazon/Test", "amazon", files, "About.", "Free.", "Us."))
    server.answers |= {"/r.json.gz": at.file(REVIEWS, '"r"'), "/m.json.gz": at.file(META, '"m"')}
    return "amazon/Test"


@pytest.fixture
def films(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A catalogue in a zip file on the server of this test."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ml-1k/u.data", b"1\t2\t3\t4\n")
    data = buffer.getvalue()
    remote = Remote(f"{server.url}/ml-1k.zip", "ml-1k.zip", len(data), hashlib.md5(data).hexdigest())
    monkeypatch.setitem(public.PUBLIC, "movielens/1k", Public("movielens/1k", "movielens", (remote,), "A.", "F.", "U."))
    server.answers["/ml-1k.zip"] = at.file(data)
    return "movielens/1k"


def test_files_come_with_a_manifest_and_only_once(server: Server, baby: str, tmp_path: Path) -> None:
    assert not is_there(baby, tmp_path)
    assert fetch(baby, tmp_path, patience=QUICK) == tmp_path == place(baby, tmp_path)
    assert (tmp_path / "r.json.gz").read_bytes() == REVIEWS
    said = json.loads((tmp_path / "manifest.json").read_text())
    assert (said["name"], said["form"], said["licence"], said["citation"]) == (baby, "amazon", "Free.", "Us.")
    assert {
        entry["file"]: (entry["url"], entry["size"], entry["sha256"], entry["etag"]) for entry in said["files"]
    } == {
        "r.json.gz": (f"{server.url}/r.json.gz", len(REVIEWS), hashlib.sha256(REVIEWS).hexdigest(), '"r"'),
        "m.json.gz": (f"{server.url}/m.json.gz", len(META), hashlib.sha256(META).hexdigest(), '"m"'),
    }
    assert all(entry["date"].endswith("+00:00") for entry in said["files"])
    assert is_there(baby, tmp_path)
    fetch(baby, tmp_path, patience=QUICK)
    assert len(server.asked) == 2


def test_a_fetch_that_failed_at_the_second_file_keeps_the_first(server: Server, baby: str, tmp_path: Path) -> None:
    server.answers["/m.json.gz"] = at.first(at.status(404), at.file(META))
    with pytest.raises(InputError, match="404"):
        fetch(baby, tmp_path, patience=QUICK)
    assert not is_there(baby, tmp_path)
    fetch(baby, tmp_path, patience=QUICK)
    assert is_there(baby, tmp_path)
    assert [asked for asked, _ in server.asked] == ["/r.json.gz", "/m.json.gz", "/m.json.gz"]


def test_a_file_that_changed_since_the_first_download_is_refused(server: Server, baby: str, tmp_path: Path) -> None:
    fetch(baby, tmp_path, patience=QUICK)
    (tmp_path / "r.json.gz").unlink()
    server.answers["/r.json.gz"] = at.file(META)
    with pytest.raises(
        InputError, match=r"earlier download into this folder; to accept the new file, delete .*manifest"
    ):
        fetch(baby, tmp_path, patience=QUICK)
    assert not is_there(baby, tmp_path)
    (tmp_path / "manifest.json").unlink()
    fetch(baby, tmp_path, patience=QUICK)
    assert (tmp_path / "r.json.gz").read_bytes() == META


def test_a_file_that_was_damaged_here_is_found(server: Server, baby: str, tmp_path: Path) -> None:
    fetch(baby, tmp_path, patience=QUICK)
    (tmp_path / "r.json.gz").write_bytes(REVIEWS[:-1])
    with pytest.raises(InputError, match=f"has {len(REVIEWS) - 1} bytes, but had {len(REVIEWS)}"):
        fetch(baby, tmp_path, patience=QUICK)


def test_a_file_that_the_user_put_there_is_taken(server: Server, baby: str, tmp_path: Path) -> None:
    (tmp_path / "r.json.gz").write_bytes(REVIEWS)
    fetch(baby, tmp_path, patience=QUICK)
    assert [asked for asked, _ in server.asked] == ["/m.json.gz"]
    assert is_there(baby, tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": [{"file": "a"}]}', '{"files": [3]}', "{", '"x"'])
def test_a_manifest_of_something_else_is_an_input_error(baby: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json"):
        fetch(baby, tmp_path, patience=QUICK)


def test_an_archive_is_checked_and_unpacked(server: Server, films: str, tmp_path: Path) -> None:
    assert fetch(films, tmp_path, patience=QUICK) == tmp_path / "ml-1k" == place(films, tmp_path)
    assert (tmp_path / "ml-1k" / "u.data").read_bytes() == b"1\t2\t3\t4\n"
    assert is_there(films, tmp_path)
    fetch(films, tmp_path, patience=QUICK)
    assert len(server.asked) == 1


def test_the_place_is_named_by_the_environment_or_the_system(
    baby: str, films: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMLIB_DATA", str(tmp_path))
    assert place(baby) == tmp_path / "amazon" / "Test"
    assert place(films) == tmp_path / "movielens" / "1k" / "ml-1k"
    fetch(films, patience=QUICK)
    assert is_there(films)
    monkeypatch.delenv("MMLIB_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert place(baby).parts[-3:] == ("mmlib", "amazon", "Test")


def test_an_unknown_name_is_an_input_error() -> None:
    with pytest.raises(InputError, match='Did you mean "amazon-2014/Baby"'):
        fetch("amazon-2014/Babi")


def test_the_command_line_names_the_hosts_that_may_be_private(
    server: Server, films: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "fetch", films, "--folder", str(tmp_path)]
    assert main(words) == 2
    assert "it is asked only if you name it: --private-host 127.0.0.1" in capsys.readouterr().err
    assert server.asked == []
    assert main([*words, "--private-host", "127.0.0.1"]) == 0
    assert is_there(films, tmp_path)


def test_every_family_is_whole() -> None:
    for year, count in ((2014, 24), (2018, 29), (2023, 34)):
        assert sum(name.startswith(f"amazon-{year}/") for name in PUBLIC) == count
    assert len(PUBLIC) == 24 + 29 + 34 + 5
    assert sorted(name for name in PUBLIC if name.startswith("movielens/")) == [
        f"movielens/{size}" for size in ("100k", "1m", "20m", "25m", "32m")
    ]


def test_names_addresses_and_files_fit_each_other() -> None:
    for name, known in PUBLIC.items():
        assert name == known.name
        assert re.fullmatch(r"[a-z]+(-\d{4})?/\w+", name)
        assert known.form in ("amazon", "movielens")
        assert all(
            remote.url.startswith("https://") and remote.url.endswith(f"/{remote.file}") for remote in known.files
        )
        assert all(remote.md5 is None or re.fullmatch("[0-9a-f]{32}", remote.md5) for remote in known.files)
        assert all((known.about, known.licence, known.citation))
    urls = [remote.url for known in PUBLIC.values() for remote in known.files]
    assert len(urls) == len(set(urls)) == 2 * (24 + 29 + 34) + 5


def test_the_years_have_their_own_addresses() -> None:
    assert [remote.url.split("/", 3)[3] for remote in named("amazon-2014/Baby").files] == [
        "data/amazon/productGraph/categoryFiles/reviews_Baby_5.json.gz",
        "data/amazon/productGraph/categoryFiles/meta_Baby.json.gz",
    ]
    assert [remote.url.split("/data/")[1] for remote in named("amazon-2018/Luxury_Beauty").files] == [
        "amazon_v2/categoryFilesSmall/Luxury_Beauty_5.json.gz",
        "amazon_v2/metaFiles2/meta_Luxury_Beauty.json.gz",
    ]
    assert [remote.url.split("/data/")[1] for remote in named("amazon-2023/Baby_Products").files] == [
        "amazon_2023/raw/review_categories/Baby_Products.jsonl.gz",
        "amazon_2023/raw/meta_categories/meta_Baby_Products.jsonl.gz",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("amazon-2014/baby", "amazon-2014/Baby"), ("movielens/100K", "movielens/100k"), ("amazon-2023/Baby", "Baby")],
)
def test_a_wrong_name_is_answered_with_the_closest(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f'Did you mean "[^"]*{meant}'):
        named(name)
