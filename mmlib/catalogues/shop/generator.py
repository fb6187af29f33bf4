"""A generated shop: images, text and interactions that all carry signal and agree only partly."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError, closest, number
from ...core.files import read_json, whole, write_json
from ...core.lock import alone
from . import images, tastes, text

FORMAT = 1  # raised when the same options make another shop
MADE = {"dataset.json", "users.parquet", "items.parquet", "interactions.parquet", "shop.json", "images"}
RANGES: dict[str, tuple[float, float]] = {  # of all others: 0 to 1
    "users": (2, 1_000_000),
    "items": (8, 100_000),
    "purchases": (2, 100_000_000),
    "categories": (2, len(images.SHAPES)),
    "least": (1, 1000),
    "size": (16, 1024),
    "taste_noise": (0.01, 100),
    "popularity": (0, 5),
    "seed": (0, 2**63),
}
_temporary: list[tempfile.TemporaryDirectory] = []  # kept until the process ends


@dataclass(frozen=True)
class Options:
    """What a generated shop is like. Each kind of noise has its own random stream: less of one changes nothing else.

    Args:
        users, items, purchases: how many; purchases in total, long-tailed over users.
        categories: kinds of products, 2 to 12.
        least: purchases that every user makes at least.
        size: edge of the square images, in pixels.
        picture_noise: 0 (clean) to 1 (hard to read); what that means is said at ``images.draw``.
        text_noise: probability, 0 to 1, that a description leaves a fact out; a quarter of it that a said one is wrong.
        review_noise: probability, 0 to 1, that a review praises any fact instead of one that its writer likes most.
        taste_noise: how freely users choose: the scale of the Gumbel noise beside a taste with standard deviation 1.
            0.1: nearly always what they like best; 3: hardly any taste.
        hidden: share, 0 to 1, of the variance of tastes that goes to the hidden style.
        popularity: exponent of the popularity's power law over the items' hidden ranks; 0 for none.
        new_items: share of items that were for sale only in the last 5 to 25 % of the year, and so sold little.
        reviews: share of purchases with a review.
        missing_pictures, missing_texts: share of items without an image, without a description.
        seed: not negative.
    """

    users: int = 800
    items: int = 600
    purchases: int = 9600
    categories: int = 8
    least: int = 5
    size: int = 64
    picture_noise: float = 0.3
    text_noise: float = 0.25
    review_noise: float = 0.2
    taste_noise: float = 0.25
    hidden: float = 0.3
    popularity: float = 0.8
    new_items: float = 0.25
    reviews: float = 0.6
    missing_pictures: float = 0.05
    missing_texts: float = 0.05
    seed: int = 0

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Options":
        """Options from values by name.

        Raises:
            InputError: for a name that there is not, and for values that cannot be.
        """
        types = {name: type(value) for name, value in asdict(cls()).items()}
        for name, value in given.items():
            if name not in types:
                raise InputError(
                    f"shop: there is no option {name!r}.{closest(str(name), types)} Options: {', '.join(types)}."
                )
            low, high = RANGES.get(name, (0, 1))
            number(f"shop: {name}", value, whole=types[name] is int, least=low, most=high)
        made = cls(**{name: types[name](value) for name, value in given.items()})
        if made.least > made.items // 2:
            raise InputError(f"shop: least = {made.least} must be at most half of the items ({made.items}).")
        low, high = made.users * made.least, made.users * made.items // 4
        if not low <= made.purchases <= high:
            raise InputError(
                f"shop: purchases = {made.purchases} must lie between users * least = {low} and users * items / 4 = "
                f"{high}; change one of them."
            )
        return made


def generate(folder: str | Path | None = None, **options: Any) -> Dataset:
    """Make a shop, or load it when ``folder`` already holds the one with these options.

    Images show category, colour and pattern; text tells category, material and use, and often colour and pattern;
    a hidden style and the items' popularity show in interactions only. Reviews name what their writer liked. The
    true facts are columns of ``items``. Same options, same images, text and interactions on every machine.

    Args:
        folder: where the shop is written, whole or not at all; a shop with other options that is there is replaced.
            ``None``: a temporary folder that is removed when the process ends.
        options: see ``Options``.

    Raises:
        InputError: for options that cannot be, and for a folder that holds something else.
    """
    made = Options.read(options)
    if folder is None:
        _temporary.append(tempfile.TemporaryDirectory(prefix="mmlib-shop-"))
        folder = Path(_temporary[-1].name) / "shop"
    folder = Path(folder)
    with alone(folder.with_name(f".{folder.name}.lock"), f"{folder}: another process makes this shop; waiting for it."):
        if not _is_there(folder, asdict(made)):
            with whole(folder) as partial:
                _make(partial, made)
                write_json(partial / "shop.json", {"format": FORMAT, "options": asdict(made)})
        return Dataset.load(folder)


def _make(folder: Path, options: Options) -> None:
    seed, n = options.seed, options.items
    facts = tastes.attributes(_stream(seed, 0), n, options.categories)
    sides = tastes.tastes(_stream(seed, 1), facts, options.users, options.hidden)
    most = max(options.least, n // 2)
    counts = tastes.history_lengths(_stream(seed, 2), options.users, options.purchases, options.least, most)
    choice = {"taste_noise": options.taste_noise, "popularity": options.popularity, "new_items": options.new_items}
    bought = tastes.purchases(_stream(seed, 3), sides, counts, items=n, **choice)
    reviewed = _stream(seed, 4).random(len(bought)) < options.reviews
    rows: list[dict[str, str]] = [{str(name): value for name, value in row.items()} for row in facts.to_dict("records")]
    reviews = _reviews(_stream(seed, 5), bought, rows, sides, options.review_noise)
    bought = bought.assign(review=np.where(reviewed, reviews, ""), part="")
    rng = _stream(seed, 6)
    titles = [text.title(rng, row, options.text_noise) for row in rows]
    texts = pd.Series([text.description(rng, row, options.text_noise) for row in rows])
    texts[_share_of(_stream(seed, 7), n, options.missing_texts)] = ""
    ids = pd.Series([f"i{number:04d}" for number in range(n)])
    names = (ids + ".png").mask(_share_of(_stream(seed, 8), n, options.missing_pictures), "")
    (folder / "images").mkdir(parents=True)
    for place, (name, row) in enumerate(zip(names, rows)):
        if name:
            rng = _stream(seed, 9, place)  # an image of its own, whatever the other items are
            shown = {fact: row[fact] for fact in ("category", "colour", "pattern")}
            pixels = images.draw(rng, **shown, size=options.size, noise=options.picture_noise)
            (folder / "images" / name).write_bytes(images.png(pixels))
    items = pd.DataFrame({"id": ids, "title": titles, "text": texts, "image": names}).join(facts)
    users = pd.DataFrame({"id": [f"u{number:04d}" for number in range(options.users)]})
    notes = ("A generated shop; nothing in it is real.",)
    Dataset("Toy shop", users, items, bought, folder / "images", notes=notes).save(folder)


def _reviews(rng: np.random.Generator, bought: pd.DataFrame, rows: list[dict], sides: dict, noise: float) -> list[str]:
    """A review for each purchase, also for those that will have none: their random numbers are drawn all the same."""
    users, items = bought["user"].to_numpy(), bought["item"].to_numpy()
    liked = np.stack([tastes.liking(sides, fact, users, items) for fact in text.FACTS], axis=1)
    order = np.argsort(-np.round(liked, 6), axis=1, kind="stable")
    return [
        text.review(rng, rows[item], [text.FACTS[fact] for fact in facts], noise) for item, facts in zip(items, order)
    ]


def _share_of(rng: np.random.Generator, n: int, share: float) -> np.ndarray:
    """[n] bool, true for ``share`` of the places, rounded half up."""
    return np.argsort(np.argsort(rng.random(n), kind="stable"), kind="stable") < int(share * n + 0.5)


def _stream(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(list(key)))


def _is_there(folder: Path, options: dict[str, Any]) -> bool:
    """Whether the folder holds the shop with these options. Refuses to replace what is not a generated shop."""
    if not folder.exists():
        return False
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    if found and ("shop.json" not in found or not found <= MADE):
        other = sorted(found - MADE | (found if "shop.json" not in found else set()))[:3]
        raise InputError(
            f"{folder} holds {', '.join(other)}, which is not part of a generated shop, so nothing is written there. "
            "Give an empty or a new folder."
        )
    return bool(found) and read_json(folder / "shop.json") == {"format": FORMAT, "options": options}
