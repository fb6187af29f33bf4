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
from .declaration import as_text, check
from .parameters import STUDY, SWEEP, in_cell, known_parameters, of_page
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
        models: folders where a recommender of somebody's own may lie.
    """

    name: str
    about: str
    file: Path | None
    pages: tuple[str, ...]
    given: dict[str, Any]
    parameters: dict[str, Any]
    notebooks: Path
    outputs: Path
    models: tuple[Path, ...] = ()

    @property
    def id(self) -> str:
        """The name and a short hash of the parameters, the threads, the pages and the ``contents``."""
        return (
            f"{self.name}-{digest(self.parameters | {'threads': self.threads} | self.contents, list(self.pages))[:8]}"
        )

    @cached_property
    def contents(self) -> dict[str, str]:
        """Hashes of what the parameters only name, as it was when this was planned.

        ``dataset``: what the catalogue holds, whatever its name; ``encoder``: files of one's own that it names;
        ``model``: the file of somebody's own recommender;
        ``sweep``: what the finished sweep found. What the parameters say in full, as they do of the generated shop, is
        left out.
        """
        found = {}
        if "dataset" in self.parameters:
            from .read import data_key

            found["dataset"] = data_key(self.parameters)
        if ":" in (name := str(self.parameters.get("recommender", ""))):
            from .named_models import model_class

            found["model"] = digest(Path(inspect.getfile(model_class(name, self.models))))
        if "encoder" in self.parameters:
            from ..core.encoder_names import named_content

            found["encoder"] = named_content(self.parameters["encoder"])
        if folder := self.parameters.get(SWEEP):
            found["sweep"] = places.sweep_key(folder)
        return {what: key for what, key in found.items() if key}

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
        return {name: value for name, value in self.given.items() if name in own or of_page(name, page)}

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
        elsewhere = [str(one) for one in self.models if not self.file or one != self.file.resolve().parent]
        words = [f"MMLIB_MODELS={os.pathsep.join(elsewhere)}"] if "model" in self.contents and elsewhere else []
        words += ["mmlib", "run", *([str(self.file)] if self.file else [])]
        for name, value in self.given.items():
            if name not in base or base[name] != value:
                words += ["-p", name, as_text(value)]
        return shlex.join([*words, "--pages", *self.pages])


def plan(
    params: Path | str | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    pages: Sequence[str | int] | None = None,
    outputs: Path | None = None,
    notebooks: Path | None = None,
    models: Sequence[Path] = (),
) -> Plan:
    """Read and check all of it.

    Args:
        params: a YAML file, or its content; the keys ``pages`` and ``about`` are no parameters.
        overrides: parameters that replace the file's.
        pages: names or numbers (``"04"``) of the pages; else those of the file, else all, but for pages that read a
            finished sweep where no ``sweep`` is given.
        outputs, notebooks: folders, where not the usual ones.
        models: folders where a recommender of somebody's own may lie, beside the parameter file's.

    Raises:
        InputError: for a missing file, unknown names, wrong types, values out of range or that do not go together, and
            unknown pages.
    """
    file = None if isinstance(params, Mapping) else Path(params)
    content = dict(params) if isinstance(params, Mapping) else read_yaml(params)
    folder = notebooks or places.notebooks()
    known = known_parameters(folder)
    about, wanted = content.pop("about", ""), content.pop("pages", None)
    beside = tuple(dict.fromkeys(one.resolve() for one in (*([file.parent] if file else []), *models)))
    try:
        if not isinstance(about, str):
            raise InputError("about: must be text; begin it with a letter or put it in quotes.")
        values = check(content, known) | check(overrides or {}, known)
        names = _pages(pages if pages is not None else wanted, places.page_names(folder))
        if pages is None and wanted is None and not values.get(SWEEP):
            names = tuple(name for name in names if SWEEP not in known_parameters(folder, [name]))
        used, given = completed(folder, names, values, beside)
    except InputError as error:
        raise (InputError(f"{file}: {error}") if file else error) from None
    where = (outputs or places.outputs()).resolve()
    return Plan(file.stem if file else "run", about, file, names, given, used, folder.resolve(), where, beside)


def completed(
    folder: Path, pages: Sequence[str], values: Mapping[str, Any], models: Sequence[Path] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All parameters of these pages, those that are not among ``values`` by default; and those that differ from it.

    Raises:
        InputError: as ``check_together``.
    """
    read = known_parameters(folder, pages)
    read |= {name: STUDY[name] for name in values if any(of_page(name, page) for page in pages)}
    used = {name: values.get(name, one.default) for name, one in read.items()}
    check_together(used, models)
    return used, {name: value for name, value in used.items() if value != read[name].default}


def _pages(wanted: Any, known: list[str]) -> tuple[str, ...]:
    """The names of pages that are named in full or by number."""
    if wanted is None:
        return tuple(known)
    if not isinstance(wanted, list | tuple) or not wanted:
        raise InputError(f"pages must be a list such as [{known[0]}], not {wanted!r}.")
    full = {name.split("_")[0]: name for name in reversed(known)} | {name: name for name in known}
    names = [f"{one:02d}" if type(one) is int else str(one) for one in wanted]
    for name in names:
        if name not in full:
            raise InputError(f'There is no page "{name}".{closest(name, known)} There are {", ".join(known)}.')
    return tuple(dict.fromkeys(full[name] for name in names))


def check_together(values: Mapping[str, Any], models: Sequence[Path] = ()) -> None:
    """Refuse values that fit one by one but cannot be, alone or together.

    Args:
        values: of one run; what its pages do not read is not there, and not checked.
        models: folders where a recommender of somebody's own may lie.

    Raises:
        InputError: for an unknown split, step of cleaning or knock-out, and for options that the recommender, its
            start, the encoder or MMCPR cannot take.
    """
    if "dataset" in values:
        from .. import splits
        from ..catalogues import clean
        from ..core.encoder_names import SMALL, check_named

        splits.check(values["split"])
        for step in values["clean"]:
            clean.parse(step)
        check_named(values["encoder"])
        if values["encoder"] in SMALL and values["encoder_epochs"] < 1:
            small = values["encoder"]
            raise InputError(f'encoder = "{small}" starts from random weights: give encoder_epochs of at least 1.')
    if "modalities" in values:
        asked, aligned = values["modalities"], values.get("start") != "mmcpr without cima" and values["cima_weight"] > 0
        if set(asked) - set("RTVG") or len(set(asked)) < len(asked):
            raise InputError(f"modalities = {asked!r}: give a subset of the letters R, T, V, G, each once.")
        if aligned and not {"T", "V"} <= set(asked):
            raise InputError(
                f"modalities = {asked!r}: aligning text and image needs both T and V; or give cima_weight 0."
            )
    if "knock_out" in values:
        from ..evaluation import knock_out

        knock_out.parse(values["knock_out"], values["knock_out_at"])
    if "recommender" in values:
        from .named_models import check_options, model_class, takes_start

        name, start = values["recommender"], values.get("start", "auto")
        model_class(name, models)
        if start not in ("auto", "random") and not takes_start(name):
            raise InputError(f'{name} does not learn from vectors that it could start from; set start = "random".')
        try:
            check_options(name, values["model_options"], kinds=True)
        except InputError as error:
            raise InputError(f"model_options: {error}") from None
