"""The images that a catalogue names by web address: many at once, politely, each one's fate in a table."""

import hashlib
import time
from collections.abc import Hashable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.files import whole
from ...core.images import TooLarge, Unreadable, opened
from ...core.progress import progress
from . import web
from .download import alone, now
from .image_names import file_names
from .polite import politely
from .web import Patience, Trouble

if TYPE_CHECKING:
    from requests import Session

COLUMNS = ("id", "url", "status", "reason", "file", "bytes", "width", "height", "sha256", "date")
TABLE = "images/pictures.csv"  # not beside a catalogue's own tables, where it would be taken for one of them
NUMBERS = ("bytes", "width", "height")
FINAL = ("ok", "dead", "refused", "not an image", "too large")  # the others are asked for again by the next call
SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}
PATIENCE = Patience(connect=10.0, read=20.0, attempts=4, pause=1.0, longest=60.0, redirects=5)


@dataclass(frozen=True)
class Limits:
    """What an image may have.

    Args:
        bytes: of the file.
        pixels: of the decoded image; a small file may hold a huge one.
        seconds: that its transfer may take.
    """

    bytes: int = 20 << 20
    pixels: int = 50_000_000
    seconds: float = 120.0


def urls_of(data: Dataset) -> dict[str, str]:
    """Item id to web address, from the column ``image_url`` of the items; items without an address are left out.

    Raises:
        InputError: when there is no such column.
    """
    if "image_url" not in data.items:
        raise InputError(f"{data.name} names no web addresses of images: its items have no column image_url.")
    return {name: url for name, url in zip(data.items["id"], data.items["image_url"]) if url}


def fetch_images(
    urls: Mapping[str, str],
    folder: str | Path,
    *,
    workers: int = 8,
    per_host: int = 4,
    retry_dead: bool = False,
    limits: Limits = Limits(),
    patience: Patience = PATIENCE,
    every: float = 30.0,
) -> pd.DataFrame:
    """Bring images into ``folder/images`` and say in ``images/pictures.csv`` what became of each.

    An image is kept as it came, named by ``image_names.file_names`` and a suffix by its content, if Pillow decodes
    it wholly. What an earlier call settled is not asked for again: images that are there and, without ``retry_dead``,
    those that the server does not have, refuses, or that are no images. An address that several items share is asked
    for once. The table is written every ``every`` seconds, and when the call ends in whatever way.

    Args:
        urls: item id to http or https address.
        workers: requests under way at once; ``per_host``: the same for one host.

    Returns:
        One row an item, in the order of ``urls``: ``id``, ``url``, ``status`` (``"ok"``, ``"dead"``, ``"refused"``,
        ``"not an image"``, ``"too large"``; what a later call tries again: ``"private"``, ``"timeout"``, ``"busy"``,
        ``"server error"``, ``"broken off"``, ``"unreachable"``; ``"waiting"`` when it was not yet asked for),
        ``reason`` in words, ``file`` (relative to ``folder``; ``""`` without), ``bytes``, ``width``, ``height``
        (pixels), ``sha256``, ``date`` (UTC, ISO 8601).

    Raises:
        InputError: when the folder cannot be written to, its table is damaged, or an id cannot be printed.
    """
    folder = Path(folder).expanduser()
    if workers < 1 or per_host < 1:
        raise InputError(f"workers = {workers} and per_host = {per_host} must be at least 1.")
    urls = {str(name): str(url).strip() for name, url in urls.items()}
    file_names(urls)  # an id that cannot be named is refused before anything is asked for
    with alone(folder / "images"):
        table = _Table(folder, every)
        names = file_names(dict.fromkeys([*table.rows, *urls]))
        sharing: dict[str, list[str]] = {}
        for name, url in urls.items():
            if not table.settled(name, url, retry_dead):
                table.reopen(name, url)
                sharing.setdefault(url, []).append(name)
        session = web.session(patience, workers)
        ask = partial(_asked, session, limits, patience)
        answers = politely(sharing, ask, workers=workers, per_host=per_host, patience=patience)
        try:
            with closing(table), closing(session), closing(answers):
                for url, answer in progress(answers, "Images", total=len(sharing), unit="images"):
                    for name in sharing[url]:
                        table.settle(name, answer, names[name])
                    table.write()
        except OSError as error:
            raise InputError(f"{folder} cannot be written to: {error.strerror or error}.") from None
    return table.frame(urls)


