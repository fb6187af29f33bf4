"""Polite requests over the web: redirects, time and repeats have limits, and every failure has a name and a reason.

requests carries them. pooch was weighed: it starts a broken download from the beginning and follows redirects unasked.
"""

import ipaddress
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ... import __version__
from ...core.errors import InputError

if TYPE_CHECKING:
    from requests import Response, Session

BLOCK = 1 << 16


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, how often to ask again, and where to.

    Args:
        connect: seconds until a connection must stand.
        read: seconds without a byte after which a transfer has stalled.
        attempts: how often the same thing is asked for without getting further.
        pause: seconds before the second attempt; each further pause is twice as long.
        longest: seconds that no pause exceeds, whatever a server demands.
        redirects: how many are followed.
        hosts: hosts that may have addresses that are not on the public internet, because the user named them.
    """

    connect: float = 15.0
    read: float = 60.0
    attempts: int = 6
    pause: float = 1.0
    longest: float = 120.0
    redirects: int = 10
    hosts: Collection[str] = ()

    def after(self, failures: int, demanded: float | None = None) -> float:
        """Seconds to wait after the given number of failures (from 1): what the server demanded, or ever longer."""
        own = self.pause * 2 ** min(failures - 1, 30)
        return min(self.longest, own if demanded is None else max(demanded, 0.0))


class Trouble(Exception):
    """A request that did not give what was asked for.

    Args:
        status: ``"dead"``, ``"refused"``, ``"private"``, ``"timeout"``, ``"busy"``, ``"server error"``,
            ``"broken off"``, ``"unreachable"``, or a word of the caller's.
        reason: in words.
        passing: whether it is worth asking again.
        wait: seconds that the server asks to wait, where it does.
    """

    def __init__(self, status: str, reason: str, *, passing: bool = False, wait: float | None = None):
        super().__init__(reason)
        self.status, self.passing, self.wait = status, passing, wait


def session(patience: Patience, connections: int = 8) -> "Session":
    """A session that says who asks, keeps no cookies and may be used by several threads.

    What it connects to is looked at when the connection stands, before anything is sent: the answer of a name server
    that changes between a check and a connection leads nowhere.

    Raises:
        InputError: when the package requests is not installed.
    """
    try:
        import requests
        from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    except ImportError:
        raise InputError("Downloads need the package requests; install it with: pip install 'mmlib[fetch]'.") from None
    from http.cookiejar import DefaultCookiePolicy

    def checked(pool: Any) -> Any:
        class Connection(pool.ConnectionCls):
            def _new_conn(self) -> socket.socket:
                made = super()._new_conn()
                if not _is_public(made.getpeername()[0]) and self.host not in patience.hosts:
                    made.close()
                    raise _private(self.host)
                return made

        return type("Pool", (pool,), {"ConnectionCls": Connection})

    made = requests.Session()
    made.headers.update({"User-Agent": f"mmlib/{__version__} (research on recommendation)", "Accept": "*/*"})
    made.headers["Accept-Encoding"] = "identity"  # a file as it lies there; parts of it can be counted in bytes
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = requests.adapters.HTTPAdapter(pool_connections=connections, pool_maxsize=connections)
    pools = {"http": checked(HTTPConnectionPool), "https": checked(HTTPSConnectionPool)}
    adapter.poolmanager.pool_classes_by_scheme = pools
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


@contextmanager
def opened(
    web: "Session",
    url: str,
    patience: Patience,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (200,),
) -> Iterator["Response"]:
    """The answer to a GET request, its body not yet read; redirects are followed.

    Refused are a redirect from https to http, one to anything that is not the web, and at every step a host with an
    address that is not on the public internet, unless ``patience.hosts`` names it.

    Raises:
        Trouble: for every failure of the network and every status that is not in ``accept``; also for those that
            happen while the block reads the body.
    """
    import requests
    import urllib3

    try:
        with _followed(web, url, patience, headers or {}) as response:
            if response.status_code not in accept:
                raise _refusal(response)
            yield response
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _trouble(error) from None


def blocks(response: "Response", *, seconds: float = float("inf"), decode: bool = False) -> Iterator[bytes]:
    """The body, in pieces as they arrive.

    Args:
        seconds: that the whole body may take; a server that sends a byte now and then does not hold us for ever.
        decode: whether a ``Content-Encoding`` is undone.

    Raises:
        Trouble: when the time is over.
    """
    end = time.monotonic() + seconds
    while data := response.raw.read1(BLOCK, decode_content=decode):
        yield data
        if time.monotonic() > end:
            raise Trouble("timeout", f"the body took more than {seconds:.3g} s", passing=True)


def is_web(url: str) -> bool:
    """Whether this is an http or https address with a host, of printable characters; spaces may be in its path."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme in ("http", "https") and host != "" and " " not in host and url.isprintable()
    except ValueError:
        return False


