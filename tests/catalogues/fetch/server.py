"""A web server on this machine that misbehaves as it is told to."""

import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each path as ``answers`` says; ``asked`` keeps (path, Range or "") of every request, in order."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        self.conditions: set[str] = set()  # of If-Range
        self.at_once = self.most_at_once = 0
        self.over = threading.Event()  # ends what stalls
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with server.lock:
                    server.asked.append((self.path, self.headers.get("Range", "")))
                    server.conditions.add(self.headers.get("If-Range", ""))
                    server.agents.add(self.headers.get("User-Agent", ""))
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                try:
                    server.answers.get(self.path, status(404))(self)
                except OSError:  # the client went away
                    self.close_connection = True
                finally:
                    with server.lock:
                        server.at_once -= 1

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)


def send(handler: BaseHTTPRequestHandler, code: int, headers: dict[str, str], body: bytes) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    if "Content-Length" not in headers:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, body: bytes = b"no", **headers: str) -> Answer:
    """An answer with a status and headers (``Retry_After`` is Retry-After)."""
    return lambda handler: send(handler, code, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def redirect(to: str, code: int = 302) -> Answer:
    return status(code, b"", Location=to)


def page(text: str = "<html><title>Log in</title></html>") -> Answer:
    return status(200, text.encode(), Content_Type="text/html; charset=utf-8")


def file(
    data: bytes,
    etag: str = '"one"',
    *,
    ranges: bool = True,
    cut: int | None = None,
    stall: threading.Event | None = None,
    length: bool = True,
    modified: str = "",
    kind: str = "application/octet-stream",
) -> Answer:
    """A file as a good server gives it, with ETag and ranges; or one that is worse.

    Args:
        ranges: whether it honours Range.
        cut: the connection ends after so many bytes of the body; or stalls, until the event ``stall``.
        length: whether it says how long the body is.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start, asked = 0, handler.headers.get("Range", "")
        condition = handler.headers.get("If-Range", "")
        same = condition in ("", etag, modified)
        if ranges and asked and same:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = data[start:]
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        for name, value in (("ETag", etag), ("Last-Modified", modified), ("Content-Type", kind)):
            if value:
                handler.send_header(name, value)
        if length:
            handler.send_header("Content-Length", str(len(body)))
        else:
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body if cut is None else body[:cut])
        if cut is not None and cut < len(body):
            handler.wfile.flush()
            if stall is not None:
                stall.wait(5)
            handler.close_connection = True
        if not length:
            handler.close_connection = True

    return answer


def drip(data: bytes, over: threading.Event, pause: float = 0.05) -> Answer:
    """One byte at a time: never a stall, never an end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        for place in range(len(data)):
            if over.is_set():
                break
            handler.wfile.write(data[place : place + 1])
            time.sleep(pause)
        handler.close_connection = True

    return answer


def slow(then: Answer, seconds: float) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        then(handler)

    return answer


def first(*answers: Answer) -> Answer:
    """One answer after the other; the last one stays."""
    left = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


def date_in(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)
