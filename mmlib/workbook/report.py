"""HTML pages of runs and sweeps, made from what lies in their folders."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.errors import InputError
from ..core.files import read_json, read_text, shaped

if TYPE_CHECKING:
    from ..evaluation import Comparisons

MOST = 60  # comparisons in one picture
SHOWN = ("recall@20", "ndcg@20")
_PARTS = ("/low", "/high", "/users")


def write_run_report(folder: Path, done: Mapping[str, Any]) -> Path:
    """Write ``report.html`` of a run from its executed pages.

    Args:
        folder: the run's folder.
        done: what ``metrics.json`` holds.
    """
    from ..show.html import write_report

    about = read_json(folder / "params.json", id=str)
    shaped(done, folder / "metrics.json", pages=dict)
    shaped(done["metrics"], folder / "metrics.json", **dict.fromkeys(done["metrics"], dict))
    pages = [folder / "pages" / f"{page}.ipynb" for page in done["pages"]]
    summary = _about(about, done) + _scores(done["metrics"]) + _numbers(done["metrics"]) + _machine(folder)
    after = read_text(folder / "audit.html") if (folder / "audit.html").exists() else ""
    title = about.get("about") or about["id"]
    return write_report(pages, folder / "report.html", title=title, summary_html=summary, audit_html=after)


def write_sweep_index(
    folder: Path,
    about: str,
    rows: pd.DataFrame,
    compared: "Comparisons | None" = None,
    tried: str = "",
) -> Path:
    """Write ``index.html`` of a sweep.

    Args:
        rows: as in ``runs.parquet``.
        compared: from ``sweep_results.sweep_comparison``, drawn and listed above the runs.
        tried: from what the runs' options were chosen, see ``tried_table``.
    """
    from ..evaluation.intervals import ENOUGH, too_few
    from ..show.comparisons import compared_table, comparison
    from ..show.html import write_index

    metrics = [str(name) for name in rows if "/" in str(name) and rows[name].dtype.kind in "if"]
    shown = [name for name in metrics if name.endswith(SHOWN)] or [n for n in metrics if not n.endswith(_PARTS)][:8]
    rest = rows.drop(columns=[name for name in rows if "/" in str(name) and name not in shown] + ["folder"])
    reports = [
        str(Path(path) / "report.html") if state == "done" else ""
        for path, state in rows[["folder", "status"]].to_numpy()
    ]
    above = (f"<p>{escape(about)}</p>" if about else "") + ("" if compared is None else compared_table(compared).text)
    for name in (name for name in shown if f"{name}/users" in rows):
        few = [f"{users:g}" if users < ENOUGH else "" for users in rows[f"{name}/users"]]
        rest[name] = [too_few(int(users)) if users else value for value, users in zip(rest[name], few)]
    short = {path: path.partition("/")[2].replace("/", " ") for path in shown}  # without the page's name, where
    others = {str(name) for name in rest if name not in shown}  # that leaves them different
    if len({*short.values()} | others) < len(short) + len(others):
        short = {path: path.replace("/", " ") for path in shown}
    table = rest.rename(columns=short).assign(report=reports, error=rows["error"].str.partition("\n")[0])
    names = list(short.values())
    drawn = [] if compared is None or len(compared) > MOST else [comparison(compared)]
    return write_index(
        table, folder / "index.html", title=folder.name, comparisons_html=above + tried, figures=drawn, metrics=names
    )


def tried_table(tried: Sequence[Mapping[str, Any]], metric: str, source: str, remarks: Sequence[str] = ()) -> str:
    """What options were chosen from, as an HTML table that opens on a click; bold: chosen.

    Args:
        tried: as in ``selection.chosen``.
        metric: what chose.
        source: the id of the sweep on the validation part, whose index is linked.
        remarks: what to say of the choice.
    """
    rows = []
    for row in tried:
        cell = "<b>{}</b>" if row["chosen"] else "{}"
        words = {name: f"{value:.4f}" if name == metric else str(value) for name, value in row.items()}
        rows.append({name: cell.format(escape(text)) for name, text in words.items() if name != "chosen"})
    said = f"<p>The best may lie beyond: {escape('; '.join(remarks))}.</p>" if remarks else ""
    table = pd.DataFrame(rows).rename(columns={metric: f"{metric}, validation"})
    return (
        f"<details><summary>Options were chosen on the validation part, by the mean {escape(metric)} of "
        f"{sum(row['runs'] for row in tried)} runs</summary>{table.to_html(index=False, escape=False, border=0)}"
        f'<p><a href="../{escape(source)}/index.html">{escape(source)}</a></p></details>{said}'
    )


def flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What pages recorded, by paths such as ``04_recommend/all/recall@20``, a mean's interval at ``.../low`` and so on.

    A page's only ranking stands without its label: "lightgcn from random" differs from run to run, and without it
    runs share their columns.
    """
    found: dict[str, Any] = {}
    for page, recorded in metrics.items():
        labels = list(_rankings(recorded))
        lone = labels[0] if len(labels) == 1 else None
        own = {name: value for name, value in recorded.items() if name != lone}
        found |= _leaves(own | (recorded[lone] if lone is not None else {}), f"{page}/")
    return found


