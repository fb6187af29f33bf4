"""Words say the facts, as often as the noise lets them."""

import re

import numpy as np
import pytest

from mmlib.catalogues.shop.text import FACTS, PRAISE, SENTENCES, TITLES, WORDS, description, review, title

ITEM = {"category": "mug", "colour": "green", "pattern": "dotted", "material": "steel", "use": "garden"}


def stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def says(text: str, fact: str, value: str) -> bool:
    return any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in WORDS[fact][value])


def test_every_text_is_plain_and_whole():
    for seed in range(200):
        for text in (
            title(stream(seed), ITEM, 0.5),
            description(stream(seed), ITEM, 0.5),
            review(stream(seed), ITEM, FACTS, 0.5),
        ):
            assert text[0].isupper() or text[0].isdigit()
            assert not re.search(r"[{}]|  |\.\.|\ba [aeio]", text), text


def test_all_templates_and_synonyms_are_used():
    titles = {title(stream(seed), ITEM, 0.0) for seed in range(400)}
    texts = " ".join(description(stream(seed), ITEM, 0.0) for seed in range(400))
    assert len(titles) > 250
    for fact in FACTS:
        assert all(re.search(re.escape(word), texts, re.IGNORECASE) for word in WORDS[fact][ITEM[fact]])
        assert len(SENTENCES[fact]) >= 4
        assert len(PRAISE[fact]) >= 4
    assert len(TITLES) >= 5


@pytest.mark.parametrize("noise", [0.0, 0.4, 0.8])
def test_facts_are_left_out_and_wrong_as_often_as_said(noise):
    texts = [description(stream(seed), ITEM, noise) for seed in range(1500)]
    right = np.mean([[says(text, fact, ITEM[fact]) for fact in FACTS] for text in texts], axis=0)
    wrong = noise / 4 * (1 - 1 / np.array([len(WORDS[fact]) for fact in FACTS]))
    assert np.abs(right - (1 - noise) * (1 - wrong)).max() < 0.05


def test_a_synonym_means_one_thing():
    for fact, values in WORDS.items():
        synonyms = [word for words in values.values() for word in words]
        assert len(set(synonyms)) == len(synonyms), fact
        assert all(len(words) == 4 for words in values.values())


def test_a_review_praises_what_its_writer_likes():
    first = [
        review(stream(seed), ITEM, ["material", "use", "colour", "pattern", "category"], 0.0) for seed in range(400)
    ]
    shares = {fact: np.mean([says(text, fact, ITEM[fact]) for text in first]) for fact in FACTS}
    assert shares["material"] == 1
    assert 0.4 < shares["use"] < 0.6
    assert max(shares["colour"], shares["pattern"], shares["category"]) < 0.1
    noisy = [review(stream(seed), ITEM, ["material", "use"], 1.0) for seed in range(400)]
    assert np.mean([says(text, "material", "steel") for text in noisy]) < 0.5
