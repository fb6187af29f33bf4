"""Public catalogues: what they are called here, where their files lie, and what their publishers ask for."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.errors import InputError, closest
from .download import Remote


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

SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
MCAULEY = "https://mcauleylab.ucsd.edu/public_datasets/data"
AMAZON = {  # year: categories, the two files of a category, what they hold, citation
    2014: (
        AMAZON_2014,
        (f"{SNAP}/reviews_{{}}_5.json.gz", f"{SNAP}/meta_{{}}.json.gz"),
        "up to July 2014: the published 5-core and all metadata",
        "McAuley, Targett, Shi and van den Hengel: Image-based recommendations on styles and substitutes. SIGIR 2015.",
    ),
    2018: (
        AMAZON_2018,
        (f"{MCAULEY}/amazon_v2/categoryFilesSmall/{{}}_5.json.gz", f"{MCAULEY}/amazon_v2/metaFiles2/meta_{{}}.json.gz"),
        "up to October 2018: the published 5-core and all metadata",
        "Ni, Li and McAuley: Justifying recommendations using distantly-labeled reviews and fine-grained aspects. "
        "EMNLP 2019.",
    ),
    2023: (
        AMAZON_2023,
        tuple(
            f"{MCAULEY}/amazon_2023/raw/{file}.jsonl.gz" for file in ("review_categories/{}", "meta_categories/meta_{}")
        ),
        "up to September 2023: all reviews, no k-core, and all metadata",
        "Hou, Li, He, Yan, Chen and McAuley: Bridging language and items for retrieval and recommendation. "
        "arXiv:2403.03952, 2024.",
    ),
}
# name: (size in bytes where it was found stated, MD5 as published beside the file, what it holds)
MOVIELENS: dict[str, tuple[int | None, str, str]] = {
    "100k": (None, "0e33842e24a9c977be4e0107933c0723", "100,000 ratings of 1,682 films by 943 users, 1997-1998"),
    "1m": (
        None,
        "c4d9eecfca2ab87c1945afe126590906",
        "1,000,209 ratings of 3,900 films by 6,040 users, 2000-2003",
    ),
    "20m": (198_702_078, "cd245b17a1ae2cc31bb14903e1204af3", "20,000,263 ratings of 27,278 films by 138,493 users"),
    "25m": (261_978_986, "6b51fb2759a8657d3bfcbfc42b592ada", "25,000,095 ratings of 62,423 films by 162,541 users"),
    "32m": (238_950_008, "d472be332d4daa821edc399621853b57", "32,000,204 ratings of 87,585 films by 200,948 users"),
}


def _all() -> Iterator[Public]:
    free = "For research; the publisher states no licence and asks for the citation."
    for year, (categories, files, holds, citation) in AMAZON.items():
        for category in categories:
            urls = [file.format(category) for file in files]
            remotes = tuple(Remote(url, url.rsplit("/", 1)[1]) for url in urls)
            about = f"Amazon reviews of {category.replace('_', ' ')}, {holds}."
            yield Public(f"amazon-{year}/{category}", "amazon", remotes, about, free, citation)
    free = "For research; not for commercial use, and not to be passed on, without permission of GroupLens."
    citation = "Harper and Konstan: The MovieLens datasets: history and context. ACM TiiS 5(4), 2015."
    for name, (size, md5, holds) in MOVIELENS.items():
        remote = Remote(f"https://files.grouplens.org/datasets/movielens/ml-{name}.zip", f"ml-{name}.zip", size, md5)
        yield Public(f"movielens/{name}", "movielens", (remote,), f"MovieLens {name}: {holds}.", free, citation)


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
