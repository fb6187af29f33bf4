"""Catalogues, read once: kept in the cache until one of their files changes."""

from pathlib import Path
from typing import Any

from ..catalogues import bring, place
from ..core.dataset import Dataset
from ..core.files import digest
from .cache import cached
from .paths import outputs


def read(
    dataset: str, columns: dict[str, Any], reader: dict[str, Any], clean: list[str], shop: dict[str, Any]
) -> Dataset:
    """What ``data.bring`` gives, kept in the cache where reading is long."""
    if dataset == "toy":
        folder = outputs() / "cache" / "shop" / digest(shop)
        return bring(dataset, clean=clean, shop=shop, folder_for_toy=folder)
    folder = place(dataset)
    if (folder / "dataset.json").is_file():
        return bring(folder, columns=columns, reader=reader, clean=clean)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    stamps = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    inputs = {"folder": str(folder.resolve()), "files": digest(stamps), "columns": columns}
    inputs |= {"reader": reader, "clean": clean}

    def build(entry: Path) -> None:
        bring(folder, columns=columns, reader=reader, clean=clean).save(entry)

    return cached(
        "dataset",
        inputs,
        build,
        Dataset.load,
        code=["mmlib.catalogues", "mmlib.splits", "mmlib.core.dataset", "mmlib.core.subset"],
    )
