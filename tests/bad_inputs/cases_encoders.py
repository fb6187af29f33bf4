"""Encoders by their names and folders, and the packages that they need."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import mmlib as mm

from . import cases_library
from .world import Case, Content, without

TINY: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
PREPROCESSING: dict[str, Any] = {"size": (32, 32), "mode": "RGB", "mean": (0.5,) * 3, "std": (0.25,) * 3}
PREPROCESSING |= {"interpolation": "bicubic", "resize_mode": "squash", "fill_color": 0}


@cache
def tiny() -> Any:
    """A very small encoder with random weights."""
    import open_clip

    from mmlib.encoders import Clip

    torch.manual_seed(0)
    tokenizer = open_clip.SimpleTokenizer(context_length=16)
    return Clip(open_clip.CLIP(**TINY), tokenizer, TINY, PREPROCESSING, name="tiny", origin="random weights")


@cache
def saved() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tiny-encoder-"))
    tiny().save(folder)
    return folder


WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"


def spoilt(change: Callable[[Path], Any]) -> Callable[[Path], None]:
    """A sound folder of an encoder, in which ``change`` does its work."""

    def make(path: Path) -> None:
        shutil.copytree(saved(), path.parent, dirs_exist_ok=True)
        change(path.parent)

    return make


def config(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        held = json.loads((folder / CONFIG).read_text())
        held = {name: value for name, value in (held | changed).items() if value is not None}
        (folder / CONFIG).write_text(json.dumps(held))

    return change


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("touch broken-in",)


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({"state_dict": Evil()}, folder / "open_clip_pytorch_model.bin")


def holed(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    save_file(
        {name: values + float("nan") if values.is_floating_point() else values for name, values in weights.items()},
        folder / WEIGHTS,
    )


def renamed(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(3)}, folder / WEIGHTS)


FOLDERS: list[tuple[str, dict[str, Content], str]] = [
    ("empty folder", {"e": None}, CONFIG),
    ("a file", {"e": "x"}, "e"),
    ("weights are missing", {"e/.": spoilt(lambda folder: (folder / WEIGHTS).unlink())}, "weights"),
    ("configuration is missing", {"e/.": spoilt(lambda folder: (folder / CONFIG).unlink())}, CONFIG),
    ("configuration is broken", {"e/.": spoilt(lambda folder: (folder / CONFIG).write_text("{"))}, CONFIG),
    ("configuration is a list", {"e/.": spoilt(lambda folder: (folder / CONFIG).write_text("[]"))}, CONFIG),
    ("configuration without preprocessing", {"e/.": spoilt(config(preprocess_cfg=None))}, "preprocess_cfg"),
    ("configuration without a model", {"e/.": spoilt(config(model_cfg=None))}, "model_cfg"),
    ("configuration of another model", {"e/.": spoilt(config(model_cfg=TINY | {"embed_dim": 16}))}, "e"),
    ("configuration with text for numbers", {"e/.": spoilt(config(model_cfg=TINY | {"embed_dim": "wide"}))}, "e"),
    ("configuration with model text", {"e/.": spoilt(config(model_cfg="ViT-B-32"))}, "e"),
    ("configuration with another hash", {"e/.": spoilt(config(checkpoint="0000"))}, "hash|checkpoint"),
    ("weights are no safetensors", {"e/.": spoilt(lambda folder: (folder / WEIGHTS).write_bytes(b"x" * 99))}, "e"),
    ("weights are empty", {"e/.": spoilt(lambda folder: (folder / WEIGHTS).write_bytes(b""))}, "e"),
    (
        "weights are cut off",
        {"e/.": spoilt(lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-999]))},
        "e",
    ),
    ("weights of another model", {"e/.": spoilt(renamed)}, "e"),
    ("weights are a pickle that runs a command", {"e/.": spoilt(pickled)}, "e"),
    ("weights hold NaN", {"e/.": spoilt(holed)}, "NaN|hash|weights"),
]

NAMES: list[tuple[str, str]] = [
    ("", "small"),
    ("smal", "small"),
    ("ViT-B-99/openai", "ViT-B"),
    ("ViT-B-32", "ViT-B-32/openai|tag"),
    ("ViT-B-32/", "ViT-B-32/openai|tag"),
    ("ViT-B-32/opanai", "openai"),
    ("/", "small"),
    ("../../etc/passwd", "etc"),
    ("local-dir:", "folder"),
    ("local-dir:none", "none"),
    ("hf-hub:", "hf-hub"),
    ("hf-hub:nobody/nothing", "nobody/nothing"),
    ("hf-hub:../../x", "hf-hub"),
    ("x" * 5000, "encoder"),
    ("a\0b", "encoder"),
    ("ViT-B-32/openai/more", "encoder"),
    ("e", "local-dir:e"),
]


@contextlib.contextmanager
def offline(folder: Path) -> Iterator[None]:
    """Nobody asks for anything beyond this machine."""
    import open_clip.pretrained
    from huggingface_hub import constants

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("accepted: weights were about to be fetched")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        patch.setattr(open_clip.pretrained, "download_pretrained_from_url", asked)
        yield


@contextlib.contextmanager
def no_tokenizers(folder: Path) -> Iterator[None]:
    """The package ``transformers`` is not installed, and whoever asks for weights first is caught."""
    import open_clip
    import open_clip.tokenizer

    def made(*_: object, **__: object) -> None:
        raise AssertionError("accepted: weights were about to be fetched")

    with pytest.MonkeyPatch.context() as patch, without("transformers")(folder):
        patch.setattr(open_clip, "create_model", made)
        yield


def load(name: str) -> Callable[[Path], Any]:
    return lambda here: mm.encoders.load(name)


def encoder(**options: Any) -> Callable[[Path], Any]:
    return lambda here: mm.encoder(_pictured(here), **{"name": "small"} | options)


PICTURES: dict[str, Content] = {f"pics/{n}.png": lambda path: _draw(path) for n in range(20)}


def _draw(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 40), (int(path.stem) * 9, 50, 90)).save(path)


def extract(**options: Any) -> Callable[[Path], Any]:
    return lambda here: mm.encoders.extract(cases_library.data(), tiny(), **options)


def _short(name: str) -> str:
    return repr(name) if len(name) < 40 else f"of {len(name)} characters"


CASES = [
    *[Case(f"name {_short(name)}", load(name), (says,), {"e/a.png": "x"}, offline) for name, says in NAMES],
    *[Case(f"local-dir: {id}", load("local-dir:e"), (says,), files, offline) for id, files, says in FOLDERS],
    *[
        Case(
            f"tokenizer's package is missing for {name}", load(name), ("transformers", "pip install"), {}, no_tokenizers
        )
        for name in (
            "ViT-B-16-SigLIP/webli",
            "ViT-SO400M-14-SigLIP-384/webli",
            "roberta-ViT-B-32/laion2b_s12b_b32k",
            "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k",
        )
    ],
    Case("open_clip is missing", load("small"), ("open_clip", "pip install"), {}, without("open_clip")),
    Case(
        "load with an unknown precision", lambda here: mm.encoders.load("small", precision="fp8"), ("precision", "fp16")
    ),
    Case("load with no width", lambda here: mm.encoders.load("small", dim=0), ("dim",)),
    Case("load with a width that is text", lambda here: mm.encoders.load("small", dim="wide"), ("dim",)),
    Case("load with an unknown device", lambda here: mm.encoders.load("small", device="gpu"), ("device|gpu",)),
    Case("load with a negative seed", lambda here: mm.encoders.load("small", seed=2**64), ("seed",)),
    Case("encoder that is never trained", encoder(epochs=0), ("epochs",)),
    Case("encoder with negative epochs", encoder(epochs=-1), ("epochs",)),
    Case("encoder at no learning rate", encoder(epochs=1, lr=0), ("lr",), PICTURES, new="^outputs/cache/.*work/"),
    Case(
        "encoder at a NaN learning rate",
        encoder(epochs=1, lr=float("nan")),
        ("lr",),
        PICTURES,
        new="^outputs/cache/.*work/",
    ),
    Case(
        "encoder in batches of nothing",
        encoder(epochs=1, batch_size=0),
        ("batch_size",),
        PICTURES,
        new="^outputs/cache/.*work/",
    ),
    Case(
        "encoder for a catalogue without pictures",
        lambda here: mm.encoder(cases_library.data(), "small", epochs=1),
        ("picture|image",),
    ),
    Case("extract in batches of nothing", extract(batch_size=0), ("batch_size",)),
    Case("extract by no workers", extract(workers=-1), ("workers",)),
    Case("extract at an unknown precision", extract(precision="fp8"), ("precision",)),
    Case(
        "extract of a catalogue without content",
        lambda here: mm.encoders.extract(_bare(), tiny()),
        ("neither|nothing",),
    ),
    Case(
        "extract of pictures none of which can be read",
        lambda here: mm.encoders.extract(_pictured(here), tiny()),
        ("picture|image", r"\.png|i0|read"),
        {f"pics/{n}.png": b"no picture" for n in range(20)},
    ),
]


def _bare() -> Any:
    from dataclasses import replace

    data = cases_library.data()
    return replace(data, items=data.items.assign(title="", text=""))


def _pictured(here: Path) -> Any:
    from dataclasses import replace

    data = cases_library.data()
    return replace(data, items=data.items.assign(image=[f"{n}.png" for n in range(20)], text=""), images=here / "pics")
