"""An audit as a page: the passport, what was found with pictures, what to do, and what is clean."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ..audit import Audit, Example, Finding
from ..audit.report import MEANING, SEVERITIES
from ..core.dataset import Dataset
from .pictures import thumbnail
from .theme import css, shorten

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
    places = _places(audit, data) if data is not None and embed else {}
    found = "".join(_finding(one, data, places) for one in audit.findings)
    parts = [
        f'<section class="mm-audit" id="audit"><h2>Audit of {escape(audit.dataset)}</h2>',
        _verdict(audit),
        f'<div class="mm-cols"><div><h3>Passport of the split</h3>{_table(_passport(audit.passport))}</div>',
        f"<div><h3>What the data can show</h3>{_table(audit.facts)}</div></div>",
        f"<h3>What was found</h3>{_legend(audit)}{found}" if found else "",
        _list("Checked and clean", (f"{MARKS['clean']} {escape(name)}" for name in audit.clean)),
        _list("Not checked", (f"○ {escape(name)}: {_small(why)}" for name, why in audit.not_made.items())),
        _list("Said when the data was read", (f"· {escape(note)}" for note in audit.notes)),
        "</section>",
    ]
    return css("audit.css") + "".join(parts)


def audit_page(audit: Audit, data: Dataset | None = None) -> str:
    """``audit_html`` as a whole page, to be written to an ``.html`` file."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of {escape(audit.dataset)}</title>{css('page.css')}</head>"
        f"<body><main>{audit_html(audit, data)}</main></body></html>\n"
    )


def _verdict(audit: Audit) -> str:
    worst = audit.worst
    return (
        f'<div class="mm-verdict mm-v-{worst}">{_tag(worst)}<span><b>{VERDICT[worst]}</b> '
        f"{escape(audit.summary())}.</span></div>"
    )


def _legend(audit: Audit) -> str:
    used = [severity for severity in SEVERITIES if any(one.severity == severity for one in audit.findings)]
    lines = "".join(f"<li>{_tag(one)} {_small(MEANING[one])}</li>" for one in used)
    return f'<ul class="mm-legend">{lines}</ul>'


def _finding(one: Finding, data: Dataset | None, places: Mapping[str, int]) -> str:
    cases = "".join(_case(example, data, places) for example in one.examples)
    return (
        f'<div class="mm-finding"><div>{_tag(one.severity)}<div class="mm-count">{one.count:,}</div></div><div>'
        f'<div class="mm-kind">{escape(one.kind[:1].upper() + one.kind[1:])}</div><div>{escape(one.what)}</div>'
        f'<div class="mm-todo"><b>What to do:</b> {escape(one.remedy)}</div>'
        + (f'<div class="mm-cases">{cases}</div>' if cases else "")
        + "</div></div>"
    )


def _case(example: Example, data: Dataset | None, places: Mapping[str, int]) -> str:
    images = "".join(
        f'<img src="{thumbnail(data, places[item], pixels=EDGE)}" alt="picture of item {escape(item)}">'
        for item in example.items[:2]
        if data is not None and item in places
    )
    ids = [
        f"{kind} {', '.join(names[:3])}" for kind, names in (("user", example.users), ("item", example.items)) if names
    ]
    said = f"{escape('; '.join(ids))}<br>{escape(shorten(example.text, 80))}" if ids else escape(example.text)
    return f'<div class="mm-case">{images}<div>{said}</div></div>'


def _passport(passport: Mapping[str, Any]) -> dict[str, Any]:
    seed = passport.get("seed")
    facts = {"protocol": passport.get("protocol", ""), "seed": "none: nothing was drawn" if seed is None else seed}
    facts |= {f"{part} interactions": count for part, count in passport.get("counts", {}).items()}
    facts |= {f"{name} unseen in train": count for name, count in passport.get("unseen", {}).items()}
    return facts | {f"hash of {part}": value for part, value in passport.get("hashes", {}).items()}


def _table(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(_show(value))}</td></tr>" for name, value in facts.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _show(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _list(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f'<h3>{title}</h3><ul class="mm-plain">{items}</ul>' if items else ""


def _tag(severity: str) -> str:
    return f'<span class="mm-tag mm-{severity}">{MARKS[severity]} {severity.upper()}</span>'


def _small(text: str) -> str:
    return f'<span class="mm-small">{escape(text)}</span>'


def _places(audit: Audit, data: Dataset) -> dict[str, int]:
    """Original id -> item number, of the items that examples name."""
    named = {item for one in audit.findings for example in one.examples for item in example.items}
    return {item: place for place, item in enumerate(data.items["id"].astype(str)) if item in named}
