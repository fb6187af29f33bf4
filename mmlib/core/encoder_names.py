"""What the name of an encoder says before anything is loaded."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import InputError, closest
from .files import digest

Named = str | Mapping[str, str]  # one encoder, or {"image": ..., "text": ...}
SIDES = ("image", "text")
SMALL = ("small", "small-vlmo", "small-beit3")  # with random weights, to be trained on the catalogue
BESIDE = {"vlmo": "vocab.txt", "beit3": "beit3.spm"}  # the tokenizer's file beside a checkpoint
ONE_KIND = {"timm:": "image", "st:": "text"}  # what encoders of these names give; a few of "st:" give both


def check_named(encoder: Named) -> None:
    """Whether a name, or a pair of names, has a form that can be an encoder's; nothing is loaded.

    Raises:
        InputError: for a pair that lacks a side, has another, or names what reads images and text together.
    """
    if isinstance(encoder, str):
        return
    if set(encoder) != set(SIDES) or not all(isinstance(one, str) and one for one in encoder.values()):
        wrong = next((side for side in encoder if side not in SIDES), "")
        raise InputError(
            f"encoder = {dict(encoder)!r}: give one name, or two as {{image: 'timm:resnet18', text: 'st:FOLDER'}}."
            + closest(wrong, SIDES)
        )
    if any(one in SMALL or one.startswith("features:") for one in encoder.values()):
        raise InputError(
            f"encoder = {dict(encoder)!r}: a small one is trained on images and text together, and 'features:FOLDER' "
            "holds vectors of both; give either alone."
        )
    for side, one in encoder.items():
        if (kind := only(one)) and kind != side:
            raise InputError(f"encoder: {side}: {one!r} gives {kind} vectors; choose one that gives {side} vectors.")


def only(encoder: Named) -> str:
    """The one modality that an encoder of this name gives; empty where it gives both."""
    return next(
        (kind for start, kind in ONE_KIND.items() if isinstance(encoder, str) and encoder.startswith(start)), ""
    )


def shares_space(encoder: Named) -> bool:
    """Whether image and text vectors of an encoder of this name can be compared, and so be tuned towards each other."""
    return isinstance(encoder, str) and not only(encoder) and not encoder.startswith("features:")


def named_content(encoder: Named) -> str:
    """A hash of the user's own files that the name leads to; empty where it leads to none."""
    names = [encoder] if isinstance(encoder, str) else [encoder[side] for side in sorted(encoder)]
    files = [file for name in names for file in _files(name)]
    return digest(*[part for file in files for part in (file.name, file)]) if files else ""


def _files(name: str) -> list[Path]:
    start, _, rest = name.partition(":")
    path = Path(os.path.expanduser(rest.partition("@")[2] if start == "timm" else rest))
    if start in BESIDE:
        path = Path(re.sub(r"@\d+$", "", str(path)))  # @384: the size of images
        return [file for file in (path, path.parent / BESIDE[start]) if file.is_file()]
    if start not in ("timm", "st", "local-dir", "features") or not path.name:
        return []
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
