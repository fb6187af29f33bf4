import json

import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.core.features import Features


def make(**changes) -> Features:
    item = {"text": torch.randn(5, 3), "image": torch.randn(5, 4)}
    present = {"text": torch.tensor([True, True, False, True, True]), "image": torch.ones(5, dtype=torch.bool)}
    parts = {"item": item, "present": present, "reviews": torch.randn(4, 3), "about": {"encoder": "made up"}}
    return Features(**parts | {"review_users": torch.tensor([0, 0, 2, 2]), "n_users": 3} | changes)


def test_features_survive_a_round_trip(tmp_path) -> None:
    features = make()
    features.save(tmp_path)
    back = Features.load(tmp_path)
    assert back.key == features.key
    assert (back.n_users, back.about) == (3, {"encoder": "made up"})
    assert make().key != features.key


@pytest.mark.parametrize("name", ["text", "image", "reviews"])
def test_nan_and_infinity_are_refused_with_the_place(name: str) -> None:
    good = make()
    bad = (good.reviews if name == "reviews" else good.item[name]).clone()
    bad[1, 0], bad[3, 1] = torch.nan, torch.inf
    changes = {"reviews": bad} if name == "reviews" else {"item": good.item | {name: bad}}
    with pytest.raises(InputError, match=rf"2 of {len(bad)} {name.removesuffix('s')} vectors.*rows \[1, 3\]"):
        make(**changes)


def test_rows_marked_as_missing_may_hold_anything_and_are_zeros_from_then_on() -> None:
    """As a table's gaps come; the rows that are there are still refused, and what was given is left alone."""
    good = make()
    bad = good.item["text"].clone()
    bad[2] = torch.tensor([torch.nan, torch.inf, 1.0])  # the text that is missing
    features = make(item=good.item | {"text": bad})
    assert features.item["text"][2].tolist() == [0, 0, 0]
    assert torch.equal(features.item["text"][[0, 1, 3, 4]], good.item["text"][[0, 1, 3, 4]])
    assert bad[2].isnan().any()
    torch.testing.assert_close(features.filled("text")[2], features.item["text"][good.present["text"]].mean(0))
    bad[3, 1] = torch.nan
    with pytest.raises(InputError, match=r"1 of 5 text vectors hold NaN or infinity \(rows \[3\]"):
        make(item=good.item | {"text": bad})


def test_missing_rows_are_answered_by_name() -> None:
    features = make()
    kept = features.present["text"]
    torch.testing.assert_close(features.filled("text")[2], features.item["text"][kept].mean(0))
    assert features.filled("text", "zero")[2].abs().sum() == 0
    assert torch.equal(features.filled("text")[kept], features.item["text"][kept])
    with pytest.raises(InputError, match=r"1 items without text \(rows \[2\]"):
        features.filled("text", "error")
    with pytest.raises(InputError, match='Did you mean "image"'):
        features.filled("imgae")


def test_reviews_are_averaged_by_user_and_silence_is_told() -> None:
    features = make()
    torch.testing.assert_close(features.user["review"][2], features.reviews[2:].mean(0))
    assert features.user_present["review"].tolist() == [True, False, True]
    assert features.summary()[-1]["missing"] == 1
    assert make(reviews=None, review_users=None).user == {}


def test_presence_must_fit() -> None:
    with pytest.raises(InputError, match=r"present\['text'\] must hold a bool for each of the 5 rows"):
        make(present={"text": torch.ones(4, dtype=torch.bool), "image": torch.ones(5, dtype=torch.bool)})


def test_missing_and_damaged_files_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no file .*features\.json"):
        Features.load(tmp_path)
    make().save(tmp_path)
    (tmp_path / "features.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(InputError, match=r"features\.safetensors is damaged"):
        Features.load(tmp_path)
    (tmp_path / "features.json").write_text("{")
    with pytest.raises(InputError, match=r"features\.json is damaged"):
        Features.load(tmp_path)


def test_one_screen_summaries_escape_what_they_show() -> None:
    assert "<script>" not in make(about={"encoder": "<script>"})._repr_html_()
    assert json.dumps(make().summary())
