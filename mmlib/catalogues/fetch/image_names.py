"""File names for items' pictures: safe on every system, and never the same for two items."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

from ...core.errors import InputError

LONGEST = 120  # characters, without the suffix
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def file_names(ids: Iterable[str]) -> dict[str, str]:
    """A file name without suffix for each id: the id itself where that is safe, as it is for product numbers.

    Letters, digits and ``- _ .`` stay; the rest becomes ``%XX``, byte by byte in UTF-8. Where that is empty, too long
    or reserved on Windows, or where another id has the same letters in another case (which many disks take for the
    same name), ``~`` and the start of the id's SHA-256 are added.

    Raises:
        InputError: for an id with a character that cannot be printed.
    """
    ids = list(ids)
    for name in ids:
        if not name.isprintable():
            raise InputError(f"The item id {name!r} has characters that cannot be printed; clean the ids first.")
    made = {name: quote(name, safe="").replace("~", "%7E") for name in ids}
    often = Counter(name.casefold() for name in made.values())
    for name, safe in made.items():
        twin = often[safe.casefold()] > 1
        safe = f"%2E{safe[1:]}" if safe.startswith(".") else safe
        if twin or not safe or len(safe) > LONGEST or safe.split(".")[0].casefold() in RESERVED:
            safe = f"{safe[:LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        made[name] = safe
    return made
