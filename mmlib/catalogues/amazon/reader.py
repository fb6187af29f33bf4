"""Amazon reviews in all three public forms, from the files as they are downloaded, plain or gzipped."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from ..clean import k_core
from ..reading import Reading
from . import files
from .forms import FORMS, text_fields
from .items import Item, read_items, table_of_items
from .reviews import collect
from .selection import keep, table_of_reviews


def read(
    reading: Reading,
    *,
    reviews: str | Path | None = None,
    metadata: str | Path | None = None,
    form: str = "auto",
    text: str | Sequence[str] = "alignrec",
    core: int | tuple[int, int] | None = 5,
    least_rating: float | None = None,
    scratch: str | Path | None = None,
) -> Dataset:
    """Read a file of reviews and one of metadata; nothing is split yet.

    The forms are those of 2014 (He and McAuley, "Ups and Downs", WWW 2016), 2018 (Ni et al., "Justifying
    Recommendations", EMNLP 2019) and 2023 (Hou et al., "Bridging Language and Items", 2024); an item of 2023 is a
    ``parent_asin``. Every review is an interaction with ``rating``, ``time`` (seconds) and ``review`` (summary and
    text). User, item, rating and time must be there in each line; texts may be missing. Of a user's reviews of one item
    the earliest is kept, of several at the same time the first by rating and text. Users, items and rows are
    in the order of the original ids, so the order of the lines does not matter. HTML is taken out of all texts as
    ``clean_items.plain`` does. ``notes`` counts whatever was dropped, changed or missing.

    The items' table has ``brand`` and ``image_url`` too. ``category`` is the most specific name of the item's first
    path that at least ten items share. ``image`` is ``<id>.jpg`` (or .jpeg, .png, .webp, .gif) where ``folder/images``
    has that file. Items that the metadata do not have are kept, with empty texts.

    Review texts wait in a temporary file (about half the unpacked reviews' size) until the core is known, so memory
    holds about 60 bytes a review, and one and a half times the texts that are kept.

    Args:
        reviews, metadata: files, relative to ``folder``; by default found by their names (``reviews_...``,
            ``meta_...``) or their first lines. ``metadata=""`` reads none.
        form: ``"2014"``, ``"2018"``, ``"2023"``, or ``"auto"`` to tell by the first line's keys.
        text: what an item's text is made of: some of title, brand, description, categories and features in any order,
            but the title first; or the choice of a paper: ``"alignrec"`` (title, brand, description; AlignRec,
            "title+brand+description"), ``"micro"`` (title, description, categories, brand; MICRO, section 3.1.1) or
            ``"lmm"`` (title, description, brand, categories; Large Multi-modal Encoders for Recommendation, section
            4.1.1 and Algorithm 1). The title stays in its own column, since encoders read title and text together.
        core: least number of interactions of each user and item, as ``clean.k_core``; ``None`` or 0 keeps all.
        least_rating: drop reviews with a lower rating, before the core is taken.
        scratch: the folder for the temporary file; default: the system's.

    Raises:
        InputError: naming file, line and remedy; also when nothing is left.
    """
    folder, fields, notes = reading.folder, text_fields(text), reading.notes
    _check(least_rating, core)
    review_file, item_file = files.find(folder, reviews, metadata)
    form = files.form_of(review_file, "reviews", form)
    if item_file:
        _fits(item_file, review_file, form)
    with _scratch(scratch) as temporary:
        raw = collect(review_file, FORMS[form], reading, Path(temporary) / "texts.arrow")
        notes.append(
            f"{review_file.name}: Amazon's form of {form}; {len(raw):,} reviews of {len(raw.users):,} users and "
            f"{len(raw.items):,} items. Every rating counts as an interaction, low ones too."
        )
        kept = keep(raw, least_rating, core, notes)
        interactions = table_of_reviews(raw, kept, notes)
    del raw
    described: dict[str, Item] = {}
    item_ids = kept.items.to_pylist()
    if item_file:
        described = read_items(item_file, FORMS[form].item, item_ids, fields, reading)
        used = pd.Series(np.bincount(kept.item, minlength=len(item_ids)), index=item_ids)
        some = [one.get(FORMS[form].item) for one in files.first_records(item_file)]  # to show them
        listed = pd.Index(list(described) or [name for name in some if isinstance(name, str)])
        reading.match(used, listed, "items", (review_file, item_file))
    items = table_of_items(item_ids, described, fields, folder / "images", notes)
    images = folder / "images" if (folder / "images").is_dir() else None
    notes[1:1] = reading.bad_lines()
    users = pd.DataFrame({"id": kept.users.to_pylist()})
    return Dataset(reading.name or folder.resolve().name, users, items, interactions, images, notes=tuple(notes))


def _check(least_rating: float | None, core: int | tuple[int, int] | None) -> None:
    """Refuse before long work what would be refused after it."""
    nothing = np.zeros(0, dtype=np.int64)
    k_core(nothing, nothing, core or 0)
    if not (least_rating is None or (isinstance(least_rating, (int, float)) and np.isfinite(least_rating))):
        raise InputError(f"least_rating = {least_rating!r} must be a number such as 4, or None to keep every review.")


def _fits(item_file: Path, review_file: Path, form: str) -> None:
    """Reviews of 2023 name their items otherwise than those before; 2014 and 2018 can be joined."""
    other = files.form_of(item_file, "metadata", "auto")
    if FORMS[other].item != FORMS[form].item:
        raise InputError(
            f"{item_file} is metadata of the form of {other}, but {review_file} has reviews of the form of {form}; "
            "bring both of the same form, or read no metadata with metadata=''."
        )


def _scratch(folder: str | Path | None) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="mmlib-amazon-", dir=folder)
    except OSError as error:
        raise InputError(f"scratch = {folder!r}: no temporary folder can be made there: {error}.") from None
