"""A catalogue of 4 x 4 images and ragged texts, and an encoder of two small layers that reads them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from mmlib.core.dataset import Dataset
from mmlib.encoders import Encoder
from mmlib.training.block_world import made_up

WORDS, CONTEXT = 30, 6


class TinyEncoder(Encoder):
    """Images [3, 4, 4] and texts of numbers below ``WORDS``; counts what it is given with gradients enabled."""

    def __init__(self, width: int = 5, seed: int = 0, kinds: tuple[str, ...] = ("image", "text")) -> None:
        torch.manual_seed(seed)
        layers = {"image": nn.Sequential(nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, width))}
        layers |= {"text": nn.Sequential(nn.EmbeddingBag(WORDS, 8, mode="sum", padding_idx=0), nn.Linear(8, width))}
        widths = {kind: width for kind in kinds}
        super().__init__(nn.ModuleDict(layers), name="tiny", origin="here", widths=widths, context=CONTEXT, pad=0)
        self.with_graph: list[int] = []
        self.without_graph: list[int] = []

    def noted(self, vectors: Tensor) -> Tensor:
        (self.with_graph if vectors.requires_grad else self.without_graph).append(len(vectors))
        return F.normalize(vectors, dim=-1)

    def image(self, pixels: Tensor) -> Tensor:
        return self.noted(self.model["image"](self.normalise(pixels).flatten(1)))

    def text(self, tokens: Tensor) -> Tensor:
        return self.noted(self.model["text"](tokens))

    def fused(self, pixels: Tensor, tokens: Tensor) -> Tensor:
        return self.noted(self.model["image"](self.normalise(pixels).flatten(1)) * self.model["text"](tokens))

    def tokenize(self, texts: list[str]) -> Tensor:
        rows = [[1, *map(int, text.split()[: CONTEXT - 2]), 2] for text in texts]
        return torch.tensor([row + [0] * (CONTEXT - len(row)) for row in rows])

    def count(self, text: str) -> int:
        return len(text.split())


def catalogue(folder: Path, n_items: int = 20, *, pixels: np.ndarray | None = None, gaps: bool = True) -> Dataset:
    """Two blocks of 12 users and half of the items each; texts of 1 to 11 words, some items without text or image.

    Args:
        pixels: [n_items, 4, 4, 3] uint8; ``None``: noise.
    """
    rng, half = np.random.default_rng(0), n_items // 2
    pixels = rng.integers(0, 256, (n_items, 4, 4, 3), dtype=np.uint8) if pixels is None else pixels
    pairs = [(user, item + half * (user // 12)) for user in range(24) for item in rng.permutation(half)[:9]]
    data = made_up(np.array(pairs), (["train"] * 7 + ["valid", "test"]) * 24, 24, n_items)
    for item, values in enumerate(pixels):
        Image.fromarray(values).save(folder / f"{item}.png")
    images = [f"{item}.png" for item in range(n_items)]
    texts = [" ".join(map(str, rng.integers(3, WORDS, 1 + item % 11))) for item in range(n_items)]
    if gaps:
        images[3] = texts[5] = ""
    return replace(data, items=data.items.assign(title="", text=texts, image=images), images=folder)
