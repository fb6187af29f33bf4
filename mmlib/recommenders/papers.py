"""What papers and official code state for each dataset, read from ``papers.toml``, which names their sources."""

import tomllib
from pathlib import Path
from typing import Any


def settings(model: type) -> dict[str, dict[str, Any]]:
    """Dataset -> options of the model and, as ``lr`` and ``batch_size``, of ``mm.fit``; empty where none are stated."""
    stated = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).get(model.__name__, {})
    common = stated.get("common", {})
    return {name: common | own for name, own in stated.items() if name not in ("source", "common")}
