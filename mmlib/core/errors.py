"""The one error that speaks to the user."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What the user gave cannot be used; the message names the thing, the place and the remedy.

    Notebooks and the command line show the message alone, without a traceback.
    """

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