def manifest(folder: str | Path) -> pd.DataFrame:
    """The table that ``fetch_images`` left in a folder; empty when there is none.

    Raises:
        InputError: when it is damaged.
    """
    path = Path(folder) / TABLE
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if tuple(table.columns) != COLUMNS or table["id"].duplicated().any():
            raise ValueError(f"its columns are {', '.join(table.columns)}, or an id occurs twice")
        return table.astype(dict.fromkeys(NUMBERS, "int64"))
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        said = " ".join(str(error).split())
        raise InputError(f"{path} is damaged: {said}. Delete it; the images will be asked for again.") from None


def summary(table: pd.DataFrame) -> tuple[str, ...]:
    """One sentence for each status, with its number and the commonest reasons; for ``Dataset.notes`` and the screen."""
    said = []
    for status, rows in table.groupby("status", sort=True):
        why = rows.loc[rows["reason"] != "", "reason"].value_counts()
        some = "; ".join(f"{reason}: {count:,}" for reason, count in why.head(3).items())
        said.append(f"Images, {status}: {len(rows):,} of {len(table):,}" + (f" ({some})." if some else "."))
    return tuple(said)


class _Table:
    """The manifest in memory, by item id; written when its block ends, in whatever way."""

    def __init__(self, folder: Path, every: float):
        self.folder, self.every = folder, every
        self.rows: dict[str, dict[Hashable, Any]] = {row["id"]: row for row in manifest(folder).to_dict("records")}
        self.written, self.cost = time.monotonic(), 0.0

    def settled(self, name: str, url: str, retry_dead: bool) -> bool:
        row = self.rows.get(name)
        if row is None or row["url"] != url or row["status"] not in FINAL:
            return False
        if row["status"] != "ok":
            return not retry_dead
        file = self.folder / row["file"]
        return file.is_file() and file.stat().st_size == row["bytes"]

    def reopen(self, name: str, url: str) -> None:
        """Make one item's image one that is still to come; the file that is there stays until then."""
        file = self.rows.get(name, {}).get("file", "")
        row: dict[Hashable, Any] = dict.fromkeys(COLUMNS, "") | dict.fromkeys(NUMBERS, 0)
        self.rows[name] = row | {"id": name, "url": url, "status": "waiting", "file": file, "date": now()}

    def settle(self, name: str, answer: "tuple[bytes, Image.Image] | Trouble", stem: str) -> None:
        """Note the outcome for one item, and keep its image in place of the one before."""
        row = self.rows[name]
        if row["file"]:
            (self.folder / "images" / Path(row["file"]).name).unlink(missing_ok=True)
        row |= {"file": "", "date": now()}
        if isinstance(answer, Trouble):
            row |= {"status": answer.status, "reason": str(answer)}
            return
        body, image = answer
        file = f"images/{stem}.{SUFFIX[str(image.format)]}"
        with whole(self.folder / file) as half:
            half.write_bytes(body)
        row |= {"status": "ok", "file": file, "sha256": hashlib.sha256(body).hexdigest()}
        row |= {"bytes": len(body), "width": image.width, "height": image.height}

    def frame(self, names: Iterable[str]) -> pd.DataFrame:
        return pd.DataFrame([self.rows[name] for name in names], columns=list(COLUMNS))

    def close(self) -> None:
        """Write the table."""
        start = time.monotonic()
        with whole(self.folder / TABLE) as half:
            self.frame(self.rows).to_csv(half, index=False)
        self.written = time.monotonic()
        self.cost = self.written - start

    def write(self) -> None:
        """Write the table now and then, and spend at most a twentieth of the time on it."""
        if time.monotonic() - self.written >= max(self.every, 20 * self.cost):
            self.close()


def _asked(session: "Session", limits: Limits, patience: Patience, url: str) -> tuple[bytes, Image.Image]:
    with web.opened(session, url, patience) as response:
        if (length := web.length_of(response) or 0) > limits.bytes:
            raise Trouble("too large", f"{length:,} bytes, more than {limits.bytes:,}")
        body = bytearray()
        for block in web.blocks(response, seconds=limits.seconds, decode=True):
            body += block
            if len(body) > limits.bytes:
                raise Trouble("too large", f"more than {limits.bytes:,} bytes")
        return _decoded(bytes(body), web.kind_of(response), limits)


def _decoded(body: bytes, kind: str, limits: Limits) -> tuple[bytes, Image.Image]:
    """The bytes and the image, if it is one and whole; its size is judged by its header, before anything is decoded."""
    try:
        with opened(body, pixels=limits.pixels, formats=tuple(SUFFIX)) as image:
            image.load()
            return body, image
    except TooLarge as error:
        raise Trouble("too large", str(error)) from None
    except Unreadable as error:
        said = f"{error} ({kind or 'of no stated kind'})"
        raise Trouble("not an image", "a web page" if web.is_page(body, kind) else said) from None
