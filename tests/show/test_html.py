import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from mmlib.core.errors import InputError
from mmlib.show import alignment, gallery, long_tail
from mmlib.show.html import write_index, write_report
from mmlib.show.theme import CONFIG

from .test_notebook import PARAMETERS, write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,3000",
    "--virtual-time-budget=8000",
    "--dump-dom",
]


def figure_output(figure):
    return new_output("display_data", data={"application/vnd.plotly.v1+json": json.loads(figure.to_json())})


@pytest.fixture(scope="module")
def pages(shop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    content, ids = np.random.default_rng(0).normal(size=(2, 8, 4))
    figures = [long_tail(shop), alignment(shop, content, ids)]
    shown = new_output("execute_result", data={"text/html": gallery(shop, range(8))._repr_html_()}, execution_count=1)
    for k in range(2):
        cells = [
            new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
            new_code_cell(f"lr = 0.00{k + 1}", metadata={"tags": ["injected-parameters"]}),
            new_markdown_cell(f"# Page {k}\n\n$x_{k}$ </script>\n\n## Part"),
            *[new_code_cell("draw()", outputs=[figure_output(one)]) for one in figures],
            new_code_cell("look()", outputs=[shown]),
        ]
        about = {"start_time": f"2026-01-02T03:0{k}:00", "duration": 60.0}
        write(folder / f"{k}.ipynb", *cells, papermill=about)
    return [folder / f"{k}.ipynb" for k in range(2)]


@pytest.fixture(scope="module")
def report(pages, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "deep" / "report.html"
    return write_report(pages, out, title="A <title>", summary_html="<p>In short.</p>")


def fetched(soup):
    """Everything that a browser would fetch for the page."""
    found = []
    for tag in soup.find_all(True):
        for name, value in tag.attrs.items():
            value = " ".join(value) if isinstance(value, list) else value
            if name in ("src", "srcset", "poster", "data", "action") or (name == "href" and tag.name != "a"):
                found.append(value)
            if name == "style":
                found += re.findall(r"url\(([^)]*)\)", value)
    for style in soup.find_all("style"):
        found += re.findall(r"url\(([^)]*)\)|(@import)", style.get_text())
    return [value for value in found if not str(value).strip("'\"").startswith(("data:", "#"))]


def test_report_holds_everything_and_fetches_nothing(report):
    text = report.read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    assert fetched(soup) == []
    policy = soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    ours = re.sub(r"(?s)<script>.*?</script>", "", text)  # without plotly.js, which names addresses it may link to
    assert not re.search(r"\bimport\s*\(|\bfetch\s*\(|XMLHttpRequest", ours)
    assert text.count("plotly.js v") == 1
    assert len(text) < 8e6
    assert len(soup.select(".plotly-graph-div")) == len(json.loads(soup.find(id="figures").string)) == 4


BUTTONS = {"Download plot", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"}


def test_no_control_or_address_of_a_report_leaves_the_machine(report):
    """Static: links, forms, and the one address that plotly.js would send a chart to."""
    text = report.read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    assert "cloud.plotly.com" not in text
    assert not soup.find_all(["form", "iframe", "object", "embed", "link", "base"])
    assert all(tag["href"].startswith("#") for tag in soup.find_all("a"))
    ours = soup.find_all("script")[-1].get_text()
    assert json.dumps(CONFIG) in ours
    assert (CONFIG["showSendToCloud"], CONFIG["plotlyServerURL"], CONFIG["displaylogo"]) == (False, "", False)


def test_figures_of_a_live_notebook_have_no_such_control_either(shop):
    figure = long_tail(shop)
    for name in ("plotly_mimetype", "jupyterlab", "vscode"):
        (shown,) = pio.renderers[name].to_mimebundle(figure.to_dict()).values()
        assert {**shown["config"], **CONFIG} == shown["config"]
    every = [pio.renderers[name] for name in pio.renderers if hasattr(pio.renderers[name], "config")]
    assert len(every) > 8
    assert all({**one.config, **CONFIG} == one.config for one in every)


def test_our_own_scripts_fetch_nothing():
    from mmlib.show.notebook import PAGES

    for path in PAGES.rglob("*"):
        if path.is_file():
            assert not re.search(r"https?:|\bfetch\(|XMLHttpRequest|\bimport\b", path.read_text(encoding="utf-8")), path


def test_report_reads_well(report):
    soup = BeautifulSoup(report.read_text(encoding="utf-8"), "html.parser")
    assert soup.title.string == "A <title>"
    assert [tag.get_text() for tag in soup.find_all("h1")] == ["A <title>"]
    assert soup.select_one("nav a")["href"] == "#page-1"
    for link in soup.select("nav a"):
        assert soup.find(id=link["href"][1:]), link
    rows = {tag.td.get_text(): tag.find_all("td")[1].get_text() for tag in soup.select("#parameters tr") if tag.td}
    assert rows["lr"].startswith("0.001 | 0.002")
    assert "default 0.001" in rows["lr"]
    assert "In short." in soup.select_one(".summary").get_text()
    assert "took 2.0 minutes" in soup.header.get_text()
    assert "Python 3" in soup.footer.get_text()
    assert all(not tag.has_attr("open") for tag in soup.select("details.code"))
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_titles_never_become_markup(report, shop):
    soup = BeautifulSoup(report.read_text(encoding="utf-8"), "html.parser")
    shown = [tag.get_text() for tag in soup.select(".mm-item b")]
    assert shop.items["title"][0] in shown
    assert len(soup.find_all("script")) == 3  # figures, plotly.js, ours


def test_report_without_figures_is_small_and_refusals_speak(tmp_path):
    page = write(tmp_path / "a.ipynb", new_markdown_cell("only words"))
    out = write_report([page], tmp_path / "a.html", title="words", show_code=False)
    assert out.stat().st_size < 30_000
    with pytest.raises(InputError, match="at least one"):
        write_report([], tmp_path / "b.html", title="none")
    with pytest.raises(InputError, match=r"no notebook .*c\.ipynb"):
        write_report([page, tmp_path / "c.ipynb"], tmp_path / "b.html", title="none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.ipynb"]


RUNS = pd.DataFrame(
    {
        "run": ["a<1>", "b", "c"],
        "status": ["done", "failed", "done"],
        "error": [None, "Traceback\n  File\nInputError: no <folder>", None],
        "report": ["../../runs/a b/report.html", None, float("nan")],
        "seconds": [12.3, 4.0, 5.0],
        "recommender": ["bpr", "lightgcn", "bpr"],
        "dataset": ["toy"] * 3,
        "seed": [0, 1, 2],
        "lr": [1e-3, 1e-3, 5e-4],
        "recall@20": [0.12345, float("nan"), 0.2],
    }
)


def test_index_shows_what_varies_and_what_failed(tmp_path):
    out = write_index(RUNS, tmp_path / "sweeps" / "x" / "index.html", title="Sweep", comparisons_html="<p>so</p>")
    soup = BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")
    heads = [tag.get_text() for tag in soup.select("table.runs th")]
    assert heads == ["run", "status", "recommender", "seed", "lr", "recall@20", "seconds"]
    assert "dataset = toy" in soup.header.get_text()
    assert "2 done" in soup.header.get_text()
    first, second, third = soup.select("table.runs tbody tr")
    assert first.a["href"] == "../../runs/a%20b/report.html"
    assert first.a.get_text() == "a<1>"
    assert (second.a, third.a) == (None, None)
    assert "failed" in second["class"]
    assert second.select_one(".why").get_text() == "InputError: no <folder>"
    assert [tag.get_text() for tag in first.find_all("td")][-2:] == ["0.1235", "12"]
    assert fetched(soup) == []


def test_index_takes_absolute_reports_and_refuses_nothing_to_show(tmp_path):
    rows = pd.DataFrame({"run": ["a"], "report": [tmp_path / "runs" / "a" / "report.html"], "depth": [3]})
    out = write_index(rows, tmp_path / "sweeps" / "index.html", title="One", metrics=["depth"])
    soup = BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")
    assert soup.select_one("table.runs a")["href"] == "../runs/a/report.html"
    with pytest.raises(InputError, match="at least one run"):
        write_index(pd.DataFrame(), tmp_path / "x.html", title="none")


def dump(path, tmp_path):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return BeautifulSoup(done.stdout, "html.parser")


def with_script(page, out, script):
    """A copy of the page with one script more and a mouse, allowed by its policy; requests stay forbidden."""
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
    text = text.replace('matchMedia("(hover: hover)").matches', "true")
    out.write_text(re.sub(r"script-src [^\"]*", "script-src 'unsafe-inline' 'unsafe-eval'", text, count=1), "utf-8")
    return out


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_chromium_draws_every_figure_and_shows_the_picture_under_the_pointer(report, tmp_path):
    pointer = """setTimeout(() => {
      const plot = document.querySelectorAll(".plotly-graph-div")[1];
      plot.scrollIntoView();
      const dot = plot.querySelectorAll(".scatterlayer .trace .points path")[0].getBoundingClientRect();
      const at = { clientX: dot.x + dot.width / 2, clientY: dot.y + dot.height / 2, bubbles: true };
      plot.querySelector(".nsewdrag").dispatchEvent(new MouseEvent("mousemove", at));
    }, 3000)"""
    moved = with_script(report, tmp_path / "moved.html", pointer)
    for path in (report, moved):
        soup = dump(path, tmp_path)
        plots = soup.select(".plotly-graph-div")
        assert len(plots) == 4
        assert all(plot.select(".main-svg") for plot in plots)
    assert {tag["data-title"] for plot in plots for tag in plot.select(".modebar-btn")} == BUTTONS
    assert not [tag for plot in plots for tag in plot.find_all("a") if tag.has_attr("href")]
    card = soup.find(id="card")
    assert card.img["src"].startswith("data:image/")
    assert card.b.get_text()
    assert not card.has_attr("hidden")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_chromium_draws_on_the_index_and_sorts(tmp_path):
    out = write_index(RUNS, tmp_path / "index.html", title="Sweep", figures=[go.Figure(go.Bar(y=[1, 2]))])
    press = "const head = document.querySelectorAll('table.runs th')[5]; head.click(); head.click();"
    with_script(out, out, press)
    soup = dump(out, tmp_path)
    assert soup.select(".plotly-graph-div .main-svg")
    assert [tag.td.get_text() for tag in soup.select("table.runs tbody tr")] == ["c", "a<1>", "b"]
