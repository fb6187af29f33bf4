"""Image encoders of timm: DINOv2 and v3, EfficientNet, ResNet, BEiT-3's vision branch and a thousand others."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError, closest
from .contract import Encoder, Pixels
from .hub import first_line, hub_file, revision_of

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
# where timm normalises otherwise than the authors' own evaluation: name -> mean and std of the authors
AUTHORS = {"beit3_": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))}


class TimmImages(Encoder):
    """An image network of timm without its classifier: the pooled features before it, brought to length 1.

    Args:
        model: made with ``num_classes=0``; preprocessing is that of its own data configuration.
        about: name, origin, revision, licence and remarks, see ``Encoder``.
    """

    def __init__(self, model: Any, **about: Any) -> None:
        from timm.data import create_transform, resolve_model_data_config

        data = resolve_model_data_config(model)
        super().__init__(
            model,
            widths={"image": int(getattr(model, "head_hidden_size", model.num_features))},
            steps=create_transform(**data).transforms[:-2],  # the last two make numbers of them and normalise
            mean=data["mean"],
            std=data["std"],
            config={"timm": model.pretrained_cfg.get("architecture", ""), "classes": 0},
            preprocessing={key: list(value) if isinstance(value, tuple) else value for key, value in data.items()},
            **about,
        )

    def image(self, pixels: Pixels) -> Tensor:
        assert isinstance(pixels, Tensor)
        pixels = pixels if pixels.is_floating_point() else self.normalise(pixels)
        return F.normalize(self.model(pixels).float(), dim=-1)


def load_timm(encoder: str) -> TimmImages:
    """``"timm:NAME"``, with timm's pretrained weights, or ``"timm:NAME@FILE"``, with those of a checkpoint.

    A checkpoint may have a classifier, which is not used. It is read without running code that it may hold.

    Raises:
        InputError: for an unknown name (with the closest), a name without weights, a missing, damaged or foreign
            checkpoint, and weights that are neither in the cache nor can be fetched.
    """
    timm = _timm()
    name, _, file = encoder.removeprefix("timm:").partition("@")
    if not timm.is_model(name):
        near = closest(name, timm.list_models())
        raise InputError(
            f"{encoder}: timm {timm.__version__} has no model {name!r}.{near} timm.list_models() says all."
        )
    cfg = timm.models.get_pretrained_cfg(name)
    if file:
        path = Path(os.path.expanduser(file))
        if not path.is_file():
            raise InputError(f"{encoder}: there is no file {path}; give 'timm:NAME@FILE' with a checkpoint of {name}.")
        about = {"origin": f"a checkpoint of the user's, {path.name}"}
    elif cfg is None or not cfg.has_weights:
        raise InputError(
            f"{encoder}: timm has no weights of {name}, and random ones say nothing; give 'timm:{name}@FILE'."
        )
    else:
        names = [cfg.hf_hub_filename] if cfg.hf_hub_filename else HUB_FILES
        path = hub_file(encoder, cfg.hf_hub_id, names) if cfg.hf_hub_id else Path()
        about = {"origin": f"pretrained: {cfg.tag}", "revision": revision_of(path), "licence": cfg.license or ""}
    try:
        model = _strictly(timm, name, path if path.name else None)
    except Exception as error:  # torch, safetensors, pickle and timm each raise their own types
        raise InputError(
            f"{encoder} cannot be loaded: {first_line(error)}. Check that {path.name or 'the checkpoint'} is whole and "
            f"of {name}."
        ) from error
    return TimmImages(model, name=encoder, remarks=_remarks(name, model), **about)


def _strictly(timm: Any, name: str, file: Path | None) -> nn.Module:
    """The model without its classifier, every weight of it from the checkpoint.

    timm takes missing weights in silence where the classifier is another. So a checkpoint that fits without one is
    taken as it is, and any other is converted by timm and loaded with its classifier, strictly, before that is dropped.
    """
    if file is not None:
        model = timm.create_model(name, pretrained=False, num_classes=0)
        head = model.pretrained_cfg.get("classifier") or ()
        weights = _weights(timm, file, (head,) if isinstance(head, str) else head)
        if weights.keys() == model.state_dict().keys():
            model.load_state_dict(weights)
            return model
    overlay = {"file": str(file), "hf_hub_id": None} if file else None
    model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    model.reset_classifier(0)
    return model


def _weights(timm: Any, file: Path, heads: Sequence[str]) -> dict[str, Tensor]:
    """The weights of a checkpoint without those of its classifier."""
    if file.suffix == ".npz":  # of JAX, which only timm's own conversion reads
        return {}
    found = timm.models.load_state_dict(str(file), weights_only=True)
    return {key: value for key, value in found.items() if key.rpartition(".")[0] not in heads}


def _remarks(name: str, model: nn.Module) -> list[str]:
    """A warning where timm's mean and std are not those of the checkpoint's authors; also shown at once."""
    from timm.data import resolve_model_data_config

    data = resolve_model_data_config(model)
    for prefix, (mean, std) in AUTHORS.items():
        if name.startswith(prefix) and (tuple(data["mean"]), tuple(data["std"])) != (mean, std):
            said = (
                f"timm normalises images for {name} with mean {data['mean']} and std {data['std']}, the authors of the "
                f"checkpoint with {mean} and {std}: these vectors differ from theirs."
            )
            warnings.warn(said, stacklevel=4)
            return [said]
    return []


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise InputError("Encoders of timm need the package timm: pip install 'mmlib[encoders]'.") from None
    return timm
