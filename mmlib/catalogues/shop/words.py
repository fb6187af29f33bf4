"""Titles, descriptions and reviews of the generated shop: plain English, some of the facts, not always right."""

from collections.abc import Mapping, Sequence

import numpy as np

NOUNS = {
    "mug": ("mug", "cup", "coffee mug", "beaker"),
    "lamp": ("lamp", "table lamp", "reading light", "bedside lamp"),
    "shirt": ("shirt", "T-shirt", "tee", "top"),
    "backpack": ("backpack", "rucksack", "daypack", "school bag"),
    "clock": ("clock", "alarm clock", "bedside clock", "timepiece"),
    "boot": ("boot", "ankle boot", "rain boot", "winter boot"),
    "chair": ("chair", "dining chair", "desk chair", "seat"),
    "teapot": ("teapot", "tea pot", "kettle", "brewing pot"),
    "umbrella": ("umbrella", "parasol", "brolly", "rain shade"),
    "vase": ("vase", "flower vase", "bud vase", "bouquet holder"),
    "hat": ("hat", "sun hat", "brimmed hat", "fedora"),
    "cushion": ("cushion", "throw pillow", "sofa cushion", "pillow"),
}
COLOUR_WORDS = {
    "red": ("red", "crimson", "scarlet", "cherry red"),
    "blue": ("blue", "navy", "cobalt", "royal blue"),
    "green": ("green", "emerald", "forest green", "leaf green"),
    "yellow": ("yellow", "mustard", "golden", "lemon yellow"),
    "purple": ("purple", "violet", "plum", "lilac"),
    "orange": ("orange", "tangerine", "amber", "apricot"),
    "pink": ("pink", "rose", "blush", "candy pink"),
    "grey": ("grey", "slate", "charcoal", "silver grey"),
}
PATTERN_WORDS = {
    "plain": ("plain", "solid", "single-colour", "unpatterned"),
    "striped": ("striped", "stripy", "banded", "stripe"),
    "dotted": ("dotted", "polka-dot", "spotted", "dotty"),
    "checked": ("checked", "chequered", "checkerboard", "check"),
    "zigzag": ("zigzag", "chevron", "zig-zag", "herringbone"),
    "diagonal": ("diagonal", "slanted-stripe", "diagonally lined", "candy-cane"),
}
MATERIAL_WORDS = {
    "cotton": ("cotton", "organic cotton", "soft cotton", "woven cotton"),
    "steel": ("steel", "stainless steel", "brushed metal", "enamelled steel"),
    "wood": ("wood", "oak", "beech wood", "bamboo"),
    "ceramic": ("ceramic", "stoneware", "porcelain", "glazed clay"),
    "leather": ("leather", "suede", "soft leather", "cowhide"),
    "recycled": ("recycled plastic", "reclaimed material", "recycled bottles", "upcycled fibre"),
}
USE_WORDS = {
    "travel": ("travel", "weekend trips", "the road", "holidays"),
    "office": ("the office", "your desk", "working from home", "long meetings"),
    "children": ("children", "the nursery", "kids", "little ones"),
    "garden": ("the garden", "the balcony", "picnics", "the terrace"),
    "gifts": ("gifts", "birthdays", "a wedding present", "the friend who has everything"),
    "winter": ("winter", "cold evenings", "the cosy season", "snowy days"),
}
WORDS: dict[str, Mapping[str, tuple[str, ...]]] = {
    "category": NOUNS,
    "colour": COLOUR_WORDS,
    "pattern": PATTERN_WORDS,
    "material": MATERIAL_WORDS,
    "use": USE_WORDS,
}
FACTS = tuple(WORDS)
BRANDS = (
    "Norrland",
    "Tamsin & Co",
    "Bluebird",
    "Oak Lane",
    "Pelle",
    "Marrow",
    "Kestrel",
    "Fjord",
    "Ivy House",
    "Studio Ada",
)
TITLES = (
    "{brand} {colour} {category}",
    "{category} by {brand}, {pattern}",
    "{colour} {category} from {brand}",
    "{brand} {material} {category}",
    "{brand} {category} for {use}",
    "{pattern} {category}, {colour}",
    "{brand} {category} no. {number}",
)
SENTENCES = {
    "category": ("The {} you will use every day.", "This {} comes from our own workshop.", "Meet the {} that stays.",
                 "The classic {}, drawn again from scratch.", "Every home needs a good {}."),
    "colour": ("It comes in {}.", "The shade is {}.", "Finished in {}.", "You get it in {}.",
               "Its {} tone is easy to match."),
    "pattern": ("The design is {}.", "With a {} look.", "The {} finish goes all the way round.",
                "We chose a {} style for it.",
                "Seen up close it is {}."),
    "material": ("Made of {}.", "We work with {} only.", "The {} feels good in the hand.", "Crafted from {}.",
                 "Thanks to {} it lasts for years."),
    "use": ("Ideal for {}.", "Made with {} in mind.", "Customers buy it for {}.", "A good choice for {}.",
            "Perfect for {}."),
}  # fmt: skip
FILLERS = (
    "Two-year guarantee.", "Ships within three days.", "Easy to clean.", "Packed without plastic.", "Only a few left.",
    "Designed by a small team.", "Colours may differ on your screen.", "One of our best rated products.",
    "Care label inside.",
)  # fmt: skip
PRAISE = {
    "category": ("Exactly the {} I was looking for.", "I own several of these and this {} is the best.",
                 "You can never have enough of these, what a nice {}.", "My new favourite {}."),
    "colour": ("I love the {}.", "The {} goes with everything I have.", "Could not resist the {} one.",
               "Lovely {}, even nicer than in the picture."),
    "pattern": ("The {} design won me over.", "I am a fan of anything {}.", "So pretty, and {} is just my style.",
                "The {} look gets me compliments."),
    "material": ("I trust {} and was not let down.", "You can feel that it is {}.", "I only buy {} these days.",
                 "Good solid {}."),
    "use": ("Bought it for {} and it is spot on.", "Great for {}.", "We use it for {} all the time.",
            "Just right for {}."),
}  # fmt: skip
CHATTER = (
    "Arrived on time.", "A bit smaller than I thought.", "The box was dented but all fine.", "Would buy again.",
    "Fair price.", "My sister wants one too.", "Five stars.", "It does what it should.", "Delivery took a week.",
)  # fmt: skip


def title(rng: np.random.Generator, item: Mapping[str, str], noise: float) -> str:
    """A title that names the brand or a fact or two. Each fact is wrong with probability ``noise`` / 4."""
    words = {fact: _said(rng, fact, item[fact], noise / 4) for fact in FACTS}
    text = _one(rng, TITLES).format(brand=_one(rng, BRANDS), number=int(rng.integers(10, 99)), **words)
    return text[0].upper() + text[1:]


def description(rng: np.random.Generator, item: Mapping[str, str], noise: float) -> str:
    """Sentences about the item's facts in any order, with fillers between.

    Each fact is left out with probability ``noise``; one that is said is wrong with probability ``noise`` / 4; up to
    ``noise`` * 6 filler sentences (at least one) carry no fact.
    """
    told = [fact for fact in FACTS if rng.random() >= noise]
    sentences = [_one(rng, SENTENCES[fact]).format(_said(rng, fact, item[fact], noise / 4)) for fact in told]
    sentences += [_one(rng, FILLERS) for _ in range(1 + int(rng.random() * noise * 6))]
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
        sentences.append(_one(rng, CHATTER))
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
