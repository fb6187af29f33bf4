"""One executed notebook as a piece of HTML: what a report is put together from."""

import ast
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go
import plotly.io as pio
from bs4 import BeautifulSoup, Tag
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from ..core.errors import InputError
from .theme import PAGES

_PLOTLY, _WIDGET = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
_KINDS = ["text/html", "text/markdown", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "text/plain"]
_FETCHED = ("src", "srcset", "poster", "background", "xlink:href")  # attributes that name what is loaded
_CONFIG = Config(
    {
        "NbConvertBase": {"display_data_priority": _KINDS},
        "CoalesceStreamsPreprocessor": {"enabled": True},
        "TagRemovePreprocessor": {
            "enabled": True,
            "remove_cell_tags": ["remove_cell", "remove-cell", "parameters", "injected-parameters"],
            "remove_input_tags": ["remove_input", "remove-input", "hide-input"],
        },
    }
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a page, as Python text."""

    name: str
    value: str
    default: str
    help: str = ""

    @property
    def changed(self) -> bool:
        return self.value != self.default


@dataclass(frozen=True)
class Section:
    """A page's HTML, its headings (text, anchor), its figures (element id -> plotly JSON) and its facts."""

    slug: str
    title: str
    parts: list[tuple[str, str]]
    html: str
    figures: dict[str, Any]
    parameters: list[Parameter]
    start: datetime | None
    seconds: float
    css: str


def section(path: Path, slug: str, *, show_code: bool = True) -> Section:
    """Render an executed notebook.

    Args:
        slug: prefix of all anchors and element ids, so that several pages fit in one document.

    Raises:
        InputError: when the file is missing or not a notebook.
    """
    try:
        book = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise InputError(f"There is no notebook {path}.") from None
    except Exception as error:  # nbformat has several types for damaged files
        raise InputError(f"{path} is not a notebook: {error}. Run the page again.") from None
    parameters, figures = _parameters(book), _take_figures(book, slug)
    heads: list[tuple[int, str, str]] = []
    exporter = HTMLExporter(config=_CONFIG, template_name="notebook", extra_template_basedirs=[str(PAGES)])
    exporter.register_filter("markdown2html", partial(_markdown, slug, heads, str(path.parent)))
    body, _ = exporter.from_notebook_node(book, {"show_code": show_code})
    parts = [(text, anchor) for level, text, anchor in heads if level == 2]
    css = str(HtmlFormatter(style="friendly").get_style_defs("div.highlight"))
    about = book.metadata.get("papermill", {})
    start = datetime.fromisoformat(about["start_time"]) if about.get("start_time") else None
    seconds = float(about.get("duration") or 0)
    title = heads[0][1] if heads else path.stem
    return Section(slug, title, parts, _offline(body), figures, parameters, start, seconds, css)


def _markdown(slug: str, heads: list[tuple[int, str, str]], folder: str, source: str, attachments: Any = None) -> str:
    """A filter of nbconvert's: headings one level down, which are put into ``heads``, and formulas as MathML."""
    renderer = _Renderer(
        escape=False, attachments=attachments, embed_images=True, path=folder, exclude_anchor_links=True
    )
    renderer.slug, renderer.heads = slug, heads
    return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    slug: str
    heads: list[tuple[int, str, str]]

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        plain = BeautifulSoup(text, "html.parser").get_text()
        anchor = f"{self.slug}-{len(self.heads)}-" + re.sub(r"\W+", "-", plain.lower()).strip("-")
        self.heads.append((level, plain, anchor))
        level = min(6, level + 1)
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def block_math(self, body: str) -> str:
        return formula(body, display="block")

    def inline_math(self, body: str) -> str:
        return formula(body)

    def latex_environment(self, name: str, body: str) -> str:
        return formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", display="block")

    def image(self, text: str, url: str, title: str | None = None) -> str:
        html = super().image(text, url, title)
        if 'src="data:' in html:
            return html
        return f'<a href="{escape(url)}">{text or escape(url)}</a>'  # what cannot be embedded is not fetched


def formula(tex: str, *, display: str = "inline") -> str:
    """TeX to MathML; what the converter does not know stays readable as TeX."""
    try:
        soup = BeautifulSoup(convert(tex.strip(), display=display), "html.parser")
    except Exception:  # the converter has no common error type
        return f"<code>{escape(tex)}</code>"
    for tag in soup.find_all(["msub", "msubsup"]):  # limits stand under a sum, not beside it
        first = tag.find(True, recursive=False)
        if first and first.get_text() in ("∑", "∏", "⋃", "⋂"):
            tag.name = "munder" if tag.name == "msub" else "munderover"
    return str(soup)


def _take_figures(book: Any, slug: str) -> dict[str, Any]:
    """Replace plotly outputs by places to draw in, drop widgets; return element id -> {data, layout}."""
    figures: dict[str, Any] = {}
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        known = [set(out.get("data", {})) for out in cell.outputs]
        cell.outputs = [
            out for out, has in zip(cell.outputs, known) if has & {_PLOTLY, "text/html"} or _WIDGET not in has
        ]
        for out in cell.outputs:
            if _PLOTLY in out.get("data", {}):
                name = f"{slug}-figure-{len(figures) + 1}"
                figure = pio.from_json(json.dumps(out["data"][_PLOTLY]), skip_invalid=True)
                html, figures[name] = drawn(figure, name)
                out["data"] = nbformat.from_dict({"text/html": html})
    return figures


def drawn(figure: go.Figure, name: str) -> tuple[str, dict[str, Any]]:
    """The element ``name`` that a page draws ``figure`` into, and what it draws: {data, layout}.

    The caption moves from the figure to text under it, where it wraps with the page.
    """
    figure = go.Figure(figure)
    meta = dict(figure.layout.meta or {})
    text, added = meta.pop("caption", ""), meta.pop("caption_height", 0)
    height = (figure.layout.height or 450) - added
    if text:
        figure.layout.annotations = [note for note in figure.layout.annotations if note.name != "caption"]
        for change in (step.args[1] for slider in figure.layout.sliders for step in slider.steps if len(step.args) > 1):
            notes = change.get("annotations", [])
            change["annotations"] = [note for note in notes if note.get("name") != "caption"]
        figure.update_layout(margin_b=(figure.layout.margin.b or added) - added, meta=meta or None)
    figure.update_layout(height=height, width=None)  # as wide as the page
    kind = "plot panels" if "xaxis2" in figure.layout else "plot"
    below = f"<figcaption>{escape(text)}</figcaption>" if text else ""
    place = f'<div id="{name}" class="plotly-graph-div" style="height:{height:.0f}px"></div>'
    content = json.loads(figure.to_json())
    return f'<figure class="{kind}">{place}{below}</figure>', {key: content[key] for key in ("data", "layout")}


def _offline(body: str) -> str:
    """Take out of outputs whatever a browser would fetch or run; links that a reader may follow stay."""
    soup = BeautifulSoup(body, "html.parser")
    for tag in soup.find_all(["script", "link", "iframe", "object", "embed", "base", "meta"]):
        tag.decompose()
    for tag in soup.find_all(True):
        for name, given in list(tag.attrs.items()):
            value = " ".join(given) if isinstance(given, list) else str(given)
            fetched = name in _FETCHED or (name == "href" and tag.name not in ("a", "area"))
            if name.startswith("on") or (fetched and not value.startswith(("data:", "#"))):
                del tag[name]
            elif name == "style":
                tag["style"] = _still(value)
        if tag.name == "style" and tag.string:
            tag.string = _still(tag.string)
    for table in soup.select("table.dataframe"):
        _align(table)
    return str(soup)


def _still(css: str) -> str:
    """A style that fetches nothing."""
    css = re.sub(r"@import[^;]*;?", "", css)
    return re.sub(r"url\(\s*['\"]?(?!['\"]?\s*(?:data:|#))[^)]*\)", "none", css)


def _align(table: Tag) -> None:
    """Mark the columns of a pandas table that hold words; the others hold numbers, which stand on the right."""
    rows = [row.find_all(["th", "td"]) for row in table.find_all("tr")]
    for column in zip(*rows) if len({len(row) for row in rows}) == 1 else ():
        cells = [cell.get_text(strip=True) for cell in column if cell.name == "td"]
        if any(cell and not re.match(r"[-+\u2212.\d]|NaN|inf", cell) for cell in cells):
            for cell in column:
                cell["class"] = "words"


def _parameters(book: Any) -> list[Parameter]:
    """What the cell of parameters declares and what the run gave, each once."""
    cells = {tag: cell.source for cell in book.cells for tag in cell.metadata.get("tags", ())}
    declared, given = (_assignments(cells.get(tag, "")) for tag in ("parameters", "injected-parameters"))
    known = {name: Parameter(name, value, value, help) for name, (value, help) in declared.items()}
    for name, (value, _) in given.items():
        known[name] = replace(known.get(name, Parameter(name, value, "not set")), value=value)
    return list(known.values())


def _assignments(source: str) -> dict[str, tuple[str, str]]:
    """name -> value and trailing comment of the assignments in ``source``, as text; none where it is no Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return {}
    found, lines = {}, [line.encode() for line in source.split("\n")]
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            after = lines[(node.end_lineno or 1) - 1][node.end_col_offset :].decode()
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = (ast.unparse(node.value), after.lstrip("# "))
    return found
