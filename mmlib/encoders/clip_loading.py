"""CLIP models through open_clip: small and random, by name and tag, from a folder, from a hub."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ..core.errors import InputError, closest
from ..core.files import read_json
from .clip import CONFIG, WEIGHTS, Clip
from .hub import cached_first, first_line, hub_file, licence_of, revision_of

# A residual network: on the few hundred images of a small catalogue it learns shapes where a ViT learns colours only.
SMALL_VISION: dict[str, Any] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32}
SMALL_TEXT: dict[str, Any] = {"context_length": 48, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2}
PICKLED = "open_clip_pytorch_model.bin"  # the name of weights in older repositories; read with weights_only


def small(dim: int, seed: int) -> Clip:
    """A residual network on 64 x 64 images and a text transformer; 8 million weights, 6.3 of them token vectors."""
    check_small(dim, seed)
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


def check_small(dim: int, seed: int) -> None:
    """Raises InputError for a width or a seed that a small encoder cannot have."""
    if not (isinstance(dim, int) and 8 <= dim <= 1024):
        raise InputError(f"dim = {dim!r} is not a width for the small encoder; give 8 to 1024, such as 64 or 128.")
    if not -(2**63) <= seed < 2**63:
        raise InputError(f"seed = {seed} is too large; give a whole number below 2 ** 63, such as 0.")


def tagged(encoder: str, precision: str) -> Clip:
    """A model of open_clip with one of its tags, ``"NAME/TAG"``."""
    open_clip = _open_clip()
    name, tag = name_and_tag(encoder)
    cfg = open_clip.get_pretrained_cfg(name, tag)
    config = open_clip.get_model_config(name)
    _check_packages(encoder, name, config.get("text_cfg", {}))
    file = _weights(encoder, cfg)
    if "hf_model_name" in config["text_cfg"]:  # a text tower of transformers: its shape comes from there
        hub_file(encoder, config["text_cfg"]["hf_model_name"], ["config.json"])
    tokenizer = _tokenizer(encoder, name, config)
    quick = bool(cfg.get("quick_gelu"))  # open_clip warns, but does not switch
    options = {"pretrained": str(file), "force_quick_gelu": quick, "force_preprocess_cfg": cfg}
    about = {"origin": f"pretrained: {tag}", "revision": revision_of(file), "licence": licence_of(file.parent)}
    config |= {"quick_gelu": True} if quick else {}
    return _clip(encoder, name, precision, tokenizer, config, options, about)


def folder(encoder: str, precision: str) -> Clip:
    """Weights beside an ``open_clip_config.json``: ``"local-dir:FOLDER"``, or ``"hf-hub:OWNER/NAME"``, fetched."""
    _open_clip()
    hub = encoder.startswith("hf-hub:")
    if hub:
        repository = encoder.removeprefix("hf-hub:")
        path = hub_file(encoder, repository, [CONFIG]).parent
    else:
        path = Path(os.path.expanduser(encoder.removeprefix("local-dir:")))
        if encoder == "local-dir:" or not os.path.isdir(path):
            raise InputError(f"There is no folder {path} (encoder = {encoder!r}); give 'local-dir:FOLDER'.")
    saved = _checked_config(path)
    config, source = saved["model_cfg"], f"local-dir:{path}"
    text = config.get("text_cfg", {}) if isinstance(config, dict) else {}
    _check_packages(encoder, source, text)
    if hub:
        hub_file(encoder, repository, [WEIGHTS, PICKLED])
    _check_weights(path)
    tokenizer = _tokenizer(encoder, encoder if hub and text.get("hf_tokenizer_name") else source, config)
    origin = "pretrained, from the Hugging Face hub" if hub else "a checkpoint of the user's"
    about = {"origin": saved.get("origin", origin), "licence": licence_of(path)}
    about["revision"] = revision_of(path / CONFIG) or str(saved.get("revision", ""))
    clip = _clip(encoder, source, precision, tokenizer, config, {}, about)
    if saved.get("checkpoint") and precision == "fp32" and saved["checkpoint"] != clip.checkpoint:
        raise InputError(
            f"The weights in {path} are not the ones that {CONFIG} was saved with (its hash is "
            f"{saved['checkpoint']}). Save the encoder again, or delete the line 'checkpoint' if you changed the "
            "weights on purpose."
        )
    return clip


def _clip(
    encoder: str, source: str, precision: str, tokenizer: Any, config: dict, options: dict, about: dict[str, Any]
) -> Clip:
    open_clip = _open_clip()
    try:
        model = open_clip.create_model(source, precision=precision, require_pretrained=True, **options)
        preprocessing = open_clip.get_model_preprocess_cfg(model)
        return Clip(model, tokenizer, config, preprocessing, precision=precision, name=encoder, **about)
    except Exception as error:  # open_clip, safetensors and torch each raise their own types
        raise _unloadable(encoder, error) from error


def _tokenizer(encoder: str, source: str, config: Any) -> Any:
    """The tokenizer; its files, where it has some, from the cache first."""
    open_clip = _open_clip()
    text = config.get("text_cfg", {}) if isinstance(config, dict) else {}
    try:
        if not text.get("hf_tokenizer_name"):
            return open_clip.get_tokenizer(source)
        wanted = f"the tokenizer {text['hf_tokenizer_name']}"
        if source.startswith("local-dir:"):
            return open_clip.get_tokenizer(source, local_files_only=True)
        return cached_first(encoder, wanted, lambda here: open_clip.get_tokenizer(source, local_files_only=here))
    except InputError:
        raise
    except Exception as error:  # as above
        raise _unloadable(encoder, error) from error


def _weights(encoder: str, cfg: dict[str, Any]) -> Path:
    """The file with a tag's weights: from the hub where it is there, else from the tag's own address."""
    open_clip = _open_clip()
    if not cfg.get("hf_hub"):
        try:
            return Path(open_clip.pretrained.download_pretrained(cfg))
        except Exception as error:  # the network's, the disk's, and a wrong checksum
            raise _unloadable(encoder, error) from error
    repository, _, name = cfg["hf_hub"].rpartition("/")
    stem = os.path.splitext(name)[0]
    return hub_file(encoder, repository, [f"{stem}.safetensors", name] if name else [WEIGHTS, PICKLED])


def _unloadable(encoder: str, error: Exception) -> InputError:
    return InputError(
        f"The encoder {encoder} cannot be loaded: {first_line(error)}. Check that the weights fit their {CONFIG}, and "
        "for weights that have to be fetched, the network; or use encoder = 'small'."
    )


def _check_packages(encoder: str, source: str, text: dict[str, Any]) -> None:
    """Ask for the package of a tokenizer or a text tower before weights are fetched."""
    siglip = ":" not in source and "siglip" in source.lower()
    if (siglip or text.get("hf_tokenizer_name") or text.get("hf_model_name")) and find_spec("transformers") is None:
        raise InputError(
            f"The encoder {encoder} reads text with the package transformers, which is not installed: "
            "pip install transformers sentencepiece. Nothing was fetched; ViT-B-32/openai does without it."
        )


def _checked_config(path: Path) -> dict[str, Any]:
    config = read_json(path / CONFIG)
    if not isinstance(config, dict) or "model_cfg" not in config or "preprocess_cfg" not in config:
        raise InputError(
            f"{path / CONFIG} needs both model_cfg and preprocess_cfg: without the preprocessing that the weights "
            "were trained with, their vectors mean nothing."
        )
    return config


def _check_weights(path: Path) -> None:
    if not any(file.suffix in (".safetensors", ".bin", ".pth") for file in path.iterdir()):
        raise InputError(f"{path} holds no weights: put a .safetensors file (best), .bin or .pth beside {CONFIG}.")


def name_and_tag(encoder: str) -> tuple[str, str]:
    """Split ``"NAME/TAG"``; raises InputError, with the closest, for what open_clip does not know."""
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
            "'ViT-B-32/openai', 'hf-hub:OWNER/NAME', 'local-dir:FOLDER', 'timm:NAME' (images), 'st:NAME' (text), "
            f"'features:FOLDER', or one for each: {{image: 'timm:NAME', text: 'st:NAME'}}.{hint}"
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