def _leaves(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if _is_mean(value):
            found[f"{prefix}{name}"] = value["mean"]
            found |= {f"{prefix}{name}/{part}": value[part] for part in ("low", "high", "users")}
        elif isinstance(value, Mapping):
            found |= _leaves(value, f"{prefix}{name}/")
        elif not isinstance(value, list):
            found[f"{prefix}{name}"] = value
    return found


def _about(about: Mapping[str, Any], done: Mapping[str, Any]) -> str:
    """Which run it is, which pages are left out and why, and what the others have to say of the run."""
    source = f"<p>Made by <code>mmlib run {escape(about['file'])}</code></p>" if about.get("file") else ""
    said = [*done.get("left_out", {}).values()]
    said += [f"{page}: {note}" for page, found in done["metrics"].items() for note in found.get("notes", ())]
    notes = "".join(f"<p class='facts'>{escape(text)}</p>" for text in said)
    return f"<p>Run <code>{escape(about['id'])}</code></p>{source}{notes}"


def _scores(metrics: Mapping[str, Any]) -> str:
    """What is compared by default, of every ranking; a ranking's other slices are on its page."""
    from ..evaluation.intervals import in_words

    rows = []
    for page, found in metrics.items():
        for label, slices in _rankings(found).items():
            for part in [part for part in slices if part in ("all", "few purchases")] or list(slices):
                means = slices[part]
                names = [name for name in SHOWN if name in means] or list(means)[:4]
                row = {"page": page, "ranking": label, "items": part}
                for name, one in ((name, means[name]) for name in names):
                    ends = (one["low"] or 0.0, one["high"] or 0.0)
                    row[name] = "" if one["mean"] is None else in_words(one["mean"], *ends, one["users"])
                rows.append(row | {"users": f"{means[names[0]]['users']:,}"})
    return pd.DataFrame(rows).fillna("").to_html(index=False, border=0) if rows else ""


def _rankings(found: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a page's records that are Scores: label -> slice -> metric -> mean and interval."""
    return {
        label: slices
        for label, slices in found.items()
        if isinstance(slices, Mapping)
        and slices
        and all(isinstance(part, Mapping) and part and all(map(_is_mean, part.values())) for part in slices.values())
    }


def _is_mean(one: Any) -> bool:
    return isinstance(one, Mapping) and {"mean", "low", "high", "users"} <= set(one)


def _numbers(metrics: Mapping[str, Any]) -> str:
    rows = [
        (page, name, f"{value:.4g}" if isinstance(value, float) else str(value))
        for page, found in metrics.items()
        for name, value in found.items()
        if isinstance(value, str | int | float)
    ]
    return pd.DataFrame(rows, columns=["page", "found", "value"]).to_html(index=False, border=0) if rows else ""


def _machine(folder: Path) -> str:
    try:
        env = read_json(folder / "env.json")
    except InputError:
        return ""
    commit = f", commit {env['commit'][:10]}{' with changes' if env['changed'] else ''}" if env.get("commit") else ""
    on = f"{env['gpu'] or 'CPU'}, {env['threads']} threads, {env['platform']}"
    return f"<p class='facts'>{escape(on + commit)}; all versions are in env.json.</p>"
