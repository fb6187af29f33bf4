"""What a message advises is done here literally, and works."""

import gzip
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import mmlib as mm
from mmlib.__main__ import main
from mmlib.catalogues.fetch import web
from mmlib.core.errors import InputError

from . import cases_catalogues, cases_disk
from .cases_forms import FILMS, LATTICE, reviews
from .cases_library import data, evaluate, features, model, vectors
from .cases_tables import changed
from .world import CSV, HEADER, ITEMS, RATINGS, Content, limited, write

PLAIN = "user,item\n" + "".join(f"{user},{item}\n" for user, item, *_ in RATINGS)


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    return capsys.readouterr().err


def works(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(words)
    assert code == 0, capsys.readouterr().err


def planned(words: list[str]) -> None:
    """The command is taken: it comes as far as a kernel, which these tests do not start."""
    with pytest.raises(AssertionError, match="a kernel was about to start"):
        main(words)


# a misspelt word, and the command it stands in; the message names a word to put in its place
MISSPELT: list[tuple[str, list[str]]] = [
    ("epohcs", ["run", "-p", "epohcs", "5", "--pages", "04"]),
    ("04_recomend", ["run", "-p", "epochs", "5", "--pages", "04_recomend"]),
    ("lightgnc", ["run", "-p", "recommender", "lightgnc", "--pages", "04"]),
    ("mmcrp", ["run", "-p", "start", "mmcrp", "--pages", "04"]),
    ("tset", ["run", "-p", "part", "tset", "--pages", "04"]),
    ("leave-one-uot", ["run", "-p", "split", "leave-one-uot", "--pages", "04"]),
    ("usr", ["data", "a", "-p", "columns", '{"usr": "userId"}']),
    ("userld", ["data", "a", "-p", "columns", '{"user": "userld"}']),
    ("lattise", ["data", "l", "-p", "reader", '{"form": "lattise"}']),
    ("onec", ["data", "a", "-p", "clean", '["onec"]']),
    ("b", ["data", "b"]),
]


@pytest.mark.parametrize(("wrong", "words"), MISSPELT, ids=[wrong for wrong, _ in MISSPELT])
def test_the_closest_name_that_a_message_offers_is_taken(
    here: Path, wrong: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, {"a/ratings.csv": CSV, "a/items.csv": ITEMS, **{f"l/{name}": text for name, text in LATTICE.items()}})
    write(here, {"bb/ratings.csv": CSV})
    with limited():
        offered = re.search(r"Did you mean ['\"]?([^'\"?]+)['\"]?\?", refused(words, capsys))
        assert offered
        mended = [word.replace(wrong, offered[1]) for word in words]
        planned(mended) if words[0] == "run" else works(mended, capsys)


# what lies in the folder a, and the pattern that finds the remedy in the message of `mmlib data a`: words of -p
ADVISED: list[tuple[str, dict[str, Content], list[str], str, str]] = [
    (
        "several tables of items",
        {"ratings.csv": CSV, "x.csv": ITEMS, "y.csv": ITEMS},
        [],
        r"columns = ({.*?})",
        "columns",
    ),
    ("several tables of interactions", {"x.csv": CSV, "y.csv": CSV}, [], r"columns = ({.*?})", "columns"),
    ("several forms", {**FILMS, **LATTICE}, [], r"(form=\S+),", "reader"),
    ("a line that is no JSON", {"reviews_X.json": reviews("{broken")}, [], r"(on_bad='skip')", "reader"),
    (
        "a column that is called split and is none",
        {"ratings.csv": changed(2, lambda place, value: "x").replace("rating,", "split,")},
        [],
        r"columns = ({.*?})",
        "columns",
    ),
    ("no split of its own", {"ratings.csv": CSV}, ["-p", "split", "given"], r"split='(.*?)'", "split"),
]


@pytest.mark.parametrize(("id", "files", "words", "pattern", "name"), ADVISED, ids=[one[0] for one in ADVISED])
def test_the_option_that_a_message_offers_makes_the_catalogue_readable(
    here: Path,
    id: str,
    files: dict[str, Content],
    words: list[str],
    pattern: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(here, {f"a/{file}": content for file, content in files.items()})
    with limited():
        found = re.search(pattern, refused(["data", "a", *words], capsys))
        assert found
        option = re.sub(r"^(\w+)=(.*)$", r'{"\1": \2}', found[1]) if name == "reader" else found[1]
        works(["data", "a", "-p", name, option], capsys)


def test_leaving_out_a_column_that_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"a/ratings.csv": changed(2, lambda place, value: "good")})
    said = refused(["data", "a"], capsys)
    assert "empty name in columns" in said
    works(["data", "a", "-p", "columns", '{"rating": ""}'], capsys)


def test_naming_the_columns(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"a/shop.csv": CSV.replace(HEADER, "who,what,rating,timestamp\n")})
    said = refused(["data", "a"], capsys)
    assert 'columns = {"interactions": "file.csv", "user": "...", "item": "..."}' in said
    works(["data", "a", "-p", "columns", '{"interactions": "shop.csv", "user": "who", "item": "what"}'], capsys)


