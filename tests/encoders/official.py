"""Made-up checkpoints of VLMo and BEiT-3 by the names of their authors, and a slow, obvious VLMo that reads them."""

import re

import torch
import torch.nn.functional as F

from mmlib.encoders.multiway_checkpoints import BEIT3_NAMES, VLMO_NAMES, _official

REACH = 196


def _random(shapes, seed):
    """Weights that let every token matter to every other: vectors around 1, and matrices that keep them there."""
    generator = torch.Generator().manual_seed(seed)
    found = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    for name, value in found.items():
        if value.dim() == 1 and name.endswith(("weight", "gamma_1", "gamma_2")):
            value.mul_(0.2).add_(1)
        elif value.dim() == 1:
            value.mul_(0.2)
        elif value.dim() and (not re.search("embed|cls|token|table", name) or "proj" in name):
            value.mul_(2 / value[0].numel() ** 0.5)
    return found


def vlmo_state(*, layers=3, width=32, heads=4, vl=1, side=3, patch=4, context=10, relative=True, itc=True, seed=0):
    """All weights of a VLMo under their official names; heads of the pre-training tasks among them."""
    d, shapes = width, {}
    for n in range(layers):
        block = {"norm1.weight": (d,), "norm1.bias": (d,), "attn.qkv.weight": (3 * d, d), "attn.q_bias": (d,)}
        block |= {"attn.v_bias": (d,), "attn.proj.weight": (d, d), "attn.proj.bias": (d,)}
        for kind in ("text", "imag", "vl") if n >= layers - vl else ("text", "imag"):
            block |= {f"norm2_{kind}.weight": (d,), f"norm2_{kind}.bias": (d,)}
            block |= {f"mlp_{kind}.fc1.weight": (4 * d, d), f"mlp_{kind}.fc1.bias": (4 * d,)}
            block |= {f"mlp_{kind}.fc2.weight": (d, 4 * d), f"mlp_{kind}.fc2.bias": (d,)}
        block |= {"gamma_1": (d,), "gamma_2": (d,)} if relative else {}
        shapes |= {f"transformer.blocks.{n}.{name}": shape for name, shape in block.items()}
    shapes |= {
        "transformer.cls_token": (1, 1, d),
        "transformer.patch_embed.proj.weight": (d, 3, patch, patch),
        "transformer.patch_embed.proj.bias": (d,),
        "transformer.norm.weight": (d,),
        "transformer.norm.bias": (d,),
        "text_embeddings.word_embeddings.weight": (50, d),
        "text_embeddings.position_embeddings.weight": (context, d),
        "text_embeddings.token_type_embeddings.weight": (2, d),
        "text_embeddings.LayerNorm.weight": (d,),
        "text_embeddings.LayerNorm.bias": (d,),
        "token_type_embeddings.weight": (2, d),
        "pooler.dense.weight": (d, d),
        "pooler.dense.bias": (d,),
        "mlm_score.decoder.weight": (50, d),
        "itm_score.fc.weight": (2, d),
    }
    if itc:
        shapes |= {f"itc_{kind}_proj.fc.weight": (d, d) for kind in ("text", "image", "vl_text", "vl_image")}
        shapes |= {"logit_scale": (), "logit_vl_scale": ()}
    if relative:
        shapes["relative_position_bias_table"] = ((2 * side - 1) ** 2 + 3 + 2 + 2 * REACH, heads * layers)
    else:
        shapes["transformer.pos_embed"] = (1, side**2 + 1, d)
    state = _random(shapes, seed)
    buffers = {"text_embeddings.position_ids": torch.arange(context).unsqueeze(0)}
    return state | (buffers | {"relative_position_index": torch.zeros(10, 10).long()} if relative else buffers)


