import io
import struct
import threading
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmlib.catalogues.fetch import images as module
from mmlib.catalogues.fetch.images import COLUMNS, Limits, fetch_images, manifest, summary, urls_of
from mmlib.catalogues.fetch.web import Patience
from mmlib.core.errors import InputError

from ...conftest import make_dataset
from . import server as at
from .server import Server

QUICK = Patience(hosts=("127.0.0.1",), connect=2.0, read=2.0, attempts=2, pause=0.01, longest=0.2, redirects=3)


def picture(form: str = "PNG", size: tuple[int, int] = (20, 10), seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes and very many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def fetched(server: Server, folder: Path, paths: dict[str, str], **options) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    urls = {name: path if "://" in path else server.url + path for name, path in paths.items()}
    return fetch_images(urls, folder, **{"patience": QUICK, **options}).set_index("id")


def kept(folder: Path) -> list[str]:
    """The files beside the table."""
    return sorted(path.name for path in (folder / "images").iterdir() if path.name != "pictures.csv")


def test_a_picture_is_kept_as_it_came_and_named_by_its_content(server: Server, tmp_path: Path) -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        server.answers[f"/{form}.jpg"] = at.file(picture(form))
    rows = fetched(server, tmp_path, {form: f"/{form}.jpg" for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP")})
    assert kept(tmp_path) == ["BMP.bmp", "GIF.gif", "JPEG.jpg", "PNG.png", "WEBP.webp"]
    assert (tmp_path / "images" / "JPEG.jpg").read_bytes() == picture("JPEG")
    assert list(rows["status"]) == ["ok"] * 5
    assert list(rows.index) == ["JPEG", "PNG", "WEBP", "GIF", "BMP"]
    png = rows.loc["PNG"]
    assert (png["file"], png["bytes"], png["width"], png["height"]) == ("images/PNG.png", len(picture("PNG")), 20, 10)
    assert all(agent.startswith("mmlib/") for agent in server.agents)


def test_what_is_not_a_picture_is_recorded_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.answers |= {
        "/page": at.page(),
        "/text": at.status(200, b"nothing here", Content_Type="text/plain"),
        "/cut": at.file(picture("JPEG", (200, 200))[:3000]),
        "/cutpng": at.file(picture("PNG", (200, 200))[:3000]),
        "/empty": at.file(b""),
        "/svg": at.status(200, b"<svg xmlns='http://www.w3.org/2000/svg'/>", Content_Type="image/svg+xml"),
    }
    rows = fetched(server, tmp_path, {name: f"/{name}" for name in ("page", "text", "cut", "cutpng", "empty", "svg")})
    assert set(rows["status"]) == {"not an image"}
    assert rows.loc["page", "reason"] == "a web page"
    assert rows.loc["text", "reason"] == "not an image that can be read (text/plain)"
    assert "truncated" in rows.loc["cut", "reason"]
    assert rows.loc["empty", "reason"] == "the file is empty (application/octet-stream)"
    assert kept(tmp_path) == []


def test_bombs_and_huge_bodies_are_too_large(server: Server, tmp_path: Path) -> None:
    server.answers |= {
        "/bomb": at.file(bomb(30_000, 30_000)),
        "/wide": at.file(picture("PNG", (101, 100))),
        "/right": at.file(picture("PNG", (100, 100))),
        "/said": at.status(200, b"", Content_Length="99999999"),
        "/unsaid": at.file(bytes(200_000), length=False),
    }
    assert len(bomb(30_000, 30_000)) < 2000
    rows = fetched(
        server,
        tmp_path,
        {name: f"/{name}" for name in ("bomb", "wide", "right", "said", "unsaid")},
        limits=Limits(bytes=100_000, pixels=10_000),
    )
    assert dict(rows["status"]) == dict.fromkeys(("bomb", "wide", "said", "unsaid"), "too large") | {"right": "ok"}
    assert rows.loc["wide", "reason"] == "101 x 100 pixels are more than the limit of 10,000"
    assert rows.loc["said", "reason"] == "99,999,999 bytes, more than 100,000"
    assert kept(tmp_path) == ["right.png"]


def test_each_refusal_has_its_name(server: Server, tmp_path: Path) -> None:
    server.answers |= {
        "/forbidden": at.status(403),
        "/gone": at.status(410),
        "/loop": at.redirect("/loop"),
        "/file": at.redirect("file:///etc/passwd"),
        "/broken": at.status(500),
        "/busy": at.status(429, Retry_After="0"),
        "/stall": at.file(picture(), cut=30, stall=server.over),
        "/drip": at.drip(picture(), server.over, 0.02),
        "/short": at.file(picture(), cut=30),
        "/moved": at.redirect("/good"),
        "/good": at.file(picture()),
    }
    paths = {name: f"/{name}" for name in ("none", *(path[1:] for path in server.answers))}
    rows = fetched(
        server,
        tmp_path,
        paths | {"ftp": "ftp://127.0.0.1/a"},
        limits=Limits(seconds=0.4),
        workers=16,
        patience=replace(QUICK, read=0.4),
    )
    assert dict(rows["status"]) == {
        "none": "dead",
        "forbidden": "refused",
        "gone": "dead",
        "loop": "dead",
        "file": "refused",
        "broken": "server error",
        "busy": "busy",
        "stall": "timeout",
        "drip": "timeout",
        "short": "broken off",
        "moved": "ok",
        "good": "ok",
        "ftp": "refused",
    }
    assert all(rows["reason"].where(rows["status"] != "ok", "-") != "")
    assert rows["date"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00").all()
    assert (server.count("/gone"), server.count("/broken"), server.count("/busy"), server.count("/stall")) == (
        1,
        2,
        2,
        2,
    )


def test_a_catalogue_cannot_send_requests_into_a_private_network(server: Server, tmp_path: Path) -> None:
    server.answers |= {"/a": at.file(picture()), "/to": at.redirect("http://169.254.169.254/latest/meta-data")}
    urls = {"here": f"{server.url}/a", "cloud": "http://169.254.169.254/latest/meta-data", "moved": f"{server.url}/to"}
    rows = fetched(server, tmp_path, urls, patience=replace(QUICK, hosts=()))
    assert set(rows["status"]) == {"private"}
    assert server.asked == []
    rows = fetched(server, tmp_path, urls)  # now that 127.0.0.1 is named
    assert dict(rows["status"]) == {"here": "ok", "cloud": "private", "moved": "private"}


def test_the_table_on_disk_is_the_one_that_is_returned(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = at.file(picture())
    rows = fetched(server, tmp_path, {"a": "/a", 'odd, "id"': "/none"})
    pd.testing.assert_frame_equal(manifest(tmp_path).set_index("id"), rows, check_dtype=False)
    assert tuple(manifest(tmp_path).columns) == COLUMNS
    assert manifest(tmp_path / "elsewhere").empty


def test_only_what_is_not_settled_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.answers |= {
        "/good": at.file(picture()),
        "/late": at.first(at.status(500), at.status(500), at.file(picture())),
        "/page": at.page(),
    }
    paths = {name: f"/{name}" for name in ("good", "none", "late", "page")}
    assert list(fetched(server, tmp_path, paths)["status"]) == ["ok", "dead", "server error", "not an image"]
    server.asked.clear()
    assert list(fetched(server, tmp_path, paths)["status"]) == ["ok", "dead", "ok", "not an image"]
    assert server.asked == [("/late", "")]
    server.asked.clear()
    server.answers["/none"] = at.file(picture())
    assert list(fetched(server, tmp_path, paths, retry_dead=True)["status"]) == ["ok", "ok", "ok", "not an image"]
    assert sorted(path for path, _ in server.asked) == ["/none", "/page"]


def test_a_new_address_and_a_lost_file_are_asked_for(server: Server, tmp_path: Path) -> None:
    server.answers |= {"/a": at.file(picture("PNG")), "/b": at.file(picture("JPEG")), "/c": at.file(picture("GIF"))}
    fetched(server, tmp_path, {"x": "/a", "y": "/c"})
    (tmp_path / "images" / "y.gif").unlink()
    rows = fetched(server, tmp_path, {"x": "/b", "y": "/c"})
    assert dict(rows["file"]) == {"x": "images/x.jpg", "y": "images/y.gif"}
    assert kept(tmp_path) == ["x.jpg", "y.gif"]
    fetched(server, tmp_path, {"x": "/none"})
    assert kept(tmp_path) == ["y.gif"]
    assert dict(manifest(tmp_path).set_index("id")["status"]) == {"x": "dead", "y": "ok"}


def test_a_picture_of_the_users_own_is_not_removed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.jpg").write_bytes(b"mine")
    fetched(server, tmp_path, {"x": "/none"})
    assert kept(tmp_path) == ["x.jpg"]


def test_items_that_share_an_address_share_the_request(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = at.file(picture())
    rows = fetched(server, tmp_path, {"x": "/a", "y": "/a", "z": "/a"})
    assert list(rows["file"]) == ["images/x.png", "images/y.png", "images/z.png"]
    assert server.count("/a") == 1


def test_an_address_with_spaces_and_letters_of_any_alphabet_is_asked_for(server: Server, tmp_path: Path) -> None:
    server.answers["/a%20b%C3%A9.png"] = at.file(picture())
    rows = fetched(server, tmp_path, {"x": "/a bé.png", "y": "/a%20b%C3%A9.png"})
    assert list(rows["status"]) == ["ok", "ok"]


def test_ids_name_files_safely(server: Server, tmp_path: Path) -> None:
    server.answers |= {f"/{n}": at.file(picture(seed=n)) for n in range(4)}
    rows = fetched(server, tmp_path / "in", {"../../evil": "/0", "ab": "/1", "AB": "/2", "c": "/3"})
    assert len({file.casefold() for file in rows["file"]}) == 4
    assert rows.loc["c", "file"] == "images/c.png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    for n, file in enumerate(rows["file"]):
        assert (tmp_path / "in" / file).read_bytes() == picture(seed=n)


def test_an_id_that_comes_later_does_not_take_a_name_in_another_case(server: Server, tmp_path: Path) -> None:
    server.answers |= {"/1": at.file(picture(seed=1)), "/2": at.file(picture(seed=2))}
    one = fetched(server, tmp_path, {"ab": "/1"})
    two = fetched(server, tmp_path, {"AB": "/2"})
    assert one.loc["ab", "file"] == "images/ab.png"
    assert two.loc["AB", "file"].startswith("images/AB~")


def test_an_interruption_leaves_a_good_table_and_the_next_call_goes_on(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {f"i{n:02}": f"/{n}" for n in range(30)}
    server.answers |= {f"/{n}": at.file(picture(seed=n)) for n in range(30)}
    settle, count = module._Table.settle, []

    def interrupted(*args):  # type: ignore[no-untyped-def]
        count.append(1)
        if len(count) > 12:
            raise KeyboardInterrupt
        settle(*args)

    monkeypatch.setattr(module._Table, "settle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetched(server, tmp_path, paths)
    rows = manifest(tmp_path)
    assert dict(rows["status"].value_counts()) == {"waiting": 18, "ok": 12}
    had = {paths[name] for name in rows.loc[rows["status"] == "ok", "id"]}
    monkeypatch.setattr(module._Table, "settle", settle)
    before = len(server.asked)
    assert set(fetched(server, tmp_path, paths)["status"]) == {"ok"}
    assert sorted(path for path, _ in server.asked[before:]) == sorted(set(paths.values()) - had)
    assert len(kept(tmp_path)) == 30


def test_the_table_is_written_on_the_way(server: Server, tmp_path: Path) -> None:
    seen: list[int] = []
    server.answers |= {f"/{n}": at.file(picture(seed=n)) for n in range(5)}

    def last(handler) -> None:  # type: ignore[no-untyped-def]
        seen.append(int((manifest(tmp_path)["status"] == "ok").sum()))
        at.file(picture())(handler)

    server.answers["/last"] = last
    paths = {str(n): f"/{n}" for n in range(5)} | {"last": "/last"}
    fetched(server, tmp_path, paths, workers=1, every=0.0)
    assert seen[0] >= 1


def test_a_server_is_not_pressed(server: Server, tmp_path: Path) -> None:
    server.answers |= {f"/{n}": at.slow(at.file(picture(seed=n)), 0.05) for n in range(20)}
    fetched(server, tmp_path, {str(n): f"/{n}" for n in range(20)}, workers=8, per_host=3)
    assert server.most_at_once == 3


def test_of_two_calls_at_once_one_waits(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers["/a"] = at.slow(at.file(picture()), 0.1)
    threads = [threading.Thread(target=fetched, args=(server, tmp_path, {"a": "/a"})) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.count("/a") == 1
    assert "waiting" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "id,url\na,b\n", '"', ",".join(COLUMNS) + "\na,b,ok,,images/a.png,x,1,1,,\n"])
def test_a_damaged_table_is_an_input_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "pictures.csv").write_text(text)
    with pytest.raises(InputError, match=r"pictures\.csv is damaged"):
        fetch_images({"a": "http://127.0.0.1/a"}, tmp_path)


def test_a_folder_that_cannot_be_written_to_is_an_input_error(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = at.file(picture())
    (tmp_path / "images").write_text("a file, not a folder")
    with pytest.raises(InputError, match="cannot be written"):
        fetched(server, tmp_path, {"a": "/a"})


def test_wrong_options_and_ids_are_refused_before_any_request(server: Server, tmp_path: Path) -> None:
    for options in ({"workers": 0}, {"per_host": 0}):
        with pytest.raises(InputError, match="at least 1"):
            fetched(server, tmp_path, {"a": "/a"}, **options)
    with pytest.raises(InputError, match="cannot be printed"):
        fetched(server, tmp_path, {"a\nb": "/a"})
    assert server.asked == []


def test_the_summary_counts_and_says_why(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = at.file(picture())
    rows = fetched(server, tmp_path, {"a": "/a", "b": "/b", "c": "/c"}).reset_index()
    assert summary(rows) == ("Images, dead: 2 of 3 (HTTP 404 Not Found: 2).", "Images, ok: 1 of 3.")


def test_addresses_come_from_the_items() -> None:
    data = make_dataset(np.array([[0, 0], [0, 1], [0, 2]]), ["train", "valid", "test"], 1, 3)
    with pytest.raises(InputError, match="no column image_url"):
        urls_of(data)
    data.items["image_url"] = ["http://x/0", "", "http://x/2"]
    assert urls_of(data) == {"i0": "http://x/0", "i2": "http://x/2"}
