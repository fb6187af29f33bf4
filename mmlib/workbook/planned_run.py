"""What is to be run, checked in full before anything starts."""

import inspect
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.errors import InputError, closest
from ..core.files import digest
from . import paths as places
from .combinations import check_together
from .declaration import as_text, check
from .parameters import PAGES, STUDY, SWEEP, in_cell, known_parameters
from .yaml_file import read_yaml


@dataclass(frozen=True)
class Plan:
    """One run: pages, in order, with parameters.

    Args:
        name: the parameter file's, or ``"run"``.
        about: what the parameter file says of itself.
        file: the parameter file, if any.
        pages: names of the pages.
        given: the parameters that differ from the pages' defaults.
        parameters: all parameters of these pages, defaults included.
        notebooks, outputs: where the pages are and where results go.
    """

    name: str
    about: str
    file: Path | None
    pages: tuple[str, ...]
    given: dict[str, Any]
    parameters: dict[str, Any]
    notebooks: Path
    outputs: Path

    @property
    def id(self) -> str:
        """The name and a short hash of the parameters, the threads, the pages and, whatever its name, the data."""
        decides = self.parameters | {"threads": self.threads} | ({"dataset": self.data} if self.data else {})
        decides |= {"model": self.model} if self.model else {}
        return f"{self.name}-{digest(decides, list(self.pages))[:8]}"

    @cached_property
    def data(self) -> str:
        """What the catalogue held when this was planned: a hash of its content; empty where the parameters say all."""
        from .read import data_key

        return data_key(self.parameters) if "dataset" in self.parameters else ""

    @cached_property
    def model(self) -> str:
        """A hash of the file of somebody's own recommender when this was planned; empty for those of mmlib."""
        if ":" not in (name := str(self.parameters.get("recommender", ""))):
            return ""
        from .named_models import model_class

        return digest(Path(inspect.getfile(model_class(name))))

    @property
    def threads(self) -> int:
        """Threads that the pages compute with: the parameter, or as many as this process may use."""
        usable = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return int(self.parameters.get("threads") or (usable if usable.isdecimal() and int(usable) else cores))

    @property
    def folder(self) -> Path:
        return self.outputs / "runs" / self.id

    def page_values(self, page: str) -> dict[str, Any]:
        """The given parameters that this page reads; a page of somebody's own may read all of the study's."""
        own = in_cell(self.notebooks / f"{page}.py")
        return {
            name: value
            for name, value in self.given.items()
            if name in own or (name in STUDY and (page not in PAGES or page in STUDY[name].pages))
        }

    def check_defaults(self) -> None:
        """Refuse to run what the pages no longer mean: what is not given has to be what it was when this was planned.

        Raises:
            InputError: when a page's default was edited since.
        """
        for name, one in known_parameters(self.notebooks, self.pages).items():
            if name not in self.given and (planned := self.parameters.get(name, one.default)) != one.default:
                raise InputError(
                    f"{name} was {planned!r} by default when this was planned, and is {one.default!r} now: the pages "
                    "were edited. Start the same command again."
                )

    def command(self, base: Mapping[str, Any]) -> str:
        """The command line that makes this run, given what the file itself holds."""
        words = ["mmlib", "run", *([str(self.file)] if self.file else [])]
        for name, value in self.given.items():
            if name not in base or base[name] != value:
                words += ["-p", name, as_text(value)]
        return shlex.join([*words, "--pages", *self.pages])


def plan(
    params: Path | str | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    pages: Sequence[str] | None = None,
    outputs: Path | None = None,
    notebooks: Path | None = None,
) -> Plan:
    """Read and check all of it.

    Args:
        params: a YAML file, or its content; the keys ``pages`` and ``about`` are no parameters.
        overrides: parameters that replace the file's.
        pages: names or numbers (``"04"``) of the pages; else those of the file, else all, but for pages that read a
            finished sweep where no ``sweep`` is given.
        outputs, notebooks: folders, where not the usual ones.

    Raises:
        InputError: for a missing file, unknown names, wrong types, values out of range or that do not go together, and
            unknown pages.
    """
    file = None if isinstance(params, Mapping) else Path(params)
    content = dict(params) if isinstance(params, Mapping) else read_yaml(params)
    folder = notebooks or places.notebooks()
    known = known_parameters(folder)
    about, wanted = content.pop("about", ""), content.pop("pages", None)
    try:
        if not isinstance(about, str):
            raise InputError("about: must be text; begin it with a letter or put it in quotes.")
        values = check(content, known) | check(overrides or {}, known)
        names = _pages(pages if pages is not None else wanted, places.page_names(folder))
        if pages is None and wanted is None and not values.get(SWEEP):
            names = tuple(name for name in names if SWEEP not in known_parameters(folder, [name]))
        read = known_parameters(folder, names)
        if set(names) - set(PAGES):
            read |= {name: known[name] for name in values if name in STUDY}
        used = {name: values.get(name, one.default) for name, one in read.items()}
        check_together(used, file.resolve().parent if file else None)
    except InputError as error:
        raise (InputError(f"{file}: {error}") if file else error) from None
    given = {name: value for name, value in used.items() if value != read[name].default}
    where = (outputs or places.outputs()).resolve()
    return Plan(file.stem if file else "run", about, file, names, given, used, folder.resolve(), where)


def _pages(wanted: Any, known: list[str]) -> tuple[str, ...]:
    if wanted is None:
        return tuple(known)
    if not isinstance(wanted, list | tuple) or not wanted:
        raise InputError(f"pages must be a list such as [{known[0]}], not {wanted!r}.")
    return tuple(dict.fromkeys(_page(f"{one:02d}" if type(one) is int else str(one), known) for one in wanted))


def _page(wanted: str, known: list[str]) -> str:
    found = [name for name in known if wanted in (name, name.split("_")[0])]
    if not found:
        raise InputError(f'There is no page "{wanted}".{closest(wanted, known)} There are {", ".join(known)}.')
    return found[0]