def beit3_state(*, layers=2, width=128, side=3, patch=4, context=20, words=50, itc=True, norm=True, seed=0):
    """All weights of a BEiT-3 under their official names; with ``itc`` the heads of retrieval."""
    d, shapes = width, {}
    ends = [("weight", lambda *shape: shape), ("bias", lambda *shape: shape[:1])]
    for n in range(layers):
        layer = {f"self_attn.{name}_proj.{e}": (d, d) for name in ("q", "k", "v", "out") for e in "AB"}
        norms = ("self_attn.inner_attn_ln", "self_attn_layer_norm", "final_layer_norm")
        layer |= {f"{name}.{e}": (d,) for name in norms for e in "AB"}
        for e in "AB":
            layer |= {f"ffn.{e}.fc1": (4 * d, d), f"ffn.{e}.fc2": (d, 4 * d), f"ffn.{e}.ffn_layernorm": (4 * d,)}
        shapes |= {
            f"beit3.encoder.layers.{n}.{name}.{end}": cut(*shape) for name, shape in layer.items() for end, cut in ends
        }
    shapes |= {
        "beit3.text_embed.weight": (words, d),
        "beit3.vision_embed.proj.weight": (d, 3, patch, patch),
        "beit3.vision_embed.proj.bias": (d,),
        "beit3.vision_embed.cls_token": (1, 1, d),
        "beit3.vision_embed.mask_token": (1, 1, d),
        "beit3.encoder.embed_positions.A.weight": (side**2 + 3, d),
        "beit3.encoder.embed_positions.B.weight": (context + 2, d),
    }
    if norm:
        shapes |= {f"beit3.encoder.layer_norm.{e}.{end}": (d,) for e in "AB" for end in ("weight", "bias")}
    if itc:
        shapes |= {"vision_head.weight": (d, d), "language_head.weight": (d, d), "logit_scale": ()}
    return _random(shapes, seed)


def named(model, values):
    """Values of the network's weights, or their gradients, by the official names."""
    found = {}
    for ours, value in values.items():
        beit3 = not model.config.shared_attention
        name = _official(ours, BEIT3_NAMES if beit3 else VLMO_NAMES)
        if value is None:
            continue
        if "qkv_proj" in name:
            found |= {name.replace("qkv", k): part for k, part in zip("qkv", value.chunk(3))}
        elif name.endswith("attn.qkv.bias"):
            q, k, v = value.chunk(3)
            found |= {name.replace("qkv.bias", "q_bias"): q, name.replace("qkv.bias", "v_bias"): v}
            found[name.replace("qkv.bias", "k_bias")] = k
        elif beit3 and "embed_positions" in name:
            found[name] = F.pad(value, (0, 0, 2, 0))
        else:
            found[name] = value.unsqueeze(0) if name == "transformer.pos_embed" else value
    return found


def gradients(model):
    return named(model, {name: value.grad for name, value in model.named_parameters()})


