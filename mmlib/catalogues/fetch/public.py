"""Public catalogues: what they are called here, where their files lie, and what their publishers ask for."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.errors import InputError, closest


@dataclass(frozen=True)
class Remote:
    """One file to download.

    Args:
        url: where it lies.
        file: its name on this machine.
        size: bytes, where known.
        md5: hex digits, where the publisher states them.
        sha256: hex digits, where the publisher states them.
    """

    url: str
    file: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Public:
    """One public catalogue.

    Args:
        name: such as ``"amazon-2014/Baby"``.
        form: which reader reads it: ``"amazon"`` or ``"movielens"``.
        files: what is downloaded.
        about: one sentence.
        licence: what the publisher allows, in one sentence.
        citation: what the publisher asks to cite.
    """

    name: str
    form: str
    files: tuple[Remote, ...]
    about: str
    licence: str
    citation: str


AMAZON_2014 = """
    Amazon_Instant_Video Apps_for_Android Automotive Baby Beauty Books CDs_and_Vinyl Cell_Phones_and_Accessories
    Clothing_Shoes_and_Jewelry Digital_Music Electronics Grocery_and_Gourmet_Food Health_and_Personal_Care
    Home_and_Kitchen Kindle_Store Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden
    Pet_Supplies Sports_and_Outdoors Tools_and_Home_Improvement Toys_and_Games Video_Games
""".split()  # noqa: SIM905
AMAZON_2018 = """
    AMAZON_FASHION All_Beauty Appliances Arts_Crafts_and_Sewing Automotive Books CDs_and_Vinyl
    Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics Gift_Cards
    Grocery_and_Gourmet_Food Home_and_Kitchen Industrial_and_Scientific Kindle_Store Luxury_Beauty
    Magazine_Subscriptions Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden Pet_Supplies
    Prime_Pantry Software Sports_and_Outdoors Tools_and_Home_Improvement Toys_and_Games Video_Games
""".split()  # noqa: SIM905
AMAZON_2023 = """
    All_Beauty Amazon_Fashion Appliances Arts_Crafts_and_Sewing Automotive Baby_Products Beauty_and_Personal_Care
    Books CDs_and_Vinyl Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics Gift_Cards
    Grocery_and_Gourmet_Food Handmade_Products Health_and_Household Health_and_Personal_Care Home_and_Kitchen
    Industrial_and_Scientific Kindle_Store Magazine_Subscriptions Movies_and_TV Musical_Instruments Office_Products
    Patio_Lawn_and_Garden Pet_Supplies Software Sports_and_Outdoors Subscription_Boxes Tools_and_Home_Improvement
    Toys_and_Games Unknown Video_Games
""".split()  # noqa: SIM905

# name: (size in bytes where it was found stated, MD5 as published beside the file, what it holds)
MOVIELENS: dict[str, tuple[int | None, str, str]] = {
    "100k": (None, "0e33842e24a9c977be4e0107933c0723", "100,000 ratings of 1,682 films by 943 users, 1997-1998"),
    "1m": (
        None,
        "c4d9eecfca2ab87c1945afe126590906",
        "1,000,209 ratings of about 3,900 films by 6,040 users, 2000-2003",
    ),
    "20m": (198_702_078, "cd245b17a1ae2cc31bb14903e1204af3", "20,000,263 ratings of 27,278 films by 138,493 users"),
    "25m": (261_978_986, "6b51fb2759a8657d3bfcbfc42b592ada", "25,000,095 ratings of 62,423 films by 162,541 users"),
    "32m": (238_950_008, "d472be332d4daa821edc399621853b57", "32,000,204 ratings of 87,585 films by 200,948 users"),
}

SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
MCAULEY = "https://mcauleylab.ucsd.edu/public_datasets/data"


def _all() -> Iterator[Public]:
    for category in AMAZON_2014:
        yield _amazon(
            2014,
            category,
            (f"{SNAP}/reviews_{category}_5.json.gz", f"{SNAP}/meta_{category}.json.gz"),
            "up to July 2014: the published 5-core and all metadata",
            "McAuley, Targett, Shi and van den Hengel: Image-based recommendations on styles and substitutes. "
            "SIGIR 2015.",
        )
    for category in AMAZON_2018:
        there = f"{MCAULEY}/amazon_v2"
        yield _amazon(
            2018,
            category,
            (f"{there}/categoryFilesSmall/{category}_5.json.gz", f"{there}/metaFiles2/meta_{category}.json.gz"),
            "up to October 2018: the published 5-core and all metadata",
            "Ni, Li and McAuley: Justifying recommendations using distantly-labeled reviews and fine-grained aspects. "
            "EMNLP 2019.",
        )
    for category in AMAZON_2023:
        there = f"{MCAULEY}/amazon_2023/raw"
        yield _amazon(
            2023,
            category,
            (f"{there}/review_categories/{category}.jsonl.gz", f"{there}/meta_categories/meta_{category}.jsonl.gz"),
            "up to September 2023: all reviews, no k-core, and all metadata",
            "Hou, Li, He, Yan, Chen and McAuley: Bridging language and items for retrieval and recommendation. "
            "arXiv:2403.03952, 2024.",
        )
    yield from (_movielens(name, *known) for name, known in MOVIELENS.items())


def _amazon(year: int, category: str, urls: tuple[str, ...], about: str, citation: str) -> Public:
    return Public(
        f"amazon-{year}/{category}",
        "amazon",
        tuple(Remote(url, url.rsplit("/", 1)[1]) for url in urls),
        f"Amazon reviews of {category.replace('_', ' ')}, {about}.",
        "For research; the publisher states no licence and asks for the citation.",
        citation,
    )


def _movielens(name: str, size: int | None, md5: str, holds: str) -> Public:
    file = f"ml-{name}.zip"
    return Public(
        f"movielens/{name}",
        "movielens",
        (Remote(f"https://files.grouplens.org/datasets/movielens/{file}", file, size, md5),),
        f"MovieLens {name}: {holds}.",
        "For research; not for commercial use, and not to be passed on, without permission of GroupLens.",
        "Harper and Konstan: The MovieLens datasets: history and context. ACM TiiS 5(4), 2015.",
    )


PUBLIC: dict[str, Public] = {public.name: public for public in _all()}


def named(name: str) -> Public:
    """The public catalogue of that name.

    Raises:
        InputError: naming the closest one and the families.
    """
    if name not in PUBLIC:
        families = sorted({known.split("/")[0] for known in PUBLIC})
        raise InputError(
            f"There is no public catalogue {name!r}.{closest(name, PUBLIC)} Names look like amazon-2014/Baby; the "
            f"families are {', '.join(families)}; `mmlib data fetch` lists them all."
        )
    return PUBLIC[name]
