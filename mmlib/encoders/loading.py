"""Encoders by name: small and random, pretrained, from a folder, from a hub; never random by accident."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ..core.errors import InputError, closest, one_of
from ..core.files import read_json
from .clip import CONFIG, DTYPES, Clip

# A residual network: on the few hundred images of a small catalogue it learns shapes where a ViT learns colours only.
SMALL_VISION: dict[str, Any] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32}
SMALL_TEXT: dict[str, Any] = {"context_length": 48, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2}


def load(
    encoder: str,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    dim: int = 64,
    seed: int = 0,
) -> Clip:
    """Load a CLIP encoder, its tokenizer and its preprocessing.

    Args:
        encoder: ``"NAME/TAG"``, any model of open_clip with one of its ``pretrained`` tags, such as
            ``"ViT-B-32/openai"`` (fetched once, then kept in the cache of its hub); ``"local-dir:FOLDER"``, weights
            beside an ``open_clip_config.json``; ``"hf-hub:OWNER/NAME"``; or ``"small"``, a small model with random
            weights, to be trained on the catalogue (``ContrastiveTuning``). Only ``"small"`` is ever random.
        device: where the model is put.
        precision: of the weights, ``"fp32"``, ``"bf16"`` or ``"fp16"``. ``extract`` mixes precisions on its own.
        dim: length of the vectors of ``"small"``; others have their own.
        seed: of the weights of ``"small"``.

    Raises:
        InputError: for an unknown name, tag (with the closest) or device, a missing, damaged or foreign checkpoint,
            weights that cannot be fetched, and, before anything is fetched, a package that the encoder needs.
    """
    one_of("precision", precision, DTYPES)
    try:
        device = torch.empty(0, device=device).device
    except Exception as error:  # RuntimeError, AssertionError: an unknown word, or no such device here
        raise InputError(f"device = {str(device)!r} cannot be used: {_first_line(error)}. Use 'cpu'.") from None
    return (_small(dim, seed) if encoder == "small" else _pretrained(encoder, precision)).to(device)


def _small(dim: int, seed: int) -> Clip:
    """A residual network on 64 x 64 images and a text transformer; 8 million weights, 6.3 of them token vectors."""
    if not (isinstance(dim, int) and 8 <= dim <= 1024):
        raise InputError(f"dim = {dim!r} is not a width for the small encoder; give 8 to 1024, such as 64 or 128.")
    if not -(2**63) <= seed < 2**63:
        raise InputError(f"seed = {seed} is too large; give a whole number below 2 ** 63, such as 0.")
    open_clip = _open_clip()
    config = {"embed_dim": dim, "vision_cfg": dict(SMALL_VISION), "text_cfg": dict(SMALL_TEXT)}
    size = SMALL_VISION["image_size"]
    preprocessing: dict[str, Any] = {"size": (size, size), "mode": "RGB", "mean": (0.5,) * 3, "std": (0.25,) * 3}
    preprocessing |= {"interpolation": "bicubic", "resize_mode": "squash", "fill_color": 0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**config)
    tokenizer = open_clip.SimpleTokenizer(context_length=SMALL_TEXT["context_length"])
    return Clip(model, tokenizer, config, preprocessing, name="small", origin=f"random weights, seed {seed}")


def _pretrained(encoder: str, precision: str) -> Clip:
    open_clip = _open_clip()
    options: dict[str, Any] = {}
    saved: dict[str, Any] = {}  # the configuration in a folder
    source, origin = encoder, "pretrained, from the Hugging Face hub"
    if encoder.startswith("local-dir:"):
        folder = Path(os.path.expanduser(encoder.removeprefix("local-dir:")))
        saved = _checked_config(folder, encoder)
        source, origin = f"local-dir:{folder}", saved.get("origin", "a checkpoint of the user's")
    elif not encoder.startswith("hf-hub:"):
        source, tag = _name_and_tag(encoder)
        quick = bool(
            open_clip.get_pretrained_cfg(source, tag).get("quick_gelu")
        )  # open_clip warns, but does not switch
        options, origin = {"pretrained": tag, "force_quick_gelu": quick}, f"pretrained: {tag}"
    try:
        config = open_clip.get_model_config(source)
        _check_packages(encoder, source, (config or {}).get("text_cfg", {}))
        model = open_clip.create_model(source, precision=precision, require_pretrained=True, **options)
        tokenizer = open_clip.get_tokenizer(source)
    except InputError:
        raise
    except Exception as error:  # open_clip, its hub client and torch each raise their own types
        raise InputError(
            f"The encoder {encoder} cannot be loaded: {_first_line(error)}. Check that the weights fit their "
            f"{CONFIG}, and for weights that have to be fetched, the network; or use encoder = 'small'."
        ) from error
    if options.get("force_quick_gelu"):
        config["quick_gelu"] = True
    preprocessing = open_clip.get_model_preprocess_cfg(model)
    clip = Clip(model, tokenizer, config, preprocessing, name=encoder, origin=origin, precision=precision)
    if saved.get("checkpoint") and precision == "fp32" and saved["checkpoint"] != clip.checkpoint:
        raise InputError(
            f"The weights in {folder} are not the ones that {CONFIG} was saved with (its hash is "
            f"{saved['checkpoint']}). Save the encoder again, or delete the line 'checkpoint' if you changed the "
            "weights on purpose."
        )
    return clip


def _check_packages(encoder: str, source: str, text: dict[str, Any]) -> None:
    """Ask for the package of a tokenizer or a text tower before weights are fetched."""
    siglip = ":" not in source and "siglip" in source.lower()
    if (siglip or text.get("hf_tokenizer_name") or text.get("hf_model_name")) and find_spec("transformers") is None:
        raise InputError(
            f"The encoder {encoder} reads text with the package transformers, which is not installed: "
            "pip install transformers sentencepiece. Nothing was fetched; ViT-B-32/openai does without it."
        )


def _checked_config(folder: Path, encoder: str) -> dict[str, Any]:
    if encoder == "local-dir:" or not os.path.isdir(folder):
        raise InputError(f"There is no folder {folder} (encoder = {encoder!r}); give 'local-dir:FOLDER'.")
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict) or "model_cfg" not in config or "preprocess_cfg" not in config:
        raise InputError(
            f"{folder / CONFIG} needs both model_cfg and preprocess_cfg: without the preprocessing that the weights "
            "were trained with, their vectors mean nothing."
        )
    if not any(path.suffix in (".safetensors", ".bin", ".pth") for path in folder.iterdir()):
        raise InputError(f"{folder} holds no weights: put a .safetensors file (best), .bin or .pth beside {CONFIG}.")
    return config


def _name_and_tag(encoder: str) -> tuple[str, str]:
    open_clip = _open_clip()
    models = open_clip.list_models()
    name, _, tag = encoder.rpartition("/")
    if encoder.replace("/", "-") in models:
        name, tag = encoder, ""
    name = name.replace("/", "-")
    if name not in models:
        known = ["small", *(f"{model}/{tag}" for model, tag in open_clip.list_pretrained())]
        hint = f' Did you mean "local-dir:{encoder}"?' if os.path.isdir(encoder) else closest(encoder, known)
        raise InputError(
            f"encoder = {encoder!r} is not known; give 'small', a model of open_clip with its tag, such as "
            f"'ViT-B-32/openai', 'local-dir:FOLDER' or 'hf-hub:OWNER/NAME'.{hint}"
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not open_clip.is_pretrained_cfg(name, tag):
        lacks = (
            f"has no pretrained tag {tag!r}" if tag else "needs a pretrained tag (without one its weights are random)"
        )
        choices = ", ".join(f"{name}/{tag}" for tag in tags)
        remedy = f"choose one of {choices}" if tags else "it has none: choose another"
        raise InputError(f"The encoder {name} {lacks}; {remedy}.{closest(tag, tags)}")
    return name, tag


def _open_clip() -> Any:
    try:
        import open_clip
    except ImportError:
        raise InputError("Encoders need open_clip: pip install 'mmlib[encoders]'.") from None
    return open_clip


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
