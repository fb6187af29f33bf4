"""Every flaw that an audit can find: how bad it is, what is said of it, and what to do."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from .report import SHOWN, Example, Finding

TRAIN_ONLY = "Build the graph from data.train only, and repeat everything that used it."
FITTED = (
    "Find out which interactions the vectors were fitted on; fit them again on data.train, or use vectors that come "
    "from images and text only."
)
MERGE = "Merge the copies before the split (map their ids to one), or keep all copies of an item in one part."
MASK = "Mark them as missing (an empty image), so that the model's answer to missing images is used."
COPIES = "{count:,} items ({pairs}) {how}; {crossing:,} test interactions are of an item of which the same user has a "
COPIES += "copy in train."

# kind: (severity, what, remedy); names in braces are filled in by the check
FLAWS = {
    "held-out pairs in {graph}": (
        "leak",
        "The graph {graph} has {count:,} edges that are held-out interactions, {share:.1%} of all of them; {own:.0%} "
        "of its edges are interactions.",
        TRAIN_ONLY,
    ),
    "held-out edges in {graph}": (
        "leak",
        "The graph {graph} connects {count:,} pairs of {side} that share held-out interactions only.",
        TRAIN_ONLY,
    ),
    "held-out counts in {graph}": (
        "leak",
        "The graph {graph} counts more shared interactions than the training part has on {count:,} edges.",
        TRAIN_ONLY,
    ),
    "features of another dataset": (
        "note",
        "The features were made from a dataset or split with another hash ({theirs}, not {ours}); {so}.",
        "Extract the features again from this dataset with this split.",
    ),
    "held-out reviews in features": (
        "leak",
        "{count:,} users have more review vectors than training reviews: {more:,} held-out reviews are in them.",
        "Extract the features again from data.reviews, which gives training reviews only.",
    ),
    "held-out reviews in users' texts": (
        "leak",
        "The texts of {users:,} users contain {count:,} of their held-out reviews.",
        "Make a user's text from data.reviews, which gives training reviews only.",
    ),
    "{name} vectors know the {part} part": (
        "warning",
        "The {name} vectors place {count:,} users' {part} interactions nearer to them than those of the other held-out "
        "part (t = {t:.1f}), which a random split does not explain: they were probably fitted on the {part} part.",
        FITTED,
    ),
    "{name} vectors know held-out interactions": (
        "warning",
        "The {name} vectors of {count:,} items tell {ratio:.2f} times as much of their held-out users as taste can "
        "explain ({score:.1f} standard errors above the ceiling): they were probably fitted on held-out interactions.",
        FITTED,
    ),
    "texts cut by the encoder": (
        "warning",
        "{count:,} of {of:,} texts ({share:.1%}) are longer than the encoder's {context} tokens; an encoder that cuts "
        "loses {lost:.1%} of all text.",
        "Put what matters first, or pool over windows of the text, as mmlib's own encoders do.",
    ),
    "time claimed but unknown": (
        "warning",
        "The protocol '{protocol}' claims an order in time, but the interactions have no time.",
        "Keep the column of times, or call the split what it is.",
    ),
    "future in train": (
        "leak",
        "{count:,} training interactions ({share:.1%}) are later than {moment}, although the protocol is '{protocol}'.",
        "Split again by time, or call the split random in every table.",
    ),
    "ids without a row": (
        "warning",
        "{warning}",
        "Look whether the files belong together and write their ids in the same way.",
    ),
    "pairs in several parts": (
        "leak",
        "{count:,} pairs of a user and an item are in more than one part.",
        "Keep each pair in one part: load with split='given', which keeps the first, or split again.",
    ),
    "{side} unseen in train ({part})": (
        "warning",
        "{count:,} {side} of the {part} part have no training interaction; {share:.1%} of the part's interactions are "
        "theirs. A model without content knows nothing of them.",
        "Report them apart, or drop them from the part and say so.",
    ),
    "small test part": (
        "warning",
        "With {count:,} test users a paired comparison can resolve differences in Recall@20 of {least:.3f} or more "
        "(80 % power, two-sided 5 %, {discordant:.0%} of test interactions found by one method only).",
        "Do not read smaller differences; use more users, or several splits.",
    ),
    "long tail": (
        "note",
        "{count:,} of {of:,} items have at most {few} training interactions, the most popular fifth has {head:.0%} of "
        "all interactions, and about {tested:.0%} of the test part is of them (Gini {gini:.2f}).",
        "Report head and tail items apart, and put popularity beside every model.",
    ),
    "short histories": (
        "note",
        "{count:,} of {of:,} test users ({share:.1%}) have fewer than {few} training interactions; results on them say "
        "little of a model that learns from histories.",
        "Report users by length of history.",
    ),
    "repeated interactions": (
        "note",
        "{count:,} rows repeat a pair of a user and an item within one part.",
        "Metrics and graphs count each pair once; drop the repeats if a model that you bring reads rows.",
    ),
    "same {what}": ("note", COPIES, MERGE),
    "near-same {what}": ("note", COPIES, MERGE),
    "{column}: {value}": (
        "warning",
        "{count:,} items are flagged {value!r} in the column {column}.",
        "Look at them; mark placeholder and wrong images as missing (an empty image), and merge items that are one.",
    ),
    "missing images": (
        "note",
        "{count:,} of {of:,} items ({share:.1%}) have no image; they are {tested:.1%} of the test interactions.",
        "Choose how the model answers a missing image, and report these items apart.",
    ),
    "unreadable images": (
        "warning",
        "{count:,} of {of:,} images cannot be read, so an encoder has no vector for them.",
        "Get these files again, or mark them as missing.",
    ),
    "one image on many items": ("warning", "{count:,} items show an image that {many} items or more share.", MASK),
    "images of one colour": ("warning", "{count:,} items show one colour on {plain:.0%} of the image or more.", MASK),
    "tiny images": ("warning", "{count:,} items have an image whose shorter side is below {tiny} pixels.", MASK),
    "missing texts": (
        "note",
        "{count:,} of {of:,} items ({share:.1%}) have no description.",
        "Choose how the model answers a missing text; a title alone says little.",
    ),
    "one text on many items": (
        "warning",
        "{count:,} items have one of {groups:,} descriptions that {many} items or more share.",
        "Leave these descriptions out, so that the title speaks.",
    ),
}


def found(kind: str, count: int, examples: Iterable[Example] = (), *, severity: str = "", **said: Any) -> list[Finding]:
    """The finding of one of ``FLAWS``, or none where ``count`` is 0.

    Args:
        count: how many.
        examples: the first ``SHOWN`` are kept.
        severity: default: the usual one.
        said: what the texts in ``FLAWS`` have in braces.
    """
    if not count:
        return []
    usual, what, remedy = FLAWS[kind]
    what = what.format(count=count, **said)
    return [Finding(kind.format(**said), severity or usual, count, what, remedy, tuple(islice(examples, SHOWN)))]
