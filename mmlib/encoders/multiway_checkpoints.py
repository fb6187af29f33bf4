"""The official checkpoints of VLMo and BEiT-3, read into the multiway transformer."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.interpolate import RectBivariateSpline
from scipy.optimize import brentq
from torch import Tensor

from ..core.errors import InputError
from .multiway import BEIT3_BASE, VLMO_BASE, MultiwayConfig, MultiwayTransformer

State = dict[str, Tensor]
Names = tuple[tuple[str, str], ...]  # patterns of our names, and what the official ones have in their place

VLMO_NAMES: Names = (
    (r"^blocks\.", "transformer.blocks."),
    (r"^cls$", "transformer.cls_token"),
    (r"^patch\.", "transformer.patch_embed.proj."),
    (r"^image_positions$", "transformer.pos_embed"),
    (r"^text_positions$", "text_embeddings.position_embeddings.weight"),
    (r"^table$", "relative_position_bias_table"),
    (r"^words\.", "text_embeddings.word_embeddings."),
    (r"^word_norm\.", "text_embeddings.LayerNorm."),
    (r"^types\.", "token_type_embeddings."),
    (r"^norm\.shared\.", "transformer.norm."),
    (r"^pooler\.0\.", "pooler.dense."),
    (r"^projections\.(\w+)\.", r"itc_\1_proj.fc."),
    (r"\.norm\.shared\.", ".norm1."),
    (r"\.attention\.(qkv|proj)\.shared\.", r".attn.\1."),
    (r"\.ffn\.image\.", ".ffn.imag."),
    (r"\.ffn\.(\w+)\.norm\.", r".norm2_\1."),
    (r"\.ffn\.(\w+)\.fc", r".mlp_\1.fc"),
)
BEIT3_NAMES: Names = (
    (r"\.image\.", ".A."),
    (r"\.text\.", ".B."),
    (r"^patch\.", "beit3.vision_embed.proj."),
    (r"^cls$", "beit3.vision_embed.cls_token"),
    (r"^mask_token$", "beit3.vision_embed.mask_token"),
    (r"^words\.", "beit3.text_embed."),
    (r"^image_positions$", "beit3.encoder.embed_positions.A.weight"),
    (r"^text_positions$", "beit3.encoder.embed_positions.B.weight"),
    (r"^projections\.A\.", "vision_head."),
    (r"^projections\.B\.", "language_head."),
    (r"^norm\.", "beit3.encoder.layer_norm."),
    (r"^blocks\.", "beit3.encoder.layers."),
    (r"\.attention\.norm\.", ".self_attn.inner_attn_ln."),
    (r"\.attention\.proj\.", ".self_attn.out_proj."),
    (r"\.attention\.qkv\.", ".self_attn.qkv_proj."),
    (r"\.ffn\.([AB])\.norm\.", r".final_layer_norm.\1."),
    (r"\.ffn\.([AB])\.sub_norm\.", r".ffn.\1.ffn_layernorm."),
    (r"(\d)\.norm\.", r"\1.self_attn_layer_norm."),
)
RECOUNTED = re.compile(r"(\w*relative_position_index|text_embeddings\.position_ids)$")
ENCODER = re.compile(r"(transformer|text_embeddings|beit3|itc_\w+|vision_head|language_head)\.")  # not a task's head


def load_vlmo(path: str | Path, *, size: int | None = None) -> MultiwayTransformer:
    """VLMo base, base-plus or large, pre-trained or fine-tuned, from a file of its authors.

    The configuration is read off the shapes in the file. Files of the text-only stage have no vision-language
    experts, and files without contrastive projections give vectors without them; the mask token, which VLMo's own
    stages do not need, is zero. BERT's type vector, the same for all text, is added to the word vectors.

    Args:
        path: a ``.pt`` file as Lightning (``state_dict``), DeepSpeed (``module``) or others (``model``) write it, or
            ``.safetensors``; read with ``weights_only=True``.
        size: side of the images in pixels, if not the file's: absolute positions are interpolated (bicubic), relative
            ones by splines on BEiT's geometric grid.

    Raises:
        InputError: for a file that is missing, damaged, holds other things than tensors, or is not VLMo's; names
            the weights that are missing and those that are left over.
    """
    return _load(Path(path), "VLMo", _vlmo, VLMO_NAMES, size)


def load_beit3(path: str | Path, *, size: int | None = None) -> MultiwayTransformer:
    """BEiT-3 base or large, pre-trained or fine-tuned, from a file of its authors.

    Args:
        path: a ``.pth`` file with ``model`` in it; see ``load_vlmo``. Only files with ``itc`` or ``retrieval`` in
            their names have projections into a shared space; of others the [CLS] itself is the vector.
        size: side of the images in pixels, if not the file's: positions are interpolated (bicubic).

    Raises:
        InputError: as ``load_vlmo``.
    """
    return _load(Path(path), "BEiT-3", _beit3, BEIT3_NAMES, size)


def resized_positions(positions: Tensor, side: int) -> Tensor:
    """Bicubic interpolation of [1 + s * s, d] position vectors to [1 + side * side, d]; that of [CLS] stays."""
    old = math.isqrt(len(positions) - 1)
    grid = positions[1:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], grid.flatten(2)[0].T.to(positions.dtype)])


def resized_table(table: Tensor, old: int, new: int) -> Tensor:
    """Biases by distance for images of ``new`` x ``new`` patches from those of ``old`` x ``old``, as in BEiT.

    Near patches keep their bias: the distances 1, 2, 3, ... of the new grid are read, by a cubic spline, between
    those of the old one placed at 1, 1 + q, 1 + q + q^2, ..., with q such that both end at the same point.

    Args:
        table: [(2 old - 1)^2 + n, columns], old at least 3; the last n rows, not among patches, stay.

    Returns:
        [(2 new - 1)^2 + n, columns].
    """
    q = brentq(lambda q: np.sum(q ** np.arange(old - 1)) - (new - 1), 0, new)
    far = np.cumsum(q ** np.arange(old - 1))
    known, wanted = np.concatenate([-far[::-1], [0], far]), np.arange(1 - new, new)
    cells = table[: (2 * old - 1) ** 2].double().numpy().reshape(2 * old - 1, 2 * old - 1, -1)
    columns = [RectBivariateSpline(known, known, cells[:, :, i])(wanted, wanted).ravel() for i in range(cells.shape[2])]
    grid = torch.from_numpy(np.stack(columns, axis=1)).to(table.dtype)
    return torch.cat([grid, table[(2 * old - 1) ** 2 :]])


def _vlmo(raw: State) -> MultiwayConfig:
    """The configuration of the weights, which are put into the form of ours, names apart."""
    for name in [name for name in raw if name.endswith(".attn.q_bias") and name.replace("q_", "v_") in raw]:
        q, v = raw.pop(name), raw.pop(name.replace("q_bias", "v_bias"))
        raw[name.replace("q_bias", "qkv.bias")] = torch.cat([q, torch.zeros_like(q), v])
    raw["text_embeddings.word_embeddings.weight"] += raw.pop("text_embeddings.token_type_embeddings.weight")[0]
    raw["token_type_embeddings.weight"] = raw["token_type_embeddings.weight"][:2]  # a third: NLVR2's second image
    raw["mask_token"] = torch.zeros_like(raw["transformer.cls_token"])
    context = len(raw["text_embeddings.position_embeddings.weight"])
    layers, table = _layers(raw, r"transformer\.blocks\.(\d+)\."), raw.get("relative_position_bias_table")
    width, _, patch, _ = raw["transformer.patch_embed.proj.weight"].shape
    if table is None:
        raw["transformer.pos_embed"] = raw["transformer.pos_embed"].squeeze(0)
        side = math.isqrt(len(raw["transformer.pos_embed"]) - 1)
    else:
        raw.pop("text_embeddings.position_embeddings.weight")  # there, but not read
        side = (math.isqrt(max(0, len(table) - 5 - 2 * VLMO_BASE.reach)) + 1) // 2
    return replace(
        VLMO_BASE,
        layers=layers,
        width=width,
        heads=_heads(width) if table is None else table.shape[1] // layers,
        vocabulary=len(raw["text_embeddings.word_embeddings.weight"]),
        context=context,
        size=side * patch,
        patch=patch,
        vl_layers=sum(name.endswith("mlp_vl.fc1.weight") for name in raw),
        relative=table is not None,
        layer_scale=0.1 if "transformer.blocks.0.gamma_1" in raw else None,
        pooler="pooler.dense.weight" in raw,
        projections=tuple(name for name in VLMO_BASE.projections if f"itc_{name}_proj.fc.weight" in raw),
    )


def _beit3(raw: State) -> MultiwayConfig:
    """The configuration of the weights, which are put into the form of ours, names apart."""
    for q in [name for name in raw if ".self_attn.q_proj." in name]:
        parts = [q, q.replace("q_proj", "k_proj"), q.replace("q_proj", "v_proj")]
        if all(name in raw for name in parts):
            raw[q.replace("q_proj", "qkv_proj")] = torch.cat([raw.pop(name) for name in parts])
    for expert in "AB":  # fairseq counts positions from 2
        positions = f"beit3.encoder.embed_positions.{expert}.weight"
        raw[positions] = raw[positions][2:]
    width, _, patch, _ = raw["beit3.vision_embed.proj.weight"].shape
    return replace(
        BEIT3_BASE,
        layers=_layers(raw, r"beit3\.encoder\.layers\.(\d+)\."),
        width=width,
        heads=_heads(width),
        vocabulary=len(raw["beit3.text_embed.weight"]),
        context=len(raw["beit3.encoder.embed_positions.B.weight"]),
        size=patch * math.isqrt(len(raw["beit3.encoder.embed_positions.A.weight"]) - 1),
        patch=patch,
        final_norm="beit3.encoder.layer_norm.A.weight" in raw,
        projections=("text", "image") if "vision_head.weight" in raw else (),
    )


def _layers(raw: State, pattern: str) -> int:
    return 1 + max((int(found[1]) for name in raw if (found := re.match(pattern, name))), default=0)


def _heads(width: int) -> int:
    """64 values a head; in VLMo base-plus 34."""
    return 16 if width == 544 else max(1, width // 64)


def _read(path: Path, kind: str) -> State:
    """All tensors of a checkpoint by their official names, as float32."""
    if not path.is_file():
        raise InputError(f"There is no file {path}. Give the checkpoint of {kind} that you downloaded.")
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # torch, pickle, zipfile and safetensors each raise their own types
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"{path} cannot be read as tensors alone: {reason}. Download it again; if it holds other objects, save "
            "the tensors under 'state_dict' to a file of their own where you trust it."
        ) from None
    for key in ("state_dict", "module", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    found = found if isinstance(found, dict) else {}
    raw = {str(name).removeprefix("module."): value for name, value in found.items() if isinstance(value, Tensor)}
    return {name: value.float() if value.is_floating_point() else value for name, value in raw.items()}


def _load(
    path: Path, kind: str, form: Callable[[State], MultiwayConfig], names: Names, size: int | None
) -> MultiwayTransformer:
    raw = _read(path, kind)
    try:
        config = form(raw)
    except KeyError as error:
        has = ", ".join(list(raw)[:3]) or "no tensors"
        raise InputError(f"{path} is not a checkpoint of {kind}: it has no {error.args[0]}. It has {has}.") from None
    with torch.device("meta"):
        model = MultiwayTransformer(config)
    raw.setdefault("logit_scale", torch.tensor(math.log(1 / 0.07)))
    state = _ours(model, raw, names, path)
    if size not in (None, config.size):
        config = _resized(config, state, size)
        with torch.device("meta"):
            model = MultiwayTransformer(config)
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        told = " ".join(str(error).split())
        raise InputError(f"{path} has weights of other shapes than its first ones tell: {told}") from None
    return model.eval()


def _ours(model: MultiwayTransformer, raw: State, names: Names, path: Path) -> State:
    """The official weights by our names, all that the network has."""
    official = {name: _official(name, names) for name in model.state_dict()}
    missing = [name for name in official.values() if name not in raw]
    left = [name for name in raw if name not in official.values() and not RECOUNTED.match(name)]
    foreign = [name for name in left if ENCODER.match(name)]
    if missing or foreign:
        raise InputError(
            f"{path} does not fit. Missing: {', '.join(missing) or 'nothing'}. Left over: "
            f"{', '.join(foreign) or 'nothing'}. It may be another model, or a part of one."
        )
    if left:
        print(f"{path}: heads that are not used: {', '.join(left)}.")
    return {name: raw[key] for name, key in official.items()}


def _resized(config: MultiwayConfig, state: State, size: int) -> MultiwayConfig:
    """Positions for images of ``size`` pixels, put in the place of the file's."""
    if size < 3 * config.patch or size % config.patch:
        raise InputError(f"size = {size} is not a multiple of the patches' {config.patch} pixels, three at least.")
    side = size // config.patch
    if config.relative:
        state["table"] = resized_table(state["table"], config.side, side)
    else:
        state["image_positions"] = resized_positions(state["image_positions"], side)
    return replace(config, size=size)


def _official(name: str, names: Names) -> str:
    for pattern, other in names:
        name = re.sub(pattern, other, name)
    return name
