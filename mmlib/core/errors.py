"""The one error that speaks to the user."""

import difflib
import math
import numbers
import re
from collections.abc import Iterable
from typing import Any

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


def number(
    name: str,
    value: Any,
    *,
    whole: bool = False,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> Any:
    """Return ``value`` if it is a finite number within the bounds.

    Args:
        whole: whether it must be a whole number.
        least, most: bounds that it may have; ``above``, ``below``: bounds that it may not.

    Raises:
        InputError: naming the option, the value and the bounds.
    """
    fits = isinstance(value, numbers.Integral if whole else numbers.Real) and not isinstance(value, bool)
    if fits and (whole or abs(value) < math.inf) and least <= value <= most and above < value < below:
        return value
    bounds = {"of at least": least, "of at most": most, "above": above, "below": below}
    said = " and ".join(f"{word} {bound}" for word, bound in bounds.items() if abs(bound) < math.inf)
    raise InputError(f"{name} = {value!r} must be a {'whole' if whole else 'finite'} number {said}".rstrip() + ".")


def _shortened(text: str, side: int) -> str:
    return f"{text[:side]} ... ({len(text):,} characters) ... {text[-side:]}"
