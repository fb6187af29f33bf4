"""An audit as a page: the passport, what was found with pictures, what to do, and what is clean."""

from collections.abc import Mapping
from typing import Any

from ..audit import Audit
from ..audit.report import MEANING
from ..core.dataset import Dataset
from .pictures import thumbnail
from .theme import NOTHING_FETCHED, css, filled

# a word and a shape beside each colour; the colours differ in lightness, and are Okabe and Ito's hues
MARKS = {"leak": "✖", "warning": "▲", "note": "●", "clean": "✔"}
VERDICT = {
    "leak": "Results made with what was audited here are void until the leaks are gone.",
    "warning": "Usable with care: read the warnings before the results.",
    "note": "No leak and no warning was found.",
    "clean": "Nothing was found.",
}
EDGE = 60  # pixels of a thumbnail


def audit_html(audit: Audit, data: Dataset | None = None, embed: bool = True) -> str:
    """The audit as one section of a page that needs nothing else: no script, no file, no request.

    Findings come worst first, each with a severity in words, shape and colour, its count, what to do, and examples.

    Args:
        data: the dataset that was audited, for the examples' pictures; without it there are none.
        embed: put the pictures into the text, as data URIs of 1 to 2 kB each.
    """
    shown = {item for one in audit.findings for example in one.examples for item in example.items[:2]}
    known = enumerate(data.items["id"].astype(str)) if data is not None and embed else ()
    images = {item: thumbnail(data, place, pixels=EDGE) for place, item in known if item in shown and data is not None}
    told = dict(passport=_passport(audit.passport), verdict=VERDICT[audit.worst], marks=MARKS, meaning=MEANING)
    return css("audit.css") + filled("audit.html.j2", audit=audit, images=images, **told)


def audit_page(audit: Audit, data: Dataset | None = None) -> str:
    """``audit_html`` as a whole page, to be written to an ``.html`` file."""
    section, name = audit_html(audit, data), audit.dataset
    return filled("audit_page.html.j2", name=name, section=section, css=css("page.css"), policy=NOTHING_FETCHED)


def _passport(passport: Mapping[str, Any]) -> dict[str, Any]:
    seed = passport.get("seed")
    facts = {"protocol": passport.get("protocol", ""), "seed": "none: nothing was drawn" if seed is None else seed}
    facts |= {f"{part} interactions": count for part, count in passport.get("counts", {}).items()}
    facts |= {f"{name} unseen in train": count for name, count in passport.get("unseen", {}).items()}
    return facts | {f"hash of {part}": value for part, value in passport.get("hashes", {}).items()}
