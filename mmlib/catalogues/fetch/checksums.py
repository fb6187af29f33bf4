"""Whether a file is the one that was meant: its size, its checksums and its end."""

import gzip
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ...core.progress import progress

MB = 1_000_000


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it is downloaded: bytes and hex digits, or ``None``."""

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None


def sums(path: Path, expected: Expected) -> dict[str, str]:
    """SHA-256 and, where it is expected, MD5, in hex digits."""
    made = {"sha256": hashlib.sha256()}
    if expected.md5:
        made["md5"] = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        count = -(-path.stat().st_size // MB)
        for block in progress(iter(lambda: file.read(MB), b""), f"Checking {path.name}", total=count, unit="MB"):
            for each in made.values():
                each.update(block)
    return {name: each.hexdigest() for name, each in made.items()}


def wrong(path: Path, found: dict[str, str], expected: Expected) -> str:
    """What is not as expected, in words; ``""`` when all is."""
    size = path.stat().st_size
    if expected.size is not None and size != expected.size:
        return f"it has {size:,} bytes instead of {expected.size:,}"
    for name, wanted in (("sha256", expected.sha256), ("md5", expected.md5)):
        if wanted and found[name] != wanted.lower():
            return f"its {name} is {found[name]} instead of {wanted.lower()}"
    return ""


def ends_well(path: Path, suffix: str) -> bool:
    """Whether a gzip or zip file, known by its name's suffix, is there to its end; other files always are."""
    if suffix == ".zip":
        return zipfile.is_zipfile(path)
    if suffix == ".gz":
        try:
            with gzip.open(path) as file:
                while file.read(MB):
                    pass
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return False
    return True
