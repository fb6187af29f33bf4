"""Downloads from servers that misbehave; all traffic stays on 127.0.0.1."""

import contextlib
import gzip
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmlib.catalogues import fetch
from mmlib.catalogues.fetch import public
from mmlib.catalogues.fetch.archives import unpack
from mmlib.catalogues.fetch.download import Remote
from mmlib.catalogues.fetch.public import Public
from mmlib.catalogues.fetch.web import Patience
from tests.catalogues.fetch import server as at

from .world import Case, Content

QUICK = Patience(hosts=("127.0.0.1",), connect=1.0, read=0.5, attempts=2, pause=0.01, longest=0.05)
BODY = gzip.compress(b'{"asin": "a"}\n' * 50, mtime=0)
NEW = r"\.partial$|\.partial\.json$|manifest"


def served(answer: at.Answer, **known: Any) -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    """A public catalogue of one file on a server that answers so."""

    @contextlib.contextmanager
    def context(folder: Path) -> Iterator[None]:
        server = at.Server()
        remote = Remote(f"{server.url}/r.json.gz", "r.json.gz", **known)
        server.answers |= {"/r.json.gz": answer, "/loop": at.redirect("/loop")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NO_PROXY", "127.0.0.1")
            patch.setitem(public.PUBLIC, "amazon/Test", Public("amazon/Test", "amazon", (remote,), "A.", "F.", "U."))
            try:
                yield
            finally:
                server.close()

    return context


def bring(here: Path) -> Any:
    return fetch.fetch("amazon/Test", here / "to", patience=QUICK)


def zipped(**members: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "/").replace("UP", ".."), content)

    return make


def _encrypted(path: Path) -> None:
    zipped(a=b"x" * 100)(path)
    data = bytearray(path.read_bytes())
    for mark, at_flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at_flag] |= 1
    path.write_bytes(data)


def _flipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml/u.data", b"1\t2\t3\t4\n" * 20)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1\t2\t3\t4\n", b"1\t2\t3\t5\n", 1))


SERVERS: list[tuple[str, at.Answer, dict[str, Any], str]] = [
    ("no such file", at.status(404), {}, "404"),
    ("not allowed", at.status(403), {}, "403"),
    ("payment required", at.status(451), {}, "451"),
    ("always busy", at.status(503), {}, "503|busy"),
    ("too many requests", at.status(429, Retry_After="0"), {}, "429|busy"),
    ("an error of its own", at.status(500), {}, "500|server"),
    ("an answer without content", at.status(204, b""), {}, "r.json.gz"),
    ("a web page", at.page(), {}, "web page|html"),
    (
        "a web page that calls itself a file",
        at.status(200, b"<html>Log in</html>", Content_Type="application/gzip"),
        {},
        "r.json.gz",
    ),
    ("nothing", at.file(b""), {}, "r.json.gz"),
    ("another file than published", at.file(BODY), {"sha256": "0" * 64}, "sha256"),
    ("another size than published", at.file(BODY), {"size": 5}, "bytes"),
    ("a file of another MD5", at.file(BODY), {"md5": "0" * 32}, "md5"),
    ("gzip cut off, its length unknown", at.file(BODY[:-9], length=False), {}, "r.json.gz"),
    ("gzip cut off, its length as said", at.file(BODY[:-9]), {}, "r.json.gz"),
    ("gzip with a wrong checksum", at.file(BODY[:-8] + b"12345678"), {}, "r.json.gz"),
    ("no gzip at all", at.file(b"x" * 500), {}, "r.json.gz"),
    ("half a file, again and again", at.file(BODY, cut=20, ranges=False), {}, "r.json.gz"),
    ("a stall", at.file(BODY, cut=20, ranges=False, stall=None), {}, "r.json.gz"),
    ("redirects without end", at.redirect("/loop"), {}, "redirect"),
    ("a redirect to a file of this machine", at.redirect("file:///etc/passwd"), {}, "file:|redirect"),
    (
        "a redirect to the link-local address",
        at.redirect("http://169.254.169.254/latest/meta-data/"),
        {},
        "169.254|private|redirect",
    ),
    ("a redirect to a private address", at.redirect("http://10.0.0.1/x"), {}, "10.0.0.1|private|redirect"),
    ("a redirect to an address without a host", at.redirect("http:///x"), {}, "redirect|address|r.json.gz"),
    ("a redirect that is no address", at.redirect("::::"), {}, "redirect|address|r.json.gz"),
    ("an endless body of unknown length", lambda handler: _endless(handler), {}, "r.json.gz"),
]


def _endless(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(BODY[:10])
    handler.close_connection = True


ARCHIVES: list[tuple[str, Content, str]] = [
    ("not a zip file", b"PK" + b"x" * 99, "a.zip"),
    ("empty file", b"", "a.zip"),
    ("cut off", lambda path: (zipped(a=b"x" * 9999)(path), path.write_bytes(path.read_bytes()[:-30]))[0], "a.zip"),
    ("flipped bits", _flipped, "a.zip"),
    ("encrypted", _encrypted, "a.zip"),
    ("a member outside the folder", zipped(UP__x=b"x"), "outside"),
    ("a bomb", zipped(a=b"\0" * (64 << 20)), "a.zip"),
    ("nothing in it", zipped(), "a.zip"),
]

MANIFESTS: list[tuple[str, Content, str]] = [
    ("broken", "{", "manifest.json"),
    ("a list", "[]", "manifest.json"),
    ("of another kind", '{"files": [{"name": "x"}]}', "manifest.json"),
    ("with sizes that are text", '{"files": [{"file": "r.json.gz", "size": "5", "sha256": "0"}]}', "manifest.json"),
]

CASES = [
    *[
        Case(f"the server sends {id}", bring, (says,), {}, served(answer, **known), NEW)
        for id, answer, known, says in SERVERS
    ],
    *[
        Case(
            f"archive: {id}",
            lambda here: unpack(here / "a.zip", here / "out", most=32 << 20),
            (says,),
            {"a.zip": content},
        )
        for id, content, says in ARCHIVES
    ],
    *[
        Case(f"manifest: {id}", bring, (says,), {"to/manifest.json": content}, served(at.file(BODY)))
        for id, content, says in MANIFESTS
    ],
    Case("the folder is a file", bring, ("to",), {"to": "x"}, served(at.file(BODY))),
    Case(
        "a file of another content is there",
        bring,
        ("r.json.gz",),
        {"to/r.json.gz": "x"},
        served(at.file(BODY), sha256=hashlib.sha256(BODY).hexdigest()),
    ),
    Case(
        "nobody listens",
        lambda here: fetch.fetch("amazon/Closed", here / "to", patience=QUICK),
        ("127.0.0.1",),
        {},
        lambda folder: _closed(),
        NEW,
    ),
]


@contextlib.contextmanager
def _closed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        remote = Remote("http://127.0.0.1:9/r.json.gz", "r.json.gz")
        patch.setitem(public.PUBLIC, "amazon/Closed", Public("amazon/Closed", "amazon", (remote,), "A.", "F.", "U."))
        yield
