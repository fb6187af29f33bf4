"""The multiway transformer: VLMo and BEiT-3, one network with an expert for each modality."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.errors import InputError

SHARED, TEXT, IMAGE, VL = "shared", "text", "image", "vl"
Route = tuple[tuple[str, int], ...]  # which expert the next so many tokens go through


@dataclass(frozen=True)
class MultiwayConfig:
    """What sets VLMo and BEiT-3, and the sizes of each, apart. The defaults are VLMo's.

    Args:
        layers, width, heads: of the transformer; a feed-forward network is four times as wide.
        vocabulary: how many tokens have a vector.
        context: the longest text in tokens, [CLS] and [SEP] among them.
        size, patch: side of an image and of its patches in pixels.
        shared_attention: one self-attention for all modalities (VLMo); otherwise each has its own projections and
            norms, and attends to the tokens of both (BEiT-3).
        vl_layers: in so many last layers a pair's tokens all go through one vision-language expert.
        relative: a bias on each attention score, by distance and head and layer; otherwise a vector is added to each
            position. ``reach``: distances in text up to which a bias is learnt.
        layer_scale: what the learnt factor of every residual branch starts from; ``None``: there is none.
        sub_norm: a second LayerNorm inside attention and feed-forward network (Sub-LN: Wang et al., "Magneto", 2022).
        image_first: the order of a pair; its first token's vector stands for the pair.
        typed: text vectors are normalised as in BERT, and both modalities receive a vector that names them.
        final_norm: a LayerNorm after the last layer; BEiT-3 fine-tuned to classify has none.
        pooler: a pair's vector goes through a linear layer and tanh.
        projections: linear layers into the shared space, for the vectors of each modality, and, as ``vl_text`` and
            ``vl_image``, for those that came through the vision-language experts.
        eps: of every LayerNorm.
    """

    layers: int
    width: int
    heads: int
    vocabulary: int = 30522
    context: int = 40
    size: int = 224
    patch: int = 16
    shared_attention: bool = True
    vl_layers: int = 0
    relative: bool = True
    reach: int = 196
    layer_scale: float | None = 0.1
    sub_norm: bool = False
    image_first: bool = False
    typed: bool = True
    final_norm: bool = True
    pooler: bool = True
    projections: tuple[str, ...] = (TEXT, IMAGE, "vl_text", "vl_image")
    eps: float = 1e-6

    @property
    def side(self) -> int:
        """Patches along one side of an image."""
        return self.size // self.patch

    @property
    def window(self) -> int:
        """Relative positions of two patches, and three for the image's [CLS]: from it, to it, and to itself."""
        return (2 * self.side - 1) ** 2 + 3


VLMO_BASE = MultiwayConfig(layers=12, width=768, heads=12, vl_layers=2)
VLMO_BASE_PLUS = MultiwayConfig(layers=24, width=544, heads=16, vl_layers=3, relative=False, layer_scale=None)
VLMO_LARGE = MultiwayConfig(layers=24, width=1024, heads=16, vl_layers=3)
BEIT3_BASE = MultiwayConfig(
    layers=12,
    width=768,
    heads=12,
    vocabulary=64010,
    context=1022,
    shared_attention=False,
    relative=False,
    layer_scale=None,
    sub_norm=True,
    image_first=True,
    typed=False,
    pooler=False,
    projections=(TEXT, IMAGE),
    eps=1e-5,
)
BEIT3_LARGE = replace(BEIT3_BASE, layers=24, width=1024, heads=16)


class Parts(NamedTuple):
    """Token vectors, [CLS] first: text [b, t, d] and image [b, 1 + patches, d]; ``None`` for what was not given."""

    text: Tensor | None
    image: Tensor | None


class Experts(nn.ModuleDict):
    """A module made once for each expert; every token goes through that of its modality, or through a shared one."""

    def __init__(self, make: Callable[[], nn.Module], names: Iterable[str]) -> None:
        super().__init__({name: make() for name in names})

    def forward(self, x: Tensor, route: Route) -> Tensor:
        if SHARED in self:
            return self[SHARED](x)
        parts = x.split([length for _, length in route], dim=1)
        return torch.cat([self[name](part) for (name, _), part in zip(route, parts)], dim=1)


