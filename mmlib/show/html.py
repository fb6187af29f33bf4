"""Executed notebooks as one HTML page that needs nothing but itself, and the index page of a sweep."""

import base64
import hashlib
import json
import math
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import plotly.graph_objects as go

from ..core.errors import InputError
from ..core.files import whole
from .notebook import Parameter, Section, drawn, section
from .theme import CONFIG, NOTHING_FETCHED, filled, plotly_script, text_of

_LIBRARIES = ("mmlib", "torch", "torch-geometric", "numpy", "pandas", "plotly")
_KNOWN = ("run", "status", "error", "report", "seconds")


def write_report(
    pages: Sequence[Path],
    out: str | Path,
    *,
    title: str,
    summary_html: str = "",
    audit_html: str = "",
    show_code: bool = True,
) -> Path:
    """Combine executed notebooks into one self-contained HTML page.

    Figures stay live, plotly.js is in the page once, formulas become MathML, code is folded away, and the cells
    with parameters become one table. The page's content policy forbids every request, and every script but
    its own.

    Args:
        pages: executed ``.ipynb`` files, in reading order.
        out: the ``.html`` file; written whole or not at all.
        summary_html: trusted HTML to show before the first page.
        audit_html: trusted HTML of the data's audit, a page of its own after the others; see ``audit.audit_html``.
        show_code: keep the code, folded; ``False`` leaves it out.

    Raises:
        InputError: when there is no page, or one is missing or not a notebook.
    """
    if not pages:
        raise InputError("There is no page to report on: give at least one executed notebook.")
    sections = [section(Path(page), f"page-{k}", show_code=show_code) for k, page in enumerate(pages, 1)]
    figures = {name: figure for one in sections for name, figure in one.figures.items()}
    return _write(
        out,
        "report.html.j2",
        ["page.js"],
        figures,
        title=title,
        css=text_of("page.css") + sections[0].css,
        pages=sections,
        parameters=_merged(sections),
        facts=_facts(sections),
        summary=summary_html,
        audit=audit_html,
        show_code=show_code,
    )


def write_index(
    rows: pd.DataFrame,
    out: str | Path,
    *,
    title: str,
    comparisons_html: str = "",
    figures: Sequence[go.Figure] = (),
    metrics: Sequence[str] | None = None,
) -> Path:
    """Write the page of a sweep: a table of its runs, to be sorted by a click, with links to their reports.

    Args:
        rows: one row a run. Columns with a fixed meaning, all but ``run`` optional: ``run`` (name), ``status``
            (``"done"``, ``"failed"``, ...), ``error`` (its last line is shown), ``report`` (path of the report,
            absolute or relative to the folder of ``out``), ``seconds``. The others are parameters and metrics.
            Parameters that are the same in all runs are named above the table.
        out: the ``.html`` file, written whole or not at all; links are relative to its folder.
        comparisons_html: trusted HTML to show before the table; scripts in it do not run.
        figures: figures to show before the table, such as ``comparison``; they bring plotly.js (4.9 MB) along.
        metrics: the metric columns; default: those whose name is no Python name, such as ``"recall@20"``.

    Raises:
        InputError: when there is no run or no column ``run``.
    """
    rows = pd.DataFrame(rows)
    if rows.empty or "run" not in rows:
        raise InputError("The index needs at least one run, and a column 'run' with the runs' names.")
    varying, numbers, same = _columns(rows, metrics)
    others = [*varying, *numbers, *(["seconds"] if "seconds" in rows else [])]
    rows = rows.assign(status=rows["status"].astype(str) if "status" in rows else "done")
    folder = Path(out).resolve().parent
    places = {f"figure-{k}": drawn(figure, f"figure-{k}") for k, figure in enumerate(figures, 1)}
    return _write(
        out,
        "index.html.j2",
        ["sort.js", *(["page.js"] if places else [])],
        {name: content for name, (_, content) in places.items()},
        title=title,
        css=text_of("page.css"),
        columns=[(name, name in numbers or name == "seconds") for name in ("run", "status", *others)],
        rows=[_row(row, others, folder) for row in rows.to_dict("records")],
        same=same,
        counts=[f"{count} {name}" for name, count in rows["status"].value_counts().items()],
        comparisons=comparisons_html + "".join(html for html, _ in places.values()),
    )