def test_saving_as_utf_8_with_the_command_that_is_given(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"a/ratings.csv": CSV.replace("u1", "é1").encode("latin-1")})
    said = refused(["data", "a"], capsys)
    command = re.search(r"`(iconv .*?)`", said)
    assert command
    if not shutil.which("iconv"):
        pytest.skip("iconv is not here")
    subprocess.run(command[1], shell=True, check=True, cwd=here / "a")
    (here / "a" / "new.csv").replace(here / "a" / "ratings.csv")
    works(["data", "a"], capsys)


def _commands(said: str) -> list[str]:
    return [command for command in re.findall(r"`mmlib ([^`]+)`", said)]


def test_a_notebook_that_was_never_made_is_made_as_the_message_says(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, cases_disk.pages(**{"00_a__py": cases_disk.PAGE}))
    said = refused(["run", "-p", "epochs", "5"], capsys)
    works(shlex.split(_commands(said)[0]), capsys)
    planned(["run", "-p", "epochs", "5"])


@pytest.mark.parametrize("which", [0, 1])
def test_edits_of_a_notebook_are_taken_over_or_dropped_as_the_message_says(
    here: Path, which: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, cases_disk.pages(**{"00_a__py": cases_disk.PAGE, "00_a__ipynb": cases_disk._edited}))
    said = refused(["pair"], capsys)
    works(shlex.split(_commands(said)[which]), capsys)
    works(["pair", "--check"], capsys)
    assert ("my work" in (here / "notebooks" / "00_a.py").read_text()) == (which == 0)


def test_a_catalogue_that_is_not_here_is_fetched_as_the_message_says(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_is_public", lambda address: True)  # the server is on this machine
    body = gzip.compress(reviews().encode())
    with cases_catalogues.served(cases_catalogues.at.file(body))(here), limited(20):
        said = refused(["data", "amazon/Test"], capsys)
        command = re.search(r"mmlib (data fetch \S+)", said)
        assert command
        works([*command[1].split(), "--no-pictures"], capsys)
        works(["data", "amazon/Test", "-p", "reader", '{"core": 2}'], capsys)


def test_a_manifest_of_another_kind_is_moved_away(here: Path) -> None:
    (here / "to").mkdir()
    (here / "to" / "manifest.json").write_text("[]")
    with cases_catalogues.served(cases_catalogues.at.file(cases_catalogues.BODY))(here):
        with pytest.raises(InputError, match="Move it away"):
            cases_catalogues.bring(here)
        (here / "to" / "manifest.json").rename(here / "old.json")
        cases_catalogues.bring(here)
    assert (here / "to" / "r.json.gz").read_bytes() == cases_catalogues.BODY


@contextmanager
def advice(pattern: str) -> Iterator[None]:
    with pytest.raises(InputError, match=pattern):
        yield


def _refit(here: Path, **options: Any) -> Any:
    torch.manual_seed(0)
    training = {"epochs": 2, "batch_size": 64, "checkpoint_seconds": 0.0} | options
    return mm.training.fit(model("bpr", dim=8), checkpoint=here / "c.pt", **training)


def test_the_checkpoint_of_another_training_is_deleted(here: Path) -> None:
    _refit(here)
    with advice("delete it to start anew"):
        _refit(here, lr=0.5)
    (here / "c.pt").unlink()
    _refit(here, lr=0.5)


Call = Callable[[], Any]
half = {name: torch.arange(20) > 2 for name in ("text", "image")}
PYTHON: list[tuple[str, Call, str, Call]] = [
    (
        "missing vectors are filled",
        lambda: features(present=half).filled("text", "error"),
        "missing='mean'",
        lambda: features(present=half).filled("text", "mean"),
    ),
    (
        "vectors alone need their dataset",
        lambda: mm.evaluate(vectors(), k=[5]),
        r"evaluate\(embeddings, data\)",
        lambda: mm.evaluate(vectors(), data(), k=[5]),
    ),
    ("lists need a length", lambda: evaluate(k=[]), "at least 1", lambda: evaluate(k=[1])),
    (
        "EASE of many items",
        lambda: model("ease", most_items=3),
        "Raise it|ItemKNN",
        lambda: model("ease", most_items=20),
    ),
    ("EASE of many items, the other way", lambda: model("ease", most_items=3), "ItemKNN", lambda: model("itemknn")),
    (
        "the small encoder",
        lambda: mm.encoders.load("small", dim=5),
        "such as 64",
        lambda: mm.encoders.load("small", dim=64),
    ),
]


@pytest.mark.parametrize(("id", "wrong", "says", "right"), PYTHON, ids=[one[0] for one in PYTHON])
def test_what_a_message_says_in_python(here: Path, id: str, wrong: Call, says: str, right: Call) -> None:
    with limited(20):
        with advice(says):
            wrong()
        right()


def test_a_catalogue_without_pictures_is_not_sent_from_one_refusal_to_the_next(here: Path) -> None:
    with pytest.raises(InputError) as first:
        mm.encoder(data(), "small", epochs=5)
    if "encoder_epochs = 0" in str(first.value):
        assert "pretrained" in str(first.value)
        assert "small" not in str(first.value), "with encoder_epochs = 0, small is refused"


def test_one_item_alone_is_told_that_nothing_can_be_ranked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"a/ratings.csv": "user,item\n" + "".join(f"u{n},i1\n" for n in range(30))})
    for split in ("8:1:1", "leave-one-out random", "80/20"):
        said = refused(["data", "a", "-p", "split", split], capsys)
        assert "more items" in said
        assert "another split" not in said