class Attention(nn.Module):
    """Multi-head self-attention over the tokens of both modalities."""

    def __init__(self, c: MultiwayConfig) -> None:
        super().__init__()
        names = [SHARED] if c.shared_attention else [TEXT, IMAGE]
        self.heads = c.heads
        # VLMo has no bias on keys: it would add the same to all scores of a query, and softmax takes that away again
        self.qkv = Experts(lambda: nn.Linear(c.width, 3 * c.width), names)
        self.norm = Experts(lambda: _norm(c) if c.sub_norm else nn.Identity(), names)
        self.proj = Experts(lambda: nn.Linear(c.width, c.width), names)

    def forward(self, x: Tensor, route: Route, bias: Tensor | None) -> Tensor:
        q, k, v = self.qkv(x, route).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if bias is not None and bias.dtype != torch.bool:
            bias = bias.to(q.dtype)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(self.norm(mixed.transpose(1, 2).flatten(2), route), route)


class FeedForward(nn.Module):
    """One expert: its own norm, and two linear layers with GELU between."""

    def __init__(self, c: MultiwayConfig) -> None:
        super().__init__()
        self.norm = _norm(c)
        self.fc1, self.fc2 = nn.Linear(c.width, 4 * c.width), nn.Linear(4 * c.width, c.width)
        self.sub_norm = _norm(c, 4 * c.width) if c.sub_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.sub_norm(F.gelu(self.fc1(self.norm(x)))))


class Block(nn.Module):
    r"""One layer; VLMo's equations 3 and 4, and BEiT-3's figure 2.

    .. math:: H' = \gamma_1 \, \mathrm{MSA}(\mathrm{LN}(H)) + H, \qquad
              H = \gamma_2 \, \mathrm{FFN}_{\text{modality}}(\mathrm{LN}_{\text{modality}}(H')) + H'
    """

    def __init__(self, c: MultiwayConfig, vl: bool) -> None:
        super().__init__()
        self.norm = Experts(lambda: _norm(c), [SHARED] if c.shared_attention else [TEXT, IMAGE])
        self.attention = Attention(c)
        self.ffn = Experts(lambda: FeedForward(c), [TEXT, IMAGE, VL] if vl else [TEXT, IMAGE])
        self.gamma_1, self.gamma_2 = (
            1.0 if c.layer_scale is None else nn.Parameter(torch.full((c.width,), c.layer_scale)) for _ in range(2)
        )

    def forward(self, x: Tensor, route: Route, expert: Route, bias: Tensor | None) -> Tensor:
        x = x + self.gamma_1 * self.attention(self.norm(x, route), route, bias)
        return x + self.gamma_2 * self.ffn(x, expert)


