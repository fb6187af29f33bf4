"""A generated shop: pictures, words and purchases that all carry signal and agree only partly."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.files import read_json, whole, write_json
from . import pictures, tastes, words

FORMAT = 1  # raised when the same options make another shop
MADE = {"dataset.json", "users.parquet", "items.parquet", "interactions.parquet", "shop.json", "images"}
_temporary: list[tempfile.TemporaryDirectory] = []  # kept until the process ends


def shop(
    folder: str | Path | None = None,
    *,
    users: int = 800,
    items: int = 600,
    purchases: int = 9600,
    categories: int = 8,
    least: int = 5,
    size: int = 64,
    picture_noise: float = 0.3,
    text_noise: float = 0.25,
    review_noise: float = 0.2,
    taste_noise: float = 0.25,
    hidden: float = 0.3,
    popularity: float = 0.8,
    new_items: float = 0.25,
    reviews: float = 0.6,
    missing_pictures: float = 0.05,
    missing_texts: float = 0.05,
    seed: int = 0,
) -> Dataset:
    """Make a shop, or load it when ``folder`` already holds the one with these options.

    Pictures show category, colour and pattern; words tell category, material and use, and often colour and pattern;
    a hidden style and the items' popularity show in purchases only. Reviews name what their writer liked. The
    true facts are columns of ``items``. Same options, same pictures, words and purchases on every machine. Each
    kind of noise has its own random stream: less picture noise changes no purchase.

    Args:
        folder: where the shop is written, whole or not at all; a shop with other options that is there is replaced.
            ``None``: a temporary folder that is removed when the process ends.
        users, items, purchases: how many; purchases in total, long-tailed over users.
        categories: kinds of products, 2 to 12.
        least: purchases that every user makes at least.
        size: edge of the square pictures, in pixels.
        picture_noise: 0 (clean) to 1 (hard to read); what that means is said at ``pictures.draw``.
        text_noise: probability, 0 to 1, that a description leaves a fact out; a quarter of it that a said one is wrong.
        review_noise: probability, 0 to 1, that a review praises any fact instead of one that its writer likes most.
        taste_noise: how freely users choose: the scale of the Gumbel noise beside a taste with standard deviation 1.
            0.1: nearly always what they like best; 3: hardly any taste.
        hidden: share, 0 to 1, of the variance of tastes that goes to the hidden style.
        popularity: exponent of the popularity's power law over the items' hidden ranks; 0 for none.
        new_items: share of items that were for sale only in the last 5 to 25 % of the year, and so sold little.
        reviews: share of purchases with a review.
        missing_pictures, missing_texts: share of items without a picture, without a description.
        seed: not negative.

    Raises:
        InputError: for options that cannot be, and for a folder that holds something else.
    """
    options = {name: value for name, value in locals().items() if name != "folder"}
    _check(**options)
    options = {name: type(DEFAULTS[name])(value) for name, value in options.items()}
    if folder is None:
        _temporary.append(tempfile.TemporaryDirectory(prefix="mmlib-shop-"))
        folder = Path(_temporary[-1].name) / "shop"
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # of two processes one makes, the other waits and loads
        if not _is_there(folder, options):
            with whole(folder) as partial:
                _make(partial, **options)
                write_json(partial / "shop.json", {"format": FORMAT, "options": options})
        return Dataset.load(folder)


def _make(folder: Path, **options: Any) -> None:
    facts, sides, bought = _world(**options)
    rng = _stream(options["seed"], 4)
    reviewed = rng.random(len(bought)) < options["reviews"]
    rows = facts.to_dict("records")
    bought["review"] = _reviews(bought, reviewed, rows, sides, options["review_noise"], options["seed"])
    bought["part"] = ""
    ids = [f"i{number:04d}" for number in range(len(rows))]
    titles, texts = _texts(rows, options["text_noise"], options["missing_texts"], options["seed"])
    images = _pictures(folder / "images", ids, rows, options)
    table = pd.DataFrame({"id": ids, "title": titles, "text": texts, "image": images}).join(facts)
    people = pd.DataFrame({"id": [f"u{number:04d}" for number in range(options["users"])]})
    notes = ("A generated shop; nothing in it is real.",)
    Dataset("Toy shop", people, table, bought, folder / "images", notes=notes).save(folder)


def _world(
    *, users: int, items: int, purchases: int, categories: int, least: int, hidden: float, seed: int, **more: Any
) -> tuple[pd.DataFrame, dict, pd.DataFrame]:
    """The items' facts, the tastes and the purchases."""
    facts = tastes.attributes(_stream(seed, 0), items, categories)
    sides = tastes.tastes(_stream(seed, 1), facts, users, hidden)
    counts = tastes.history_lengths(_stream(seed, 2), users, purchases, least, most=max(least, items // 2))
    choice = {name: more[name] for name in ("taste_noise", "popularity", "new_items")}
    return facts, sides, tastes.purchases(_stream(seed, 3), sides, counts, items=items, **choice)


def _reviews(
    bought: pd.DataFrame, reviewed: np.ndarray, rows: list[dict], sides: dict, noise: float, seed: int
) -> list[str]:
    users, items = bought["user"].to_numpy(), bought["item"].to_numpy()
    liked = np.stack([tastes.liking(sides, fact, users, items) for fact in words.FACTS], axis=1)
    order = np.argsort(-np.round(liked, 6), axis=1, kind="stable")
    rng = _stream(seed, 5)
    texts = []
    for place, item in enumerate(items):
        names = [words.FACTS[fact] for fact in order[place]]
        text = words.review(rng, rows[item], names, noise)
        texts.append(text if reviewed[place] else "")
    return texts


def _texts(rows: list[dict], noise: float, missing: float, seed: int) -> tuple[list[str], list[str]]:
    rng = _stream(seed, 6)
    titles = [words.title(rng, row, noise) for row in rows]
    texts = [words.description(rng, row, noise) for row in rows]
    gone = _share_of(_stream(seed, 7), len(rows), missing)
    return titles, ["" if gone[place] else text for place, text in enumerate(texts)]


def _pictures(folder: Path, ids: list[str], rows: list[dict], options: dict) -> list[str]:
    folder.mkdir(parents=True)
    gone = _share_of(_stream(options["seed"], 8), len(rows), options["missing_pictures"])
    names = []
    for place, row in enumerate(rows):
        if gone[place]:
            names.append("")
            continue
        rng = _stream(options["seed"], 9, place)  # a picture of its own, whatever the other items are
        facts = {name: row[name] for name in ("category", "colour", "pattern")}
        pixels = pictures.draw(rng, **facts, size=options["size"], noise=options["picture_noise"])
        names.append(f"{ids[place]}.png")
        (folder / names[-1]).write_bytes(pictures.png(pixels))
    return names


def _share_of(rng: np.random.Generator, n: int, share: float) -> np.ndarray:
    """[n] bool, true for ``share`` of the places, rounded half up."""
    return np.argsort(np.argsort(rng.random(n), kind="stable"), kind="stable") < int(share * n + 0.5)


def _stream(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(list(key)))


def _is_there(folder: Path, options: dict) -> bool:
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


def _check(**options: Any) -> None:
    for name, value in options.items():
        low, high = RANGES.get(name, (0, 1))
        whole_number = isinstance(DEFAULTS[name], int)
        if not isinstance(value, int if whole_number else int | float) or isinstance(value, bool):
            raise InputError(f"shop: {name} = {value!r} must be a {'whole ' if whole_number else ''}number.")
        if not low <= value <= high:
            raise InputError(f"shop: {name} = {value!r} must lie between {low} and {high}.")
    n, least, total = options["users"], options["least"], options["purchases"]
    if least > options["items"] // 2:
        raise InputError(f"shop: least = {least} must be at most half of the items ({options['items']}).")
    if not n * least <= total <= n * options["items"] // 4:
        raise InputError(
            f"shop: purchases = {total} must lie between users * least = {n * least} and users * items / 4 = "
            f"{n * options['items'] // 4}; change one of them."
        )


DEFAULTS: dict[str, Any] = dict(shop.__kwdefaults__ or {})
RANGES: dict[str, tuple[float, float]] = {  # of all others: 0 to 1
    "users": (2, 1_000_000),
    "items": (8, 100_000),
    "purchases": (2, 100_000_000),
    "categories": (2, len(pictures.SHAPES)),
    "least": (1, 1000),
    "size": (16, 1024),
    "taste_noise": (0.01, 100),
    "popularity": (0, 5),
    "seed": (0, 2**63),
}
