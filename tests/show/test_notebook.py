import json

import nbformat
import pandas as pd
import plotly.graph_objects as go
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mmlib.core.errors import InputError
from mmlib.show import caption
from mmlib.show.explore import values
from mmlib.show.notebook import drawn, formula, section
from mmlib.show.theme import style

PARAMETERS = """dataset: str = "toy"   # "toy", or a folder
lr: float = 0.001      # learning rate
k: list = [10, 20]
"""


def display(**data):
    return new_output("display_data", data={kind.replace("_", "/", 1): value for kind, value in data.items()})


def write(path, *cells, **metadata):
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    return path


def render(tmp_path, *cells, show_code=True, **metadata):
    found = section(write(tmp_path / "page.ipynb", *cells, **metadata), "p1", show_code=show_code)
    return found, BeautifulSoup(found.html, "html.parser")


def test_plotly_outputs_become_places_and_json(tmp_path):
    figure = caption(style(go.Figure(go.Scatter(y=[1, 2]))), "what <you> see")
    outputs = [
        new_output(
            "display_data",
            data={"application/vnd.plotly.v1+json": json.loads(figure.to_json()), "text/html": "<b>twice</b>"},
        )
    ]
    found, soup = render(tmp_path, new_code_cell("figure", outputs=outputs), new_code_cell("figure", outputs=outputs))
    assert list(found.figures) == ["p1-figure-1", "p1-figure-2"]
    assert [tag["id"] for tag in soup.select(".plotly-graph-div")] == list(found.figures)
    assert soup.figcaption.get_text() == "what <you> see"
    assert "twice" not in found.html


def test_a_drawn_caption_gives_its_space_back():
    plain, told = style(go.Figure()), caption(style(go.Figure()), "words " * 60)
    layout = drawn(told, "a")[1]["layout"]
    assert layout["height"] == plain.layout.height
    assert layout["margin"]["b"] == plain.layout.margin.b
    assert not layout.get("annotations")
    assert told.layout.annotations, "the given figure was changed"


def test_a_caption_does_not_come_back_with_the_slider():
    stages = {k: caption(style(go.Figure()).add_annotation(text=f"at {k}"), "words") for k in (1, 2)}
    layout = drawn(values(stages), "a")[1]["layout"]
    notes = [[note["text"] for note in step["args"][1]["annotations"]] for step in layout["sliders"][0]["steps"]]
    assert notes == [["at 1"], ["at 2"]]


def test_widgets_are_dropped_and_streams_joined(tmp_path):
    widget = new_output(
        "display_data",
        data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "VBox(children=())"},
    )
    lines = [new_output("stream", name="stdout", text=f"epoch {k}\n") for k in range(3)]
    found, soup = render(tmp_path, new_code_cell("fit", outputs=[widget, *lines]))
    assert "VBox" not in found.html
    assert [tag.get_text() for tag in soup.select("pre.log")] == ["epoch 0\nepoch 1\nepoch 2\n"]


def test_headings_move_down_one_level_and_make_the_contents(tmp_path):
    found, soup = render(tmp_path, new_markdown_cell("# Does *it* help?\n\n## Numbers\n\n## Numbers"))
    assert found.title == "Does it help?"
    assert [name for name, _ in found.parts] == ["Numbers", "Numbers"]
    assert soup.find("h1") is None
    anchors = [tag["id"] for tag in soup.find_all(["h2", "h3"])]
    assert len(set(anchors)) == 3
    assert [anchor for _, anchor in found.parts] == anchors[1:]


def test_formulas_become_mathml():
    assert "<munder>" in formula(r"\sum_{i \in I} x_i", display="block")
    assert "<msub>" in formula("x_i")
    assert formula(r"\left(") == r"<code>\left(</code>"


def test_formulas_in_markdown_leave_no_dollars(tmp_path):
    text = "Cost $5 < x$ and\n\n$$\\lambda \\mathcal{L}_{a}$$\n\n\\begin{align}a &= b\\end{align}"
    _, soup = render(tmp_path, new_markdown_cell(text))
    assert len(soup.find_all("math")) == 3
    assert "$" not in soup.get_text()


