"""Small tables and sentences: what was found, said plainly."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ..core.dataset import Dataset
from ..core.features import Features
from ..kernels import neighbours as nearest
from .pictures import Html


def facts(named: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A table with a column per name and a row per fact; numbers rounded to four digits."""
    table = pd.DataFrame(
        {name: {fact: _plain(value) for fact, value in found.items()} for name, found in named.items()}
    )
    return table.astype(object).fillna("")


def problems(features: Features, *, most: int = 12) -> Html:
    """How many items have no vector of a modality, and the files that could not be read, with the reason."""
    found = list(features.about.get("problems", []))
    gaps = [f"{int((~here).sum())} of {len(here)} items have no {name}" for name, here in features.present.items()]
    said = f"<p>{escape('; '.join(gaps))}; {len(found)} files could not be read.</p>"
    if not found:
        return Html(said)
    columns = list(found[0])
    head = "".join(f"<th>{escape(str(name))}</th>" for name in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(one.get(name, '')))}</td>" for name in columns) + "</tr>"
        for one in found[:most]
    )
    more = f"<p>... and {len(found) - most} more.</p>" if len(found) > most else ""
    return Html(f"{said}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}")


def neighbour_purity(data: Dataset, features: Features, *, k: int = 10) -> pd.DataFrame:
    """How often an item's k nearest neighbours by each modality share its category, beside chance.

    Items without the modality or without a category are left out. Chance is the probability that a random other
    item of the same set has the same category.
    """
    category = data.items["category"].astype(str).to_numpy()
    rows = []
    for name, vectors in features.item.items():
        kept = features.present[name].numpy() & (category != "")
        kinds = category[kept]
        if len(kinds) < 2:
            continue
        index, _ = nearest.top_k(vectors[kept], min(k, len(kinds) - 1))  # [n, k]
        counts = pd.Series(kinds).value_counts().to_numpy()
        chance = float((counts * (counts - 1)).sum() / (len(kinds) * (len(kinds) - 1)))
        same = float((kinds[index.numpy()] == kinds[:, None]).mean())
        rows.append(
            {"modality": name, "items": len(kinds), "same category": round(same, 4), "chance": round(chance, 4)}
        )
    return pd.DataFrame(rows, columns=["modality", "items", "same category", "chance"])


def graph_overlap(graphs: Mapping[str, Any]) -> pd.DataFrame:
    """For each pair of graphs over the same rows: the share of the first one's edges that the second has too.

    Chance is the second graph's share of all possible edges.

    Args:
        graphs: name -> Graph [n, n].
    """
    keys = {name: np.unique((graph.row * graph.n_cols + graph.col).cpu().numpy()) for name, graph in graphs.items()}
    rows = []
    for a in graphs:
        for b in graphs:
            if a == b:
                continue
            share = np.isin(keys[a], keys[b], assume_unique=True).mean() if len(keys[a]) else float("nan")
            chance = len(keys[b]) / (graphs[b].n_rows * (graphs[b].n_cols - 1))
            lift = share / chance if chance else float("nan")
            row = {"edges of": a, "found in": b, "share": round(float(share), 4), "chance": round(chance, 4)}
            rows.append(row | {"times chance": round(float(lift), 1)})
    return pd.DataFrame(rows)


def purity_answer(purity: pd.DataFrame) -> Html:
    """What ``neighbour_purity`` found, in a sentence per modality."""
    rows = [
        f"<li><b>{escape(row['modality'])}</b>: an item's neighbours are of its category in "
        f"{row['same category']:.0%} of cases, {row['same category'] / row['chance']:.1f} times chance.</li>"
        for row in purity.to_dict("records")
    ]
    return Html(f"<ul>{''.join(rows)}</ul>" if rows else "<p>The catalogue names no categories to judge by.</p>")


def overlap_answer(overlap: pd.DataFrame, graph: str = "purchases") -> Html:
    """What ``graph_overlap`` found about ``graph``, in a sentence per other graph."""
    rows = [
        f"<li><b>{escape(row['found in'])}</b> connects {row['share']:.0%} of the pairs that {escape(graph)} connect, "
        f"{row['times chance']:.1f} times chance.</li>"
        for row in overlap[overlap["edges of"] == graph].to_dict("records")
    ]
    return Html(f"<ul>{''.join(rows)}</ul>")


def verdict(comparisons: Sequence[Any]) -> Html:
    """One sentence per comparison: which is better, by how much, and whether noise could do it."""
    return Html("<ul>" + "".join(f"<li>{_sentence(one)}</li>" for one in comparisons) + "</ul>")


def _sentence(one: Any) -> str:
    where = {"all": "for all items", "few purchases": "for items with few purchases"}.get(one.slice, one.slice)
    numbers = (
        f"{escape(one.a)} has {escape(one.metric)} {one.mean_a:.4f}, {escape(one.b)} {one.mean_b:.4f} "
        f"(difference {one.difference:+.4f}, 95 % interval {one.low:+.4f} to {one.high:+.4f}, p = {one.p:.2g}; "
        f"{one.users:,} users, {one.seeds} seed{'s' if one.seeds > 1 else ''})"
    )
    if one.low > 0 or one.high < 0:
        better = one.a if one.difference > 0 else one.b
        return f"<b>{where}, {escape(better)} is better</b>: {numbers}."
    return f"<b>{where}, no difference that noise could not make</b>: {numbers}."


def _plain(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
