"""Public catalogues: their names, where their files lie, what their publishers ask for, and how they are brought."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.errors import InputError, closest
from ...core.files import read_json, write_json
from .archives import unpack
from .download import Remote, alone, download
from .web import Patience

MANIFEST = "manifest.json"


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


def fetch(name: str, folder: str | Path | None = None, *, patience: Patience = Patience()) -> Path:  # noqa: B008
    """Download a public catalogue and return the folder that its reader reads.

    What is there is not downloaded again; what was begun is continued. ``manifest.json`` in the folder says of each
    file its address, size, SHA-256, ETag and date. Where the publisher states a checksum it is checked. Where none is
    stated, the SHA-256 of the first complete download is what later downloads into this folder must have.

    Args:
        name: see ``PUBLIC``.
        folder: where to; default: ``place(name)``, or its parent for an archive.

    Raises:
        InputError: for an unknown name, and as ``download`` and ``unpack`` say.
    """
    public, home = named(name), _home(name, folder)
    about = {"name": public.name, "about": public.about, "licence": public.licence, "citation": public.citation}
    with alone(home / "fetch"):
        known = _manifest(home)
        for remote in public.files:
            if not _kept(home, remote, known):
                known[remote.file] = _brought(home, remote, known, patience)
                entries = [known[file] for file in sorted(known)]
                write_json(home / MANIFEST, {**about, "form": public.form, "files": entries})
        for remote in public.files:
            target = home / Path(remote.file).stem
            if remote.file.endswith(".zip") and not target.is_dir():
                unpack(home / remote.file, target)
    return place(name, folder)


def place(name: str, folder: str | Path | None = None) -> Path:
    """The folder that the reader of a public catalogue reads, whether or not it is there.

    Without ``folder`` it lies under the folder named by the environment variable ``MMLIB_DATA``, else under the
    user's data folder of this system.
    """
    home = _home(name, folder)
    archives = [remote.file for remote in named(name).files if remote.file.endswith(".zip")]
    return home / Path(archives[0]).stem if archives else home


def is_there(name: str, folder: str | Path | None = None) -> bool:
    """Whether all files of a public catalogue were fetched and lie in place, with the sizes that they had."""
    home = _home(name, folder)
    known = _manifest(home)
    return all(_kept(home, remote, known) for remote in named(name).files) and place(name, folder).is_dir()


def _home(name: str, folder: str | Path | None) -> Path:
    """Where the files as downloaded lie."""
    named(name)
    if folder is not None:
        return Path(folder).expanduser()
    if given := os.environ.get("MMLIB_DATA"):
        return Path(given).expanduser() / name
    try:
        from platformdirs import user_data_path
    except ImportError:
        raise InputError(
            "Name a folder, or set the environment variable MMLIB_DATA; the usual place is known to the package "
            "platformdirs, which comes with: pip install 'mmlib[fetch]'."
        ) from None
    return user_data_path("mmlib", appauthor=False) / name


def _manifest(home: Path) -> dict[str, dict[str, Any]]:
    """What is known of each file of the folder, by file name."""
    if not (home / MANIFEST).exists():
        return {}
    try:
        entries = {entry["file"]: dict(entry) for entry in read_json(home / MANIFEST)["files"]}
        if all(isinstance(entry["size"], int) and isinstance(entry["sha256"], str) for entry in entries.values()):
            return entries
    except (KeyError, TypeError):
        pass
    raise InputError(f"{home / MANIFEST} is not a manifest of downloads. Move it away, or name another folder.")


def _kept(home: Path, remote: Remote, known: dict[str, dict[str, Any]]) -> bool:
    file, entry = home / remote.file, known.get(remote.file)
    if entry is None or not file.is_file():
        return False
    if file.stat().st_size != entry["size"]:
        raise InputError(
            f"{file} has {file.stat().st_size:,} bytes, but had {entry['size']:,} when it was fetched. Delete it and "
            "fetch it again."
        )
    return True


def _brought(home: Path, remote: Remote, known: dict[str, dict[str, Any]], patience: Patience) -> dict[str, Any]:
    before = known.get(remote.file, {}).get("sha256")
    expected: dict[str, Any] = {"size": remote.size, "sha256": remote.sha256 or before, "md5": remote.md5}
    try:
        return asdict(download(remote.url, home / remote.file, **expected, patience=patience))
    except InputError as error:
        if before and "its sha256 is" in str(error):
            raise InputError(
                f"{error} The checksum is that of an earlier download into this folder; to accept the new file, delete "
                f"{home / MANIFEST}."
            ) from None
        raise
