"""Items as pictures: thumbnails small enough to travel inside a page, and the galleries made of them."""

import base64
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from html import escape
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np
from PIL import Image, ImageOps

from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.images import Unreadable, opened
from .tables import Html, note
from .theme import array, shorten

_PLACEHOLDER = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 96'><rect width='96' height='96' fill='%23eef0f2'/>"
    "<path d='M22 66l17-22 12 14 8-9 15 17z' fill='%23c3c8cd'/><circle cx='64' cy='34' r='7' fill='%23c3c8cd'/>"
    "<path d='M20 20l56 56' stroke='%239aa0a6' stroke-width='3'/></svg>"
)
PLACEHOLDER = "data:image/svg+xml," + _PLACEHOLDER.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def thumbnail(data: Dataset, item: int, *, pixels: int = 96) -> str:
    """The item's picture as a data URI of WebP, its longer side ``pixels``.

    A picture of 96 pixels takes about 2 kB, one of 48 about 1 kB. One that is missing, broken, a loop of links, or
    larger than ``PIL.Image.MAX_IMAGE_PIXELS`` becomes a drawn placeholder; nothing of a large one is decoded.
    """
    try:
        path = data.image_path(item)
        return PLACEHOLDER if path is None else _thumbnail(path, path.stat().st_mtime_ns, pixels)
    except (OSError, RuntimeError, ValueError):  # loops of links, names too long, folders that may not be read
        return PLACEHOLDER


@lru_cache(maxsize=4096)
def _thumbnail(path: Path, changed: int, pixels: int) -> str:
    try:
        with catch_warnings(action="ignore"), opened(path, side=2 * pixels) as image:  # what is large is refused
            picture = ImageOps.exif_transpose(image).convert("RGBA")
            picture.thumbnail((pixels, pixels))
    except Unreadable:
        return PLACEHOLDER
    white, out = Image.new("RGB", picture.size, "white"), io.BytesIO()
    white.paste(picture, mask=picture.getchannel("A"))
    white.save(out, "WEBP", quality=55, method=4)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def cards(data: Dataset, items: Sequence[int]) -> list[dict[str, str]]:
    """What a hovering reader sees of each item: ``title``, ``text`` (category) and ``picture`` (a data URI)."""
    table = data.items
    return [
        {
            "title": shorten(table["title"].iat[i], 80),
            "text": shorten(table["category"].iat[i], 40),
            "picture": thumbnail(data, i, pixels=56),
        }
        for i in map(int, items)
    ]


def tile(data: Dataset, item: int, below: str = "", *, kind: str = "") -> str:
    """One item as HTML: picture, title, and a line below it; all text is escaped."""
    title, big = str(data.items["title"].iat[item]), kind == "mm-big"
    image = f'<img src="{thumbnail(data, item, pixels=176 if big else 112)}" alt="" loading="lazy">'
    words = f"<b>{escape(shorten(title, 90 if big else 44))}</b>" + (f"<span>{escape(below)}</span>" if below else "")
    return f'<figure class="mm-item {kind}" title="{escape(title)}">{image}{words}</figure>'


def gallery(data: Dataset, items: Sequence[int], captions: Sequence[str] | None = None, *, title: str = "") -> Html:
    """A grid of item pictures with titles.

    Args:
        items: item numbers, shown in this order.
        captions: a note under each item, or ``None`` for its category.

    Raises:
        InputError: for an item that the catalogue does not have, or captions of another number than items.
    """
    items = _known(data, items)
    if captions is None:
        captions = [str(data.items["category"].iat[item]) for item in items]
    if len(captions) != len(items):
        raise InputError(f"There are {len(items)} items but {len(captions)} captions; give one for each item.")
    return Html(_group(title, "", map(partial(tile, data), items, captions), empty=""))


def neighbourhood(data: Dataset, graph: Any, item: int, k: int = 8) -> Html:
    """An item beside its ``k`` strongest neighbours of an item graph, with the edges' weights.

    What to look for: do neighbours look alike, or go together, or are they only popular?

    Args:
        graph: item x item; ``row`` and ``col`` [n_edges] int64, ``weight`` [n_edges].
    """
    (item,) = _known(data, [item])
    edges = (array(graph.row) == item) & (array(graph.col) != item)
    found, weights = array(graph.col)[edges], array(graph.weight)[edges]
    order = np.argsort(-weights, kind="stable")[:k]
    tiles = [tile(data, int(found[e]), f"weight {weights[e]:.3g}") for e in order]
    facts = f"{len(found)} neighbours in all; the strongest {len(order)} are shown, strongest first."
    return beside(data, item, [("Strongest neighbours", facts if len(found) else "", tiles)])


def beside(data: Dataset, item: int, groups: Sequence[tuple[str, str, Sequence[str]]]) -> Html:
    """An item, big, with its text, beside groups of tiles: (heading, note, tiles)."""
    about = shorten(data.items["text"].iat[item], 320)
    left = tile(data, item, str(data.items["category"].iat[item]), kind="mm-big")
    right = "".join(_group(*group) for group in groups)
    return Html(f'<div class="mm-side"><div style="flex:0 1 220px">{left}{note(about)}</div><div>{right}</div></div>')


def recommendations(
    data: Dataset,
    user: int,
    items: Sequence[int],
    scores: Sequence[float] | None = None,
    *,
    mark_hits: bool = False,
    history: int = 12,
) -> Html:
    """What the user bought (training part) beside what is recommended.

    What to look for: does the second row continue the taste of the first, or only repeat what everyone buys?

    Args:
        items: recommended items, best first.
        scores: one a recommended item, shown under it.
        mark_hits: draw a frame around items that the user bought in the test part. Off by default: the test
            part is for the last page only.
        history: how many training purchases are shown.
    """
    if not 0 <= user < data.n_users:
        raise InputError(f"There is no user {user}: {data.name} has users 0 to {data.n_users - 1}.")
    items = _known(data, items)
    bought = data.train[data.train[:, 0] == user, 1]
    hits = set(data.test[data.test[:, 0] == user, 1].tolist()) if mark_hits else set()
    said = [""] * len(items) if scores is None else [f"score {float(score):.3g}" for score in array(scores)]
    said = [f"{below} · bought later".strip(" ·") if item in hits else below for item, below in zip(items, said)]
    told = [tile(data, item, below, kind="mm-hit" if item in hits else "") for item, below in zip(items, said)]
    seen = [tile(data, int(item), str(data.items["category"].iat[item])) for item in bought[:history]]
    more = f", the first {history} shown" if len(bought) > history else ""
    left = _group(f"Bought by user {data.users['id'].iat[user]} ({len(bought)}{more})", "", seen)
    right = _group("Recommended, best first", "", told)
    return Html(f'<div class="mm-side"><div>{left}</div><div>{right}</div></div>')


def _known(data: Dataset, items: Sequence[int]) -> list[int]:
    found = [int(item) for item in array(items).reshape(-1)]
    bad = [item for item in found if not 0 <= item < data.n_items]
    if bad:
        raise InputError(f"There is no item {bad[0]}: {data.name} has items 0 to {data.n_items - 1}.")
    return found


def _group(head: str, text: str, tiles: Iterable[str], empty: str = "none") -> str:
    """Tiles under a heading and a remark."""
    heading, shown = f'<div class="mm-head">{escape(head)}</div>' if head else "", "".join(tiles)
    return heading + note(text) + (f'<div class="mm-grid">{shown}</div>' if shown or not empty else note(empty))
