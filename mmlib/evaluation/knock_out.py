"""The knock-out: does a recommender use its content at all? Features without what they say, and what is compared.

After `"Are Multimodal Embeddings Truly Beneficial for Recommendation?" <https://arxiv.org/abs/2508.07399>`_ (Ye et al.,
ECIR 2026), who replace features by noise and by constants. Their noise is drawn from N(1, 0.1): its rows are nearly
parallel, and neighbours by cosine become a random graph, which harms more than it removes. A permutation keeps every
row and takes away only which item it belongs to. What content is worth is told by the row that reads interactions
alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InputError, one_of
from ..core.features import Features
from .comparison import Comparisons, compare_pairs
from .scores import Method

WAYS = ("permute", "noise", "constant", "zero", "drop")
MODALITIES = ("text", "image", "fused")
NOTHING = "none"
NOISE = (1.0, 0.1)  # mean and standard deviation in Ye et al.'s public code


def knock_out(
    features: Features,
    way: str,
    modalities: str | Sequence[str] | None = None,
    *,
    seed: int = 0,
    noise: tuple[float, float] = NOISE,
) -> Features:
    """The features with some modalities replaced by something that says nothing of the item.

    Args:
        way: ``"permute"``: every item gets the vector of another one, in all these modalities the same other one's,
            with what is missing; ``"noise"``: normal draws; ``"constant"``: ones; ``"zero"``: zeros; ``"drop"``: the
            modality is not there. Vectors of reviews stay.
        modalities: names, or names joined by ``+``; ``None``: all of the items'.
        seed: of the permutation and the noise.
        noise: mean and standard deviation; by default those of Ye et al.

    Raises:
        InputError: for an unknown way or modality, and where dropping leaves nothing.
    """
    one_of("way", way, WAYS)
    names = list(features.item) if modalities is None else _names(modalities)
    for name in names:
        one_of("modality", name, features.item)
    about = dict(features.about) | {"knock_out": f"{way} {'+'.join(names)}, seed {seed}"}
    if way == "drop":
        item = {name: values for name, values in features.item.items() if name not in names}
        if not item:
            raise InputError(
                "Dropping every modality leaves nothing to read: take a recommender of interactions alone."
            )
        return replace(features, item=item, present={name: features.present[name] for name in item}, about=about)
    if way == "permute":
        order = _elsewhere(len(features.item[names[0]]), seed)
        item = features.item | {name: features.item[name][order] for name in names}
        present = features.present | {name: features.present[name][order] for name in names}
        return replace(features, item=item, present=present, about=about)
    made = {name: _replaced(features.item[name], way, noise, seed + place) for place, name in enumerate(names)}
    return replace(features, item=features.item | made, about=about)


def parse(text: str, at: str = "training") -> tuple[str, str | None] | None:
    """Read the parameter ``knock_out``: ``"none"``, ``"permute"`` (all modalities), or ``"permute text+image"``.

    Args:
        at: ``"training"`` or ``"test"``.

    Returns:
        The way and the modalities; ``None`` for ``"none"``.

    Raises:
        InputError: for an unknown way or modality, and for what cannot be after training.
    """
    way, _, modalities = " ".join(text.split()).partition(" ")
    if way == NOTHING:
        one_of("knock_out", f"{way} {modalities}".strip(), [NOTHING, *WAYS])
        return None
    one_of("knock_out", way, [NOTHING, *WAYS])
    for name in _names(modalities) if modalities else ():
        one_of("knock_out: modality", name, MODALITIES)
    if way == "drop" and at == "test":
        raise InputError('knock_out = "drop" makes another model, so it cannot be at "test": take "zero" or "permute".')
    return way, modalities or None


def with_weights_of(model: nn.Module, trained: nn.Module) -> nn.Module:
    """A model that was built on knocked-out features with the weights that another one learnt from the whole ones.

    Item graphs and vectors are those of ``model``; what was learnt is that of ``trained``.

    Returns:
        ``model``, changed.

    Raises:
        InputError: where the two have different weights, as when a modality was dropped, and where features were
            learnt, so that they would come back with the weights.
    """
    if learnt := [name for name in trained.state_dict() if "content." in name and name.endswith(".vectors")]:
        raise InputError(
            f"{type(trained).__name__} has learnt its features ({learnt[0]}), so they cannot be knocked out after "
            "training: train it with learn_features=False, or knock them out before."
        )
    try:
        model.load_state_dict(trained.state_dict())
    except RuntimeError:
        raise InputError(
            f"{type(trained).__name__} has other weights without a modality, so none can be dropped after training: "
            'take "zero" or "permute", or knock_out_at = "training".'
        ) from None
    return model.eval()


def knock_out_pairs(
    methods: Mapping[str, Method],
    interactions_only: str | None = None,
    metric: str = "recall@20",
    slice: str = "all",
    *,
    level: float = 0.05,
) -> Comparisons:
    """Each recommender against itself with content knocked out, and all against one that reads none: one family.

    Two methods are of one recommender if they differ in ``knock_out`` and ``knock_out_at`` alone.

    Args:
        methods: label -> Method, whose ``values`` hold ``recommender`` and ``knock_out``.
        interactions_only: the recommender that reads no content; ``None`` leaves it out.

    Returns:
        Rows (whole, knocked out) and (content, interactions only), corrected together.

    Raises:
        InputError: when nothing can be compared, and as ``compare_pairs``.
    """
    pairs = []
    alone = [one for one in methods.values() if one.values.get("recommender") == interactions_only]
    content = [one for one in methods.values() if one not in alone]
    for whole in (one for one in content if not _knocked(one)):
        pairs += [(whole, one) for one in content if _knocked(one) and _held(one) == _held(whole)]
    for base in (one for one in alone if not _knocked(one)):
        pairs += [(one, base) for one in content if _held(one, "recommender") == _held(base, "recommender")]
    if not pairs:
        raise InputError("There is nothing to compare: no recommender was run both whole and knocked out.")
    return compare_pairs(pairs, metric, [slice], level=level)


def of_one_recommender(found: Comparisons, methods: Mapping[str, Method]) -> Comparisons:
    """Those of ``knock_out_pairs`` that compare a recommender with itself, the whole model being ``a``."""
    return found.only(one for one in found if _named(methods[one.a]) == _named(methods[one.b]))


def _named(one: Method) -> tuple[str, str]:
    return str(one.values.get("recommender")), str(one.values.get("model_options"))


def _names(modalities: str | Sequence[str]) -> list[str]:
    return [name.strip() for name in modalities.split("+")] if isinstance(modalities, str) else list(modalities)


def _elsewhere(n: int, seed: int) -> Tensor:
    """For each of n items another one, every one once: [n] int64."""
    drawn = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    order = torch.empty_like(drawn)
    order[drawn] = drawn.roll(1)
    return order


def _replaced(values: Tensor, way: str, noise: tuple[float, float], seed: int) -> Tensor:
    if way == "noise":
        mean, deviation = noise
        drawn = torch.randn(values.shape, generator=torch.Generator().manual_seed(seed))
        return mean + deviation * drawn
    return torch.full_like(values, 1.0 if way == "constant" else 0.0)


def _knocked(one: Method) -> bool:
    return one.values.get("knock_out", NOTHING) != NOTHING


def _held(one: Method, *varying: str) -> dict[str, Any]:
    """What two methods must agree in."""
    loose = {"knock_out", "knock_out_at", "model_options" if "recommender" in varying else "", *varying}
    return {name: value for name, value in one.values.items() if name not in loose}
