"""Published figures as tables, each under the words of its protocol."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from .pictures import Html


def protocol(one: Any, **facts: Any) -> Html:
    """A protocol's words, an aspect a row, after any facts that are given.

    Args:
        one: ``evaluation.protocols.Protocol``.
    """
    words = {name: str(value) for name, value in facts.items()} | one.words()
    return html_table(["aspect", "what"], [[escape(name), escape(text)] for name, text in words.items() if text])


def listing(table: pd.DataFrame, note: str = "") -> Html:
    """A table of words and counts, every cell in full, its index left out."""
    rows = [[escape(str(value)) for value in row] for row in table.itertuples(index=False)]
    return html_table(list(map(str, table)), rows, note)


def published_table(rows: pd.DataFrame, protocols: Mapping[str, Any], *, digits: int = 4) -> Html:
    """Measured and published figures, a block a protocol, each block under its protocol's words.

    Args:
        rows: from ``published.beside``.
        protocols: tag -> ``Protocol``, those of the measured rows too.
    """
    blocks = []
    for tag in dict.fromkeys(map(str, rows["protocol"])):
        part = rows[rows["protocol"] == tag]
        cells = part[["source", "method", "variant", "value", "protocol"]].assign(
            value=[f"{value:.{digits}f}" for value in part["value"]]
        )
        body = [[escape(str(one)) for one in row] for row in cells.itertuples(index=False)]
        words = protocols[tag].words() if tag in protocols else {}
        said = "; ".join(
            f"{name}: {escape(text.rstrip('.'))}" for name, text in words.items() if text and name != "source"
        )
        where = f" on {escape(str(part['dataset'].iloc[0]))}" if part["dataset"].iloc[0] else ""
        note = f"<b>Protocol {escape(tag)}{where}</b>. {said}." if said else ""
        blocks.append(
            html_table(["from", "method", "variant", "value", "protocol"], body).text
            + f'<div class="mm-note">{note}</div>'
        )
    mixed = rows["protocol"].nunique() > 1
    warning = "<p><b>Different protocols: the blocks cannot be ranked against each other.</b></p>" if mixed else ""
    return Html(warning + "".join(blocks))


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Html:
    """Cells are HTML; the note stands below."""
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    below = f'<div class="mm-note">{escape(note)}</div>' if note else ""
    return Html(f'<table class="mm-scores"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{below}')
