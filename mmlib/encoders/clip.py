"""CLIP: one encoder for pictures and words, through open_clip."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ..core.errors import InputError, closest, one_of
from ..core.files import digest, read_json, whole, write_json

WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"  # the names that open_clip looks for
# A residual network: on the few hundred pictures of a small catalogue it learns shapes where a ViT learns colours only.
SMALL_VISION: dict[str, Any] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32}
SMALL_TEXT: dict[str, Any] = {"context_length": 48, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Clip(nn.Module):
    """A picture tower and a text tower that share one space: similar things have a high inner product.

    Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021. Both towers
    give float32 vectors of length 1. Made by ``load``; what ``save`` writes, ``load("local-dir:...")`` reads.

    Args:
        model: an open_clip model.
        tokenizer: its tokenizer.
        config: open_clip's ``model_cfg``, enough to build the model again.
        preprocessing: open_clip's ``preprocess_cfg``: size, mean, std, interpolation, resize_mode, fill_color, mode.
        name: what the user asked for, such as ``"ViT-B-32/openai"``.
        origin: where the weights come from, in words.
        precision: of the weights: ``"fp32"``, ``"bf16"``, ``"fp16"``.

    Attributes:
        preprocess: PIL picture -> [3, h, w] float32, as for the checkpoint; ``preprocess_train`` crops at random.
        dim: length of a vector.
        context: tokens in one window of text, start and end among them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        config: dict[str, Any],
        preprocessing: dict[str, Any],
        *,
        name: str,
        origin: str,
        precision: str = "fp32",
    ) -> None:
        super().__init__()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self.model: Any = model
        self.tokenizer, self.config = tokenizer, config
        self.preprocessing = {key: list(v) if isinstance(v, tuple) else v for key, v in preprocessing.items()}
        self.name, self.origin, self.dtype = name, origin, DTYPES[precision]
        self.dim, self.context = int(config["embed_dim"]), int(tokenizer.context_length)
        cfg = PreprocessCfg(**preprocessing)
        self.preprocess = image_transform_v2(cfg, is_train=False)
        self.preprocess_train = image_transform_v2(cfg, is_train=True)
        for stat in ("mean", "std"):
            self.register_buffer(stat, torch.tensor(getattr(cfg, stat)).reshape(3, 1, 1), persistent=False)
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def pixels(self, picture: Image.Image) -> Tensor:
        """The picture resized and cropped as by ``preprocess``, not yet normalised: [3, h, w] uint8."""
        values: Any = picture
        for step in self.preprocess.transforms[:-1]:  # the last one normalises
            values = step(values)
        return (values * 255).round().to(torch.uint8)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Values 0 to 255 as the picture tower wants them: [..., 3, h, w] float32."""
        return (pixels / 255 - self.mean) / self.std

    def image(self, pixels: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pixels: [b, 3, h, w]; float32 from ``preprocess``, or uint8 from ``pixels`` (normalised here).

        Returns:
            [b, d] float32, length 1.
        """
        if pixels.dtype == torch.uint8:
            pixels = self.normalise(pixels)
        return F.normalize(self.model.encode_image(pixels.to(self.dtype)).float(), dim=-1)

    def text(self, tokens: Tensor) -> Tensor:
        """Encode windows of text: tokens [b, context] int64 -> [b, d] float32, length 1."""
        return F.normalize(self.model.encode_text(tokens).float(), dim=-1)

    def tokenize(self, texts: list[str]) -> Tensor:
        """Tokens [n, context] int64, padded. Longer texts are cut: use ``words.windows`` to keep all of them."""
        return self.tokenizer(texts)

    def count(self, text: str) -> int:
        """How many tokens a text has, start and end not counted."""
        if hasattr(self.tokenizer, "encode"):
            return len(self.tokenizer.encode(text))
        return len(self.tokenizer.tokenizer(self.tokenizer.clean_fn(text), add_special_tokens=False)["input_ids"])

    @property
    def checkpoint(self) -> str:
        """A short hash of the architecture and of every weight as it is now."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.model.state_dict().items()}
        parts = [part for name, value in sorted(weights.items()) for part in (name, list(value.shape), _bytes(value))]
        return digest(self.config, *parts)

    @property
    def about(self) -> dict[str, Any]:
        """What made the vectors, in plain values: name, origin, checkpoint hash, preprocessing, sizes."""
        return {
            "encoder": self.name,
            "origin": self.origin,
            "checkpoint": self.checkpoint,
            "preprocessing": self.preprocessing,
            "dim": self.dim,
            "context": self.context,
        }

    def save(self, folder: str | Path) -> None:
        """Write weights (safetensors), architecture, preprocessing and, where it has files, the tokenizer.

        The folder is in open_clip's own layout and can be read by ``load("local-dir:FOLDER")`` and by open_clip.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / WEIGHTS) as partial:
            save_file({name: value.contiguous() for name, value in self.model.state_dict().items()}, partial)
        if hasattr(self.tokenizer, "save_pretrained"):
            self.tokenizer.save_pretrained(folder)
        config = {"model_cfg": self.config, "preprocess_cfg": self.preprocessing}
        write_json(folder / CONFIG, config | {"origin": self.origin, "checkpoint": self.checkpoint})


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
        InputError: for an unknown name or tag (with the closest), a missing, damaged or foreign checkpoint, and
            weights that cannot be fetched.
    """
    one_of("precision", precision, DTYPES)
    clip = _small(dim, seed) if encoder == "small" else _pretrained(encoder, precision)
    return clip.to(device)


def _pretrained(encoder: str, precision: str) -> Clip:
    open_clip = _open_clip()
    options: dict[str, Any] = {}
    if encoder.startswith("local-dir:"):
        source = f"local-dir:{_checked_folder(encoder)}"
        origin = read_json(Path(source.removeprefix("local-dir:")) / CONFIG).get("origin", "a checkpoint of the user's")
    elif encoder.startswith("hf-hub:"):
        source, origin = encoder, "pretrained, from the Hugging Face hub"
    else:
        source, tag = _name_and_tag(encoder)
        quick = bool(
            open_clip.get_pretrained_cfg(source, tag).get("quick_gelu")
        )  # open_clip warns, but does not switch
        options, origin = {"pretrained": tag, "force_quick_gelu": quick}, f"pretrained: {tag}"
    try:
        model = open_clip.create_model(source, precision=precision, require_pretrained=True, **options)
        tokenizer = open_clip.get_tokenizer(source)
        config = open_clip.get_model_config(source)
    except Exception as error:  # open_clip, its hub client and torch each raise their own types
        raise InputError(
            f"The encoder {encoder} cannot be loaded: {_first_line(error)}. Check that the weights fit their "
            f"{CONFIG}, and for weights that have to be fetched, the network; or use encoder = 'small'."
        ) from error
    if options.get("force_quick_gelu"):
        config["quick_gelu"] = True
    clip = Clip(
        model,
        tokenizer,
        config,
        open_clip.get_model_preprocess_cfg(model),
        name=encoder,
        origin=origin,
        precision=precision,
    )
    if encoder.startswith("local-dir:") and precision == "fp32":
        _check_hash(clip, Path(source.removeprefix("local-dir:")))
    return clip


def _small(dim: int, seed: int) -> Clip:
    """A residual network on 64 x 64 pictures and a text transformer; 8 million weights, 6.3 of them token vectors."""
    if not (isinstance(dim, int) and 8 <= dim <= 1024):
        raise InputError(f"dim = {dim!r} is not a width for the small encoder; give 8 to 1024, such as 64 or 128.")
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


def _checked_folder(encoder: str) -> Path:
    folder = Path(encoder.removeprefix("local-dir:")).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} (encoder = {encoder!r}).")
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict) or "model_cfg" not in config or "preprocess_cfg" not in config:
        raise InputError(
            f"{folder / CONFIG} needs both model_cfg and preprocess_cfg: without the preprocessing that the weights "
            "were trained with, their vectors mean nothing."
        )
    if not any(path.suffix in (".safetensors", ".bin", ".pth") for path in folder.iterdir()):
        raise InputError(f"{folder} holds no weights: put a .safetensors file (best), .bin or .pth beside {CONFIG}.")
    return folder


def _check_hash(clip: Clip, folder: Path) -> None:
    expected = read_json(folder / CONFIG).get("checkpoint")
    if expected and expected != clip.checkpoint:
        raise InputError(
            f"The weights in {folder} are not the ones that {CONFIG} was saved with (its hash is {expected}). "
            "Save the encoder again, or delete the line 'checkpoint' if you changed the weights on purpose."
        )


def _name_and_tag(encoder: str) -> tuple[str, str]:
    open_clip = _open_clip()
    models = open_clip.list_models()
    name, _, tag = encoder.rpartition("/")
    if encoder.replace("/", "-") in models:
        name, tag = encoder, ""
    name = name.replace("/", "-")
    if name not in models:
        known = ["small", *(f"{model}/{tag}" for model, tag in open_clip.list_pretrained())]
        hint = f' Did you mean "local-dir:{encoder}"?' if Path(encoder).is_dir() else closest(encoder, known)
        raise InputError(
            f"encoder = {encoder!r} is not known; give 'small', a model of open_clip with its tag, such as "
            f"'ViT-B-32/openai', 'local-dir:FOLDER' or 'hf-hub:OWNER/NAME'.{hint}"
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not open_clip.is_pretrained_cfg(name, tag):
        which = (
            f"has no pretrained tag {tag!r}" if tag else "needs a pretrained tag (without one its weights are random)"
        )
        choices = (
            f"choose one of {', '.join(f'{name}/{tag}' for tag in tags)}" if tags else "it has none: choose another"
        )
        raise InputError(f"The encoder {name} {which}; {choices}.{closest(tag, tags)}")
    return name, tag


def _open_clip() -> Any:
    try:
        import open_clip
    except ImportError:
        raise InputError("Encoders need open_clip: pip install 'mmlib[encoders]'.") from None
    return open_clip


def _bytes(value: Tensor) -> bytes:
    return value.flatten().view(torch.uint8).numpy().tobytes()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
