"""Pages are text (percent-format ``.py``); the ``.ipynb`` beside each is made from it and holds no outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import read_text, whole
from .paths import page_names

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def pair(folder: str | Path, *, check: bool = False, force: bool = False) -> list[str]:
    """Make each page's ``.ipynb`` from its ``.py`` and return the names of those that changed.

    Args:
        check: only return the names; write nothing.
        force: replace also a notebook that was run or edited in JupyterLab after its ``.py`` was.

    Raises:
        InputError: when a notebook holds newer edits, which would be lost.
    """
    folder = Path(folder)
    made = {name: notebook_text(folder / f"{name}.py") for name in page_names(folder)}
    changed = [name for name, text in made.items() if _text(folder / f"{name}.ipynb") != text]
    if check:
        return changed
    for name in changed if not force else []:
        _refuse_newer(folder / f"{name}.ipynb", made[name])
    for name in changed:
        with whole(folder / f"{name}.ipynb") as partial:
            partial.write_text(made[name], encoding="utf-8")
    return changed


def take_back(folder: str | Path, pages: Sequence[str] | None = None) -> list[str]:
    """Make each ``.py`` from its ``.ipynb``, for pages edited in JupyterLab; return the names of those that changed.

    The outputs stay out; run ``pair`` afterwards to take them out of the notebooks too.
    """
    import jupytext

    folder, changed = Path(folder), []
    for name in pages or page_names(folder):
        path = folder / f"{name}.ipynb"
        if not path.exists():
            continue
        notebook = _notebook(path)
        _tidy(notebook, name)
        keep = {"notebook_metadata_filter": "kernelspec,-all", "cell_metadata_filter": "tags,-all"}
        notebook.metadata["jupytext"] = keep
        text = _without_settings(jupytext.writes(notebook, fmt="py:percent"))
        if text != _text(path.with_suffix(".py")):
            changed.append(name)
            with whole(path.with_suffix(".py")) as partial:
                partial.write_text(text, encoding="utf-8")
    return changed


def notebook_text(page: str | Path) -> str:
    """The notebook that a ``.py`` page makes: no outputs, tags the only cell metadata, cell ids by position."""
    import jupytext
    import nbformat

    page = Path(page)
    notebook = jupytext.reads(read_text(page), fmt="py:percent")
    _tidy(notebook, page.stem)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def stale(folder: Path, pages: Sequence[str]) -> None:
    """Refuse pages whose notebook is missing or is not what its ``.py``, changed later, would make.

    Raises:
        InputError: naming the pages and the remedy.
    """
    bad = []
    for name in pages:
        text, notebook = folder / f"{name}.py", folder / f"{name}.ipynb"
        newer = notebook.exists() and text.stat().st_mtime > notebook.stat().st_mtime
        if not notebook.exists() or (newer and notebook_text(text) != _text(notebook)):
            bad.append(name)
    if bad:
        raise InputError(f"The notebook of {', '.join(bad)} is not made from its .py as it is now: run `mmlib pair`.")


def _tidy(notebook: Any, name: str) -> None:
    notebook.metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"{name}-{place:02d}"[-64:]
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}


def _without_settings(text: str) -> str:
    """The percent text with the six-line kernel header alone."""
    header = "".join(f"#     {name}: {value}\n" for name, value in KERNEL.items())
    body = text.split("# ---\n", 2)[-1]
    return f"# ---\n# jupyter:\n#   kernelspec:\n{header}# ---\n{body}"


def _refuse_newer(path: Path, made: str) -> None:
    import nbformat

    text = path.with_suffix(".py")
    if not path.exists() or path.stat().st_mtime <= text.stat().st_mtime:
        return
    now, new = _notebook(path), nbformat.reads(made, as_version=4)
    if [cell.source for cell in now.cells] != [cell.source for cell in new.cells]:
        raise InputError(
            f"{path} was edited after {text.name}, and its edits would be lost. Take them over with "
            "`mmlib pair --back`, or drop them with `mmlib pair --force`."
        )


def _text(path: Path) -> str | None:
    return read_text(path) if path.exists() else None


def _notebook(path: Path) -> Any:
    """Read a notebook.

    Raises:
        InputError: when it is none.
    """
    import nbformat

    text = read_text(path)
    try:
        return nbformat.reads(text, as_version=4)
    except (nbformat.ValidationError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"{path} is no notebook: {error}. Drop it with `mmlib pair --force`.") from None
