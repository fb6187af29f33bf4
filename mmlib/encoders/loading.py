"""Encoders by name; never random by accident."""

import torch

from ..core.encoder_names import SIDES, Named, check_named
from ..core.errors import InputError, one_of
from . import clip_loading, multiway_encoder
from .contract import DTYPES, Encoder
from .hub import first_line
from .pair import Pair
from .sentences import load_sentences
from .timm_images import load_timm


def load(
    encoder: Named,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    dim: int = 64,
    seed: int = 0,
) -> Encoder:
    """Load an encoder with its own preprocessing and tokenizer.

    Args:
        encoder: one of

            - ``"NAME/TAG"``, any model of open_clip with one of its ``pretrained`` tags, such as ``"ViT-B-32/openai"``;
              ``"hf-hub:OWNER/NAME"``; ``"local-dir:FOLDER"``, weights beside an ``open_clip_config.json``;
            - ``"timm:NAME"``, an image network of timm, or ``"timm:NAME@FILE"`` with weights of one's own;
            - ``"st:OWNER/NAME"`` or ``"st:FOLDER"``, a model of sentence-transformers: text, some also images;
            - ``"vlmo:FILE"`` or ``"beit3:FILE"``, a checkpoint of their authors, see ``multiway_encoder.from_file``;
            - ``{"image": ..., "text": ...}``, one of these for each;
            - ``"small"``, ``"small-vlmo"`` or ``"small-beit3"``, a small CLIP, VLMo or BEiT-3 with random weights, to
              be trained on the catalogue. Only these are ever random.

            What is fetched is kept in the cache of its hub.
        device: where the model is put.
        precision: of the weights of CLIP, VLMo, BEiT-3 and text models, ``"fp32"``, ``"bf16"`` or ``"fp16"``.
            ``extract`` mixes precisions on its own.
        dim: length of the vectors of small ones; others have their own.
        seed: of the weights of small ones.

    Raises:
        InputError: for an unknown name, tag (with the closest) or device, a missing, damaged or foreign checkpoint,
            weights that cannot be fetched, and, before anything is fetched, a package that the encoder needs.
    """
    one_of("precision", precision, DTYPES)
    check_named(encoder)
    try:
        device = torch.empty(0, device=device).device
    except Exception as error:  # RuntimeError, AssertionError: an unknown word, or no such device here
        raise InputError(f"device = {str(device)!r} cannot be used: {first_line(error)}. Use 'cpu'.") from None
    if not isinstance(encoder, str):
        return Pair(*(_load(encoder[side], precision, dim, seed) for side in SIDES)).to(device)
    return _load(encoder, precision, dim, seed).to(device)


def _load(encoder: str, precision: str, dim: int, seed: int) -> Encoder:
    if encoder == "small":
        return clip_loading.small(dim, seed)
    if encoder in multiway_encoder.SMALL:
        return multiway_encoder.small(encoder, dim, seed)
    if encoder.startswith(("vlmo:", "beit3:")):
        return multiway_encoder.from_file(encoder, precision=precision)
    if encoder.startswith("timm:"):
        return load_timm(encoder)
    if encoder.startswith("st:"):
        return load_sentences(encoder, precision)
    if encoder.startswith(("local-dir:", "hf-hub:")):
        return clip_loading.folder(encoder, precision)
    return clip_loading.tagged(encoder, precision)