class MultiwayTransformer(nn.Module):
    """VLMo and BEiT-3: images, texts and pairs of both through one transformer with experts by modality.

    Bao et al., "VLMo: Unified vision-language pre-training with mixture-of-modality-experts", NeurIPS 2022; Wang et
    al., "Image as a foreign language: BEiT pretraining for vision and vision-language tasks", CVPR 2023.
    Weights start as in the papers: normal with standard deviation .02 at width 768, elsewhere in proportion to
    1 / sqrt(width), which keeps a layer's output as large; with ``sub_norm`` Xavier with Magneto's gain. The mask token
    and the relative biases start from zero.
    """

    image_index: Tensor
    text_index: Tensor

    def __init__(self, config: MultiwayConfig) -> None:
        super().__init__()
        c = self.config = config
        self.patch = nn.Conv2d(3, c.width, c.patch, c.patch)
        self.cls, self.mask_token = (nn.Parameter(torch.zeros(1, 1, c.width)) for _ in range(2))
        self.words = nn.Embedding(c.vocabulary, c.width)
        if c.typed:
            self.word_norm = nn.LayerNorm(c.width, eps=1e-12)
            self.types = nn.Embedding(2, c.width)
        if c.relative:
            self.table = nn.Parameter(torch.zeros(c.window + 2 + 2 * c.reach, c.layers * c.heads))
            self.register_buffer("image_index", image_index(c), persistent=False)
            self.register_buffer("text_index", text_index(c), persistent=False)
        else:
            self.image_positions = nn.Parameter(torch.zeros(1 + c.side**2, c.width))
            self.text_positions = nn.Parameter(torch.zeros(c.context, c.width))
        self.blocks = nn.ModuleList(Block(c, vl=layer >= c.layers - c.vl_layers) for layer in range(c.layers))
        make = (lambda: _norm(c)) if c.final_norm else nn.Identity
        self.norm = Experts(make, [SHARED] if c.shared_attention else [TEXT, IMAGE])
        self.pooler = nn.Sequential(nn.Linear(c.width, c.width), nn.Tanh()) if c.pooler else nn.Identity()
        self.projections = nn.ModuleDict({name: nn.Linear(c.width, c.width, bias=False) for name in c.projections})
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self._initialise()

    def forward(
        self,
        pixels: Tensor | None = None,
        tokens: Tensor | None = None,
        *,
        present: Tensor | None = None,
        masked: Tensor | None = None,
        vl: bool = False,
    ) -> Parts:
        """Vectors of every token, for heads that predict masked words or patches, or whether a pair belongs together.

        Args:
            pixels: [b, 3, size, size] float, normalised; ``None`` for text alone.
            tokens: [b, t] int64, t up to ``context``; ``None`` for images alone.
            present: [b, t] bool, ``False`` at padding, which is not attended to; ``None``: there is none.
            masked: [b, patches] bool, patches that the mask token stands for (before [CLS] is put on).
            vl: send one modality alone through the vision-language experts, as VLMo's second pair of vectors.

        Raises:
            InputError: for images of another size, and texts longer than ``context``.
        """
        c = self.config
        parts = {} if tokens is None else {TEXT: self._embed_text(tokens)}
        if pixels is not None:
            parts[IMAGE] = self._embed_image(pixels, masked)
        names = [name for name in ((IMAGE, TEXT) if c.image_first else (TEXT, IMAGE)) if name in parts]
        x = torch.cat([parts[name] for name in names], dim=1)
        route = tuple((name, parts[name].shape[1]) for name in names)
        together = ((VL, x.shape[1]),) if vl or len(names) == 2 else route
        index, padding = self._distances(route), self._padding(route, present)
        for layer, block in enumerate(self.blocks):
            expert = together if layer >= c.layers - c.vl_layers else route
            x = block(x, route, expert, self._bias(layer, index, padding))
        parts = dict(zip(names, self.norm(x, route).split([length for _, length in route], dim=1)))
        return Parts(parts.get(TEXT), parts.get(IMAGE))

    def image(self, pixels: Tensor, *, vl: bool = False) -> Tensor:
        """The image's [CLS], projected: [b, d] float32, length 1. ``vl``: through the vision-language experts."""
        return self._projected(IMAGE, self(pixels, vl=vl).image, vl)

    def text(self, tokens: Tensor, present: Tensor | None = None, *, vl: bool = False) -> Tensor:
        """The text's [CLS], projected: [b, d] float32, length 1. ``vl``: through the vision-language experts."""
        return self._projected(TEXT, self(tokens=tokens, present=present, vl=vl).text, vl)

    def fused(self, pixels: Tensor, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """One vector of both, that of a pair's first token (through the pooler): [b, d] float32, length 1."""
        found = self(pixels, tokens, present=present)
        first = found.image if self.config.image_first else found.text
        return F.normalize(self.pooler(first[:, 0]).float(), dim=-1)

    def _projected(self, name: str, vectors: Tensor, vl: bool) -> Tensor:
        name = f"vl_{name}" if vl else name
        project = self.projections[name] if name in self.projections else nn.Identity()
        return F.normalize(project(vectors[:, 0]).float(), dim=-1)

    def _embed_text(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > self.config.context:
            raise InputError(f"Texts of {tokens.shape[1]} tokens do not fit the context of {self.config.context}.")
        x = self.words(tokens)
        if not self.config.relative:
            x = x + self.text_positions[: x.shape[1]]
        return self.word_norm(x) + self.types.weight[0] if self.config.typed else x

    def _embed_image(self, pixels: Tensor, masked: Tensor | None) -> Tensor:
        c = self.config
        if pixels.shape[1:] != (3, c.size, c.size):
            raise InputError(f"Images must be [b, 3, {c.size}, {c.size}], not {list(pixels.shape)}.")
        x = self.patch(pixels.to(self.patch.weight.dtype)).flatten(2).transpose(1, 2)
        if masked is not None:
            x = torch.where(masked.unsqueeze(2), self.mask_token.to(x.dtype), x)
        x = torch.cat([self.cls.to(x.dtype).expand(len(x), -1, -1), x], dim=1)
        if not c.relative:
            x = x + self.image_positions
        return x + self.types.weight[1] if c.typed else x

    def _distances(self, route: Route) -> Tensor | None:
        """Rows of ``table`` for each two tokens: [n, n] int64; ``None`` without relative positions."""
        if not self.config.relative:
            return None
        across = {TEXT: self.config.window, IMAGE: self.config.window + 1}  # from text to image, from image to text
        own = {name: getattr(self, f"{name}_index")[:length, :length] for name, length in route}
        rows = [
            torch.cat([own[a] if a == b else own[a].new_full((n, m), across[a]) for b, m in route], dim=1)
            for a, n in route
        ]
        return torch.cat(rows)

    def _padding(self, route: Route, present: Tensor | None) -> Tensor | None:
        """Whether each token is attended to: [b, 1, 1, n] bool; ``None``: all are."""
        if present is None:
            return None
        parts = [present if name == TEXT else present.new_ones(len(present), length) for name, length in route]
        return torch.cat(parts, dim=1)[:, None, None].bool()

    def _bias(self, layer: int, index: Tensor | None, padding: Tensor | None) -> Tensor | None:
        """What is added to the scores of one layer: [1 or b, heads, n, n], or the mask of padding alone."""
        if index is None:
            return padding
        heads = self.config.heads
        bias = F.embedding(index, self.table[:, layer * heads : (layer + 1) * heads]).permute(2, 0, 1).unsqueeze(0)
        return bias if padding is None else bias.masked_fill(~padding, -math.inf)

    @torch.no_grad()
    def _initialise(self) -> None:
        gain, std = math.sqrt(math.log(2 * self.config.layers)), 0.02 * math.sqrt(768 / self.config.width)
        for name, value in self.named_parameters():
            if not self.config.sub_norm or value.dim() != 2 or "blocks" not in name:
                if value.dim() > 1 and name not in ("mask_token", "table"):
                    nn.init.trunc_normal_(value, std=std)
            elif "qkv" in name:
                for part, factor in zip(value.chunk(3), (1.0, 1.0, gain)):
                    nn.init.xavier_normal_(part, gain=factor)
            else:
                nn.init.xavier_normal_(value, gain=gain)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
                nn.init.zeros_(module.bias)


def image_index(c: MultiwayConfig) -> Tensor:
    """Row of the bias table for each two of an image's tokens, [CLS] first: [1 + patches, 1 + patches] int64."""
    place = torch.cartesian_prod(*[torch.arange(c.side, device="cpu")] * 2)  # row and column of each patch
    apart = place.unsqueeze(1) - place.unsqueeze(0) + c.side - 1
    return _with_cls(apart[..., 0] * (2 * c.side - 1) + apart[..., 1], c.window)


def text_index(c: MultiwayConfig) -> Tensor:
    """Row of the bias table for each two of a text's tokens, [CLS] first: [context, context] int64."""
    place = torch.arange(c.context - 1, device="cpu")
    apart = place.unsqueeze(0) - place.unsqueeze(1) + c.reach - 2
    return _with_cls(apart + c.window + 2, c.window + 2 + 2 * c.reach)


def _with_cls(index: Tensor, end: int) -> Tensor:
    """The last three rows before ``end`` are those from [CLS], to [CLS], and of [CLS] with itself."""
    index = F.pad(index, (1, 0, 1, 0))
    index[0, :], index[:, 0], index[0, 0] = end - 3, end - 2, end - 1
    return index


def _norm(c: MultiwayConfig, width: int | None = None) -> nn.LayerNorm:
    return nn.LayerNorm(width or c.width, eps=c.eps)
