"""Titles, descriptions and reviews of the generated shop: plain English, some of the facts, not always right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...core.files import read_json

_VOCABULARY = read_json(Path(__file__).with_name("vocabulary.json"))
WORDS: dict[str, dict[str, list[str]]] = _VOCABULARY["words"]  # fact -> value -> four synonyms
FACTS = tuple(WORDS)
TITLES: list[str] = _VOCABULARY["titles"]
SENTENCES: dict[str, list[str]] = _VOCABULARY["sentences"]  # of descriptions, by the fact that they tell
PRAISE: dict[str, list[str]] = _VOCABULARY["praise"]  # sentences of reviews, by the fact that they praise


def title(rng: np.random.Generator, item: Mapping[str, str], noise: float) -> str:
    """A title that names the brand or a fact or two. Each fact is wrong with probability ``noise`` / 4."""
    words = {fact: _said(rng, fact, item[fact], noise / 4) for fact in FACTS}
    text = _one(rng, TITLES).format(brand=_one(rng, _VOCABULARY["brands"]), number=int(rng.integers(10, 99)), **words)
    return text[0].upper() + text[1:]


def description(rng: np.random.Generator, item: Mapping[str, str], noise: float) -> str:
    """Sentences about the item's facts in any order, with fillers between.

    Each fact is left out with probability ``noise``; one that is said is wrong with probability ``noise`` / 4; up to
    ``noise`` * 6 filler sentences (at least one) carry no fact.
    """
    told = [fact for fact in FACTS if rng.random() >= noise]
    sentences = [_one(rng, SENTENCES[fact]).format(_said(rng, fact, item[fact], noise / 4)) for fact in told]
    sentences += [_one(rng, _VOCABULARY["fillers"]) for _ in range(1 + int(rng.random() * noise * 6))]
    return _joined(rng, sentences)


def review(rng: np.random.Generator, item: Mapping[str, str], liked: Sequence[str], noise: float) -> str:
    """One to three sentences that name what the writer liked about the item.

    Args:
        liked: the names of the item's facts, the most liked first. Each sentence of praise takes the next one, or
            with probability ``noise`` any.
    """
    sentences = []
    for fact in liked[: 1 + int(rng.random() < 0.5)]:
        fact = _one(rng, FACTS) if rng.random() < noise else fact
        sentences.append(_one(rng, PRAISE[fact]).format(_said(rng, fact, item[fact], 0.0)))
    if rng.random() < 0.3 + 0.7 * noise:
        sentences.append(_one(rng, _VOCABULARY["chatter"]))
    return _joined(rng, sentences)


def _said(rng: np.random.Generator, fact: str, value: str, wrong: float) -> str:
    """A word for the fact; the first synonym half of the time; with probability ``wrong`` of another value."""
    if rng.random() < wrong:
        value = _one(rng, tuple(WORDS[fact]))
    synonyms = WORDS[fact][value]
    return synonyms[0] if rng.random() < 0.5 else _one(rng, synonyms[1:])


def _one(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def _joined(rng: np.random.Generator, sentences: Sequence[str]) -> str:
    order = np.argsort(rng.random(len(sentences)), kind="stable")
    sentences = [sentences[place] for place in order]
    return " ".join(dict.fromkeys(sentence[0].upper() + sentence[1:] for sentence in sentences))
