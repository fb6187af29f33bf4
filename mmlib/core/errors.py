"""The one error that speaks to the user."""

import difflib
import re
from collections.abc import Iterable

_LONG = 300  # characters of one word, and seven times as many of a message: nobody reads more


class InputError(ValueError):
    """What the user gave cannot be used; the message names the thing, the place and the remedy.

    Notebooks and the command line show the message alone, without a traceback. It may quote what was given: long
    values are shortened, and control characters, which a terminal would obey, are spelt out.
    """

    def __init__(self, message: object) -> None:
        text = re.sub(rf"\S{{{_LONG},}}", lambda found: _shortened(found[0], 100), str(message))
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: ascii(found[0])[1:-1], text)
        super().__init__(text if len(text) <= 7 * _LONG else _shortened(text, 3 * _LONG))

    def _render_traceback_(self) -> list[str]:  # IPython asks for this before printing a traceback
        return [f"InputError: {self}"]


def closest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean "x"?`` for the known name closest to ``name``, or an empty string."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f' Did you mean "{found[0]}"?' if found else ""


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """Return ``value`` if it is one of the ``known`` ones.

    Raises:
        InputError: naming the option, the value, the choices and the closest of them.
    """
    known = list(known)
    if value not in known:
        raise InputError(
            f"{name} = {value!r} is not known; choose one of {', '.join(map(repr, known))}."
            + closest(str(value), known)
        )
    return value


def _shortened(text: str, side: int) -> str:
    return f"{text[:side]} ... ({len(text):,} characters) ... {text[-side:]}"
