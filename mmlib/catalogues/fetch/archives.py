"""Archives from elsewhere: whether they are whole; unpacked all or nothing, and nowhere but into their folder."""

import gzip
import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ...core.errors import InputError
from ...core.files import whole
from ...core.progress import progress

SPARE = 64_000_000  # bytes that are left free on the disk
MOST = 16 << 30  # bytes that one archive may unpack to; the largest public one here has about 1 GB


def unpack(archive: str | Path, folder: str | Path, *, most: int = MOST) -> Path:
    """Unpack a zip file into ``folder``, without the one outer folder that archives usually have.

    ``folder`` appears when all is unpacked and every member's checksum is right.

    Args:
        most: bytes that the members may have together.

    Raises:
        InputError: when the archive is damaged or encrypted, unpacks to more than ``most`` bytes or more than the disk
            has free, or has a member that is a link, lies outside its folder (``..``, an absolute path, a drive), or
            has the name of another member, in whatever case.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        with zipfile.ZipFile(archive) as packed:
            members = _members(packed, archive, most)
            folder.parent.mkdir(parents=True, exist_ok=True)
            check_room(folder.parent, sum(info.file_size for info, _ in members), f"{archive}, unpacked,")
            with whole(folder) as partial:
                for info, path in members:
                    place = partial.joinpath(*path.parts)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with packed.open(info) as source, place.open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise InputError(f"{archive} is a damaged zip file ({error}). Delete it and fetch it again.") from None
    except OSError as error:
        raise InputError(f"{archive} cannot be unpacked into {folder}: {error.strerror or error}.") from None
    return folder


def is_whole(path: Path, suffix: str) -> bool:
    """Whether a gzip or zip file, known by its name's suffix, can be read to its end; other files always can."""
    if suffix == ".zip":
        return zipfile.is_zipfile(path)
    if suffix == ".gz":
        try:
            with gzip.open(path) as file:
                pieces = iter(lambda: file.read(1 << 20), b"")
                for _ in progress(pieces, f"Reading {path.name} to its end", unit="MB"):
                    pass
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return False
    return True


def _members(packed: zipfile.ZipFile, archive: Path, most: int) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files with their paths inside the folder, checked before anything is written."""
    infos = [info for info in packed.infolist() if not info.is_dir()]
    paths = [_inside(info, archive) for info in infos]
    if not infos:
        raise InputError(f"{archive} holds no files. Delete it and fetch it again.")
    size = sum(info.file_size for info in infos)
    if size > most:
        raise InputError(f"{archive} would unpack to {size:,} bytes, more than {most:,}; it is left packed.")
    if len({path.parts[0] for path in paths}) == 1 and all(len(path.parts) > 1 for path in paths):
        paths = [PurePosixPath(*path.parts[1:]) for path in paths]
    seen: set[str] = set()
    for path in paths:
        if str(path).casefold() in seen:
            raise InputError(f"{archive} holds {path} twice; it is left packed.")
        seen.add(str(path).casefold())
    return list(zip(infos, paths))


def _inside(info: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    name = info.orig_filename
    path = PurePosixPath(name.replace("\\", "/"))
    kind = stat.S_IFMT(info.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name or not path.parts:
        raise InputError(f"{archive} holds a file outside its folder, {name!r}; nothing was unpacked.")
    if kind not in (0, stat.S_IFREG):
        raise InputError(f"{archive} holds {name!r}, which is a link or a device; nothing was unpacked.")
    if info.flag_bits & 1:
        raise InputError(f"{archive} is encrypted ({name!r}); nothing was unpacked.")
    return path


def check_room(folder: Path, needed: int, what: str) -> None:
    """Refuse what would fill the disk of a folder, down to ``SPARE`` bytes."""
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise InputError(
            f"{what} needs {needed / 1e6:,.0f} MB more, but {folder} has {free / 1e6:,.0f} MB free. Make room, or "
            "choose another folder; what is there is kept."
        )
