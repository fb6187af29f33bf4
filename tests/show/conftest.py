"""A made-up shop with six pictures, one of them broken, and titles that try to be code."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw

from mmlib.core.dataset import Dataset

EVIL = "<script>alert('x')</script> & <b>cup</b>"


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for k, mode in enumerate(["RGB", "RGBA", "P", "L", "RGB"]):
        image = Image.new("RGB", (90 + 10 * k, 120), (30 * k + 60, 120, 200 - 30 * k))
        ImageDraw.Draw(image).ellipse((20, 20, 70, 80), fill="white")
        image.convert(mode).save(folder / f"{k}.png")
    (folder / "5.png").write_bytes(b"\x89PNG\r\n broken")
    n = 8
    items = pd.DataFrame(
        {
            "id": [f"B{k}" for k in range(n)],
            "title": [EVIL, *[f"item {k}" for k in range(1, n)]],
            "text": [f"about {k} <i>&" for k in range(n)],
            "image": [*[f"{k}.png" for k in range(6)], "", "nowhere.png"],
            "category": ["<b>cups</b>", "<b>cups</b>", "lamps", "lamps", "lamps", "", "vases", "vases"],
        }
    )
    pairs = [(u, i) for u in range(5) for i in range(n) if (u * i + u + i) % 3]
    table = pd.DataFrame(pairs, columns=["user", "item"])
    data = Dataset("A shop", pd.DataFrame({"id": [f"u<{k}>" for k in range(5)]}), items, table, folder)
    parts = np.resize(["train", "train", "train", "valid", "test"], len(pairs))
    return data.with_parts(parts, "by hand", 0)


@pytest.fixture
def items_graph():
    row, col, weight = [0, 0, 0, 0, 1, 2], [0, 3, 2, 1, 0, 0], [9.0, 0.25, 0.75, 0.5, 0.5, 0.75]
    return SimpleNamespace(row=torch.tensor(row), col=torch.tensor(col), weight=torch.tensor(weight), n_rows=8)


@pytest.fixture
def two_spaces():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 5, generator=generator), torch.randn(8, 5, generator=generator)