def is_page(start: bytes, kind: str) -> bool:
    """Whether a body that begins like this, of the stated kind, is a web page."""
    return kind == "text/html" or start.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))


def kind_of(response: "Response") -> str:
    """The stated kind of a body, such as ``"image/png"``; ``""`` when there is none."""
    return response.headers.get("Content-Type", "").split(";")[0].strip().lower()


def length_of(response: "Response") -> int | None:
    """The stated bytes of a body, where they are."""
    said = response.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() else None


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.split("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_global


def _private(host: str) -> Trouble:
    why = "has an address that is not on the public internet; it is asked only if you name it"
    return Trouble("private", f"{host} {why}: --private-host {host}")


def _followed(web: "Session", url: str, patience: Patience, headers: Mapping[str, str]) -> "Response":
    if not is_web(url):
        raise Trouble("refused", f"{url[:200]!r} is not an address that begins with http:// or https://")
    for _ in range(patience.redirects + 1):
        _check_host(url, patience.hosts)
        try:
            wait = (patience.connect, patience.read)
            response = web.get(url, headers=dict(headers), stream=True, allow_redirects=False, timeout=wait)
            target = web.get_redirect_target(response)
        except UnicodeError as error:  # names that cannot be encoded
            raise Trouble("dead", f"{url[:200]!r} is not a web address: {error}") from None
        if target is None:
            return response
        response.close()
        there = urljoin(url, target)
        if not is_web(there):
            raise Trouble("refused", f"redirected to {there[:200]!r}, which is not on the web")
        if url.startswith("https:") and not there.startswith("https:"):
            raise Trouble("refused", f"redirected from https to the unprotected {there[:200]}")
        url = there
    raise Trouble("dead", f"more than {patience.redirects} redirects, the last one to {url[:200]}")


def _check_host(url: str, named: Collection[str]) -> None:
    """Refuse a host of which any address is not on the public internet; one without addresses leads nowhere anyway."""
    host = urlsplit(url).hostname or ""
    if host in named:
        return
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError, ValueError):
        return
    if not all(map(_is_public, found)):
        raise _private(host)


def _refusal(response: "Response") -> Trouble:
    code, said = response.status_code, f"HTTP {response.status_code} {response.reason or ''}".strip()
    if code in (429, 503):
        return Trouble("busy", said, passing=True, wait=_demanded(response))
    if code == 408:
        return Trouble("timeout", said, passing=True)
    if code >= 500:
        return Trouble("server error", said, passing=True, wait=_demanded(response))
    return Trouble("refused" if code in (401, 403, 407, 451) else "dead", said)


def _demanded(response: "Response") -> float | None:
    """Seconds of the header Retry-After, which gives seconds or a date."""
    import urllib3

    try:
        return urllib3.Retry().get_retry_after(response.raw)
    except (urllib3.exceptions.HTTPError, ValueError, OverflowError):
        return None


def _trouble(error: Exception) -> Trouble:
    from requests import exceptions as asked
    from urllib3 import exceptions as read

    said = " ".join(str(error).split())[:300] or type(error).__name__
    broken = asked.ChunkedEncodingError, asked.ContentDecodingError, read.ProtocolError, read.DecodeError
    if isinstance(error, (asked.Timeout, read.TimeoutError)):
        return Trouble("timeout", "no answer in time", passing=True)
    if isinstance(error, (asked.InvalidURL, asked.InvalidSchema, asked.MissingSchema, read.LocationParseError)):
        return Trouble("dead", f"not a web address: {said}")
    if isinstance(error, (asked.SSLError, read.SSLError)) and "CERTIFICATE" in said.upper():
        return Trouble("refused", f"the server's certificate is not valid: {said}")
    if isinstance(error, broken):
        return Trouble("broken off", f"the connection broke off: {said}", passing=True)
    return Trouble("unreachable", said, passing=True)
