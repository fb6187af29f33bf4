"""The commands about data: what a catalogue holds, bringing a public one, and the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import splits
from ..catalogues import bring
from ..core.dataset import Dataset
from ..core.errors import InputError
from ..core.files import whole, write_json
from .paths import short
from .read import OPTIONS

KNOWN = ("split", "split_seed", *OPTIONS)  # the pages' parameters that say what to load


def summary(dataset: str, values: Mapping[str, Any]) -> None:
    """Print what a catalogue holds, and what was found while it was read."""
    data = _loaded(dataset, values, split=bool(values.get("split")))
    print(data.name)
    for name, value in data.summary().items():
        print(f"  {name:<28} {value:,}" if isinstance(value, int) else f"  {name:<28} {value}")
    if data.split:
        for part, hashed in data.split.hashes.items():
            print(f"  {'hash of ' + part:<28} {hashed}")
    print("\n".join(f"  note: {note}" for note in data.notes) or "  nothing was dropped or mended")
    print(f"what bends or voids results is found by: mmlib audit {dataset}")


def listing() -> None:
    """Print the public catalogues that can be fetched."""
    from ..catalogues.fetch import is_there
    from ..catalogues.fetch.public import PUBLIC

    print("public catalogues (* is on this machine already):")
    for one in PUBLIC.values():
        print(f"  {'*' if is_there(one.name) else ' '} {one.name:<44} {one.about}")
    print("bring one with: mmlib data fetch NAME")


def fetch(
    name: str, folder: Path | None, *, files: bool, pictures: bool, reader: Mapping[str, Any], hosts: Sequence[str] = ()
) -> None:
    """Download a public catalogue, then the pictures of the items that its reader keeps.

    Args:
        files, pictures: which of the two.
        reader: options of the reader; they decide which items are kept, and so which pictures are asked for.
        hosts: those that may be asked although their addresses are not on the public internet.
    """
    from ..catalogues import fetch as downloads
    from ..catalogues import formats
    from ..catalogues.fetch.images import PATIENCE, fetch_images, summary, urls_of
    from ..catalogues.fetch.web import Patience

    patience = Patience(hosts=hosts)
    where = downloads.fetch(name, folder, patience=patience) if files else downloads.place(name, folder)
    if not where.is_dir():
        raise InputError(f"{name} is not at {where} yet; leave --pictures-only out to bring its files first.")
    print(f"{name}: {where}")
    if pictures and not name.startswith("movielens"):
        urls = urls_of(formats.read(where, **reader))
        found = summary(fetch_images(urls, where, patience=replace(PATIENCE, hosts=hosts)))
        print("\n".join(found) if urls else "no item names an image's address")
    named = name if folder is None else str(where)
    print(f"use it with: mmlib run params/toy.yaml -p dataset {named}")


def audit(dataset: str, values: Mapping[str, Any], html: Path | None, *, pictures: bool) -> bool:
    """Print the audit of a split catalogue, and write it as a page or as JSON if asked; whether a leak was found."""
    from ..audit import audit as audited

    data = _loaded(dataset, values, split=True)
    found = audited(data, images=pictures)
    print(found)
    if html and html.suffix == ".json":
        write_json(html, found.to_json())
    elif html:
        from ..show.audit import audit_page

        with whole(html) as partial:
            partial.write_text(audit_page(found, data), encoding="utf-8")
    if html:
        print(f"written: {short(html)}")
    return found.worst == "leak"


def _loaded(dataset: str, values: Mapping[str, Any], *, split: bool) -> Dataset:
    for name in values:
        if name not in KNOWN:
            raise InputError(f"-p {name}: what is loaded is said by {', '.join(KNOWN)}.")
    named, seed = str(values.get("split", "8:1:1")), int(values.get("split_seed", 0))
    splits.check(named)
    data = bring(dataset, **{name: values[name] for name in OPTIONS if name in values})
    return splits.by_name(data, named, seed) if split and data.split is None else data
