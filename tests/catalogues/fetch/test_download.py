import gzip
import hashlib
import shutil
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock

from mmlib.catalogues.fetch import archives, web
from mmlib.catalogues.fetch import download as module
from mmlib.catalogues.fetch.download import download
from mmlib.catalogues.fetch.web import Patience
from mmlib.core.errors import InputError

from . import server as at
from .server import Server

QUICK = Patience(hosts=("127.0.0.1",), connect=2.0, read=2.0, attempts=3, pause=0.01, longest=0.2, redirects=3)
DATA = np.random.default_rng(0).bytes(300_000)
ZIPPED = gzip.compress(DATA, mtime=0)


def left(folder: Path) -> list[str]:
    """What lies in a folder beside locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_file_comes_whole_with_its_record(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.file(DATA)
    got = download(f"{server.url}/a.bin", tmp_path / "new" / "a.bin", patience=QUICK)
    assert (tmp_path / "new" / "a.bin").read_bytes() == DATA
    assert (got.size, got.sha256, got.etag) == (300_000, hashlib.sha256(DATA).hexdigest(), '"one"')
    assert left(tmp_path / "new") == ["a.bin"]
    assert server.asked == [("/a.bin", "")]
    assert all(agent.startswith("mmlib/") for agent in server.agents)


@pytest.mark.parametrize("stalls", [False, True])
def test_a_body_that_ends_early_is_continued_where_it_stopped(server: Server, tmp_path: Path, stalls: bool) -> None:
    stall = server.over if stalls else None
    server.answers["/a.bin"] = at.first(
        at.file(DATA, cut=70_000, stall=stall), at.file(DATA, cut=50_000), at.file(DATA)
    )
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=replace(QUICK, read=0.3))
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == ["", "bytes=70000-", "bytes=120000-"]
    assert server.conditions == {"", '"one"'}


def test_a_later_process_continues_too(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.first(at.file(DATA, cut=70_000), at.status(404), at.file(DATA))
    with pytest.raises(InputError, match=r"dead: HTTP 404 Not Found.*70,000 bytes are kept"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert left(tmp_path) == [".a.bin.partial", ".a.bin.partial.json"]
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == ["", "bytes=70000-", "bytes=70000-"]
    assert left(tmp_path) == ["a.bin"]


def test_an_interruption_keeps_what_came(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers["/a.bin"] = at.file(DATA)
    whole = web.blocks

    def interrupted(*args, **more):  # type: ignore[no-untyped-def]
        yield next(whole(*args, **more))
        raise KeyboardInterrupt

    monkeypatch.setattr(module.web, "blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    came = (tmp_path / ".a.bin.partial").stat().st_size
    assert 0 < came < len(DATA)
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked[1:] == [("/a.bin", f"bytes={came}-")]


def test_one_that_was_killed_before_the_last_step_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.first(at.file(DATA, cut=70_000), at.status(404))
    with pytest.raises(InputError):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    (tmp_path / ".a.bin.partial").write_bytes(DATA)
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert len(server.asked) == 2


def test_a_file_that_changed_between_two_parts_starts_over(server: Server, tmp_path: Path) -> None:
    new = DATA[::-1]
    server.answers["/a.bin"] = at.first(at.file(DATA, cut=70_000), at.file(new, '"two"'))
    got = download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == new
    assert got.etag == '"two"'


def test_a_server_that_forgets_if_range_is_found_out(server: Server, tmp_path: Path) -> None:
    new = DATA[::-1]

    def careless(handler):  # type: ignore[no-untyped-def]
        """Gives the rest of the new file for the rest of the old one."""
        del handler.headers["If-Range"]
        at.file(new, '"two"')(handler)

    server.answers["/a.bin"] = at.first(at.file(DATA, cut=70_000), careless)
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == new


def test_a_part_that_begins_elsewhere_is_not_taken(server: Server, tmp_path: Path) -> None:
    said = {"Content_Range": f"bytes 60000-{len(DATA) - 1}/{len(DATA)}", "ETag": '"one"'}
    wrong = at.status(206, DATA[60_000:], **said)
    server.answers["/a.bin"] = at.first(at.file(DATA, cut=70_000), wrong, at.file(DATA))
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == ["", "bytes=70000-", ""]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.first(at.file(DATA, cut=70_000), at.file(DATA, ranges=False))
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == ["", "bytes=70000-"]


@pytest.mark.parametrize(
    ("etag", "modified", "asked"),
    [('W/"one"', "", ""), ("", "", ""), ('W/"one"', "Wed, 01 Jan 2020 00:00:00 GMT", "bytes=70000-")],
)
def test_only_a_strong_validator_makes_a_part_worth_keeping(
    server: Server, tmp_path: Path, etag: str, modified: str, asked: str
) -> None:
    server.answers["/a.bin"] = at.first(
        at.file(DATA, etag, modified=modified, cut=70_000), at.file(DATA, etag, modified=modified)
    )
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked[1] == ("/a.bin", asked)


def test_another_address_does_not_continue_the_old_file(server: Server, tmp_path: Path) -> None:
    server.answers["/old"] = at.first(at.file(DATA, cut=70_000), at.status(404))
    server.answers["/new"] = at.file(DATA[::-1])
    with pytest.raises(InputError):
        download(f"{server.url}/old", tmp_path / "a.bin", patience=QUICK)
    download(f"{server.url}/new", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA[::-1]
    assert server.asked[-1] == ("/new", "")


@pytest.mark.parametrize("name", ["a.gz", "a.bin"])
def test_without_a_stated_length_the_end_of_an_archive_is_looked_at(server: Server, tmp_path: Path, name: str) -> None:
    server.answers[f"/{name}"] = at.first(
        at.file(ZIPPED, length=False, cut=70_000), at.file(ZIPPED, length=False, ranges=False)
    )
    download(f"{server.url}/{name}", tmp_path / name, patience=QUICK)
    known = name == "a.gz"  # the end of a.bin could be anywhere
    assert (tmp_path / name).read_bytes() == (ZIPPED if known else ZIPPED[:70_000])


@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_stated_length_does_not_vouch_for_an_archive(server: Server, tmp_path: Path, how: str) -> None:
    """What is damaged where it lies is asked for again from the start, and refused when it stays so."""
    bad = ZIPPED[:70_000] if how == "cut" else ZIPPED[:70_000] + bytes([ZIPPED[70_000] ^ 1]) + ZIPPED[70_001:]
    server.answers["/a.gz"] = at.first(at.file(bad), at.file(ZIPPED, '"two"'))
    download(f"{server.url}/a.gz", tmp_path / "a.gz", patience=QUICK)
    assert (tmp_path / "a.gz").read_bytes() == ZIPPED
    assert [asked for _, asked in server.asked] == ["", ""]
    server.answers["/b.gz"] = at.file(bad)
    with pytest.raises(
        InputError, match=rf"\(3 attempts\): broken off: after {len(bad):,} bytes it is no whole \.gz file"
    ):
        download(f"{server.url}/b.gz", tmp_path / "b.gz", patience=QUICK)
    assert left(tmp_path) == ["a.gz"]


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_a_passing_refusal_is_asked_again(server: Server, tmp_path: Path, code: int) -> None:
    server.answers["/a.bin"] = at.first(at.status(code), at.file(DATA))
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_lasting_trouble_ends_after_the_attempts(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.status(500)
    with pytest.raises(InputError, match=r"\(3 attempts\): server error: HTTP 500.*Try again later"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert server.count("/a.bin") == 3
    assert left(tmp_path) == []


def test_a_server_that_always_stops_at_the_same_place_does_not_hold_us_for_ever(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.file(DATA, cut=70_000, ranges=False)
    with pytest.raises(InputError, match="broken off"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert server.count("/a.bin") == 3


def test_retry_after_is_obeyed_in_seconds_and_as_a_date(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    server.answers["/a.bin"] = at.first(
        at.status(429, Retry_After="7"),
        at.status(503, Retry_After=at.date_in(30)),
        at.status(503, Retry_After="99999"),
        at.status(503, Retry_After="soon"),
        at.file(DATA),
    )
    patience = Patience(attempts=9, pause=0.5, longest=60.0, hosts=("127.0.0.1",))
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert waited == [7.0, pytest.approx(30, abs=2), 60.0, 4.0]


def test_pauses_double_and_have_a_limit() -> None:
    patience = Patience(pause=1.0, longest=10.0)
    assert [patience.after(failures) for failures in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 10, 10]
    assert [patience.after(1, demanded) for demanded in (3.0, 50.0, -1.0)] == [3, 10, 0]


def test_redirects_are_followed_with_the_range(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = at.redirect("/b")
    server.answers["/b"] = at.redirect(f"{server.url}/c", 307)
    server.answers["/c"] = at.first(at.file(DATA, cut=70_000), at.file(DATA))
    download(f"{server.url}/a", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked[-1] == ("/c", "bytes=70000-")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/a", "more than 3 redirects"),
        ("file:///etc/passwd", "not on the web"),
        ("ftp://127.0.0.1/a", "not on the web"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_refused_at_once(
    server: Server, tmp_path: Path, target: str, said: str
) -> None:
    server.answers["/a"] = at.redirect(target)
    with pytest.raises(InputError, match=said):
        download(f"{server.url}/a", tmp_path / "a.bin", patience=QUICK)
    assert len(server.asked) == (4 if target == "/a" else 1)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "localhost"]
)
def test_a_redirect_to_a_private_address_is_refused_unless_it_is_named(
    server: Server, tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from one private host to another: to name one is not to name all."""
    monkeypatch.setenv("NO_PROXY", "*")
    port = server.url.rsplit(":", 1)[1]
    server.answers |= {"/a": at.redirect(f"http://{host}:{port}/b"), "/b": at.file(DATA)}
    with pytest.raises(InputError, match=r"private: .* is not on the public internet; it is asked only if"):
        download(f"{server.url}/a", tmp_path / "a.bin", patience=QUICK)
    assert left(tmp_path) == []
    assert server.count("/b") == 0
    if host == "localhost":
        download(f"{server.url}/a", tmp_path / "a.bin", patience=replace(QUICK, hosts=("127.0.0.1", "localhost")))
        assert (tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"]])
@pytest.mark.parametrize("redirected", [False, True])
def test_what_name_servers_answer_counts_also_when_it_changes(
    server: Server, tmp_path: Path, answers: list[str], redirected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public name that leads here, at once or only when the connection is made; nothing is sent to it."""
    port, real, left_over = server.url.rsplit(":", 1)[1], socket.getaddrinfo, list(answers)

    def lookup(host, *args, **more):  # type: ignore[no-untyped-def]
        if host == "files.example":
            host = left_over.pop(0) if len(left_over) > 1 else left_over[0]
        return real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("NO_PROXY", "*")
    there = f"http://files.example:{port}/b"
    server.answers |= {"/a": at.redirect(there), "/b": at.file(DATA)}
    with pytest.raises(InputError, match=r"private: files\.example has an address that is not on the public internet"):
        download(f"{server.url}/a" if redirected else there, tmp_path / "a.bin", patience=QUICK)
    assert server.count("/b") == 0


def test_a_redirect_never_leaves_https(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def get(self, url, **more):  # type: ignore[no-untyped-def]
            return SimpleNamespace(close=lambda: None)

        def get_redirect_target(self, response):  # type: ignore[no-untyped-def]
            return "http://127.0.0.1/b"

    with pytest.raises(web.Trouble, match="from https to the unprotected"):
        web._followed(Session(), "https://127.0.0.1/a", QUICK, {})


@pytest.mark.parametrize(
    "url", ["ftp://x/a", "file:///etc/passwd", "a.bin", "http://", "http://[/a", "http://x y/a", "http://x/\n", ""]
)
def test_what_is_no_web_address_is_refused_without_a_request(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="http:// or https://"):
        download(url, tmp_path / "a.bin", patience=QUICK)


def test_a_host_that_is_not_there_is_an_input_error(tmp_path: Path, server: Server) -> None:
    server.close()
    with pytest.raises(InputError, match=r"3 attempts\): unreachable"):
        download(f"{server.url}/a", tmp_path / "a.bin", patience=QUICK)


@pytest.mark.parametrize("name", ["a.json.gz", "a.zip", "a.jsonl", "a.bin"])
def test_a_web_page_is_not_taken_for_the_file(server: Server, tmp_path: Path, name: str) -> None:
    server.answers[f"/{name}"] = at.page()
    with pytest.raises(InputError, match=rf"a web page instead of {name}, beginning with '<html><title>Log in"):
        download(f"{server.url}/{name}", tmp_path / name, patience=QUICK)
    assert left(tmp_path) == []


def test_the_first_bytes_count_more_than_the_stated_kind(server: Server, tmp_path: Path) -> None:
    server.answers["/a.gz"] = at.file(ZIPPED, kind="text/html")
    download(f"{server.url}/a.gz", tmp_path / "a.gz", patience=QUICK)
    assert (tmp_path / "a.gz").read_bytes() == ZIPPED
    server.answers["/b.gz"] = at.file(b"no such key", kind="text/plain")
    with pytest.raises(InputError, match=r"something else \(text/plain\) instead of b.gz"):
        download(f"{server.url}/b.gz", tmp_path / "b.gz", patience=QUICK)


def test_an_empty_body_is_not_a_file(server: Server, tmp_path: Path) -> None:
    server.answers["/a.gz"] = at.file(b"")
    with pytest.raises(InputError, match="is empty"):
        download(f"{server.url}/a.gz", tmp_path / "a.gz", patience=QUICK)
    assert left(tmp_path) == []


def test_a_wrong_size_is_refused_before_the_body(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.file(DATA)
    with pytest.raises(InputError, match="300,000 bytes instead of 299,999: its publisher changed it, or"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", size=299_999, patience=QUICK)
    assert left(tmp_path) == []


def test_a_body_without_end_stops_at_the_expected_size(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.file(bytes(3_000_000), length=False)
    with pytest.raises(InputError, match="more than the 100,000 bytes"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", size=100_000, patience=QUICK)
    assert left(tmp_path) == []


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum_is_refused_and_removed(server: Server, tmp_path: Path, kind: str) -> None:
    server.answers["/a.bin"] = at.file(DATA)
    right = hashlib.new(kind, DATA).hexdigest()
    with pytest.raises(InputError, match=f"its {kind} is {right} instead of 00"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK, **{kind: "00"})
    assert left(tmp_path) == []
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK, **{kind: right.upper()})
    assert left(tmp_path) == ["a.bin"]


def test_what_is_there_is_checked_and_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    got = download(f"{server.url}/a.bin", tmp_path / "a.bin", size=len(DATA), patience=QUICK)
    assert got.sha256 == hashlib.sha256(DATA).hexdigest()
    with pytest.raises(InputError, match="not the published file"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", sha256="00", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked == []


def test_a_disk_too_small_is_found_before_the_body(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/a.bin"] = at.file(DATA)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(InputError, match=r"needs 0 MB more, but .* has 1 MB free"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)


@pytest.mark.parametrize("length", [True, False])
def test_free_space_is_watched_while_the_file_grows(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: bool
) -> None:
    """Another program fills the disk meanwhile; what came is kept and continued."""
    monkeypatch.setattr(module, "EVERY", 100_000)
    server.answers["/a.bin"] = at.file(DATA, length=length)
    free = iter([10**12, 10**12, archives.SPARE - 1])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=next(free)))
    with pytest.raises(
        InputError, match=r"has 64 MB free\. Make room, or choose another folder; what is there is kept"
    ):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    came = (tmp_path / ".a.bin.partial").stat().st_size
    assert 200_000 <= came < len(DATA)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**12))
    download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked[-1] == ("/a.bin", f"bytes={came}-")


def test_a_body_of_unknown_length_has_a_limit(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.file(bytes(3_000_000), length=False)
    with pytest.raises(InputError, match="more than the 1,000,000 bytes"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", most=1_000_000, patience=QUICK)
    assert left(tmp_path) == []
    server.answers["/b.bin"] = at.file(bytes(3_000_000))  # the limit is for what does not say its length
    assert download(f"{server.url}/b.bin", tmp_path / "b.bin", most=1_000_000, patience=QUICK).size == 3_000_000


def test_a_disk_that_fills_up_is_an_input_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/a.bin"] = at.file(DATA)

    def full(*args):  # type: ignore[no-untyped-def]
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(module._Half, "write", full)
    with pytest.raises(InputError, match="No space left"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)


def test_a_folder_that_is_a_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        download("http://127.0.0.1/a", tmp_path / "here" / "a.bin", patience=QUICK)


def test_of_two_at_once_one_downloads_and_the_other_waits(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["/a.bin"] = at.slow(at.file(DATA), 0.1)
    got = []
    threads = [
        threading.Thread(target=lambda: got.append(download(f"{server.url}/a.bin", tmp_path / "a.bin", patience=QUICK)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.sha256 for one in got] == [hashlib.sha256(DATA).hexdigest()] * 2
    assert server.count("/a.bin") == 1
    assert "waiting" in capsys.readouterr().out


def test_the_lock_is_one_that_other_processes_see(server: Server, tmp_path: Path) -> None:
    server.answers["/a.bin"] = at.file(DATA)
    lock = FileLock(tmp_path / ".a.bin.lock")
    lock.acquire()
    ask = {"patience": QUICK}
    thread = threading.Thread(target=download, args=(f"{server.url}/a.bin", tmp_path / "a.bin"), kwargs=ask)
    thread.start()
    time.sleep(0.1)
    assert server.asked == []
    lock.release()
    thread.join()
    assert (tmp_path / "a.bin").read_bytes() == DATA
