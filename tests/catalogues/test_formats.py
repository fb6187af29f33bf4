"""Which form a folder has, and that its reader is asked."""

import json
from dataclasses import replace

import pytest

from mmlib.catalogues import formats
from mmlib.catalogues.shop import generate
from mmlib.core.errors import InputError

from .damage import write
from .published import test_lattice, test_lightgcn, test_mmrec, test_movielens
from .tables import test_reader as test_tables

REVIEW = {"reviewerID": "A", "asin": "B", "overall": 5.0, "unixReviewTime": 1, "reviewText": "x", "summary": "y"}
FOLDERS = {
    "mmrec": [test_mmrec.FILES],
    "lattice": [test_lattice.FILES, {f"5-core/{name}": text for name, text in test_lattice.FILES.items()}],
    "lightgcn": [test_lightgcn.FILES, test_lightgcn.FILES | test_lightgcn.LISTS],
    "movielens": [*test_movielens.ALL.values(), test_movielens.M25 | {"links.csv": "movieId,imdbId,tmdbId\n1,2,3\n"}],
    "amazon": [
        {"reviews_Baby_5.json.gz": b"", "meta_Baby.json.gz": b""},
        {"Baby_5.json": json.dumps(REVIEW) + "\n"},
        {"Baby.jsonl": '{"user_id": "A", "parent_asin": "B", "rating": 5, "timestamp": 1}\n', "other.json": "{}"},
    ],
    "tables": [
        {"ratings.csv": test_tables.RATINGS, "items.csv": test_tables.ITEMS},
        {"ratings.csv": test_tables.RATINGS},
        {"ratings.csv": test_tables.RATINGS, "movies.csv": test_tables.ITEMS},
        {"ratings.csv": test_tables.RATINGS, "meta.json": '{"about": "x"}', "notes.txt": "x"},
        {"log.csv": "who,what\na,b\n"},
        {"ratings.csv": b"\xff\xfe", "data.parquet": b""},
    ],
}
CASES = [(form, files) for form, several in FOLDERS.items() for files in several]


@pytest.mark.parametrize(("form", "files"), CASES, ids=[f"{form}-{'-'.join(files)}" for form, files in CASES])
def test_every_form_is_recognised(tmp_path, form, files):
    assert formats.recognise(write(tmp_path, files)) == form


def test_a_saved_dataset_is_one_whatever_lies_beside_it(tmp_path):
    data = generate(users=30, items=24, purchases=180, size=16)
    data.save(write(tmp_path, test_mmrec.FILES))
    assert formats.recognise(tmp_path) == "saved"
    assert formats.read(tmp_path).key == data.key
    assert formats.read(tmp_path, columns={"user": "x"}).key == data.key


def test_the_reader_of_the_form_is_asked(tmp_path, monkeypatch):
    for form, files in (
        ("mmrec", test_mmrec.FILES),
        ("lightgcn", test_lightgcn.FILES),
        ("movielens", test_movielens.M1),
        ("tables", FOLDERS["tables"][0]),
    ):
        folder = write(tmp_path / form, files)
        assert formats.read(folder).key == formats.read(folder, form).key
    form = replace(
        formats.FORMS["amazon"], read=lambda reading, form="auto": (reading.folder.name, form, reading.on_bad)
    )
    monkeypatch.setitem(formats.FORMS, "amazon", form)
    folder = write(tmp_path / "amazon", FOLDERS["amazon"][0])
    assert formats.read(folder, on_bad="skip") == ("amazon", "auto", "skip")
    assert formats.read(folder, "amazon-2018") == ("amazon", "2018", "stop")


def test_columns_are_for_tables(tmp_path):
    write(tmp_path, test_movielens.M25)
    columns = {"interactions": "ratings.csv", "items": "movies.csv", "title": "genres"}
    assert formats.read(tmp_path, columns=columns).items["title"].tolist()[1] == "Crime"
    with pytest.raises(InputError, match="columns are for a user's own tables; the form 'movielens'"):
        formats.read(tmp_path, "movielens", columns=columns)


def test_options_go_to_the_reader(tmp_path):
    write(tmp_path, test_lightgcn.FILES | {"train.txt": "0 1\nx\n"})
    assert len(formats.read(tmp_path, on_bad="skip").interactions) == 3
    assert formats.read(tmp_path, on_bad="skip", name="mine").name == "mine"
    with pytest.raises(
        InputError, match=r"'lightgcn' has no option 'onbad'.*Did you mean \"on_bad\".*on_bad, unmatched, name"
    ):
        formats.read(tmp_path, onbad="skip")


def test_two_forms_at_once_ask_which(tmp_path):
    write(tmp_path, test_lightgcn.FILES | test_lattice.FILES)
    with pytest.raises(
        InputError, match=r"several forms: lattice: train\.json.*; lightgcn: train\.txt.*form='lattice'"
    ):
        formats.read(tmp_path)
    assert formats.read(tmp_path, "lightgcn").n_users == 4
    write(tmp_path / "b", test_lightgcn.FILES | {"ratings.csv": test_tables.RATINGS})
    with pytest.raises(InputError, match=r"several forms: lightgcn: .*; tables: "):
        formats.read(tmp_path / "b")


def test_nothing_that_can_be_read(tmp_path):
    with pytest.raises(InputError, match=r"no catalogue that can be read; it holds nothing.*mmrec: a file \.inter"):
        formats.recognise(tmp_path)
    write(tmp_path, {"train.txt": "0 1\n", "pictures/a.jpg": b"", ".hidden": b"", "notes.json": ""})
    with pytest.raises(InputError, match=r"holds notes\.json, pictures/, train\.txt\. .*lightgcn: train\.txt and test"):
        formats.recognise(tmp_path)
    data = generate(users=30, items=24, purchases=180, size=16)
    data.save(tmp_path / "saved")
    with pytest.raises(InputError, match=r"'saved' has no option 'name'\. Options: none"):
        formats.read(tmp_path / "saved", name="x")
    with pytest.raises(InputError, match="none is not there"):
        formats.recognise(tmp_path / "none")
    with pytest.raises(InputError, match=r"train\.txt is a file"):
        formats.read(tmp_path / "train.txt")
    with pytest.raises(InputError, match=r"form = 'movielen' is not known.*Did you mean \"movielens\""):
        formats.read(tmp_path, "movielen")


def test_a_form_that_is_asked_for_says_what_it_misses(tmp_path):
    write(tmp_path, {"a.txt": ""})
    for form, match in (
        ("mmrec", "has no .inter file"),
        ("lattice", "has no train.json"),
        ("lightgcn", "has no train.txt and no test.txt"),
        ("movielens", "has no ratings of MovieLens"),
        ("tables", "no table with columns"),
        ("saved", "no file .*dataset.json"),
        ("amazon", "no file of Amazon reviews"),
    ):
        with pytest.raises(InputError, match=match):
            formats.read(tmp_path, form)
