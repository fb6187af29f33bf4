"""The generated shop: same options, same shop; each kind of content carries signal; folders are handled with care."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mmlib import splits
from mmlib.catalogues.shop import generate, generator
from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError
from mmlib.core.files import digest

SMALL = {"users": 60, "items": 40, "purchases": 500, "size": 24}


def contents(folder: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def pictures_of(data: Dataset) -> str:
    return digest(*[path for path in map(data.image_path, range(data.n_items)) if path])


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Dataset:
    return generate(tmp_path_factory.mktemp("shop") / "shop", **SMALL)


def test_a_second_generation_gives_the_same_bytes(shop, tmp_path):
    again = generate(tmp_path / "again", **SMALL)
    assert contents(tmp_path / "again") == contents(shop.images.parent)
    assert again.key == shop.key
    assert generate(tmp_path / "other", **SMALL, seed=1).key != shop.key


def test_the_shop_is_the_same_on_every_machine(shop):
    tables = [shop.users, shop.items, shop.interactions]
    assert pictures_of(shop) == "ddc1b2251f17638a"
    assert digest(*[table.to_dict("list") for table in tables]) == "d2358a73ae283f08"


def test_its_tables(shop):
    assert (shop.n_users, shop.n_items, len(shop.interactions), shop.split) == (60, 40, 500, None)
    assert shop.items.columns.tolist()[:5] == ["id", "title", "text", "image", "category"]
    assert {"colour", "pattern", "material", "use"} <= set(shop.items.columns)
    assert (shop.items["image"] == "").sum() == (shop.items["text"] == "").sum() == 2
    assert (shop.items["title"] != "").all()
    assert shop.interactions.columns.tolist() == ["user", "item", "time", "review", "part"]
    assert 0.5 < (shop.interactions["review"] != "").mean() < 0.7
    assert (shop.interactions["part"] == "").all()
    assert shop.interactions["user"].value_counts().min() >= 5
    assert all(path is None or path.is_file() for path in map(shop.image_path, range(40)))
    assert "style" not in " ".join(shop.items.columns)


def test_each_kind_of_noise_has_its_own_stream(shop, tmp_path):
    def changed(**options) -> set[str]:
        other = generate(tmp_path / "one", **SMALL | options)
        differs = {
            name for name in ("title", "text", "image", "category") if any(other.items[name] != shop.items[name])
        }
        differs |= {"purchases"} if not other.interactions["item"].equals(shop.interactions["item"]) else set()
        differs |= {"reviews"} if not other.interactions["review"].equals(shop.interactions["review"]) else set()
        return differs | ({"pictures"} if pictures_of(other) != pictures_of(shop) else set())

    assert changed(picture_noise=0.9) == {"pictures"}
    assert changed(missing_pictures=0.3) == {"image", "pictures"}
    assert changed(text_noise=0.9) == {"title", "text"}
    assert changed(missing_texts=0.3) == {"text"}
    assert changed(review_noise=0.9) == changed(reviews=0.1) == {"reviews"}
    assert changed(taste_noise=0.9) == changed(popularity=1.5) == {"purchases", "reviews"}


def test_the_same_shop_is_loaded_and_another_replaces_it(tmp_path):
    folder = tmp_path / "new" / "shop"
    first = generate(folder, **SMALL)
    stamp = (folder / "items.parquet").stat().st_mtime_ns
    assert generate(folder, **SMALL).key == first.key
    assert (folder / "items.parquet").stat().st_mtime_ns == stamp
    assert generate(folder, **SMALL | {"users": 61}).n_users == 61
    assert sorted(path.name for path in folder.parent.iterdir() if not path.name.endswith(".lock")) == ["shop"]


def test_what_is_not_a_shop_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.txt, which is not part of a generated shop"):
        generate(tmp_path, **SMALL)
    folder = tmp_path / "shop"
    generate(folder, **SMALL)
    (folder / "mine.txt").write_text("notes")
    with pytest.raises(InputError, match=r"holds mine\.txt"):
        generate(folder, **SMALL, seed=9)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert generate(tmp_path / "empty", **SMALL).n_items == 40


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(generator.images, "png", lambda pixels: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generate(tmp_path / "shop", **SMALL)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_without_a_folder_it_is_temporary():
    code = (
        f"from mmlib.catalogues import shop; images = shop.generate(**{SMALL}).images; print(images, images.is_dir())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[1] == "True"
    assert not Path(said[0]).exists()


def test_of_two_processes_one_makes_the_shop(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, _start_together, [context.Barrier(2)]) as pool:
        keys = pool.map(_make_and_tell, [tmp_path / "shop"] * 2, chunksize=1)
    assert keys[0] == keys[1]
    assert len(list(tmp_path.glob("made-by-*"))) == 1


def _start_together(barrier) -> None:
    barrier.wait(60)


def _make_and_tell(folder: Path) -> str:
    def make(*args, **options) -> None:
        (folder.parent / f"made-by-{os.getpid()}").touch()
        time.sleep(0.3)
        made(*args, **options)

    made, generator._make = generator._make, make
    return generate(folder, **SMALL).key


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"users": 1}, "users = 1 must be a whole number of at least 2 and of at most"),
        ({"users": 60.0}, r"users = 60\.0 must be a whole number"),
        ({"users": True}, "users = True must be a whole number"),
        ({"hidden": 1.5}, r"hidden = 1\.5 must be a finite number of at least 0 and of at most 1"),
        ({"hidden": float("nan")}, "hidden = nan must be a finite number"),
        ({"text_noise": "high"}, "text_noise = 'high' must be a finite number"),
        ({"categories": 13}, "categories = 13 must be a whole number of at least 2 and of at most 12"),
        ({"taste_noise": 0}, "taste_noise = 0 must be a finite number of at least"),
        ({"seed": -1}, "seed = -1 must be a whole number of at least 0"),
        ({"purchases": 299}, r"purchases = 299 must lie between users \* least = 300"),
        ({"purchases": 601}, "purchases = 601 must lie between"),
        ({"least": 21, "purchases": 600}, r"least = 21 must be at most half of the items \(40\)"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, match):
    with pytest.raises(InputError, match=match):
        generate(tmp_path / "shop", **SMALL | options)
    assert not (tmp_path / "shop").exists()


def test_an_equal_number_of_another_type_is_the_same_shop(tmp_path):
    assert generate(tmp_path / "a", **SMALL, hidden=0).key == generate(tmp_path / "a", **SMALL, hidden=0.0).key


def test_content_purchases_and_popularity_all_carry_signal(tmp_path):
    """Ranked by a ridge regression on the true facts, by item-item cosine, by both and by popularity."""
    data = splits.random_by_user(generate(tmp_path / "shop", size=16))
    train, pop = data.matrix(), data.purchases()
    facts = np.concatenate(
        [_one_hot(data.items[name]) for name in ("category", "colour", "pattern", "material", "use")], 1
    )
    facts -= facts.mean(axis=0)
    likes = np.linalg.solve(facts.T @ facts + 60 * np.eye(facts.shape[1]), facts.T @ train.T.toarray())
    together = (train.T @ train).toarray()
    np.fill_diagonal(together, 0)
    length = np.sqrt(np.maximum(pop, 1))
    scores = {
        "popularity": np.tile(pop.astype(float), (data.n_users, 1)),
        "content": (facts @ likes).T,
        "purchases": train @ (together / length / length[:, None] * together / (together + 3)),
    }
    scores["both"] = _standard(scores["content"]) + _standard(scores["purchases"])
    overall = {name: _recall(score, data, np.ones(data.n_items, bool)) for name, score in scores.items()}
    few = {name: _recall(score, data, pop <= np.median(pop)) for name, score in scores.items()}
    assert overall["both"] > 1.15 * max(overall["content"], overall["purchases"])
    assert min(overall["content"], overall["purchases"]) > 1.7 * overall["popularity"]
    assert few["content"] > 1.25 * few["both"]
    assert few["both"] > 1.5 * few["purchases"]


def _one_hot(values) -> np.ndarray:
    names = sorted(set(values))
    return np.array([[value == name for name in names] for value in values], dtype=float)


def _standard(score: np.ndarray) -> np.ndarray:
    return (score - score.mean(axis=1, keepdims=True)) / (score.std(axis=1, keepdims=True) + 1e-9)


def _recall(score: np.ndarray, data: Dataset, items: np.ndarray, k: int = 20) -> float:
    score = np.where(data.matrix().toarray() > 0, -np.inf, score)
    top = np.argsort(-score, axis=1)[:, :k]
    wanted = (data.matrix("test").toarray() > 0) & items
    found = np.take_along_axis(wanted, top, axis=1).sum(axis=1)
    some = wanted.any(axis=1)
    return float((found[some] / wanted.sum(axis=1)[some]).mean())
