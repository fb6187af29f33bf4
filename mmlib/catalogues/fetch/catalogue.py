"""Public catalogues brought to this machine, with a manifest of what came from where."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...core.errors import InputError, one_of
from ...core.files import read_json, write_json
from .archives import unpack
from .download import Remote, alone, download
from .public import named
from .web import Patience

MANIFEST = "manifest.json"


def fetch(
    name: str,
    folder: str | Path | None = None,
    *,
    files: Sequence[str] | None = None,
    patience: Patience = Patience(),  # noqa: B008
) -> Path:
    """Download a public catalogue and return the folder that its reader reads.

    What is there is not downloaded again; what was begun is continued. ``manifest.json`` in the folder says of each
    file its address, size, SHA-256, ETag and date. Where the publisher states a checksum it is checked. Where none is
    stated, the SHA-256 of the first complete download is what later downloads into this folder must have.

    Args:
        name: see ``public.PUBLIC``.
        folder: where to; default: ``place(name)``, or its parent for an archive.
        files: which of the catalogue's files, by name; default: all.

    Raises:
        InputError: for an unknown name or file, and as ``download`` and ``unpack`` say.
    """
    public, home = named(name), _home(name, folder)
    by_name = {remote.file: remote for remote in public.files}
    wanted = [by_name[one_of("files", file, by_name)] for file in (by_name if files is None else files)]
    about = {"name": public.name, "about": public.about, "licence": public.licence, "citation": public.citation}
    with alone(home / "fetch"):
        known = _manifest(home)
        for remote in wanted:
            if not _kept(home, remote, known):
                known[remote.file] = _brought(home, remote, known, patience)
                entries = [known[file] for file in sorted(known)]
                write_json(home / MANIFEST, {**about, "form": public.form, "files": entries})
        for remote in wanted:
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
