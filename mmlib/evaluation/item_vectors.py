"""One vector an item, made of what features say of it: what probes compare."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..core.errors import InputError, one_of
from ..core.features import Features
from ..kernels.neighbours import unit

SCALES = ("none", "unit")


@dataclass(frozen=True)
class ItemVectors:
    """One vector an item.

    Args:
        x: [n_items, d] float32; zeros where there is none.
        present: [n_items] bool, whether there is anything of the item.
    """

    x: Tensor
    present: Tensor


def centred(features: Features) -> Features:
    """The same features without what all items share: each modality less the mean of its present vectors.

    The vectors of many encoders lie in a narrow cone, so that all cosines are large and the nearest neighbours are
    those of a few hubs; without the mean, cosines tell items apart.
    """
    item = {name: values - _mean(values, features.present[name]) for name, values in features.item.items()}
    return replace(features, item=item, about=dict(features.about) | {"centred": True})


def item_vectors(
    features: Features,
    modalities: str | None = None,
    *,
    masked: Mapping[str, Tensor] | None = None,
    scale: str = "none",
    centre: bool = False,
) -> ItemVectors:
    """The modalities of each item side by side ("we fuse vision and text features via concatenation", AlignRec, 5.3).

    A modality that an item lacks, or that is masked, leaves zeros in its place, so that a cosine is of the other one
    alone. A ``"fused"`` vector holds both already: an item of which one modality is masked is then represented by
    its vector of the other, as an encoder of both would be given that one alone (AlignRec, section 4.4.2, "generate
    single-modality representations"); the two have to share a space.

    Args:
        modalities: names joined by ``+``; ``None``: ``"fused"`` where there is such, else all.
        masked: modality -> [n_items] bool, whose content is taken away.
        scale: ``"none"``: as the encoder gives them (the paper's words); ``"unit"``: each modality at length 1 first,
            so that none outweighs the others by its scale alone.
        centre: take the mean vector of each modality out first, see ``centred``.

    Raises:
        InputError: for an unknown modality, and where ``"fused"`` cannot be replaced by the vectors of one modality.
    """
    one_of("scale", scale, SCALES)
    names = _names(features, modalities)
    features = centred(features) if centre else features
    hidden = {name: values.to(torch.bool) for name, values in (masked or {}).items()}
    for name in hidden:
        one_of("masked", name, [one for one in features.item if one != "fused"])
    if names == ["fused"] and hidden:
        return _single(features, hidden, scale)
    parts, there = [], []
    for name in names:
        kept = features.present[name] & ~hidden.get(name, torch.zeros_like(features.present[name]))
        x = unit(features.item[name]) if scale == "unit" else features.item[name].float()
        parts.append(x * kept.unsqueeze(1))
        there.append(kept)
    return ItemVectors(torch.cat(parts, 1), torch.stack(there).any(0))


def _single(features: Features, hidden: Mapping[str, Tensor], scale: str) -> ItemVectors:
    """Fused vectors, those of items with a masked modality replaced by the vectors of what they have left."""
    x, present = features.item["fused"].float(), features.present["fused"].clone()
    names = [name for name in features.item if name != "fused"]
    if len(names) != 2 or not features.shares_space or features.item[names[0]].shape[1] != x.shape[1]:
        widths = ", ".join(f"{name} {values.shape[1]}" for name, values in features.item.items())
        raise InputError(
            "A fused vector without one of its modalities is the encoder's vector of the other alone, in the same "
            f"space; here are {widths}. Give modalities='text+image', or features of an encoder that has all three."
        )
    gone = torch.zeros(2, len(x), dtype=torch.bool)
    for place, name in enumerate(names):
        gone[place] = hidden.get(name, gone[place])
    for place, name in enumerate(names):
        alone = gone[1 - place] & ~gone[place]
        x = torch.where(alone.unsqueeze(1), features.item[name].float(), x)
        present = torch.where(alone, features.present[name], present)
    present &= ~gone.all(0)
    return ItemVectors((unit(x) if scale == "unit" else x) * present.unsqueeze(1), present)


def _names(features: Features, modalities: str | None) -> list[str]:
    if modalities is None:
        return ["fused"] if "fused" in features.item else list(features.item)
    names = [name.strip() for name in modalities.split("+")]
    for name in names:
        one_of("modality", name, features.item)
    return names


def _mean(values: Tensor, present: Tensor) -> Tensor:
    return values[present].mean(0) if present.any() else torch.zeros_like(values[0])
