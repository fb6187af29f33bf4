"""Public catalogues: what they are called here, where their files lie, and what their publishers ask for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import InputError, closest
from ...core.files import read_json
from .download import Remote


@dataclass(frozen=True)
class Public:
    """One public catalogue.

    Args:
        name: such as ``"amazon-2014/Baby"``.
        form: which reader reads it: ``"amazon"`` or ``"movielens"``.
        files: what is downloaded.
        about: one sentence.
        licence: what the publisher allows, in one sentence.
        citation: what the publisher asks to cite.
    """

    name: str
    form: str
    files: tuple[Remote, ...]
    about: str
    licence: str
    citation: str


def _all() -> Iterator[Public]:
    """The catalogues of ``public.json``: families, whose addresses differ in the catalogue's name alone."""
    for family in read_json(Path(__file__).with_name("public.json")):
        catalogues = family["catalogues"]
        for name in catalogues:
            known = dict(catalogues[name]) if isinstance(catalogues, dict) else {}
            about = family["about"].format(name.replace("_", " "), known.pop("holds", ""))
            urls = [url.format(name) for url in family["files"]]
            files = tuple(Remote(url, url.rsplit("/", 1)[1], **known) for url in urls)
            full = f"{family['family']}/{name}"
            yield Public(full, family["form"], files, about, family["licence"], family["citation"])


PUBLIC: dict[str, Public] = {public.name: public for public in _all()}


def named(name: str) -> Public:
    """The public catalogue of that name.

    Raises:
        InputError: naming the closest one and the families.
    """
    if name not in PUBLIC:
        families = sorted({known.split("/")[0] for known in PUBLIC})
        raise InputError(
            f"There is no public catalogue {name!r}.{closest(name, PUBLIC)} Names look like amazon-2014/Baby; the "
            f"families are {', '.join(families)}; `mmlib data fetch` lists them all."
        )
    return PUBLIC[name]