def row_of(one, other, side):
    """Row of VLMo's bias table for two tokens, each (modality, place), place 0 being [CLS]."""
    (kind, i), (other_kind, j) = one, other
    cells = (2 * side - 1) ** 2
    if kind != other_kind:
        return cells + 3 if kind == "text" else cells + 4
    last = cells + 3 if kind == "image" else cells + 5 + 2 * REACH
    if i == 0 or j == 0:
        return last - 1 if i == j else (last - 3 if i == 0 else last - 2)
    if kind == "text":
        return cells + 5 + (j - i) + REACH - 2
    down, across = ((i - 1) // side - (j - 1) // side), ((i - 1) % side - (j - 1) % side)
    return (down + side - 1) * (2 * side - 1) + across + side - 1


def vlmo(w, pixels=None, tokens=None, present=None, *, heads=4, patch=4, vl=False):
    """VLMo token by token from its table of weights ``w``; returns the normalised tokens and their modalities."""
    table = w.get("relative_position_bias_table")
    layers = 1 + max(int(re.findall(r"blocks\.(\d+)", name)[0]) for name in w if "blocks" in name)
    places, vectors, side = [], [], 0
    if tokens is not None:
        for i in range(tokens.shape[1]):
            x = w["text_embeddings.word_embeddings.weight"][tokens[:, i]]
            x = x + w["text_embeddings.token_type_embeddings.weight"][0]
            if table is None:
                x = x + w["text_embeddings.position_embeddings.weight"][i]
            x = F.layer_norm(
                x, x.shape[-1:], *(w[f"text_embeddings.LayerNorm.{end}"] for end in ("weight", "bias")), 1e-12
            )
            vectors.append(x + w["token_type_embeddings.weight"][0])
            places.append(("text", i))
    if pixels is not None:
        side = pixels.shape[-1] // patch
        kernel = w["transformer.patch_embed.proj.weight"].flatten(1)
        found = [w["transformer.cls_token"][0].expand(len(pixels), -1)]
        for r in range(side):
            for c in range(side):
                cut = pixels[:, :, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch].flatten(1)
                found.append(cut @ kernel.T + w["transformer.patch_embed.proj.bias"])
        if table is None:
            found = [x + w["transformer.pos_embed"][0, i] for i, x in enumerate(found)]
        vectors += [x + w["token_type_embeddings.weight"][1] for x in found]
        places += [("image", i) for i in range(len(found))]
    x = torch.stack(vectors, dim=1)
    side = side or 3  # of the table
    index = torch.tensor([[row_of(a, b, side) for b in places] for a in places], device=x.device)
    for n in range(layers):
        x = _block(
            w, f"transformer.blocks.{n}.", n, x, places, index, present, heads, vl or None not in (pixels, tokens)
        )
    norm = [w["transformer.norm.weight"], w["transformer.norm.bias"]]
    return F.layer_norm(x, x.shape[-1:], *norm, 1e-6), [kind for kind, _ in places]


def _block(w, name, n, x, places, index, present, heads, together):
    def norm(x, which):
        return F.layer_norm(x, x.shape[-1:], w[f"{name}{which}.weight"], w[f"{name}{which}.bias"], 1e-6)

    d = x.shape[-1]
    h = norm(x, "norm1")
    q_all = h @ w[name + "attn.qkv.weight"][:d].T + w[name + "attn.q_bias"]
    k_all = h @ w[name + "attn.qkv.weight"][d : 2 * d].T
    v_all = h @ w[name + "attn.qkv.weight"][2 * d :].T + w[name + "attn.v_bias"]
    out = []
    for head in range(heads):
        cut = slice(head * d // heads, (head + 1) * d // heads)
        scores = q_all[..., cut] @ k_all[..., cut].transpose(1, 2) / (d // heads) ** 0.5
        if "relative_position_bias_table" in w:
            scores = scores + w["relative_position_bias_table"][index, n * heads + head]
        if present is not None:
            keys = torch.stack([present[:, i] if k == "text" else torch.ones_like(present[:, 0]) for k, i in places], 1)
            scores = scores.masked_fill(~keys.unsqueeze(1), -torch.inf)
        out.append(scores.softmax(-1) @ v_all[..., cut])
    mixed = torch.cat(out, -1) @ w[name + "attn.proj.weight"].T + w[name + "attn.proj.bias"]
    x = x + w.get(name + "gamma_1", 1.0) * mixed
    rows = []
    for i, (kind, _) in enumerate(places):
        which = "vl" if together and name + "mlp_vl.fc1.weight" in w else kind[:4]
        h = norm(x[:, i], f"norm2_{which}") @ w[f"{name}mlp_{which}.fc1.weight"].T + w[f"{name}mlp_{which}.fc1.bias"]
        h = F.gelu(h) @ w[f"{name}mlp_{which}.fc2.weight"].T + w[f"{name}mlp_{which}.fc2.bias"]
        rows.append(x[:, i] + w.get(name + "gamma_2", 1.0) * h)
    return torch.stack(rows, 1)
