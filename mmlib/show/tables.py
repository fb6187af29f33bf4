"""Tables and sentences as HTML: one way to write a table, and what is said in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

import pandas as pd

from ..core.features import Features
from ..evaluation.intervals import in_words
from ..evaluation.protocols import Protocol
from .theme import css, shorten


@dataclass(frozen=True)
class Html:
    """A piece of HTML that notebooks and reports show as it is."""

    text: str

    def _repr_html_(self) -> str:
        return css("items.css") + self.text

    def __repr__(self) -> str:
        """Its words alone: logs show this, and images written out as letters would drown them."""
        words = " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())
        return shorten(words, 200) or "Html"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], below: str = "", kind: str = "mm-scores") -> Html:
    """A table of HTML cells under a head of text, above a remark. An empty row ends a block, with a line under it."""
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" if line else "</tbody><tbody>" for line in lines)
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    return Html(f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{note(below)}')


def note(text: str) -> str:
    """A remark, in smaller print; nothing for no text."""
    return f'<div class="mm-note">{escape(text)}</div>' if text else ""


def interval(row: Mapping[Any, Any] | None, digits: int = 4, *, bold: bool = False) -> str:
    """A cell with the ``mean`` of a row and, smaller, its interval; bold is the mean alone."""
    if row is None:
        return "–"
    mean, bracket, ends = in_words(row["mean"], row["low"], row["high"], row["users"], digits).partition(" [")
    return (f"<b>{mean}</b>" if bold else mean) + (f" <small>[{ends}</small>" if bracket else "")


def listing(table: pd.DataFrame, below: str = "") -> Html:
    """A table of words and counts, every cell in full, its index left out."""
    rows = ([escape(str(one)) for one in row] for row in table.to_numpy())
    return html_table(list(map(str, table)), rows, below, "mm-scores mm-words")


def listed(sentences: Iterable[str], otherwise: str = "") -> Html:
    """Sentences of HTML as a list; ``otherwise`` where there are none."""
    items = "".join(f"<li>{one}</li>" for one in sentences)
    return Html(f"<ul>{items}</ul>" if items else f"<p>{otherwise}</p>")


def facts(named: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A table with a column per name and a row per fact; numbers rounded to four digits."""

    def plain(value: Any) -> Any:
        return float(f"{value:.4g}") if isinstance(value, float) else value

    rows = list(dict.fromkeys(fact for found in named.values() for fact in found))
    columns = {name: [plain(found.get(fact, "")) for fact in rows] for name, found in named.items()}
    return pd.DataFrame(columns, index=rows, dtype=object).fillna("")  # whole numbers stay whole


def encoder(features: Features) -> Html:
    """What made the vectors: the encoder, its revision, licence, widths, limits and preprocessing, and remarks."""
    about = features.about
    widths = ", ".join(f"{row['modality']} {row['width']}" for row in features.summary())
    facts = {
        "encoder": about.get("encoder", ""),
        "weights": about.get("origin", ""),
        "revision": about.get("revision") or "not known",
        "licence": about.get("licence") or "not stated",
        "widths": widths,
        "tokens of one window": about.get("context") or "",
        "images": ", ".join(f"{name} {value}" for name, value in about.get("preprocessing", {}).items()),
        "a user's reviews": {"mean": "averaged", "each": "one by one"}.get(about.get("reviews", ""), ""),
        "image and text": features.space,
        "note": " ".join(about.get("remarks", [])),
    }
    return listing(pd.DataFrame([pair for pair in facts.items() if pair[1]], columns=["what", "value"]))


def space(features: Features) -> Html:
    """Whether image and text vectors can be compared, in a sentence."""
    return Html(f"<p>{escape(features.space)}</p>")


def problems(features: Features, *, most: int = 12) -> Html:
    """How many items have no vector of a modality, and the files that could not be read, with the reason."""
    found = pd.DataFrame(features.about.get("problems", []))
    gaps = [f"{int((~here).sum())} of {len(here)} items have no {name}" for name, here in features.present.items()]
    said = f"<p>{escape('; '.join(gaps))}; {len(found)} files could not be read.</p>"
    more = f"... and {len(found) - most} more." if len(found) > most else ""
    return Html(said + (listing(found.head(most).fillna(""), more).text if len(found) else ""))


def purity_answer(purity: pd.DataFrame) -> Html:
    """What ``evaluation.probes.neighbour_purity`` found, in a sentence per modality."""
    return listed(
        (
            f"<b>{escape(row['modality'])}</b>: an item's neighbours are of its category in "
            f"{row['same category']:.0%} of cases, {row['same category'] / row['chance']:.1f} times chance."
            for row in purity.to_dict("records")
        ),
        "The catalogue names no categories to judge by.",
    )


def overlap_answer(overlap: pd.DataFrame, graph: str = "purchases") -> Html:
    """What ``evaluation.probes.graph_overlap`` found about ``graph``, in a sentence per other graph."""
    return listed(
        f"<b>{escape(row['found in'])}</b> connects {row['share']:.0%} of the pairs that {escape(graph)} connect, "
        f"{row['times chance']:.1f} times chance."
        for row in overlap[overlap["edges of"] == graph].to_dict("records")
    )


def protocol(one: Protocol, **facts: Any) -> Html:
    """A protocol's words, an aspect a row, after any facts that are given."""
    words = {name: str(value) for name, value in facts.items()} | one.words()
    return listing(pd.DataFrame([pair for pair in words.items() if pair[1]], columns=["aspect", "what"]))


def published_table(rows: pd.DataFrame, protocols: Mapping[str, Protocol], *, digits: int = 4) -> Html:
    """Measured and published figures, a block a protocol, each block under its protocol's words.

    Args:
        rows: from ``published.beside``.
        protocols: tag -> ``Protocol``, those of the measured rows too.
    """
    blocks = []
    for tag in dict.fromkeys(map(str, rows["protocol"])):
        part = rows[rows["protocol"] == tag]
        shown = part[["source", "method", "variant", "value", "protocol"]].rename(columns={"source": "from"})
        words = protocols[tag].words() if tag in protocols else {}
        said = "; ".join(f"{name}: {text.rstrip('.')}" for name, text in words.items() if text and name != "source")
        where = f" on {part['dataset'].iloc[0]}" if part["dataset"].iloc[0] else ""
        said = f"Protocol {tag}{where}. {said}." if said else ""
        blocks.append(listing(shown.assign(value=[f"{value:.{digits}f}" for value in part["value"]]), said).text)
    mixed = "<p><b>Different protocols: the blocks cannot be ranked against each other.</b></p>"
    return Html((mixed if len(blocks) > 1 else "") + "".join(blocks))