def _columns(rows: pd.DataFrame, metrics: Sequence[str] | None) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Parameters that vary, metrics, and (name, value) of the parameters that are the same in all runs."""
    others = [str(name) for name in rows if name not in _KNOWN]
    numbers = [name for name in others if (name in metrics if metrics is not None else not name.isidentifier())]
    parameters = [name for name in others if name not in numbers]
    varying = [name for name in parameters if len(rows) == 1 or rows[name].map(_plain).nunique() > 1]
    return varying, numbers, [(name, _plain(rows[name].iat[0])) for name in parameters if name not in varying]


def _row(row: dict[Any, Any], others: Sequence[str], folder: Path) -> dict[str, Any]:
    """What the template shows of a run: name, link to its report, status and why, and its ``others`` columns."""
    report, lines = row.get("report"), _plain(row.get("error")).strip().splitlines()
    linked = isinstance(report, str | Path) and str(report)
    link = quote(os.path.relpath((folder / str(report)).resolve(), folder)) if linked else ""
    failed = row["status"] == "failed"
    shown = dict(run=row["run"], link=link, status=row["status"], why=lines[-1] if lines and failed else "")
    return shown | {"failed": failed, "cells": [_cell(name, row.get(name)) for name in others]}


def _cell(name: str, value: Any) -> tuple[str, float | None]:
    """A value as text, and the number that it is sorted by."""
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
        return _plain(value), None
    if name == "seconds":
        text = f"{value:,.0f}"
    elif isinstance(value, int) or (value.is_integer() and name.isidentifier()):
        text = str(int(value))
    else:
        text = f"{value:.4g}" if name.isidentifier() else f"{value:.4f}"
    return text, float(value)


def _plain(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def _merged(sections: Sequence[Section]) -> list[Parameter]:
    """The pages' parameters in order, each once; where pages were given different values, all are shown."""
    found: dict[str, Parameter] = {}
    for one in sections:
        for row in one.parameters:
            known = found.setdefault(row.name, row)
            if row.value not in known.value.split(" | "):
                found[row.name] = replace(known, value=f"{known.value} | {row.value}", help=known.help or row.help)
    return list(found.values())


def _facts(sections: Sequence[Section]) -> list[str]:
    starts = [one.start for one in sections if one.start]
    seconds = sum(one.seconds for one in sections)
    took = f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
    facts = [f"run on {min(starts):%d %B %Y, %H:%M}"] if starts else []
    facts += [f"took {took}"] if seconds else []
    return facts + ([f"{len(sections)} pages"] if len(sections) > 1 else [])


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return [*found, f"written {datetime.now():%Y-%m-%d %H:%M}"]


def _policy(scripts: Sequence[str]) -> str:
    """A content policy under which nothing is fetched and only ``scripts`` run (WebGL figures compile code)."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"{NOTHING_FETCHED}; script-src {allowed} 'unsafe-eval'"


def _write(out: str | Path, template: str, own: Sequence[str], figures: dict[str, Any], **values: Any) -> Path:
    """Fill a template: ``own`` scripts of ours, plotly.js if there are figures, and the policy that allows them."""
    config = json.dumps(CONFIG)
    scripts = [
        *([plotly_script()] if figures else []),
        *(text_of(name).replace('"{{ config }}"', config) for name in own),
    ]
    content = json.dumps(figures, separators=(",", ":")).replace("<", "\\u003c")  # cannot end its own element
    made = dict(policy=_policy(scripts), scripts=scripts, figures=content if figures else "", versions=_versions())
    page = filled(template, **made, **values)
    with whole(out) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return Path(out)