def test_code_is_folded_or_left_out_and_tags_are_honoured(tmp_path):
    cells = [
        new_code_cell("shown = 1"),
        new_code_cell("hidden = 2", metadata={"tags": ["remove_input"]}, outputs=[display(text_html="<p>kept</p>")]),
        new_code_cell("gone = 3", metadata={"tags": ["remove_cell"]}, outputs=[display(text_html="<p>gone</p>")]),
    ]
    _, soup = render(tmp_path, *cells)
    assert [tag.pre.get_text().strip() for tag in soup.select("details.code")] == ["shown = 1"]
    assert "kept" in soup.get_text()
    assert "gone" not in soup.get_text()
    assert not render(tmp_path, *cells, show_code=False)[1].select("details")


def test_parameters_are_read_as_text_and_changes_are_known(tmp_path):
    cells = [
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell("# Parameters\nlr = 1e-3\nk = [5]\nextra = 'x'", metadata={"tags": ["injected-parameters"]}),
    ]
    found, soup = render(tmp_path, *cells, papermill={"start_time": "2026-01-02T03:04:05", "duration": 7.5})
    rows = [(one.name, one.value, one.default, one.help, one.changed) for one in found.parameters]
    assert rows == [
        ("dataset", "'toy'", "'toy'", '"toy", or a folder', False),
        ("lr", "0.001", "0.001", "learning rate", False),
        ("k", "[5]", "[10, 20]", "", True),
        ("extra", "'x'", "not set", "", True),
    ]
    assert soup.get_text().strip() == ""
    assert (found.start.year, found.seconds) == (2026, 7.5)


def test_outputs_cannot_fetch_or_run_anything(tmp_path):
    html = """<script src="https://cdn.example/x.js"></script><script>alert(1)</script>
    <link rel="stylesheet" href="https://cdn.example/x.css"><iframe src="//x.example"></iframe>
    <img src="https://x.example/a.png" onerror="alert(1)"><img src="data:image/png;base64,AA==">
    <style>@import url(https://x.example/a.css); p{background:url('https://x.example/b.png')}</style>
    <p style="background:url(//x.example/c.png)">text</p><a href="https://x.example">a link</a>
    <svg><image href="https://x.example/d.png"/><use href="#here"/></svg>"""
    markdown = new_markdown_cell("![a picture](https://x.example/e.png)")
    _, soup = render(tmp_path, new_code_cell("x", outputs=[display(text_html=html)]), markdown)
    assert soup.find(["script", "link", "iframe"]) is None
    assert [tag.get("src") for tag in soup.find_all("img")] == [None, "data:image/png;base64,AA=="]
    assert not [tag for tag in soup.find_all(True) if any(name.startswith("on") for name in tag.attrs)]
    links = [tag["href"] for tag in soup.find_all("a")]
    assert links == ["https://x.example", "https://x.example/e.png"]
    for tag in soup.find_all("a"):
        tag.decompose()
    assert "x.example" not in str(soup)
    assert soup.find("use")["href"] == "#here"


def test_words_in_tables_stand_left_and_messages_are_folded(tmp_path):
    html = pd.DataFrame({"name": ["a", "b"], "value": [-1.5, float("nan")]}).to_html()
    outputs = [new_output("stream", name="stderr", text="FutureWarning"), display(text_html=html)]
    _, soup = render(tmp_path, new_code_cell("x", outputs=outputs))
    assert [tag.get_text() for tag in soup.select(".words")] == ["name", "a", "b"]
    assert [tag.get_text() for tag in soup.select("details pre.log")] == ["FutureWarning"]


def test_pictures_beside_the_notebook_are_embedded(tmp_path, shop):
    (tmp_path / "dot.png").write_bytes((shop.images / "0.png").read_bytes())
    _, soup = render(tmp_path, new_markdown_cell("![dot](dot.png)"))
    assert soup.img["src"].startswith("data:image/png;base64,")


def test_errors_are_shown_without_colour_codes(tmp_path):
    error = new_output("error", ename="InputError", evalue="no", traceback=["\x1b[0;31mInputError\x1b[0m: <no> folder"])
    _, soup = render(tmp_path, new_code_cell("x", outputs=[error]))
    assert soup.select_one("pre.error").get_text() == "InputError: <no> folder"


def test_what_is_not_a_notebook_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no notebook"):
        section(tmp_path / "none.ipynb", "a")
    (tmp_path / "bad.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not a notebook"):
        section(tmp_path / "bad.ipynb", "a")
