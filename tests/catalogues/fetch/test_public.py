import re

import pytest

from mmlib.catalogues.fetch.public import PUBLIC, named
from mmlib.core.errors import InputError


def test_every_family_is_whole() -> None:
    for year, count in ((2014, 24), (2018, 29), (2023, 34)):
        assert sum(name.startswith(f"amazon-{year}/") for name in PUBLIC) == count
    assert len(PUBLIC) == 24 + 29 + 34 + 5
    assert sorted(name for name in PUBLIC if name.startswith("movielens/")) == [
        f"movielens/{size}" for size in ("100k", "1m", "20m", "25m", "32m")
    ]


def test_names_addresses_and_files_fit_each_other() -> None:
    for name, public in PUBLIC.items():
        assert name == public.name
        assert re.fullmatch(r"[a-z]+(-\d{4})?/\w+", name)
        assert public.form in ("amazon", "movielens")
        assert all(
            remote.url.startswith("https://") and remote.url.endswith(f"/{remote.file}") for remote in public.files
        )
        assert all(remote.md5 is None or re.fullmatch("[0-9a-f]{32}", remote.md5) for remote in public.files)
        assert all((public.about, public.licence, public.citation))
    urls = [remote.url for public in PUBLIC.values() for remote in public.files]
    assert len(urls) == len(set(urls)) == 2 * (24 + 29 + 34) + 5


def test_the_years_have_their_own_addresses() -> None:
    assert [remote.url.split("/", 3)[3] for remote in named("amazon-2014/Baby").files] == [
        "data/amazon/productGraph/categoryFiles/reviews_Baby_5.json.gz",
        "data/amazon/productGraph/categoryFiles/meta_Baby.json.gz",
    ]
    assert [remote.url.split("/data/")[1] for remote in named("amazon-2018/Luxury_Beauty").files] == [
        "amazon_v2/categoryFilesSmall/Luxury_Beauty_5.json.gz",
        "amazon_v2/metaFiles2/meta_Luxury_Beauty.json.gz",
    ]
    assert [remote.url.split("/data/")[1] for remote in named("amazon-2023/Baby_Products").files] == [
        "amazon_2023/raw/review_categories/Baby_Products.jsonl.gz",
        "amazon_2023/raw/meta_categories/meta_Baby_Products.jsonl.gz",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("amazon-2014/baby", "amazon-2014/Baby"), ("movielens/100K", "movielens/100k"), ("amazon-2023/Baby", "Baby")],
)
def test_a_wrong_name_is_answered_with_the_closest(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f'Did you mean "[^"]*{meant}'):
        named(name)
