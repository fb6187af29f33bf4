"""Whether the values of a study go together, checked before any work."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError


def check_together(values: Mapping[str, Any], beside: Path | None = None) -> None:
    """Refuse values that fit one by one but cannot be, alone or together.

    Args:
        values: of one run; what its pages do not read is not there, and not checked.
        beside: the parameter file's folder, where a recommender of somebody's own may lie.

    Raises:
        InputError: for an unknown split or step of cleaning, and for options that the recommender, its start, the
            encoder or MMCPR cannot take.
    """
    if "dataset" in values:
        _check_catalogue(values)
    if "modalities" in values:
        _check_mmcpr(values)
    if "recommender" in values:
        from .named_models import model_class

        model_class(values["recommender"], beside)
        _check_recommender(values)


def _check_catalogue(values: Mapping[str, Any]) -> None:
    from .. import splits
    from ..catalogues import clean

    splits.check(values["split"])
    for step in values["clean"]:
        clean.parse(step)
    if values["encoder"] == "small" and values["encoder_epochs"] < 1:
        raise InputError('encoder = "small" starts from random weights: give encoder_epochs of at least 1.')


def _check_mmcpr(values: Mapping[str, Any]) -> None:
    asked = values["modalities"]
    if set(asked) - set("RTVG") or len(set(asked)) < len(asked):
        raise InputError(f"modalities = {asked!r}: give a subset of the letters R, T, V, G, each once.")
    if values["cima_weight"] > 0 and values.get("start") != "mmcpr without cima" and not {"T", "V"} <= set(asked):
        raise InputError(f"modalities = {asked!r}: aligning text and image needs both T and V; or give cima_weight 0.")


def _check_recommender(values: Mapping[str, Any]) -> None:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    from .named_models import check_options, options_of, takes_start

    name, own, start = values["recommender"], values["model_options"], values.get("start", "auto")
    if start not in ("auto", "random") and not takes_start(name):
        raise InputError(f'{name} does not learn from vectors that it could start from; set start = "random".')
    try:
        check_options(name, own)
    except InputError as error:
        raise InputError(f"model_options: {error}") from None
    for option, one in options_of(name, own).items():
        if option in own and one.annotation is not one.empty:
            try:
                TypeAdapter(one.annotation, config=ConfigDict(strict=True)).validate_python(own[option])
            except ValidationError:
                kind = one.annotation if isinstance(one.annotation, str) else inspect.formatannotation(one.annotation)
                raise InputError(f"model_options: {option} of {name} must be {kind}, not {own[option]!r}.") from None
            except Exception:  # an annotation of somebody's own that says nothing about values
                continue
