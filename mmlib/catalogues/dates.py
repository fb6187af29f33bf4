"""Times written as dates: read where every cell of a column agrees on what comes first, day or month."""

from itertools import product

import pandas as pd

from ..core.errors import InputError

DAYS = (
    *(pattern.replace("/", mark) for mark in "/.-" for pattern in ("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y")),
    *("%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%m %d, %Y"),
)
HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
PATTERNS = tuple(map("".join, product(DAYS, HOURS)))
TRIED = 200  # distinct cells that decide which patterns are tried on all
ISO = "ISO8601"


def moments(cells: pd.Series, pattern: str | None, source: str, notes: list[str]) -> pd.Series:
    """The moment of each cell (UTC where no zone is named); ``NaT`` where a cell is empty or no date.

    ISO 8601 is tried first, then ``DAYS`` with ``HOURS``. A cell such as 31/05/2024 decides for its whole column.

    Args:
        cells: text without blanks around it.
        pattern: as for ``strptime``, such as ``"%d/%m/%Y"``; nothing is tried beside it.

    Raises:
        InputError: when several patterns fit all cells and disagree, or the pattern is none.
    """
    said = pd.Series(cells[cells != ""].unique(), dtype="str")
    if pattern:
        if "%" not in pattern:
            raise InputError(f"columns['time_format'] = {pattern!r} is no pattern of dates; write it as '%d/%m/%Y'.")
        return _parsed(cells, pattern)
    shares = {one: _parsed(said.head(TRIED), one).notna().mean() for one in (ISO, *PATTERNS)}
    fits = [one for one, share in shares.items() if share == 1 and _parsed(said, one).notna().all()]
    if not fits or fits[0] == ISO:
        return _parsed(cells, max(shares, key=lambda one: shares[one]))
    found = {one: _parsed(said, one) for one in fits}
    first, other = fits[0], next((one for one in fits if not found[one].equals(found[fits[0]])), None)
    if other:
        place = int((found[first] != found[other]).to_numpy().argmax())
        raise InputError(
            f"{source}: {cells.name} may have the day or the month first: {said[place]!r} is "
            f"{found[first][place]:%d %B %Y} as {first} or {found[other][place]:%d %B %Y} as {other}. "
            f'Say which: columns = {{"time_format": "{first}"}}.'
        )
    notes.append(f"{source}: {cells.name} was read as {first}.")
    return _parsed(cells, first)


def _parsed(cells: pd.Series, pattern: str) -> pd.Series:
    try:
        return pd.to_datetime(cells.where(cells != ""), format=pattern, utc=True, errors="coerce")
    except ValueError as error:
        raise InputError(f"columns['time_format'] = {pattern!r} is no pattern of dates: {error}.") from None
